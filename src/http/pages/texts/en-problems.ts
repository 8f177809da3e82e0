import type { ProblemTexts } from './types.ts'

export const problemsEn: ProblemTexts = {
  link_expired: {
    title: 'This link has expired',
    happened: 'For your safety, a link for connecting to Microsoft works for a short time only.',
    todo: 'Start again from MEGDocs. It takes a minute.',
  },
  link_used: {
    title: 'This link has been used already',
    happened:
      'Each link for connecting to Microsoft works once. Opening it again, with the back button or from the history, does nothing.',
    todo: 'If you have just connected, you are done. Otherwise start again from MEGDocs.',
  },
  link_foreign: {
    title: 'This link belongs to another browser',
    happened:
      'It was opened first in another browser or on another device. If somebody sent it to you, do not use it: it could connect your files to their account.',
    todo: 'Start again from MEGDocs, in this browser.',
  },
  other_sign_in: {
    title: 'Another sign\u2011in is under way in this browser',
    happened:
      'Somebody has begun to connect to Microsoft in this browser and is not finished. The link that you opened belongs to another MEGDocs user. It has not been used.',
    todo: 'Was it you? Finish in the other window, nothing has changed there. If somebody sent you this link, close this page. Continue with this link only if you opened it from MEGDocs yourself: the other sign-in can then no longer be finished.',
  },
  result_gone: {
    title: 'This result is no longer shown',
    happened: 'How connecting to Microsoft went is shown for ten minutes.',
    todo: 'If you have just connected, you are done. Your Microsoft connection shows how it stands now.',
  },
  sign_in_unmatched: {
    title: 'This sign\u2011in cannot be finished here',
    happened:
      'The answer from Microsoft does not belong to a sign-in that was begun in this browser, or it has been used already, or it took too long.',
    todo: 'If you have just connected, you are done. Otherwise start again from MEGDocs.',
  },
  cookies_blocked: {
    title: 'Your browser blocks cookies',
    happened:
      'We need one cookie to know that it is still you when you come back from Microsoft. It holds no personal data and is gone after half an hour.',
    todo: 'Allow cookies for this site, or leave private browsing. Then start again from MEGDocs.',
  },
  session_over: {
    title: 'This page is closed',
    happened: 'It closes when you disconnect, finish connecting or log out of MEGDocs, and otherwise after 30 minutes.',
    todo: 'If you have just disconnected, you are done. Otherwise open your Microsoft connection again.',
  },
  no_session: {
    title: 'Please open this page from MEGDocs',
    happened: 'Your Microsoft connection is shown only to you. So we must hear from MEGDocs first who you are.',
    todo: 'Open it from MEGDocs. You may have to log in there.',
  },
  form_expired: {
    title: 'That was not carried out',
    happened: 'The page you clicked on was out of date or was opened for another user. Nothing has been changed.',
    todo: 'Open your Microsoft connection again and repeat it there.',
  },
  microsoft_unavailable: {
    title: 'Microsoft cannot be reached at the moment',
    happened: 'Microsoft’s sign-in service does not answer us. Your account is not the cause.',
    todo: 'Try again in a few minutes. Nothing has been changed.',
  },
  broker_misconfigured: {
    title: 'Connecting does not work at the moment',
    happened: 'Something on our side is not set up correctly. You did nothing wrong.',
    todo: 'Tell the people who run MEGDocs, and give them the reference below. They can find the cause with it.',
  },
  service_unavailable: {
    title: 'This service is not available at the moment',
    happened: 'A part of our system does not answer. Your connection is not lost.',
    todo: 'Try again in a few minutes.',
  },
  plain_http: {
    title: 'This page needs a secure connection',
    happened: 'The request reached us without encryption (http instead of https), so we have not gone on.',
    todo: 'Make sure that the address begins with https://. If it does, give the people who run MEGDocs the reference below.',
  },
  invalid_request: {
    title: 'This address is not complete',
    happened: 'A part of the address is missing or was changed. That happens when a link is copied by hand.',
    todo: 'Start again from MEGDocs.',
  },
  not_found: {
    title: 'There is no such page',
    happened: 'The address may be mistyped, or the link may be out of date.',
    todo: 'Go back to MEGDocs and start from there.',
  },
  too_many_requests: {
    title: 'Too many requests',
    happened: 'There were more requests than we take at once, from this browser or from others in the same network.',
    todo: 'Wait a minute, then try again.',
  },
  internal_error: {
    title: 'Something went wrong on our side',
    happened: 'This should not have happened. You did nothing wrong.',
    todo: 'Try again. If it repeats, tell the people who run MEGDocs and give them the reference below.',
  },
}
