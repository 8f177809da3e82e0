import t from 'tap'
import { maskUsername } from '../../../src/http/pages/account-name.ts'

t.test('a masked name keeps its first character and its domain', async (t) => {
  const cases = [
    ['jane@contoso.com', 'j•••@contoso.com'],
    ['j@contoso.com', 'j•••@contoso.com'],
    ['"a@b"@contoso.com', '"•••@contoso.com'],
    ['jane_contoso.com#EXT#@x.onmicrosoft.com', 'j•••@x.onmicrosoft.com'],
    ['jane', 'j•••'],
    ['@contoso.com', 'c•••'],
    ['', '•••'],
    ['😀mile@x.example', '😀•••@x.example'],
  ] as const
  for (const [name, masked] of cases) t.equal(maskUsername(name), masked)
})
