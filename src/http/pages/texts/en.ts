import type { ActorTexts } from './types.ts'

const actors: ActorTexts = {
  user: 'You',
  tenant_admin: 'Your organisation’s Microsoft administrator (usually the IT department)',
  ops: 'The people who run MEGDocs',
  nobody: 'Nobody: it passes by itself',
}

/**
 * English, the language that is complete first. Its shape is what other languages fill. \u2011: a hyphen at which no
 * headline is broken.
 */
export const en = {
  product: 'MEGDocs',
  area: 'Microsoft connection',
  reference: 'Reference',
  referenceUse: 'Quote it if you ask for help. It holds nothing about you.',
  backToMegdocs: 'Back to MEGDocs',
  connect: 'Connect to Microsoft',
  reconnect: 'Reconnect',
  tryAgain: 'Try again',
  disconnect: 'Disconnect',
  openAccount: 'Open your Microsoft connection',
  continueInstead: 'Continue with this link',
  whatToDo: 'What to do now',
  whoActs: 'Who has to act',
  actors,
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
    /** Words of the permissions where they differ from those in the code's table: none in English. */
    words: {} as Record<string, string>,
    excess: 'Granted, but not needed',
    excessText: 'MEGDocs does not ask for this any longer. It ends when you withdraw your approval at Microsoft:',
  },
  account: {
    title: 'Your Microsoft connection',
    notConnected: {
      status: 'Not connected',
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
      status: 'Connected',
      account: 'Microsoft account',
      accountUnknown: 'Shown after the next use',
      since: 'Connected',
      refreshed: 'Last refreshed',
      reconnectHint:
        'Reconnect if something does not work, or to approve new permissions. You stay connected until it is done.',
      missingTitle: 'MEGDocs now needs more permissions',
      missingText: 'What worked before still works. Reconnect and approve what is marked below to use everything.',
    },
    paused: 'Paused',
    attention: {
      status: 'Needs attention',
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
      status: 'Not finished',
      title: 'You were sent to Microsoft, and the sign\u2011in is not finished',
      since: 'Sent to Microsoft',
      text: 'If Microsoft’s page is still open in another tab, finish there. Otherwise start again here: nothing has been changed.',
      restart: 'Start again',
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
    yes: 'Disconnect now',
    no: 'Stay connected',
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
    send: 'Write an e-mail with this text',
    copy: 'Or copy the text',
    isAdmin: 'You are the administrator?',
    open: 'Read about the request and approve it',
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
    go: 'Continue to MEGDocs',
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
    } as Record<string, string>,
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
    go: 'Review and approve at Microsoft',
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
    again: 'Read the request again',
  },
}

/** The shape that every other language fills. */
export type CommonTexts = typeof en
