ALTER TABLE "connect_session" ADD COLUMN "client_id" text;--> statement-breakpoint
ALTER TABLE "deployment" ADD COLUMN "client_id" text;--> statement-breakpoint
ALTER TABLE "oauth2_integration" ADD COLUMN "client_id" text;--> statement-breakpoint
ALTER TABLE "oauth2_integration" ADD COLUMN "login_hint" text;