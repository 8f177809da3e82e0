/** What Graph says of a user, a drive and a file. */
import { isPersonal } from './accounts.ts'
import type { Account } from './accounts.ts'
import type { DriveFile } from './drive.ts'

export const context = 'https://graph.microsoft.com/v1.0/$metadata#'

/**
 * Microsoft's member order differs between work and personal accounts, and a personal account's id is the oid's tail.
 */
export function profile(account: Account): object {
  const head = { '@odata.context': `${context}users/$entity` }
  if (isPersonal(account)) {
    return {
      ...head,
      userPrincipalName: account.username,
      id: account.objectId.replaceAll('-', '').slice(-16),
      displayName: account.displayName,
      surname: account.surname,
      givenName: account.givenName,
      preferredLanguage: 'en-US',
      mail: account.username,
      mobilePhone: null,
      jobTitle: null,
      officeLocation: null,
      businessPhones: [],
    }
  }
  return {
    ...head,
    businessPhones: [],
    displayName: account.displayName,
    givenName: account.givenName,
    jobTitle: null,
    mail: account.username,
    mobilePhone: null,
    officeLocation: null,
    preferredLanguage: null,
    surname: account.surname,
    userPrincipalName: account.username,
    id: account.objectId,
  }
}

export function describeDrive(account: Account): { id: string; [member: string]: unknown } {
  return {
    '@odata.context': `${context}users('${account.objectId}')/drive/$entity`,
    id: `b!SIMULATED${account.objectId.replaceAll('-', '')}`,
    driveType: isPersonal(account) ? 'personal' : 'business',
    owner: { user: { id: account.objectId, displayName: account.displayName } },
    quota: { deleted: 0, remaining: 1099511600000, state: 'normal', total: 1099511627776, used: 27776 },
  }
}

export function describeFile(account: Account, file: DriveFile): object {
  return {
    id: file.id,
    name: file.name,
    size: Buffer.byteLength(file.content),
    eTag: `"{SIMULATED-${file.id}},${file.version}"`,
    lastModifiedDateTime: new Date(file.modifiedAt).toISOString().replace(/\.\d+Z$/, 'Z'),
    lastModifiedBy: { user: { id: account.objectId, displayName: account.displayName } },
    file: { mimeType: file.mimeType },
  }
}
