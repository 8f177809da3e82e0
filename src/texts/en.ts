import type {
  ActorTexts,
  AdminRequestTexts,
  ExplainedText,
  PermissionTexts,
  ReasonTexts,
  UnknownReasonTexts,
} from './types.ts'

const approve = 'Microsoft says that an administrator must approve it first. Please read the request and approve it.'

const ourFault = {
  title: 'Connecting to Microsoft does not work at the moment',
  happened: 'Something on our side is not set up correctly. You did nothing wrong.',
  todo: 'Tell MEGDocs support and give the reference below.',
}

const microsoftsTrouble = 'We try again automatically. You do not have to do anything.'

/**
 * English. Its keys are those of every language; a comment here holds for the text in each of them.
 * \u2011: a hyphen at which no headline is broken.
 */
export const en = {
  product: 'MEGDocs',
  area: 'Microsoft connection',
  reference: 'Reference',
  referenceUse: 'Give it if you ask for help. It contains no personal data.',
  /** Stands before the contact from the configuration. */
  support: 'MEGDocs support',
  /** Subject of a mail to support. */
  supportSubject: 'MEGDocs, reference {reference}',
  /** For the switch: the language's own name, and what the switch is called. */
  language: { name: 'English', choose: 'Language' },
  /** How a connection stands, in a few words. */
  status: {
    connected: 'Connected',
    notConnected: 'Not connected',
    notWorking: 'Not working',
    paused: 'Paused',
    notFinished: 'Not finished',
    unknown: 'Not known at the moment',
  },
  /**
   * The words of every button and link. One action has one name everywhere: in sentences, which quote these words, in
   * mails and in Django.
   */
  actions: {
    /** Nothing was connected or tried yet. */
    connect: 'Connect to Microsoft',
    /** Something was connected or tried before. */
    connectAgain: 'Connect again',
    continueToMicrosoft: 'Continue to Microsoft',
    continueToMegdocs: 'Continue to MEGDocs',
    continueWithLink: 'Continue with this link',
    backToMegdocs: 'Back to MEGDocs',
    cancel: 'Cancel',
    /** Loads the same page once more. */
    tryAgain: 'Try again',
    logInAndConnect: 'Log in and connect to Microsoft',
    /** The account page. */
    openConnection: 'Open your Microsoft connection',
    disconnect: 'Disconnect',
    disconnectNow: 'Disconnect now',
    stayConnected: 'Stay connected',
    /** The page with the message to the administrator. */
    openMessage: 'See what to send to your IT team',
    writeMail: 'Write an e-mail with this text',
    contactSupport: 'Contact MEGDocs support',
    /** Our page for administrators. */
    readRequest: 'Read the request and approve it',
    /** Microsoft's page for administrators. */
    approve: 'Review and approve at Microsoft',
  },
  whatToDo: 'What to do now',
  whoActs: 'Who can fix this?',
  actors: {
    tenant_admin: 'Your IT team (the Microsoft administrators of your organisation)',
    ops: 'MEGDocs support',
  } satisfies ActorTexts,
  cure: {
    /** After a connect that was refused: nobody tries it again but the user. */
    afterAdmin: 'When your IT team has solved it, connect again.',
    /** A stored connection is tried again when it is used, at most every 15 minutes (docs/design.md#verdicts). */
    recovers: 'You do not have to connect again. Once the problem is solved, everything works again within 15 minutes.',
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
    /** What Microsoft's consent page says to users, and what that includes. */
    atMicrosoft: 'On Microsoft’s page you will read:',
    consentPage: {
      'User.Read': '“Sign you in and read your profile”: your name, your e-mail address and your basic profile.',
      'Files.ReadWrite': '“Have full access to your files”: read, create, change and delete your own files.',
      'Files.ReadWrite.All':
        '“Have full access to all files you have access to”: read, create, change and delete them. Files that others share with you and files in SharePoint are included.',
      'Sites.Selected':
        '“Access selected Sites, on behalf of the signed-in user”: your administrator decides for each site what MEGDocs may do. That can include changing and deleting.',
      'Sites.ReadWrite.All':
        '“Edit or delete items in all site collections”: change and delete documents and list items in all sites that you can open.',
    } satisfies PermissionTexts,
    excess: 'Granted, but not needed',
    excessText:
      'MEGDocs does not need this any more. If you take back your approval at Microsoft, the connection ends too. Connect again after that:',
  },
  account: {
    title: 'Your Microsoft connection',
    notConnected: {
      lead: 'Connect your Microsoft account to edit MEGDocs documents in Microsoft 365, in your browser.',
      does: 'What connecting does',
      points: [
        'MEGDocs can open and save Microsoft 365 files for you. It reaches only files that you can open yourself.',
        'You sign in at Microsoft. We never see or store your password.',
        'You can disconnect here at any time.',
      ],
      asks: 'What Microsoft will ask you to approve',
      alsoAsks:
        'Microsoft also lists two things that every connection needs: that you sign in, and that MEGDocs keeps the access you give it. Without the second you would have to sign in every hour.',
      adminHint:
        'In many organisations an administrator has to approve MEGDocs first. If Microsoft tells you so, follow the link there that takes you back to the application: we prepare a message for your IT team.',
    },
    connected: {
      account: 'Microsoft account',
      accountUnknown: 'Shown after the next use',
      since: 'Connected',
      refreshed: 'Access renewed (automatic)',
      reconnectHint:
        'Connect again if something does not work or if you want to approve new permissions. Until that is done, you stay connected.',
      missingTitle: 'MEGDocs needs more permissions now',
      missingText:
        'Everything that worked before still works. To use everything, connect again and approve what is marked below.',
    },
    attention: {
      title: 'The connection does not work at the moment',
      happened: 'Microsoft no longer gives MEGDocs access for you.',
      todo: 'Connect again.',
      since: 'Noticed',
      details: 'The connection',
      withdrawn: 'Did somebody withdraw the access? You can see that at Microsoft:',
      passing: 'Your connection itself is fine.',
      passingTodo: microsoftsTrouble,
    },
    pending: {
      title: 'You were sent to Microsoft, and the sign\u2011in is not finished',
      since: 'Sent to Microsoft',
      text: 'Is Microsoft’s page still open in another tab? Then finish there. If not, start again here: nothing has been changed.',
    },
    disconnectTitle: 'Disconnect',
    disconnectText: 'MEGDocs deletes the access it has stored, at once. Your files stay where they are.',
  },
  consentPages: {
    work: 'myapps.microsoft.com (work or school account)',
    personal: 'account.live.com (personal account)',
    unknown: 'The Microsoft administrators of your organisation can withdraw the approval.',
  },
  confirm: {
    title: 'Disconnect from Microsoft?',
    endsTitle: 'This ends',
    ends: [
      'The access that MEGDocs has stored for you is deleted at once.',
      'You cannot edit MEGDocs documents in Microsoft 365 until you connect again.',
      'Sign-ins at Microsoft that you started here and did not finish are cancelled.',
    ],
    keepsTitle: 'This does not end',
    keeps: [
      'Your files and documents: nothing is deleted, neither at Microsoft nor in MEGDocs.',
      'A document that is open now may stay editable until that access expires, usually within 90 minutes.',
    ],
    approval:
      'Your approval at Microsoft: Microsoft does not let us withdraw it for you. You can withdraw it yourself here:',
  },
  disconnected: {
    title: 'Disconnected from Microsoft',
    text: 'MEGDocs has deleted the access it had stored for you. Your files have not been changed.',
    consent: 'Microsoft still remembers that you once approved MEGDocs. You can withdraw that too:',
    again: 'You can connect again at any time.',
  },
  result: {
    connected: 'Connected to Microsoft',
    reconnected: 'Connected to Microsoft again',
    as: 'You are connected as',
    next: 'You can now edit your MEGDocs documents in Microsoft 365.',
    /** A link to the account page follows. */
    notYou: 'Not your account? Here you can change or disconnect it:',
    usedAccount: 'Microsoft account used',
    refused: {
      title: 'The connection was not made',
      happened: 'Microsoft did not give the access that is needed.',
      todo: 'Connect again. If the same thing happens, contact MEGDocs support and give the reference below.',
    },
    /** In place of "we try again": a connect is not tried again without the user. */
    tryLater: 'Nothing has been changed. Connect again in a few minutes.',
    /** After trouble of ours that may be over by the next attempt. */
    retryOrSupport:
      'Nothing has been changed. Connect again in a few minutes. If the same thing happens, contact MEGDocs support and give the reference below.',
    whilePaused:
      'Nothing was connected or changed. Ask MEGDocs support when access is possible again. If your Microsoft connection then says that you are not connected, connect again.',
    /** What to do after a refused connect, where it differs from what helps a stored connection. */
    todo: {
      account_not_found:
        'Connect again and choose the account of your organisation. Or send your IT team the message below.',
      account_locked:
        'Wait a few minutes and connect again. If the account is still locked then, send your IT team the message below.',
      device_not_compliant:
        'Open MEGDocs on a device of your organisation and connect there. Or send your IT team the message below.',
      connect_in_progress: 'Wait a moment. Then open your Microsoft connection: it shows whether it worked.',
    },
    readings: {
      title: 'What did you see at Microsoft?',
      adminNeeded: {
        title: 'Microsoft asked for an administrator',
        text: 'You saw “Need admin approval”. Only your IT team can approve MEGDocs, once for everybody. Send them the message below. When they have approved, connect again.',
      },
      requestSent: {
        title: 'You sent a request at Microsoft (“Approval required”)',
        text: 'Your IT team has it already, and you do not have to send anything else. Connect again when they have approved.',
      },
      declined: {
        title: 'You clicked “Cancel”',
        text: 'Nothing has been changed. Connect again and click “Accept” at Microsoft.',
      },
    },
    pinned: 'Connected until now',
    chosen: 'Chosen just now',
    lookAlike: 'The two look the same here because most of the name is hidden. They are different accounts.',
    useFirst: 'You want to keep the connected account? Then you are done: you are still connected with it.',
    switchFirst:
      'You want to use the other account? Open your Microsoft connection, disconnect, and then connect again.',
  },
  adminMessage: {
    title: 'Message for your IT team',
    copy: 'Or copy the text',
    isAdmin: 'Are you an administrator?',
    subject: 'Subject',
    approveSubject: 'Please approve MEGDocs for Microsoft 365',
    helpSubject: 'MEGDocs cannot access Microsoft 365 for me',
    hello: 'Hello,',
    want: 'I want to edit MEGDocs documents in Microsoft 365.',
    explained: 'What it can access, how to limit and withdraw access:',
    app: 'Application',
    contact: 'Contact',
    permissions: 'Permissions (delegated)',
    /** The same as adminConsent.reach, in few words: a mail link has 1,200 characters. */
    reach: {
      'User.Read': 'profile',
      'Files.ReadWrite': 'read, change and delete own files',
      'Files.ReadWrite.All': 'read, change and delete all files of the user, also shared ones',
      'Sites.Selected': 'only SharePoint sites that you select',
      'Sites.ReadWrite.All': 'change and delete items in all SharePoint sites of the user',
    } satisfies PermissionTexts,
    microsoft: 'Microsoft’s answer',
    reference: 'Reference',
    thanks: 'Thank you',
  },
  goingOn: {
    title: 'Back to MEGDocs',
    text: 'You will be taken back to MEGDocs in a moment.',
  },
  plainHttp:
    'For the operators of this service: the request arrived as plain HTTP although https is configured. The proxy in front must send this header, and its address must be listed in TRUSTED_PROXIES:',
  adminConsent: {
    title: 'Approve MEGDocs for your organisation',
    lead: 'For Microsoft 365 administrators: who is asking, what MEGDocs can access, and how to limit and withdraw access.',
    who: 'Who is asking',
    app: 'Application',
    clientId: 'Application (client) ID',
    publisher: 'Publisher',
    contact: 'Contact',
    privacy: 'Privacy notice',
    service: 'Service',
    redirectUri: 'Redirect URI',
    check:
      'Check at Microsoft that it is this application: the address of Microsoft’s sign-in page contains the application ID above.',
    what: 'Permissions requested',
    delegated:
      'These are delegated permissions. MEGDocs acts only on behalf of users who have connected, and reaches only files that the user can open. It gets no access of its own to your tenant.',
    /** What Microsoft documents for each permission, for administrators who compare. */
    reach: {
      'User.Read': 'Read the name, e-mail address and basic profile of the signed-in user.',
      'Files.ReadWrite': 'Read, create, change and delete the signed-in user’s own files.',
      'Files.ReadWrite.All':
        'Read, create, change and delete every file that the signed-in user can access, including shared files and files in SharePoint.',
      'Sites.Selected':
        'Access only the SharePoint sites for which you give MEGDocs a role afterwards. Until then it reaches none.',
      'Sites.ReadWrite.All':
        'Change and delete documents and list items in all SharePoint sites that the signed-in user can access.',
    } satisfies PermissionTexts,
    alsoAsks:
      'Microsoft’s page also lists signing in (openid, profile) and keeping the access (offline_access). Without offline_access, users would have to sign in every hour.',
    stored:
      'What we store: for each connected user the name and the IDs of the account, and the access, encrypted. No passwords. When a user disconnects, it is deleted.',
    approving: 'What approving does',
    approvingText:
      'Approving does not connect anybody. After it, users can connect their own accounts, and Microsoft does not ask them again.',
    requestWaiting:
      'Did a user send a request to you through Microsoft? You find it in the Microsoft Entra admin center (entra.microsoft.com) under Entra ID > Enterprise apps > Admin consent requests. Approve it there or approve here: once is enough.',
    limit: 'Limit access before everybody can use MEGDocs',
    /** {clientId}: of the application. The commands are not translated. */
    limitSteps: [
      'Add the application to your tenant without approving it. In the Azure CLI: az ad sp create --id {clientId}. If it is in your tenant already, begin with step 2.',
      'In the Microsoft Entra admin center (entra.microsoft.com), open Entra ID > Enterprise apps and choose the application with this ID.',
      'Under Properties, set “Assignment required?” to Yes.',
      'Under Users and groups, add the people who may use it.',
      'Then approve it here. Everybody else gets a message from Microsoft that they are not assigned.',
    ],
    revoke: 'Withdraw access',
    revokeSteps: [
      'Stop it for everybody at once: under Properties of the same application, set “Enabled for users to sign in?” to No. Nobody can connect, and existing connections stop working. You can undo this.',
      'Withdraw the approval: under Permissions, revoke what was granted. Existing connections stop working, and users have to ask again. Permissions that users approved themselves stay: to end these too, delete the application from your tenant.',
      'End the access of one person: under Users and groups, remove the person (with “Assignment required?” set to Yes). Then open Entra ID > Users, choose the person and choose Revoke sessions. This signs the person out of everything at Microsoft, not only out of MEGDocs. If you only revoke the sessions, the person can connect again.',
    ],
    revokeNote: 'Access that was given shortly before can stay valid until it expires, usually within 90 minutes.',
    goHint: 'You sign in at Microsoft with an administrator account and decide there.',
    approvedTitle: 'MEGDocs is approved for your organisation',
    /** {action}: the words of `connect`. */
    approvedText:
      'Tell your users that they can now click “{action}” in MEGDocs. Each user connects their own account.',
    close: 'You can close this page.',
    refusedTitle: 'MEGDocs was not approved',
    refusedText:
      'Microsoft reports no approval. Either it was declined, or the account that was used may not approve for the whole organisation. Nothing has been changed.',
    declinedText: 'It was declined or cancelled at Microsoft. Nothing has been changed.',
    declinedTodo: 'If that was your decision, you can close this page. If not, read the request again.',
    noRightText: 'The account that was used may not approve for the whole organisation. Nothing has been changed.',
    brokenTitle: 'MEGDocs cannot be approved at the moment',
    forward: 'If somebody else decides about this, send them the message below.',
    refusedTodo:
      'To approve, start again and sign in with an account that may do this, for example as Cloud Application Administrator.',
    tryLater: 'Nothing has been changed. Try again in a few minutes.',
  },
  /** Pages and messages of the Django client. Everything else that they show is elsewhere in this file. */
  django: {
    connectText:
      'Next you sign in at Microsoft. Microsoft asks whether MEGDocs may read your profile and use your Microsoft 365 files.',
    continueTitle: 'Continue to Microsoft',
    /** A link follows. */
    continueText: 'If nothing happens:',
    /** {action}: the words of `connect`. */
    notStartedHere: {
      title: 'Please connect again',
      text: 'You were logged in to MEGDocs differently when this began, so nothing was connected. If you clicked “{action}” yourself, click it once more. If not, close this page.',
    },
    /** For staff who act for a user. */
    impersonated: {
      title: 'You are acting for another user',
      happened: 'While you act for a user, you cannot use the Microsoft account of that user.',
      todo: 'Stop acting for the user. Then try again with your own account.',
    },
    manageText: 'Another website sent you here. Continue only if you want to see or change your Microsoft connection.',
    problemTitle: 'This did not work',
    /** Failures that have no reason, as far as the broker's pages have no words for them. */
    failures: {
      not_connected: {
        title: 'You are not connected to Microsoft',
        happened: 'MEGDocs needs your Microsoft account for this.',
        todo: 'Connect to Microsoft. It takes a minute.',
      },
      connect_refused: {
        title: 'The connection was not made',
        happened: 'Microsoft did not give the access that is needed. Nothing has been changed.',
        todo: 'Connect again. If the same thing happens, contact MEGDocs support.',
      },
      not_found: {
        title: 'This attempt to connect is over',
        happened: 'It took too long, or it was finished already.',
        todo: 'Open your Microsoft connection: it shows whether it worked. If not, connect again.',
      },
    },
    forSupport: 'For support',
    code: 'Code',
    reason: 'Reason',
    /** In place of what a reason says about "the message below": the message is on the account page. */
    askIt: 'Only your IT team can solve this. The message to them is ready.',
    /** {name}: the account. */
    connected: 'Connected to Microsoft as {name}.',
    connectedWithoutName: 'Connected to Microsoft.',
    tellSupport: 'If it stays like this, tell MEGDocs support.',
    account: 'Microsoft account',
    /** In mails to a user. A link follows. */
    mailAgain: 'It takes a minute. You may have to log in to MEGDocs first. Please connect again with this link:',
    mailFirst:
      'You can connect your Microsoft account to MEGDocs with this link. You may have to log in to MEGDocs first:',
    /** The message follows. */
    mailForward: 'Only your IT team can solve this. Please send them the following message:',
  },
  /** Each stands on the account page and on the result page: it must be true for a stored connection and a new one. */
  reasons: {
    access_revoked: {
      title: 'Access was ended at Microsoft',
      happened:
        'This happens when an administrator resets your password, when all your sign-ins are ended, or when somebody withdraws the access.',
      todo: 'Connect again.',
    },
    refresh_token_expired: {
      title: 'The connection has expired',
      happened: 'It was not used for a long time. Then Microsoft ends it.',
      todo: 'Connect again.',
    },
    sign_in_frequency: {
      title: 'Your organisation wants you to sign in again',
      happened: 'A rule of your organisation asks for a new sign-in from time to time.',
      todo: 'Connect again and sign in at Microsoft.',
    },
    password_changed: {
      title: 'Your Microsoft password has changed or expired',
      happened: 'Microsoft asks for your current password before it continues.',
      todo: 'Connect again and sign in at Microsoft with your current password.',
    },
    token_invalid: {
      title: 'Microsoft no longer accepts this connection',
      happened: 'The stored access is not valid any more. Microsoft does not tell us why.',
      todo: 'Connect again.',
    },
    sign_in_required: {
      title: 'Microsoft wants you to sign in again',
      happened: 'Without a new sign-in, Microsoft gives no access.',
      todo: 'Connect again and sign in at Microsoft.',
    },
    mfa_required: {
      title: 'Microsoft asks for an extra confirmation',
      happened:
        'Your organisation wants you to confirm your sign-in in a second way, for example with a code on your phone.',
      todo: 'Have your phone or security key ready. Then connect again and complete the extra step.',
    },
    consent_required: {
      title: 'The permissions are not approved',
      happened: 'They were not approved yet, or the approval was withdrawn.',
      todo: 'Connect again and click “Accept” at Microsoft. If Microsoft asks for an administrator, send your IT team the message below.',
    },
    admin_consent_required: {
      title: 'An administrator must approve MEGDocs first',
      happened:
        'In your organisation, users may not approve these permissions themselves. Many organisations have this setting.',
      todo: 'Send your IT team the message below. They approve once, for everybody or for some people. If you have already sent a request at Microsoft, they have it: wait for their answer.',
    },
    blocked_by_policy: {
      title: 'A rule of your organisation blocks this',
      happened: 'Your sign-in was correct, but a rule of your organisation does not allow this access.',
      todo: 'Send your IT team the message below. It includes Microsoft’s answer.',
    },
    device_not_compliant: {
      title: 'Your organisation requires a managed device',
      happened: 'A rule of your organisation gives access only on devices that your organisation manages.',
      todo: 'Connect again on a device of your organisation, or send your IT team the message below.',
    },
    account_disabled: {
      title: 'This Microsoft account is disabled',
      happened: 'Your organisation or Microsoft has switched the account off.',
      todo: 'Send your IT team the message below.',
    },
    account_not_found: {
      title: 'This Microsoft account is not in the organisation',
      happened: 'It was removed, or it was never part of this organisation.',
      todo: 'Send your IT team the message below. If you have a new Microsoft account, disconnect and then connect that one.',
    },
    account_locked: {
      title: 'This Microsoft account is locked',
      happened: 'Microsoft locks an account for a while after too many wrong passwords or unusual sign-ins.',
      todo: 'Wait a while. If it stays locked, send your IT team the message below.',
    },
    not_assigned: {
      title: 'You are not on your organisation’s list for MEGDocs yet',
      happened:
        'Your organisation lets only certain people use MEGDocs with Microsoft, and you are not one of them yet.',
      todo: 'Send your IT team the message below so that they can add you.',
    },
    app_unavailable: {
      title: 'MEGDocs is switched off in your organisation',
      happened: 'At Microsoft, MEGDocs is disabled or missing in your organisation.',
      todo: 'Send your IT team the message below.',
    },
    tenant_unavailable: {
      title: 'Nobody in your organisation can sign in at Microsoft',
      happened:
        'Microsoft has blocked or deleted the directory of your organisation, or the sign-in there is not set up correctly.',
      todo: 'Send your IT team the message below.',
    },
    tenant_restricted: {
      title: 'Access between two organisations is not allowed',
      happened: 'The account belongs to another organisation, and one of the two does not allow this access.',
      todo: 'Send your IT team the message below.',
    },
    not_approved: {
      title: 'MEGDocs does not have permission yet',
      happened: 'Microsoft sent you back without a permission. It does not tell us why.',
      todo: 'Send your IT team the message below. If you declined yourself, connect again instead.',
    },
    missing_scopes: {
      title: 'Some permissions are missing',
      happened: 'Microsoft gave only a part of the permissions that are needed, so the connection was not made.',
      todo: 'Connect again and approve all permissions.',
    },
    no_refresh_token: {
      title: 'The connection could not be set up',
      happened: 'Something on our side is not set up correctly. You did nothing wrong.',
      todo: 'Tell MEGDocs support and give the reference below.',
    },
    tenant_not_allowed: {
      title: 'Accounts of this organisation are not accepted here',
      happened: 'Here you can connect only accounts of certain organisations.',
      todo: 'Connect again and choose the account of your own organisation.',
    },
    other_cloud: {
      title: 'This account belongs to another Microsoft cloud',
      happened:
        'Microsoft runs several separate clouds, for example one for the US government. Accounts of that cloud cannot be connected here.',
      todo: 'Tell MEGDocs support and give the reference below. If you have another Microsoft account, connect again with that one.',
    },
    account_type_not_allowed: {
      title: 'This kind of account is not accepted here',
      happened: 'It seems to be a personal Microsoft account.',
      todo: 'Connect again and choose your work or school account.',
    },
    other_account: {
      title: 'This is not the Microsoft account that is connected',
      happened:
        'To keep your files separate from other people’s files, we do not change the account automatically. Nothing has been changed.',
      todo: 'Choose which account you want to use.',
    },
    identity_unproven: {
      title: 'We could not be sure that the answer was for you',
      happened: 'The proof of identity from Microsoft did not pass our check, so we stored nothing.',
      todo: 'We try again automatically. If it stays like this, tell MEGDocs support and give the reference below.',
    },
    code_rejected: {
      title: 'The sign\u2011in could not be finished',
      happened: 'It took too long, or the page was loaded twice.',
      todo: 'Connect again. It takes a minute.',
    },
    not_back_yet: {
      title: 'This sign\u2011in cannot be finished here',
      happened: 'MEGDocs did not receive what your browser brings back from Microsoft. We stored nothing.',
      todo: 'Connect again. Do not copy the address of this page from one browser to another.',
    },
    not_the_same_user: {
      title: 'Somebody else started this sign\u2011in',
      happened:
        'It was started by another MEGDocs user. To keep your files separate from other people’s files, we stored nothing.',
      todo: 'Log in to MEGDocs with your own account and connect again. If somebody sent you the link, do not use it.',
    },
    abandoned: {
      title: 'The sign\u2011in was not finished in time',
      happened: 'Too much time passed between the start here and your return from Microsoft.',
      todo: 'Connect again. You then have half an hour at Microsoft.',
    },
    microsoft_unreachable: {
      title: 'Microsoft cannot be reached at the moment',
      happened: 'Microsoft’s sign-in service does not answer us. Your account is not the cause.',
      todo: microsoftsTrouble,
    },
    microsoft_timeout: {
      title: 'Microsoft did not answer in time',
      happened: 'Microsoft’s sign-in service is slow at the moment. Your account is not the cause.',
      todo: microsoftsTrouble,
    },
    microsoft_error: {
      title: 'Microsoft has a problem at the moment',
      happened: 'Microsoft’s sign-in service reports an error of its own. Your account is not the cause.',
      todo: microsoftsTrouble,
    },
    microsoft_bad_answer: {
      title: 'We could not use Microsoft’s answer',
      happened:
        'Microsoft, or something on the way to Microsoft, sent an answer that we do not understand. You did nothing wrong.',
      todo: 'We try again automatically. If it stays like this, tell MEGDocs support and give the reference below.',
    },
    throttled: {
      title: 'Microsoft is slowing us down at the moment',
      happened: 'There were many requests at the same time, so Microsoft makes some of them wait.',
      todo: microsoftsTrouble,
    },
    loop_detected: {
      title: 'Microsoft has paused this connection for a while',
      happened: 'Microsoft saw too many requests in a row. The cause is on our side, not on yours.',
      todo: 'We try again automatically. If it stays like this, tell MEGDocs support and give the reference below.',
    },
    connect_in_progress: {
      title: 'The connection is being made right now',
      happened: 'This takes a little longer than usual.',
      todo: 'Wait a moment.',
    },
    refresh_in_progress: {
      title: 'The access is being renewed right now',
      happened: 'This takes a little longer than usual.',
      todo: 'Wait a moment.',
    },
    broker_trouble: {
      title: 'We have a problem on our side at the moment',
      happened: 'A part of our system does not work as it should. You did nothing wrong.',
      todo: 'We try again automatically. If it stays like this, tell MEGDocs support and give the reference below.',
    },
    user_frozen: {
      title: 'Access is paused',
      happened: 'MEGDocs has paused access to your Microsoft files. Nothing was deleted.',
      todo: 'You do not have to connect again. If you need access now, ask MEGDocs support.',
    },
    tenant_frozen: {
      title: 'Access is paused for your organisation',
      happened: 'MEGDocs has paused access to the Microsoft files of your organisation. Nothing was deleted.',
      todo: 'You do not have to connect again. If you need access now, ask MEGDocs support.',
    },
    caller_key_frozen: {
      title: 'Access is paused',
      happened: 'MEGDocs has paused a part of the access to Microsoft. Your connection was not changed.',
      todo: 'You do not have to connect again. If you need access now, ask MEGDocs support.',
    },
    challenge_repeated: {
      title: 'Microsoft does not accept new access at the moment',
      happened:
        'Microsoft asks again and again for a check that does not end. You did nothing wrong, and your connection was not changed.',
      todo: 'Tell MEGDocs support and give the reference below.',
    },
    client_credential: ourFault,
    registration_unknown: ourFault,
    app_registration: ourFault,
  } satisfies ReasonTexts,
  /** For reasons of a newer release. */
  unknownReason: {
    user: {
      title: 'The connection does not work',
      happened: 'Microsoft does not give MEGDocs access for you.',
      todo: 'Connect again.',
    },
    tenant_admin: {
      title: 'Your organisation must change something first',
      happened: 'Microsoft does not give MEGDocs access for you.',
      todo: 'Ask your IT team and give the reference below.',
    },
    ops: {
      title: 'The connection does not work at the moment',
      happened: 'Something on our side does not work as it should. You did nothing wrong.',
      todo: 'If it stays like this, tell MEGDocs support and give the reference below.',
    },
    nobody: {
      title: 'Microsoft gives no access at the moment',
      happened: 'Your account is not the cause.',
      todo: microsoftsTrouble,
    },
  } satisfies UnknownReasonTexts,
  problems: {
    link_expired: {
      title: 'This link has expired',
      happened: 'For your safety, a link for connecting to Microsoft works for a short time only.',
      todo: 'Connect to Microsoft again. It takes a minute.',
    },
    link_used: {
      title: 'This link has already been used',
      happened:
        'Each link for connecting to Microsoft works once. Opening it again with the back button or from the history does nothing.',
      todo: 'If you have just connected, you are done. Your Microsoft connection shows whether it worked.',
    },
    link_foreign: {
      title: 'This link belongs to another browser',
      happened:
        'It was opened in another browser or on another device before. If somebody sent it to you, do not use it: it could connect your files to that person’s account.',
      todo: 'Connect to Microsoft in this browser.',
    },
    other_sign_in: {
      title: 'Another sign\u2011in is under way in this browser',
      happened:
        'Somebody has started to connect to Microsoft in this browser and has not finished. The link that you opened belongs to another MEGDocs user. It has not been used.',
      todo: 'Was that you? Then finish in the other window: nothing has changed there. Did somebody send you this link? Then close this page. Continue with this link only if you opened it in MEGDocs yourself: after that, the other sign-in cannot be finished any more.',
    },
    result_gone: {
      title: 'This result is no longer shown',
      happened: 'We show for ten minutes whether connecting to Microsoft worked.',
      todo: 'If you have just connected, you are done. Your Microsoft connection shows whether it worked.',
    },
    sign_in_unmatched: {
      title: 'This sign\u2011in cannot be finished here',
      happened:
        'Microsoft’s answer has been used already, it came too late, or the sign-in was started in another browser.',
      todo: 'If you have just connected, you are done. Your Microsoft connection shows whether it worked.',
    },
    cookies_blocked: {
      title: 'Your browser blocks cookies',
      happened:
        'We need one cookie to know that it is still you when you come back from Microsoft. It contains no personal data and is deleted after half an hour.',
      todo: 'Allow cookies for this website, or leave private browsing. Then connect to Microsoft again.',
    },
    session_over: {
      title: 'This page is closed',
      happened:
        'It closes when you disconnect, finish connecting or log out of MEGDocs, and in any case after 30 minutes.',
      todo: 'If you have just disconnected, you are done. If not, open your Microsoft connection again.',
    },
    no_session: {
      title: 'Please open this page from MEGDocs',
      happened: 'Only you can see your Microsoft connection. So MEGDocs must tell us first who you are.',
      todo: 'Open it from MEGDocs. You may have to log in there.',
    },
    form_expired: {
      title: 'This was not done',
      happened:
        'The page on which you clicked was out of date or was opened for another user. Nothing has been changed.',
      todo: 'Open your Microsoft connection again and repeat it there.',
    },
    microsoft_unavailable: {
      title: 'Microsoft cannot be reached at the moment',
      happened: 'Microsoft’s sign-in service does not answer us. Your account is not the cause.',
      todo: 'Nothing has been changed. Connect to Microsoft again in a few minutes.',
    },
    broker_misconfigured: {
      title: 'Connecting does not work at the moment',
      happened: 'Something on our side is not set up correctly. You did nothing wrong.',
      todo: 'Tell MEGDocs support and give the reference below. With it, they can find the cause.',
    },
    service_unavailable: {
      title: 'This service is not available at the moment',
      happened: 'A part of our system does not answer. Your connection is not lost.',
      todo: 'Go back to MEGDocs and try again in a few minutes.',
    },
    plain_http: {
      title: 'This page needs a secure connection',
      happened: 'The request reached us without encryption (http instead of https), so we have stopped here.',
      todo: 'Check that the address begins with https://. If it does, tell MEGDocs support and give the reference below.',
    },
    invalid_request: {
      title: 'This address is not complete',
      happened: 'A part of the address is missing or was changed. This happens when a link is copied by hand.',
      todo: 'Go back to MEGDocs and start from there.',
    },
    request_too_large: {
      title: 'Your browser sent too much at once',
      happened: 'The address or the cookies of this site have become too long. Nothing has been changed.',
      todo: 'Go back to MEGDocs and try again. If this page comes again, delete the cookies of this site in your browser.',
    },
    not_found: {
      title: 'This page does not exist',
      happened: 'The address may be wrong, or the link may be out of date.',
      todo: 'Go back to MEGDocs and start from there.',
    },
    too_many_requests: {
      title: 'Too many requests',
      happened:
        'There were more requests than we accept at once, from this browser or from other people in the same network.',
      todo: 'Wait a minute. Then go back to MEGDocs and try again.',
    },
    internal_error: {
      title: 'Something went wrong on our side',
      happened: 'This should not have happened. You did nothing wrong.',
      todo: 'Go back to MEGDocs and try again. If the same thing happens, tell MEGDocs support and give the reference below.',
    },
  } satisfies Record<string, ExplainedText>,
  /** What the message asks of the administrator, after `adminMessage.want`. */
  adminRequests: {
    not_approved: approve,
    consent_required: approve,
    admin_consent_required: approve,
    blocked_by_policy:
      'A policy blocks the sign-in (Entra admin center: Sign-in logs, Conditional Access). Please allow MEGDocs there.',
    device_not_compliant:
      'A policy requires a managed device. Please tell me which device I can use, or allow MEGDocs in that policy.',
    account_disabled: 'Microsoft says that my account is disabled. Please check this.',
    account_not_found:
      'Microsoft does not find my account in our organisation. Please tell me which account I should use.',
    account_locked: 'Microsoft says that my account is locked. Please unlock it.',
    not_assigned: 'I am not assigned to MEGDocs. Please add me (Entra ID > Enterprise apps > Users and groups).',
    app_unavailable:
      'MEGDocs is disabled or missing in our tenant. Please enable it (Entra ID > Enterprise apps > Properties).',
    tenant_unavailable:
      'Microsoft refuses sign-ins in our tenant (blocked, deleted, not managed, or federation fails). Please check it.',
    tenant_restricted: 'Access between organisations is blocked (cross-tenant access settings). Please allow MEGDocs.',
  } satisfies AdminRequestTexts,
}

/** What every language must have: a text for each key of English. A missing one fails the type check. */
export type Texts = typeof en
