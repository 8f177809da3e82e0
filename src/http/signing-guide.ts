import { WORKED_ANSWER, WORKED_GET, WORKED_POST, type WorkedAnswer, type WorkedRequest } from './worked-examples.ts'

// How to sign and verify, in Markdown, so that a caller can be written from the OpenAPI document alone
// (docs/design.md#signed-requests).

const RULES = `Every request is signed with RFC 9421 HTTP Message Signatures in one narrow profile, \
\`token-broker/1\`; bodies have a \`Content-Digest\` (RFC 9530). Everything else is refused with \
\`invalid_signature\`, and only the broker's log says why.

**To sign a request**

1. Take the method, the URL exactly as it will be sent, and the body's bytes. Only POST has a body; send it with \
\`Content-Type: application/json\` and a \`Content-Length\`, and without \`Content-Encoding\`.
2. With a body, add \`Content-Digest: sha-256=:<base64 of the SHA-256 of the body's bytes>:\`.
3. Write one line for each component, in this order: its name in double quotes, a colon, a space, its value.

| component | value |
|---|---|
| \`"@method"\` | the method in capitals |
| \`"@authority"\` | the \`Host\` header in lower case, without the port where it is 443 (https) or 80 (http). The broker must be configured for it |
| \`"@path"\` | the path as sent, nothing decoded and no dot segments resolved |
| \`"@query"\` | the query as sent with its \`?\`; without a query, \`?\` alone |
| \`"content-digest"\` | with a body: the header's value |
| \`"content-type"\` | with a body: the header's value |

4. The last line is \`"@signature-params": \` and the parameters: the component names in the same order in \
parentheses, separated by one space, then, each after a semicolon and without spaces,
   * \`created\`: seconds since the epoch, a whole number;
   * \`expires\`: seconds since the epoch, at most 60 after \`created\`;
   * \`nonce\`: at least 128 random bits as 22 to 64 characters of base64url, in double quotes, **new for every \
attempt**, retries included;
   * \`keyid\`: the id of the key, in double quotes;
   * \`tag="token-broker/1"\`.
5. Join the lines by LF, with none at the end: the signature base, ASCII. Sign its bytes: with \`hmac-sha256\`, \
HMAC-SHA-256 under the bytes of the secret; with \`ed25519\`, Ed25519 (RFC 8032). Secrets, private and public keys are \
32 bytes each, handed over as base64url. The key decides which; a parameter \`alg\` may be left out.
6. Add \`Signature-Input: sig1=<the parameters>\` and \`Signature: sig1=:<base64 of the signature, with padding>:\`, \
each once, and no other signature.

\`("@method" "@target-uri")\` in place of the first four is accepted too; \`@target-uri\` is the whole URL.

**Refused requests.** Clocks may differ by 5 seconds. If only the clock is wrong, the answer is \`clock_skew\`; it is \
signed and covers its \`Date\`: correct the clock by it, then sign again. Each nonce is accepted once. Requests that a \
browser sent are refused.

**To verify an answer.** Answers to requests with a valid signature are signed: with the caller's own key for HMAC, \
with the broker's key for Ed25519. Before you use anything of an answer, check that
1. there is one \`Signature-Input\` and one \`Signature\`, and the parameters are \`created\`, at most 60 seconds from \
now, \`keyid\`, the expected key, and \`tag="token-broker-response/1"\`;
2. it covers \`"@status"\` (the number), \`"content-digest"\`, \`"content-type"\` where the answer has one, and with \
\`;req\` (a line such as \`"@method";req: GET\`) everything that the request covered and \`"signature-input";req\`. \
Take the values of \`;req\` components from the request as you sent it: that binds the answer to your nonce, so that \
no cache or proxy can give you another user's token;
3. the signature is valid for the base, written by the rules above from the components in the order in which \
\`Signature-Input\` names them; every name without \`@\` and \`;req\` is a header of the answer;
4. the body's bytes have the digest in \`Content-Digest\`, also if there is no body (204).

Answer a failed check with an error of your own; never use the token.`

/** The whole guide, for the document's security scheme. */
export function signingGuide(): string {
  return [
    RULES,
    '**Worked examples.** The keys are published here: never use them.',
    workedRequest(WORKED_GET),
    workedAnswer(WORKED_ANSWER),
    workedRequest(WORKED_POST),
  ].join('\n\n')
}

/** One signed call with its answer, for the README. */
export function workedCall(): string {
  return [workedRequest(WORKED_GET), workedAnswer(WORKED_ANSWER)].join('\n\n')
}

function workedRequest({ title, key, materialIs, method, url, headers, body, base, adds }: WorkedRequest): string {
  const { host, pathname, search } = new URL(url)
  const sent = [
    `${method} ${pathname}${search} HTTP/1.1`,
    `Host: ${host}`,
    ...fields({ ...headers, ...lengthOf(body), ...adds }),
    ...(body === undefined ? [] : ['', body]),
  ]
  return `_${title}._ Key \`${key.keyId}\`, ${key.algorithm}, \`${key.material}\` (${materialIs}). Signature base:\n\n${fenced(base)}\n\nThe request:\n\n${fenced(sent)}`
}

function workedAnswer({ title, status, headers, body, base, adds }: WorkedAnswer): string {
  const received = [`HTTP/1.1 ${status}`, ...fields({ ...headers, ...adds }), '', body]
  return `_${title}._ Received:\n\n${fenced(received)}\n\nSignature base to verify it by:\n\n${fenced(base)}`
}

const fields = (headers: Record<string, string>): string[] =>
  Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
const lengthOf = (body: string | undefined): Record<string, string> =>
  body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
const fenced = (lines: readonly string[]): string => ['```', ...lines, '```'].join('\n')
