import t from 'tap'
import type { World } from '../../sandbox/world.ts'
import { texts } from '../../src/texts/texts.ts'
import { connect, openAccountPage } from './support/people.ts'
import { inSomeLanguage, openStage } from './support/stage.ts'

// What a person sees whose tokens are withheld (docs/design.md#freeze).

const stage = await openStage(t)

/** Freezes as MEGDocs does. Resolves with the way to lift it. */
async function freeze({ client }: World, scope: 'user' | 'tenant', value: string): Promise<() => Promise<unknown>> {
  const { body } = await client.send('POST', '/freezes', { scope, value, reason: 'incident' })
  const { id } = body as { id: string }
  return () => client.send('DELETE', `/freezes/${id}`)
}

await inSomeLanguage(t, stage, 'account page: paused, who can help, no reconnect', async (t, scene) => {
  const { page, world, language, userId } = scene
  await connect(world, page, 'jane')
  const [row] = await world.query(`select tenant_id from oauth2_integration where user_id = '${userId}'`)
  for (const scope of ['user', 'tenant'] as const) {
    const lift = await freeze(world, scope, scope === 'user' ? userId : String(row!['tenant_id']))
    await openAccountPage(world, page)
    const text = await scene.see(`account-paused-${scope}`, texts[language].account.title)
    const { title, happened, todo } = texts[language].reasons[`${scope}_frozen`]
    const words = texts[language]
    for (const part of [words.status.paused, title, happened, todo, words.actors.ops]) t.match(text, part)
    t.equal(
      await page.getByRole('link', { name: words.actions.connectAgain, exact: true }).count(),
      0,
      'it would not help',
    )
    t.equal(
      await page.getByRole('link', { name: words.actions.disconnect, exact: true }).count(),
      1,
      'disconnecting stays',
    )
    await lift()
    await page.reload()
    t.match(await page.locator('main').innerText(), words.status.connected, 'lifted: connected as before')
  }
})

await inSomeLanguage(t, stage, 'result page of a connect during a freeze', async (t, scene) => {
  const { page, world, language, userId } = scene
  const lift = await freeze(world, 'user', userId)
  await connect(world, page, 'jane')
  const { title, happened, todo } = texts[language].reasons.user_frozen
  const text = await scene.see('result-paused', title)
  for (const part of [happened, texts[language].result.whilePaused]) t.match(text, part)
  t.notMatch(text, todo, 'this person is not connected and will have to connect')
  t.equal(await page.getByRole('link', { name: texts[language].actions.connectAgain, exact: true }).count(), 0)
  t.equal(await world.client.integration(userId), undefined)
  await lift()
  await connect(world, page, 'jane')
  t.equal(await page.locator('h1').innerText(), texts[language].result.connected)
})
