export interface Variable {
  /** What it is, for the reference document. */
  readonly what: string
  /** The form of a valid value, in words. */
  readonly expected: string
  /** An example. For a secret: where it comes from, in angle brackets. */
  readonly example: string
  /** The value if the variable is not set. */
  readonly default?: string
  /** `always`, or when, in words. Without it the variable is optional. */
  readonly required?: string
  /** Never printed in any form. */
  readonly secret: boolean
  /** The path of a file that is read again while the service runs. It has no NAME_FILE form. */
  readonly path?: true
  readonly parse: (value: string) => unknown
}
