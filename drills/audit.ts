import { createVerifier, type AuditReport, type Finding } from '../src/audit/verify.ts'
import type { ReadLine } from '../src/audit/parse-line.ts'
import { parseSealingKeys } from '../src/crypto/keyring.ts'
import { deploy, type Drill, expect, pause } from './deployment.ts'

const READS = Number(process.env['AUDIT_DRILL_READS'] ?? 100_000)
const USERS = 50
const CALLERS = 24

/**
 * Reads at three replicas, of which one is killed on the way. Every token that arrived must have its audit line. Then
 * lines are removed, altered and doubled, and the verifier must name each of them.
 */
export const audit: Drill = {
  name: `audit of ${READS} reads at 3 replicas, one killed: no token without its line, no change without its name`,
  async run(options) {
    const deployment = await deploy({
      ...options,
      env: { CALLER_REQUESTS_PER_MINUTE: '10000000', ...options?.env },
    })
    try {
      const brokers = await Promise.all([deployment.start(), deployment.start(), deployment.start()])
      const users = await deployment.users('audited', USERS)
      await deployment.setRemaining(users, -1)
      let next = 0
      let alive = [...brokers]
      /** What arrived: the context of the read, its user and its generation. */
      const arrived = new Map<string, { user: string; generation: number }>()
      const refused: number[] = []
      await Promise.all(
        Array.from({ length: CALLERS }, async () => {
          for (let i = next++; i < READS; i = next++) {
            const client = deployment.client(() => alive[i % alive.length]!.internalUrl)
            const user = users[i % USERS]!
            const answer = await client
              .send('GET', `/tokens/${user}`, undefined, `read:${i}`)
              .catch(() => ({ status: 0, body: undefined }))
            if (answer.status === 200)
              arrived.set(`read:${i}`, { user, generation: (answer.body as { generation: number }).generation })
            else refused.push(answer.status)
            if (i === Math.floor(READS / 2)) {
              const victim = alive[1]!
              victim.kill('SIGKILL')
              await victim.ended
              alive = alive.filter((broker) => broker !== victim)
            }
          }
        }),
      )
      // The others log the newest line of the one that died.
      await pause(11_000)
      for (const broker of alive) await broker.stop('SIGTERM')

      const keys = parseSealingKeys(deployment.env['AUDIT_KEYS']!)
      const logs = brokers.map((broker) => broker.log().split('\n'))
      const handedOut = new Map<string, ReadLine>()
      const verify = (texts: readonly (readonly string[])[], onLine?: (line: ReadLine) => void): AuditReport => {
        const verifier = createVerifier({ keys, ...(onLine === undefined ? {} : { onLine }) })
        for (const [file, lines] of texts.entries())
          for (const [i, line] of lines.entries()) verifier.take(line, { file: `log ${file}`, line: i + 1 }, true)
        return verifier.report()
      }
      const whole = verify(logs, (line) => {
        if (line.audit === 'token_handed_out' && line.context !== undefined) handedOut.set(line.context, line)
      })
      const unfinished = whole.findings.filter(({ kind }) => kind === 'unfinished').length
      expect(whole.whole && whole.lives.length === 3, JSON.stringify(whole.findings.slice(0, 5)))
      const ended = whole.lives.filter(({ ended: inOrder }) => inOrder).length
      expect(ended === 2, `${ended} of the lives ended in order`)
      const [killed] = whole.lives.filter(({ ended: inOrder }) => !inOrder)
      expect(
        killed !== undefined && killed.completeTo >= (killed.seenByOthers ?? Infinity),
        `the killed replica: complete to ${killed?.completeTo}, seen by the others to ${killed?.seenByOthers}`,
      )
      let without = 0
      for (const [context, { user, generation }] of arrived) {
        const line = handedOut.get(context)
        if (line?.user_id !== user || line.generation !== generation) without += 1
      }
      expect(without === 0, `${without} tokens arrived without their line`)
      expect(arrived.size + refused.length === READS, `${arrived.size} tokens and ${refused.length} refusals`)

      // Lines of each replica that are removed, altered and doubled; each at its own place.
      const wanted = new Map<string, Finding['kind']>()
      const changed = logs.map((lines) => {
        const at = lines.flatMap((line, i) => (line.includes('"audit":"token_handed_out"') ? [i] : []))
        const out = [...lines]
        for (let n = 1; n <= 30; n++) {
          const index = at[Math.floor((at.length * n) / 32)]!
          const text = lines[index]!
          const { life, number } = JSON.parse(text) as { life: string; number: number }
          const [kind, replacement] = (
            [
              ['missing', ''],
              ['altered', text.replace(/"user_id":"audited-\d+"/, '"user_id":"somebody"')],
              ['doubled', `${text}\n${text}`],
            ] as const
          )[n % 3]!
          out[index] = replacement
          wanted.set(`${life} ${number}`, kind)
        }
        return out.flatMap((line) => line.split('\n'))
      })
      const found = verify(changed)
      const named = new Map<string, string>()
      for (const finding of found.findings) {
        if (finding.kind === 'missing')
          for (let n = finding.from; n <= finding.to; n++) named.set(`${finding.life} ${n}`, 'missing')
        else if (finding.kind === 'altered' || finding.kind === 'doubled')
          named.set(`${finding.life} ${finding.number}`, finding.kind)
      }
      const overlooked = [...wanted].filter(([place, kind]) => named.get(place) !== kind)
      expect(overlooked.length === 0, `not named: ${JSON.stringify(overlooked.slice(0, 5))}`)
      expect(named.size === wanted.size, `${named.size} named, ${wanted.size} changed`)
      const lines = whole.lives.reduce((sum, life) => sum + life.lines, 0)
      return (
        `${arrived.size} tokens arrived, each with its line; ${refused.length} reads failed when one replica was killed; ` +
        `${lines} lines, ${unfinished} unfinished; ${wanted.size} lines removed, altered or doubled: all named, no other`
      )
    } finally {
      await deployment.close()
    }
  },
}
