/**
 * MEGDocs' id of a user, everywhere: characters that need no escaping in a path, and no dot segment (RFC 3986 section
 * 5.2.4).
 */
export const USER_ID = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/
