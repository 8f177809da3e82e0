import type { AdminRequestTexts, ReasonTexts, UnknownReasonTexts } from './types.ts'

// Each stands on the account page and on the result page, so it must be true for a stored connection and for a new one.

export const reasonsEn: ReasonTexts = {
  access_revoked: {
    title: 'Access was ended at Microsoft',
    happened:
      'That happens when an administrator resets the password, when all sign-ins are ended, or when access is withdrawn.',
    todo: 'Connect again.',
  },
  refresh_token_expired: {
    title: 'The connection has expired',
    happened: 'It was not used for a long time. Microsoft then ends it.',
    todo: 'Connect again.',
  },
  sign_in_frequency: {
    title: 'Your organisation wants you to sign in again',
    happened: 'A rule of your organisation asks for a new sign-in from time to time.',
    todo: 'Connect again and sign in at Microsoft.',
  },
  password_changed: {
    title: 'Your Microsoft password has changed or expired',
    happened: 'Microsoft wants to see the current password before it goes on.',
    todo: 'Connect again and sign in at Microsoft with your current password.',
  },
  token_invalid: {
    title: 'Microsoft no longer accepts this connection',
    happened: 'The access that was stored is not valid any more. Microsoft does not tell us why.',
    todo: 'Connect again.',
  },
  sign_in_required: {
    title: 'Microsoft wants you to sign in again',
    happened: 'Without a new sign-in, Microsoft gives no access.',
    todo: 'Connect again and sign in at Microsoft.',
  },
  mfa_required: {
    title: 'Microsoft asks for a second proof',
    happened: 'Your organisation wants you to confirm the sign-in in a second way, such as a code on your phone.',
    todo: 'Have your phone or security key ready, connect again, and complete the extra step.',
  },
  consent_required: {
    title: 'The permissions are not approved',
    happened: 'They have not been approved yet, or the approval was withdrawn.',
    todo: 'Connect again and approve them. If Microsoft says that an administrator must approve, send them the message below.',
  },
  admin_consent_required: {
    title: 'An administrator must approve first',
    happened: 'In your organisation, users may not approve these permissions themselves. That is a common setting.',
    todo: 'Send your administrator the message below. They approve once, for everybody or for some.',
  },
  blocked_by_policy: {
    title: 'A rule of your organisation blocks this',
    happened: 'Your sign-in was right, but a policy of your organisation does not allow this access.',
    todo: 'Send your administrator the message below. It names what Microsoft answered.',
  },
  device_not_compliant: {
    title: 'Your organisation asks for a managed device',
    happened: 'A policy of your organisation gives access only on devices that it manages.',
    todo: 'Connect again on a device of your organisation, or send your administrator the message below.',
  },
  account_disabled: {
    title: 'This Microsoft account is disabled',
    happened: 'Your organisation, or Microsoft, has switched the account off.',
    todo: 'Send your administrator the message below. Once the account is enabled, it works as before.',
  },
  account_not_found: {
    title: 'This Microsoft account is not in the organisation',
    happened: 'It was removed, or it has never been part of this organisation.',
    todo: 'Use another account: if one is connected here, disconnect it first. Or ask your administrator with the message below.',
  },
  account_locked: {
    title: 'This Microsoft account is locked',
    happened: 'Microsoft locks an account for a while after too many wrong passwords or unusual sign-ins.',
    todo: 'Wait a while. If it stays locked, send your administrator the message below.',
  },
  not_assigned: {
    title: 'You have not been given MEGDocs at Microsoft yet',
    happened: 'Your organisation lets only certain users use MEGDocs with Microsoft, and you are not among them yet.',
    todo: 'Send your administrator the message below, so that they can add you.',
  },
  app_unavailable: {
    title: 'MEGDocs is switched off in your organisation',
    happened: 'At Microsoft, MEGDocs is disabled or missing in your organisation.',
    todo: 'Send your administrator the message below.',
  },
  tenant_unavailable: {
    title: 'Microsoft does not let your organisation sign in',
    happened: 'Microsoft has blocked or deleted your organisation’s directory, or its sign-in is not set up correctly.',
    todo: 'Send your administrator the message below.',
  },
  tenant_restricted: {
    title: 'Your organisation blocks access across organisations',
    happened: 'The account belongs to another organisation, and access between the two is not allowed.',
    todo: 'Send your administrator the message below.',
  },
  not_approved: {
    title: 'The permissions were not approved',
    happened: 'Microsoft sent you back without an approval. It does not tell us why.',
    todo: 'See which of the two fits. Nothing has been changed.',
  },
  missing_scopes: {
    title: 'Not all permissions were granted',
    happened: 'Microsoft granted only a part of what is needed, so the connection was not made.',
    todo: 'Connect again and approve all permissions.',
  },
  no_refresh_token: {
    title: 'The connection could not be set up',
    happened: 'Something on our side is not set up correctly. You did nothing wrong.',
    todo: 'Tell the people who run MEGDocs, and give them the reference below.',
  },
  tenant_not_allowed: {
    title: 'Accounts of this organisation are not accepted here',
    happened: 'Only accounts of certain organisations can be connected to this MEGDocs.',
    todo: 'Connect again and choose an account of your own organisation.',
  },
  other_cloud: {
    title: 'This account belongs to another Microsoft cloud',
    happened:
      'Microsoft runs separate clouds, for example one for US government. This MEGDocs is not connected to the cloud of the account that was used.',
    todo: 'If you have another account, begin again in MEGDocs and use that one. Otherwise tell the people who run MEGDocs, and give them the reference below.',
  },
  account_type_not_allowed: {
    title: 'This kind of account is not accepted here',
    happened: 'It seems to be a personal Microsoft account.',
    todo: 'Connect again and choose your work or school account.',
  },
  other_account: {
    title: 'This is another Microsoft account than the connected one',
    happened:
      'So that nobody’s files end up with somebody else, the account does not change without you disconnecting first. Nothing has been changed.',
    todo: 'Choose which account you want to use.',
  },
  identity_unproven: {
    title: 'We could not be sure that the answer came for you',
    happened: 'The proof of identity that Microsoft sent did not pass our check, so we stored nothing.',
    todo: 'Try again. If it repeats, tell the people who run MEGDocs and give them the reference below.',
  },
  code_rejected: {
    title: 'The sign\u2011in could not be finished',
    happened: 'It took too long, or the page was loaded twice.',
    todo: 'Start again. It takes a minute.',
  },
  not_back_yet: {
    title: 'This sign\u2011in cannot be finished here',
    happened: 'MEGDocs has not got what your browser brings back from Microsoft. We stored nothing.',
    todo: 'Start again. Do not copy the address of this page from one browser to another.',
  },
  not_the_same_user: {
    title: 'This sign\u2011in was begun by somebody else',
    happened: 'Another MEGDocs user began it. So that nobody’s files end up with somebody else, we stored nothing.',
    todo: 'Log in to MEGDocs as yourself and start again. If somebody sent you the link, do not use it.',
  },
  abandoned: {
    title: 'The sign\u2011in was not finished in time',
    happened: 'Too much time passed between starting here and coming back from Microsoft.',
    todo: 'Start again. Take your time at Microsoft: you have half an hour.',
  },
  microsoft_unreachable: {
    title: 'Microsoft cannot be reached at the moment',
    happened: 'Microsoft’s sign-in service does not answer us. Your account is not the cause.',
    todo: 'We try again by ourselves. You do not have to do anything.',
  },
  microsoft_timeout: {
    title: 'Microsoft did not answer in time',
    happened: 'Microsoft’s sign-in service is slow at the moment. Your account is not the cause.',
    todo: 'We try again by ourselves. You do not have to do anything.',
  },
  microsoft_error: {
    title: 'Microsoft has trouble at the moment',
    happened: 'Microsoft’s sign-in service reported an error of its own. Your account is not the cause.',
    todo: 'We try again by ourselves. You do not have to do anything.',
  },
  microsoft_bad_answer: {
    title: 'Microsoft’s answer could not be used',
    happened:
      'Something on the way to Microsoft, or Microsoft itself, sent an answer that we do not understand. You did nothing wrong.',
    todo: 'Try again later. If it stays so, tell the people who run MEGDocs and give them the reference below.',
  },
  throttled: {
    title: 'Microsoft asks us to slow down',
    happened: 'There were many requests at the same time, so Microsoft makes some of them wait.',
    todo: 'We try again by ourselves. You do not have to do anything.',
  },
  loop_detected: {
    title: 'Microsoft has paused this connection for a while',
    happened: 'It saw too many requests in a row. The cause is on our side, not yours.',
    todo: 'Try again later. If it stays so, give the people who run MEGDocs the reference below.',
  },
  connect_in_progress: {
    title: 'The connection is being made right now',
    happened: 'That takes a little longer than usual.',
    todo: 'Try again in a moment.',
  },
  refresh_in_progress: {
    title: 'The connection is being refreshed',
    happened: 'That takes a little longer than usual.',
    todo: 'Try again in a moment.',
  },
  broker_trouble: {
    title: 'We have trouble of our own at the moment',
    happened: 'A part of our system does not work as it should. You did nothing wrong.',
    todo: 'Try again in a few minutes. If it stays so, give the people who run MEGDocs the reference below.',
  },
  user_frozen: {
    title: 'Access is paused',
    happened: 'The people who run MEGDocs have paused access to your Microsoft files. Nothing was deleted.',
    todo: 'You do not have to connect again. Ask the people who run MEGDocs if you need access now.',
  },
  tenant_frozen: {
    title: 'Access is paused for your organisation',
    happened:
      'The people who run MEGDocs have paused access to the Microsoft files of your organisation. Nothing was deleted.',
    todo: 'You do not have to connect again. Ask the people who run MEGDocs if you need access now.',
  },
  caller_key_frozen: {
    title: 'Access is paused',
    happened: 'The people who run MEGDocs have paused a part of it. Your connection was not changed.',
    todo: 'You do not have to connect again. Ask the people who run MEGDocs if you need access now.',
  },
  challenge_repeated: {
    title: 'Microsoft does not accept new access at the moment',
    happened:
      'Microsoft asks again and again for a check that does not come to an end. You did nothing wrong, and your connection was not changed.',
    todo: 'Tell the people who run MEGDocs, and give them the reference below. You do not have to connect again.',
  },
  client_credential: {
    title: 'Connecting to Microsoft does not work at the moment',
    happened: 'Something on our side is not set up correctly. You did nothing wrong.',
    todo: 'Tell the people who run MEGDocs, and give them the reference below.',
  },
  registration_unknown: {
    title: 'Connecting to Microsoft does not work at the moment',
    happened: 'Something on our side is not set up correctly. You did nothing wrong.',
    todo: 'Tell the people who run MEGDocs, and give them the reference below.',
  },
  app_registration: {
    title: 'Connecting to Microsoft does not work at the moment',
    happened: 'Something on our side is not set up correctly. You did nothing wrong.',
    todo: 'Tell the people who run MEGDocs, and give them the reference below.',
  },
}

/** Neutral: this release does not know more. */
export const unknownReasonEn: UnknownReasonTexts = {
  user: {
    title: 'The connection does not work',
    happened: 'Microsoft does not give MEGDocs access for you.',
    todo: 'Connect again.',
  },
  tenant_admin: {
    title: 'Your organisation must change something first',
    happened: 'Microsoft does not give MEGDocs access for you.',
    todo: 'Ask your administrator, and give them the reference below.',
  },
  ops: {
    title: 'The connection does not work at the moment',
    happened: 'Something on our side does not work as it should. You did nothing wrong.',
    todo: 'If it does not work later either, give the people who run MEGDocs the reference below.',
  },
  nobody: {
    title: 'Microsoft gives no access at the moment',
    happened: 'Your account is not the cause.',
    todo: 'We try again automatically. You do not have to do anything.',
  },
}

const approve =
  'Microsoft tells me that an administrator has to approve the application first. Please look at the request and approve it.'

export const adminRequestsEn: AdminRequestTexts = {
  not_approved: approve,
  consent_required: approve,
  admin_consent_required: approve,
  blocked_by_policy:
    'A policy blocks the sign-in (Entra admin center, Sign-in logs, Conditional Access). Please allow the application there.',
  device_not_compliant:
    'A policy asks for a managed device. Please tell me which device I can use, or allow the application in that policy.',
  account_disabled: 'Microsoft says that my account is disabled. Please look at it.',
  account_not_found:
    'Microsoft does not find my account in the organisation. Please tell me which account I should use.',
  account_locked: 'Microsoft says that my account is locked. Please unlock it.',
  not_assigned:
    'I am not assigned to the application. Please add me (Entra admin center, Enterprise applications, Users and groups).',
  app_unavailable:
    'The application is disabled or missing in our tenant. Please enable it (Entra admin center, Enterprise applications, Properties).',
  tenant_unavailable:
    'Microsoft refuses sign-ins of our tenant: it is blocked, deleted or unmanaged, or its federated sign-in fails. Please check it in the Entra admin center, and contact Microsoft support if it is blocked.',
  tenant_restricted:
    'Access across organisations is blocked (cross-tenant access settings). Please allow the application.',
}
