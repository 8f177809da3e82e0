// Answers as a caller sees them, for the OpenAPI document. test/http/openapi.test.ts checks each against its schema.

const ACCOUNT = {
  tenant_id: '9d2f1a44-58c6-4a0b-8f3a-6b1c2d3e4f50',
  object_id: '0b6f7c1e-3a5d-4e9b-9c8a-7d6e5f4a3b2c',
  username: 'jane@contoso.com',
}
const SCOPE = 'Files.ReadWrite.All User.Read'
const ID = '3f0c9f5e-2b7a-4f0e-8d55-5f2a9c1e7b64'

export const TOKEN = {
  user_id: '42',
  access_token: 'eyJ0eXAiOiJKV1QiLCJub25jZSI6...',
  token_type: 'Bearer' as const,
  expires_at: '2026-11-22T10:00:00.000Z',
  expires_in: 3187,
  scope: SCOPE,
  missing_scopes: [],
  excess_scopes: [],
  generation: 1817,
  account: ACCOUNT,
}

export const INTEGRATION = {
  user_id: '42',
  status: 'active' as const,
  generation: 1817,
  account: ACCOUNT,
  scope: SCOPE,
  missing_scopes: [],
  excess_scopes: [],
  connected_at: '2026-10-02T07:15:30.000Z',
  refreshed_at: '2026-11-22T09:00:00.000Z',
  access_token_expires_at: '2026-11-22T10:00:00.000Z',
}

export const BEGUN = {
  id: ID,
  url: 'https://audits.megsupportools.com/auth/oauth2/microsoft/connect/Yw3kq0m3Jt5bZ1xS8fVg2nR7cD4hL6pQ9uE0aKiXoTs',
  expires_at: '2026-11-22T09:16:46.000Z',
}

export const CONNECT_URLS = {
  connect_url: 'https://audits.megsupportools.com/microsoft/connect',
  manage_url: 'https://audits.megsupportools.com/microsoft/manage',
  completion_url: 'https://audits.megsupportools.com/microsoft/connected',
}

export const CONNECT_SESSION = {
  id: ID,
  user_id: '42',
  intent: 'connect' as const,
  status: 'connected' as const,
  created_at: '2026-11-22T09:06:46.000Z',
  expires_at: '2026-11-22T09:12:10.000Z',
  outcome: { result: 'connected' as const, account: ACCOUNT },
}

/** What came with the browser. */
export const HANDLE = 'q7Zt2mVb9kXc4yRw1nPf6dHs8gJu3aLe5oTi0BQxYvE'

/** The page that a user is sent to after completion. */
export const NEXT = `https://audits.megsupportools.com/auth/oauth2/microsoft/result/${ID}/o3Vt8mQb1kZx5yS7wN2cF9dH4gJ6pL0rT8uE1aKiXoU`

export const EVENTS = {
  events: [
    { id: 8101, at: '2026-11-22T09:07:02.250431Z', user_id: '42', type: 'connected' as const, generation: 1817 },
    {
      id: 8102,
      at: '2026-11-22T09:30:00.017255Z',
      user_id: '77',
      type: 'reconnect_required' as const,
      reason: 'access_revoked' as const,
    },
  ],
  cursor: 'ODEwMi41ZjBjOGYwZS0zYjFkLTRjNTgtOWQwYS0yZjZmM2YxYjdhNDQuMTc5NTMzNzIwNi4xODE3',
  more: false,
}

export const LISTED = { integrations: [INTEGRATION], events_cursor: EVENTS.cursor }

export const IMPORT_ROW = {
  user_id: '42',
  refresh_token: '1.AXkAExampleOfARefreshToken',
  updated_at: '2026-11-22T09:00:00Z',
  scopes: ['Files.ReadWrite.All', 'User.Read'],
}

export const FREEZE = {
  id: ID,
  scope: 'tenant' as const,
  value: ACCOUNT.tenant_id,
  reason: 'Incident 2026-117: stolen laptop of an administrator',
  caller: 'megdocs',
  created_at: '2026-11-22T09:06:46.000Z',
}
