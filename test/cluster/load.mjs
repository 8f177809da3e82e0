// Runs in a pod of MEGDocs: signs ten requests for a token every second, each on a connection of its own, and prints a
// line of totals every second and a line for each failure.
import { readFileSync } from 'node:fs'
import { request } from 'node:https'

// The image has the code of the broker.
const { signingKey } = await import('/app/dist/signature/keys.js')
const { signRequest } = await import('/app/dist/signature/sign.js')

const INTERVAL_MS = 100
const TIMEOUT_MS = 8_000
const { BROKER_URL: base, USER_ID: userId } = process.env
const ca = readFileSync('/script/ca.crt')
const { key_id, algorithm, secret } = JSON.parse(readFileSync('/script/key.json', 'utf8'))
const key = signingKey(key_id, algorithm, secret)
const totals = { sent: 0, good: 0, failed: 0, slowestMs: 0 }

function ask() {
  const url = `${base}/tokens/${userId}`
  const began = Date.now()
  totals.sent += 1
  const fail = (why) => {
    // The policies let a new pod in some seconds after its start. From the first answer on, each failure counts.
    if (totals.good === 0) {
      totals.sent -= 1
      return
    }
    totals.failed += 1
    console.log(JSON.stringify({ failure: why, at: new Date(began).toISOString(), ms: Date.now() - began }))
  }
  const sent = request(
    url,
    { agent: false, ca, timeout: TIMEOUT_MS, headers: signRequest({ method: 'GET', url }, key, { now: began }) },
    (answer) => {
      let text = ''
      answer.on('data', (chunk) => (text += chunk))
      answer.on('error', (error) => fail(error.code ?? error.message))
      answer.on('end', () => {
        totals.slowestMs = Math.max(totals.slowestMs, Date.now() - began)
        // A degraded token is a refresh that failed.
        if (answer.statusCode === 200 && JSON.parse(text).degraded === undefined) totals.good += 1
        else fail(`${answer.statusCode} ${text.slice(0, 300)}`)
      })
    },
  )
  sent.on('timeout', () => sent.destroy(new Error('timeout')))
  sent.on('error', (error) => fail(error.code ?? error.message))
  sent.end()
}

setInterval(ask, INTERVAL_MS)
setInterval(() => console.log(JSON.stringify(totals)), 1_000)
process.on('SIGTERM', () => process.exit(0))
