import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { ensureVenv, findPython, MissingPython, run } from '../../sandbox/django-venv.ts'
import { certificateFile, claimsOfBroker, JANE, REDIRECT_URI, SCOPES, startMicrosoft } from './support.ts'

// npm run test:independent: Microsoft's own client library for Python, with the simulator in Microsoft's place. The
// steps are in msal_steps.py, and each prints what the library made of an answer.

const ADVICE =
  'msal for Python needs Python 3.10 or later with venv (Debian: apt-get install python3-venv) and access to PyPI.'
const CHALLENGE =
  '{"access_token":{"nbf":{"essential":true,"value":"1635527790"},"xms_rp_ipaddr":{"value":"192.0.2.1"}}}'
const STEPS = fileURLToPath(new URL('msal_steps.py', import.meta.url))

async function interpreter(): Promise<string> {
  const python = await findPython([...(process.env['PYTHONS']?.split(',') ?? []), 'python3'])
  if (python === undefined) throw new MissingPython(ADVICE)
  try {
    return await ensureVenv(python, 'msal', ['msal==1.39.0', 'requests>=2.34'])
  } catch (error) {
    throw error instanceof MissingPython ? new MissingPython(`${error.message} ${ADVICE}`) : error
  }
}

t.test('msal for Python: code with PKCE and nonce, silent, refresh, wrong secret, CAE, refusals', async (t) => {
  const python = await interpreter().catch((error: unknown) => {
    if (error instanceof MissingPython) return { missing: error.message }
    throw error
  })
  if (typeof python !== 'string') {
    t.fail(python.missing)
    return
  }
  const entra = await startMicrosoft(t)
  const settings = {
    url: entra.url,
    control: `${entra.controlUrl}/control`,
    client_id: entra.clientId,
    client_secret: entra.clientSecret,
    account: JANE,
    redirect_uri: REDIRECT_URI,
    scopes: SCOPES,
    challenge: CHALLENGE,
  }
  const { code, out, err } = await run(python, [STEPS, JSON.stringify(settings)], {
    env: { ...process.env, REQUESTS_CA_BUNDLE: certificateFile(t), NO_PROXY: 'localhost,127.0.0.1' },
  })
  t.equal(code, 0, err)
  const seen = JSON.parse(out.trim().split('\n').at(-1) ?? '{}') as Record<string, unknown>
  t.match(seen, {
    username: JANE,
    silent_from_cache: true,
    refreshed: true,
    wrong_secret: { error: 'invalid_client', error_codes: [7000215] },
    garbage: { error: 'invalid_grant' },
    refusals: {
      50076: { error: 'interaction_required', suberror: 'basic_action' },
      53003: { error_codes: [53003], claims: /capolids/ },
      65001: { error_codes: [65001] },
    },
    challenge: 401,
    after_revocation: { error: 'invalid_grant', error_codes: [50173] },
    claims_at_sign_in: /nbf/,
  })
  const sent = seen['sent'] as { authorize: string; token: string }[]
  for (const [i, challenge] of [undefined, CHALLENGE].entries()) {
    const { authorize, token } = await claimsOfBroker(t, entra, challenge)
    // Python's JSON has blanks.
    t.same(
      JSON.parse(authorize ?? ''),
      JSON.parse(sent[i]?.authorize ?? ''),
      `authorize, ${challenge ?? 'no challenge'}`,
    )
    t.same(JSON.parse(token ?? ''), JSON.parse(sent[i]?.token ?? ''), `refresh, ${challenge ?? 'no challenge'}`)
  }
  t.ok(Number(seen['cae_seconds']) > 70_000, 'with cp1 the token is long')
  t.ok(readFileSync(STEPS, 'utf8').includes('"CP1"'), 'in capitals, as Microsoft documents it')
})
