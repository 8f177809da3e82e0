import type {
  ActorTexts,
  AdminRequestTexts,
  ExplainedText,
  PermissionTexts,
  ReasonTexts,
  UnknownReasonTexts,
} from './types.ts'

const approve =
  'Microsoft tells me that an administrator has to approve the application first. Please look at the request and approve it.'

/**
 * English. Its keys are those of every language (types.ts); a comment here holds for the text in each of them. \u2011: a hyphen at which no
 * headline is broken.
 */
export const en = {
  product: 'MEGDocs',
  area: 'Microsoft connection',
  reference: 'Reference',
  referenceUse: 'Quote it if you ask for help. It holds nothing about you.',
  /** For the switch: the language's own name, and what the switch is called. */
  language: { name: 'English', choose: 'Language' },
  /** How a connection stands, in one or two words. */
  status: {
    connected: 'Connected',
    notConnected: 'Not connected',
    notWorking: 'Not working',
    paused: 'Paused',
    notFinished: 'Not finished',
    unknown: 'Not known at the moment',
  },
  /** Every button's and link's words: one action has one name everywhere. */
  actions: {
    connect: 'Connect to Microsoft',
    connectAgain: 'Connect again',
    continueToMicrosoft: 'Continue to Microsoft',
    continueToMegdocs: 'Continue to MEGDocs',
    continueWithLink: 'Continue with this link',
    backToMegdocs: 'Back to MEGDocs',
    cancel: 'Cancel',
    tryAgain: 'Try again',
    logInAndConnect: 'Log in and connect to Microsoft',
    openConnection: 'Open your Microsoft connection',
    changeOrDisconnect: 'Change or disconnect it',
    disconnect: 'Disconnect',
    disconnectNow: 'Disconnect now',
    stayConnected: 'Stay connected',
    openMessage: 'See what to send to your IT',
    writeMail: 'Write an e-mail with this text',
    readRequest: 'Read the request and approve it',
    approve: 'Review and approve at Microsoft',
  },
  whatToDo: 'What to do now',
  whoActs: 'Who has to act',
  actors: {
    user: 'You',
    tenant_admin: 'Your organisation’s Microsoft administrator (usually the IT department)',
    ops: 'MEGDocs support',
    nobody: 'Nobody: it passes by itself',
  } satisfies ActorTexts,
  userOrAdmin: 'You, or your organisation’s Microsoft administrator',
  /** Whether reconnecting cures it. */
  cure: {
    yes: 'Connecting again solves this.',
    /** Nobody tries a connect again but the user. */
    afterAdmin: 'Connecting again helps only once your administrator has done their part.',
    /** A stored connection is tried again when it is used, at most every 15 minutes (docs/design.md#verdicts). */
    recovers:
      'You do not have to connect again. Once the cause is removed, it works again without your help, at the latest after 15 minutes.',
    maybe: 'Connecting again may help.',
    later: 'Trying again later helps.',
    no: 'Connecting again does not help here.',
    notNeeded: 'You do not need to reconnect.',
  },
  permission: {
    list: 'Permissions',
    granted: 'Granted',
    missing: 'Not granted yet',
    words: {
      'User.Read': 'Read your profile information',
      'Files.ReadWrite': 'Read and write your own M365 files',
      'Files.ReadWrite.All': 'Read and write your M365 files',
      'Sites.Selected': 'Read and write in the SharePoint sites that your administrator selects',
      'Sites.ReadWrite.All': 'Read and write in all SharePoint sites that you can open',
    } satisfies PermissionTexts,
    excess: 'Granted, but not needed',
    excessText: 'MEGDocs does not ask for this any longer. It ends when you withdraw your approval at Microsoft:',
  },
  account: {
    title: 'Your Microsoft connection',
    notConnected: {
      lead: 'Connect your Microsoft account to edit MEGDocs documents in Microsoft 365 in your browser.',
      does: 'What connecting does',
      points: [
        'MEGDocs can open and save your Microsoft 365 files for you, and only files that you can open yourself.',
        'You sign in at Microsoft. We never see or store your password.',
        'You can disconnect here at any time.',
      ],
      asks: 'What Microsoft will ask you to approve',
      alsoAsks:
        'Microsoft also lists signing you in and keeping the access you gave. With that you are not asked again every hour.',
      adminHint:
        'In many organisations an administrator has to approve first. If Microsoft tells you so, come back here: we prepare the message to them.',
    },
    connected: {
      account: 'Microsoft account',
      accountUnknown: 'Shown after the next use',
      since: 'Connected',
      refreshed: 'Last refreshed',
      reconnectHint:
        'Reconnect if something does not work, or to approve new permissions. You stay connected until it is done.',
      missingTitle: 'MEGDocs now needs more permissions',
      missingText: 'What worked before still works. Reconnect and approve what is marked below to use everything.',
    },
    attention: {
      title: 'The connection does not work at the moment',
      happened: 'Microsoft no longer gives MEGDocs access for you.',
      todo: 'Connect again.',
      since: 'Since',
      details: 'The connection',
      withdrawn: 'Was access withdrawn? You can see that at Microsoft:',
      passing: 'The connection itself is in order.',
      passingTodo: 'We try again by ourselves. You do not have to do anything.',
    },
    pending: {
      title: 'You were sent to Microsoft, and the sign\u2011in is not finished',
      since: 'Sent to Microsoft',
      text: 'If Microsoft’s page is still open in another tab, finish there. Otherwise start again here: nothing has been changed.',
    },
    disconnectTitle: 'Disconnect',
    disconnectText: 'MEGDocs deletes its stored access at once. Your files stay where they are.',
  },
  consentPages: {
    work: 'myapps.microsoft.com (work or school account)',
    personal: 'account.live.com (personal account)',
    unknown: 'Your organisation’s Microsoft administrator can withdraw the approval.',
  },
  confirm: {
    title: 'Disconnect from Microsoft?',
    endsTitle: 'This ends',
    ends: [
      'The access that MEGDocs keeps for you is deleted at once.',
      'You cannot edit documents in Microsoft 365 from MEGDocs until you connect again.',
      'Sign-ins to Microsoft that you began here and did not finish are cancelled.',
    ],
    keepsTitle: 'This does not end',
    keeps: [
      'Your files and documents: nothing is deleted, neither at Microsoft nor in MEGDocs.',
      'A document you have open right now: Microsoft’s access can go on working until it runs out by itself, usually within 90 minutes.',
    ],
    approval: 'Your approval at Microsoft: Microsoft offers us no way to withdraw it for you. You can do it yourself:',
  },
  disconnected: {
    title: 'Disconnected from Microsoft',
    text: 'MEGDocs has deleted the access it kept for you. Your files are untouched.',
    consent: 'Microsoft still remembers that you once approved MEGDocs. To withdraw that too, go to:',
    again: 'You can connect again at any time.',
  },
  result: {
    connected: 'Connected to Microsoft',
    reconnected: 'Connected to Microsoft again',
    as: 'You are connected as',
    next: 'You can now edit your documents in Microsoft 365 from MEGDocs.',
    notYou: 'Not you?',
    usedAccount: 'Microsoft account used',
    refused: {
      title: 'The connection was not made',
      happened: 'Microsoft did not give the access that is needed.',
      todo: 'Try again. If it repeats, ask for help and quote the reference below.',
    },
    /** In place of "it passes by itself": a connect is not tried again without the user. */
    tryLater: 'Try again in a few minutes. Nothing has been changed.',
    whilePaused:
      'Nothing was connected or changed. Ask the people who run MEGDocs when access is possible again. Connect then, if your account page says that you are not connected.',
    readings: 'This can mean one of two things',
    declined: {
      title: 'You chose not to approve',
      text: 'Then nothing has changed. Connect again whenever you like, and approve.',
    },
    adminNeeded: {
      title: 'You were not given the choice',
      text: 'Microsoft said something like “Need admin approval”. Then your organisation’s administrator has to approve MEGDocs once. The message below tells them all they need. Connect again after that.',
    },
    pinned: 'Connected so far',
    chosen: 'Chosen just now',
    lookAlike: 'The two look alike here because most of the name is hidden. They are different accounts.',
    useFirst:
      'To stay with the connected account, do nothing. You are still connected with it; connect again only if it needs attention.',
    switchFirst: 'To change to the other account, disconnect first and then connect again.',
  },
  adminMessage: {
    title: 'Message for your administrator',
    copy: 'Or copy the text',
    isAdmin: 'You are the administrator?',
    approveSubject: 'Please approve MEGDocs for Microsoft 365',
    helpSubject: 'MEGDocs cannot reach Microsoft 365 for me',
    hello: 'Hello,',
    want: 'I would like to edit MEGDocs documents in Microsoft 365.',
    explained: 'What is asked, what it can reach, how to limit and revoke it:',
    app: 'Application',
    clientId: 'Application (client) ID',
    permissions: 'Permissions (delegated: only files I can already open myself)',
    microsoft: 'Microsoft’s answer',
    reference: 'Reference',
    thanks: 'Thank you',
  },
  goingOn: {
    title: 'Back to MEGDocs',
    text: 'You will be taken back to MEGDocs in a moment.',
  },
  plainHttp:
    'For the people who run this service: the request arrived as plain HTTP although https is configured. The proxy in front must send this header, and its address must be listed in TRUSTED_PROXIES:',
  adminConsent: {
    title: 'Approve MEGDocs for your organisation',
    lead: 'For Microsoft 365 administrators: what is asked, what it can reach, and how to limit and revoke it.',
    who: 'Who asks',
    app: 'Application',
    clientId: 'Application (client) ID',
    service: 'Service',
    answersTo: 'Answers go to',
    what: 'What is asked',
    delegated:
      'These are delegated permissions. MEGDocs acts only on behalf of a user who has connected, and reaches only files that this user can already open. It gets no access of its own to your tenant.',
    /** What Microsoft documents for each permission, for administrators who compare. */
    reach: {
      'User.Read': 'the name, e-mail address and basic profile of the user who connects.',
      'Files.ReadWrite': 'read, create, change and delete the files of the user who connects.',
      'Files.ReadWrite.All':
        'read, create, change and delete all files that the user can access, also those that others share.',
      'Sites.Selected':
        'only SharePoint sites that you give MEGDocs a role on afterwards. Until then it reaches none of them.',
      'Sites.ReadWrite.All':
        'change and delete documents and list items in all SharePoint sites that the user can access.',
    } satisfies PermissionTexts,
    alsoAsks:
      'Microsoft’s page also lists signing in (openid, profile) and keeping access (offline_access), so that users are not asked again every hour.',
    stored:
      'What is stored: for each connected user the account’s name and ids, and its access, encrypted. No passwords. Disconnecting deletes it.',
    approving: 'What approving does',
    approvingText:
      'Approving connects nobody. It lets each user connect their own account, without being asked by Microsoft again.',
    limit: 'Limit it to certain users',
    limitSteps: [
      'After approving, open the Microsoft Entra admin center (entra.microsoft.com), then Enterprise applications, and the application with the id above.',
      'Under Properties, set “Assignment required?” to Yes.',
      'Under Users and groups, add those who may use it.',
    ],
    revoke: 'Revoke it',
    revokeSteps: [
      'In the same place, open Permissions and revoke what was granted, or delete the application from your tenant.',
      'To stop it for everybody at once, set “Enabled for users to sign in?” under Properties to No.',
      'To end a single user’s access, revoke that user’s sessions.',
    ],
    revokeNote: 'Access that was given out just before can last until it runs out, usually within 90 minutes.',
    goHint: 'You sign in at Microsoft with an administrator account and decide there.',
    approvedTitle: 'MEGDocs is approved for your organisation',
    approvedText: 'Tell your users to click “Connect to Microsoft” in MEGDocs again. Each connects their own account.',
    refusedTitle: 'MEGDocs was not approved',
    refusedText:
      'Microsoft reported no approval. Either it was declined, or the account used may not approve for the whole organisation. Nothing has been changed.',
    declinedText: 'It was declined or cancelled at Microsoft. Nothing has been changed.',
    noRightText: 'The account that was used may not approve for the whole organisation. Nothing has been changed.',
    brokenTitle: 'MEGDocs cannot be approved at the moment',
    forward: 'If another administrator decides about this, send them the message below.',
    refusedTodo:
      'To approve, start again and sign in as an administrator who may grant consent, such as a Cloud Application Administrator.',
  },
  /** Pages and messages of the Django client. Everything else they show is above: actions, reasons, problems. */
  django: {
    connectText:
      'Next you sign in at Microsoft. Microsoft asks whether MEGDocs may read your profile and use your Microsoft 365 files.',
    continueTitle: 'Continue to Microsoft',
    continueText: 'If nothing happens:',
    notStartedHere: {
      title: 'Please connect again',
      text: 'You were logged in to MEGDocs differently when this began, so nothing was connected. If you clicked “Connect to Microsoft” yourself, click once more. If not, close this page.',
    },
    manageText: 'Another site sent you here. Continue only if you want to see or change your connection to Microsoft.',
    problemTitle: 'This did not work',
    forSupport: 'For support',
    code: 'Code',
    reason: 'Reason',
    /** In place of what a reason says about "the message below": the message is on the account page. */
    askIt: 'Only your IT can solve this. The message to them is ready.',
    /** {name}: the account. */
    connected: 'Connected to Microsoft as {name}.',
    yourAccount: 'your account',
  },
  /** Each stands on the account page and on the result page, so it must be true for a stored connection and for a new one. */
  reasons: {
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
      happened:
        'Microsoft has blocked or deleted your organisation’s directory, or its sign-in is not set up correctly.',
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
  } satisfies ReasonTexts,
  /** Neutral: this release does not know more. */
  unknownReason: {
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
  } satisfies UnknownReasonTexts,
  problems: {
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
      happened:
        'It closes when you disconnect, finish connecting or log out of MEGDocs, and otherwise after 30 minutes.',
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
  } satisfies Record<string, ExplainedText>,
  adminRequests: {
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
  } satisfies AdminRequestTexts,
}

/** What every language must have: a text for each key of English. A missing one fails the type check. */
export type Texts = typeof en
