CREATE SEQUENCE "public"."integration_generation" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
CREATE TABLE "browser_session" (
	"id_hash" "bytea" PRIMARY KEY NOT NULL,
	"user_id" text,
	"data" jsonb NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "connect_session" (
	"id" uuid PRIMARY KEY NOT NULL,
	"ticket_hash" "bytea" NOT NULL,
	"caller" text NOT NULL,
	"user_id" text NOT NULL,
	"intent" text NOT NULL,
	"allow_switch" boolean NOT NULL,
	"state_hash" "bytea",
	"browser_session" "bytea",
	"pkce_verifier" "bytea",
	"code" "bytea",
	"nonce" text,
	"status" text NOT NULL,
	"outcome" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "deployment" (
	"one" boolean DEFAULT true NOT NULL,
	"public_base_url" text NOT NULL,
	"epoch" uuid DEFAULT gen_random_uuid() NOT NULL,
	CONSTRAINT "deployment_one_pk" PRIMARY KEY("one"),
	CONSTRAINT "deployment_one_row" CHECK ("deployment"."one")
);
--> statement-breakpoint
CREATE TABLE "event" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "event_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	"user_id" text NOT NULL,
	"type" text NOT NULL,
	"caller" text NOT NULL,
	"detail" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "oauth2_integration" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"provider" text DEFAULT 'microsoft' NOT NULL,
	"status" text NOT NULL,
	"generation" bigint NOT NULL,
	"access_token" "bytea" NOT NULL,
	"refresh_token" "bytea" NOT NULL,
	"access_token_expires_at" timestamp with time zone NOT NULL,
	"scopes" text[] NOT NULL,
	"tenant_id" text,
	"object_id" text,
	"username" text,
	"display_name" text,
	"connected_at" timestamp with time zone DEFAULT now() NOT NULL,
	"refreshed_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp with time zone DEFAULT now() NOT NULL,
	"failure" jsonb,
	"failures" integer DEFAULT 0 NOT NULL,
	"retry_at" timestamp with time zone,
	"lease_owner" text,
	"lease_until" timestamp with time zone,
	CONSTRAINT "oauth2_integration_status" CHECK ("oauth2_integration"."status" in ('active', 'reconnect_required'))
);
--> statement-breakpoint
CREATE TABLE "request_nonce" (
	"replay_key" "bytea" PRIMARY KEY NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sealing_key" (
	"key_id" text PRIMARY KEY NOT NULL,
	"canary" "bytea" NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "browser_session_user_id" ON "browser_session" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "browser_session_expires_at" ON "browser_session" USING btree ("expires_at");--> statement-breakpoint
CREATE UNIQUE INDEX "connect_session_ticket_hash" ON "connect_session" USING btree ("ticket_hash");--> statement-breakpoint
CREATE UNIQUE INDEX "connect_session_state_hash" ON "connect_session" USING btree ("state_hash");--> statement-breakpoint
CREATE INDEX "connect_session_user_id" ON "connect_session" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "connect_session_browser_session" ON "connect_session" USING btree ("browser_session");--> statement-breakpoint
CREATE INDEX "connect_session_expires_at" ON "connect_session" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "event_at" ON "event" USING btree ("at");--> statement-breakpoint
CREATE UNIQUE INDEX "oauth2_integration_provider_user_id" ON "oauth2_integration" USING btree ("provider","user_id");--> statement-breakpoint
CREATE INDEX "oauth2_integration_refreshed_at" ON "oauth2_integration" USING btree ("refreshed_at");--> statement-breakpoint
CREATE INDEX "request_nonce_expires_at" ON "request_nonce" USING btree ("expires_at");