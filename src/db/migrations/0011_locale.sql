ALTER TABLE "connect_session" ADD COLUMN "locale" text;--> statement-breakpoint
ALTER TABLE "connect_session" ADD COLUMN "time_zone" text;