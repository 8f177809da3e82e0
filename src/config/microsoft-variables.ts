// The variables about Microsoft. They are part of the table in variables.ts.
import { certificates, clientSecret, privateKeys } from './secrets.ts'
import { absolutePath, guid, list, oneOf, origin, permissions, proxy, tenant } from './values.ts'
import { DEFAULT_SCOPES, KNOWN_SCOPES } from '../core/microsoft-permissions.ts'
import { previousClients } from './previous-clients.ts'
import type { Variable } from './variable.ts'

export const MICROSOFT_VARIABLES = {
  MICROSOFT_CLIENT_ID: {
    what: 'Application (client) ID of the app registration',
    expected: 'the GUID named "Application (client) ID" in the Azure portal',
    example: '11111111-2222-3333-4444-555555555555',
    required: 'always',
    secret: false,
    parse: guid,
  },
  MICROSOFT_CLIENT_SECRET: {
    what: 'Client secret; several while one is being replaced, newest first',
    expected:
      'the column "Value" (not "Secret ID") under Certificates & secrets in the Azure portal; newest first, if several',
    example: '<value from the Azure portal>',
    required: 'unless MICROSOFT_CLIENT_CERTIFICATE or MICROSOFT_FEDERATED_TOKEN_FILE is set',
    secret: true,
    parse: list(clientSecret),
  },
  MICROSOFT_CLIENT_CERTIFICATE: {
    what: 'Certificate(s) registered with Microsoft, tried before any secret; newest first',
    expected: 'PEM, RSA of at least 2048 bits, without its chain; newest first, if several',
    example: '-----BEGIN CERTIFICATE-----…',
    required: 'unless MICROSOFT_CLIENT_SECRET or MICROSOFT_FEDERATED_TOKEN_FILE is set',
    secret: false,
    parse: certificates,
  },
  MICROSOFT_CLIENT_KEY: {
    what: 'Private key(s) of MICROSOFT_CLIENT_CERTIFICATE, in any order',
    expected: 'PEM, not encrypted, one for each certificate of MICROSOFT_CLIENT_CERTIFICATE',
    example: '<PEM, best as MICROSOFT_CLIENT_KEY_FILE>',
    required: 'with MICROSOFT_CLIENT_CERTIFICATE',
    secret: true,
    parse: privateKeys,
  },
  MICROSOFT_FEDERATED_TOKEN_FILE: {
    what:
      'Instead of secret and certificate: file with a token of another issuer (workload identity federation), in Kubernetes ' +
      'the projected token of the service account. Read for every exchange. If no client and no credential is set, ' +
      '`AZURE_CLIENT_ID` and `AZURE_FEDERATED_TOKEN_FILE` are used, where both are set; `AZURE_TENANT_ID` never is',
    expected:
      'the path of a file with a JWT; neither MICROSOFT_CLIENT_SECRET nor MICROSOFT_CLIENT_CERTIFICATE beside it',
    example: '/var/run/secrets/azure/tokens/azure-identity-token',
    required: 'unless MICROSOFT_CLIENT_SECRET or MICROSOFT_CLIENT_CERTIFICATE is set',
    secret: false,
    path: true,
    parse: absolutePath,
  },
  MICROSOFT_PREVIOUS_CLIENTS: {
    what:
      'Other app registrations that stored integrations belong to, each with its credentials: they are refreshed with ' +
      'these, and new connects use MICROSOFT_CLIENT_ID. For a move to another registration without reconnects',
    expected:
      'client_id:secret entries, separated by commas or line breaks, several for one client_id if it has several secrets; ' +
      'or a JSON array of objects with client_id and client_secret (text or array), ' +
      'client_certificate and client_key (PEM), or federated_token_file (path)',
    example: '<client_id:value from the Azure portal, best as MICROSOFT_PREVIOUS_CLIENTS_FILE>',
    secret: true,
    parse: previousClients,
  },
  MICROSOFT_PERMISSIONS: {
    what:
      'Delegated permissions of Microsoft Graph that a connect asks for. A change disconnects nobody: answers name ' +
      'what a user lacks (`missing_scopes`) and has in excess (`excess_scopes`)',
    expected: `one or more of ${KNOWN_SCOPES.join(', ')}, separated by spaces or commas`,
    example: 'User.Read Files.ReadWrite',
    default: DEFAULT_SCOPES.join(' '),
    secret: false,
    parse: permissions,
  },
  MICROSOFT_TENANT: {
    what: 'Whose accounts may sign in',
    expected: 'organizations, common, consumers, a tenant id or a domain of one',
    example: 'contoso.onmicrosoft.com',
    default: 'organizations',
    secret: false,
    parse: tenant,
  },
  ALLOWED_TENANTS: {
    what:
      'Only accounts of these tenants are accepted, their guests included: what counts is the tenant that issued the id ' +
      'token (`tid`), not the home of the account (`idp`, `acct`). Default: all that MICROSOFT_TENANT allows',
    expected: 'tenant ids (GUIDs), separated by commas or spaces',
    example: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
    secret: false,
    parse: list(guid),
  },
  CONTINUOUS_ACCESS_EVALUATION: {
    what:
      '`on`: Microsoft issues tokens of up to 28 hours and may revoke them within minutes by a claims challenge. Needs ' +
      '`"claims_challenges": true` for every caller with `tokens:read`, which says that it passes challenges on. The ' +
      'price: a leaked token lives as long',
    expected: 'on or off',
    example: 'on',
    default: 'off',
    secret: false,
    parse: oneOf('on', 'off'),
  },
  MICROSOFT_LOGIN_URL: {
    what: 'Another cloud of Microsoft, or a simulator',
    expected: 'https://host without a path (http only for localhost and 127.0.0.1)',
    example: 'https://login.microsoftonline.us',
    default: 'https://login.microsoftonline.com',
    secret: false,
    parse: origin,
  },
  HTTPS_PROXY: {
    what: "Proxy on the way to Microsoft; nothing else goes through it. A private authority for it: Node's own `NODE_EXTRA_CA_CERTS`",
    expected: 'http://host:port or https://host:port, with user:password@ before the host if it asks for them',
    example: 'http://proxy.internal:3128',
    secret: true,
    parse: proxy,
  },
} as const satisfies Record<string, Variable>
