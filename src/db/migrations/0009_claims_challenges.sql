ALTER TABLE "connect_session" ADD COLUMN "claims" text;--> statement-breakpoint
ALTER TABLE "oauth2_integration" ADD COLUMN "refresh_due_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "oauth2_integration" ADD COLUMN "claims_hash" text;--> statement-breakpoint
ALTER TABLE "oauth2_integration" ADD COLUMN "challenge" jsonb;--> statement-breakpoint
ALTER TABLE "oauth2_integration" ADD COLUMN "challenged_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "oauth2_integration" ADD COLUMN "forced_at" timestamp with time zone[];