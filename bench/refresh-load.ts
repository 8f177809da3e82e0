/** The load of bench/refresh.ts: the tokens of so many users expire at once, and so many callers read them. */
export const USERS = 200
export const CALLERS = 50
/** What Microsoft takes for each answer, in milliseconds. */
export const LATENCY_MS = 100
