// `node --import bench/plain/register.ts dist/main.js` with PLAIN=hmac,query,log-output: the broker without these
// shortcuts of ours, to measure what each gives.
import { registerHooks } from 'node:module'

const REPLACED: Record<string, string> = {
  hmac: 'core/hmac.js',
  query: 'http/query.js',
  'log-output': 'telemetry/log-output.js',
}
const standIns = new Map(
  (process.env['PLAIN'] ?? '')
    .split(',')
    .map((name) => [
      new URL(`../../dist/${REPLACED[name]}`, import.meta.url).href,
      new URL(`./${name}.ts`, import.meta.url).href,
    ]),
)
registerHooks({
  resolve(specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context)
    const standIn = standIns.get(resolved.url)
    return standIn === undefined ? resolved : { ...resolved, url: standIn, format: 'module-typescript' }
  },
})
