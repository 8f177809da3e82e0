/**
 * Microsoft's clouds (docs/microsoft.md#clouds): everything that follows from MICROSOFT_LOGIN_URL, one row for each. A
 * host that is in no row, such as a simulator's, is treated as the global cloud with that host.
 */
export interface Cloud {
  name: string
  /** Hosts that sign people in. The first is the one that issuers and metadata name. */
  loginHosts: readonly [string, ...string[]]
  /** Origin of Microsoft Graph: the resource of the permissions. */
  graphUrl: string
  /** Where administrators register and manage applications. */
  portalUrl: string
  adminCenterUrl: string
  /** Where a work account sees and withdraws what it approved. Undefined: not known. */
  myAppsUrl?: string
}

export const CLOUDS: readonly [Cloud, ...Cloud[]] = [
  {
    name: 'global',
    loginHosts: ['login.microsoftonline.com', 'login.windows.net', 'login.microsoft.com'],
    graphUrl: 'https://graph.microsoft.com',
    portalUrl: 'https://portal.azure.com',
    adminCenterUrl: 'https://entra.microsoft.com',
    myAppsUrl: 'https://myapps.microsoft.com',
  },
  {
    name: 'US Government',
    loginHosts: ['login.microsoftonline.us'],
    graphUrl: 'https://graph.microsoft.us',
    portalUrl: 'https://portal.azure.us',
    adminCenterUrl: 'https://entra.microsoft.us',
    myAppsUrl: 'https://myapps.microsoft.us',
  },
  {
    name: 'China, operated by 21Vianet',
    loginHosts: ['login.partner.microsoftonline.cn', 'login.chinacloudapi.cn'],
    graphUrl: 'https://microsoftgraph.chinacloudapi.cn',
    portalUrl: 'https://portal.azure.cn',
    adminCenterUrl: 'https://entra.microsoftonline.cn',
  },
]

/** The row of a login host. Undefined: none of Microsoft's. */
export function cloudOfHost(host: string): Cloud | undefined {
  return CLOUDS.find(({ loginHosts }) => loginHosts.includes(host.toLowerCase()))
}

/** The row that `loginUrl` belongs to. */
export function cloudOf(loginUrl: string): Cloud {
  return cloudOfHost(new URL(loginUrl).hostname) ?? CLOUDS[0]
}

/**
 * The origin that issuers of this cloud have. Another name of the same login host (`login.chinacloudapi.cn`) gets
 * tokens whose issuer has the first name.
 */
export function issuerOrigin(loginUrl: string): string {
  const [first] = cloudOfHost(new URL(loginUrl).hostname)?.loginHosts ?? []
  return first === undefined ? new URL(loginUrl).origin : `https://${first}`
}

/** Whether a URL is on the login host that is configured, or on another name of it. */
export function isOnLoginHost(url: string, loginUrl: string): boolean {
  if (!URL.canParse(url)) return false
  const { origin, protocol, host } = new URL(url)
  if (origin === new URL(loginUrl).origin) return true
  const cloud = cloudOfHost(new URL(loginUrl).hostname)
  return protocol === 'https:' && cloud !== undefined && cloud.loginHosts.includes(host)
}
