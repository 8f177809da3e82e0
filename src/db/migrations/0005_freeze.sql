CREATE TABLE "caller_key_use" (
	"key_id" text NOT NULL,
	"hour" timestamp with time zone NOT NULL,
	"sketch" "bytea" NOT NULL,
	"users" integer NOT NULL,
	CONSTRAINT "caller_key_use_key_id_hour_pk" PRIMARY KEY("key_id","hour")
);
--> statement-breakpoint
CREATE TABLE "access_freeze" (
	"id" uuid PRIMARY KEY NOT NULL,
	"scope" text NOT NULL,
	"value" text NOT NULL,
	"reason" text NOT NULL,
	"caller" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone,
	CONSTRAINT "access_freeze_scope" CHECK ("access_freeze"."scope" in ('user', 'tenant', 'caller_key'))
);
--> statement-breakpoint
ALTER TABLE "deployment" ADD COLUMN "sketch_key" uuid;--> statement-breakpoint
CREATE INDEX "caller_key_use_hour" ON "caller_key_use" USING btree ("hour");--> statement-breakpoint
CREATE UNIQUE INDEX "access_freeze_scope_value" ON "access_freeze" USING btree ("scope","value");