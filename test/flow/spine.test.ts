import t from 'tap'
import { JANE, startWorld } from '../support/world.ts'

t.test(
  'a user connects, MEGDocs gets a token, the token is refreshed when fewer than 300 seconds are left, and the user disconnects',
  async (t) => {
    const world = await startWorld(t)
    const { id, next } = await world.connect('42')
    t.match(next, new RegExp(`/auth/oauth2/microsoft/result/${id}/`))
    const page = await world.browser().open(next)
    t.equal(page.status, 200)
    t.match(page.html, JANE)

    const token = await world.caller.token('42')
    t.match(token, {
      user_id: '42',
      scope: 'Files.ReadWrite.All User.Read',
      missing_scopes: [],
      account: { username: JANE },
    })
    t.equal(token.access_token, (await world.stored('42'))?.accessToken)
    t.equal(world.entra.control.tokenRequests().total, 1)

    await world.setRemaining('42', 299)
    const fresh = await world.caller.token('42')
    t.ok(fresh.generation > token.generation)
    t.not(fresh.access_token, token.access_token)
    t.equal(world.entra.control.tokenRequests().total, 2)

    await world.caller.disconnect('42')
    t.match(await world.caller.send('GET', '/tokens/42'), { status: 404, body: { code: 'not_connected' } })
    t.equal(await world.row('42'), undefined)
  },
)
