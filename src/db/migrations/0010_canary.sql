CREATE TABLE "canary_run" (
	"one" boolean DEFAULT true NOT NULL,
	"begun_at" timestamp with time zone DEFAULT now() NOT NULL,
	"ended_at" timestamp with time zone,
	"failures" integer DEFAULT 0 NOT NULL,
	"failing_since" timestamp with time zone,
	"faults" jsonb DEFAULT '[]'::jsonb NOT NULL,
	CONSTRAINT "canary_run_one_pk" PRIMARY KEY("one"),
	CONSTRAINT "canary_run_one_row" CHECK ("canary_run"."one")
);
