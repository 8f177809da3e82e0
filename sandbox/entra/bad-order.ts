/** A call of control that names something unknown or impossible; the message says what was expected. */
export class BadOrder extends Error {}
