/** Control was asked for something that does not exist or cannot be; the message says what was expected. */
export class BadOrder extends Error {}
