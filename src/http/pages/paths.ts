// The paths pages link to among themselves; the routes answer on the same constants.

/** GET: the account page. */
export const ACCOUNT_PATH = '/accounts/account/microsoft/'
/** GET: asks before disconnecting. */
export const CONFIRM_DISCONNECT_URL = `${ACCOUNT_PATH}?confirm=disconnect`
/** POST: disconnects. Field CSRF_FIELD carries the token. */
export const DISCONNECT_PATH = `${ACCOUNT_PATH}disconnect`
export const CSRF_FIELD = 'csrf_token'
