import type { CommonTexts } from './en.ts'

/**
 * German, complete: the type asks for every text English has. \u00AD: where a word too long for a phone may be divided.
 */
export const de: CommonTexts = {
  product: 'MEGDocs',
  area: 'Verbindung zu Microsoft',
  reference: 'Referenz',
  referenceUse: 'Nennen Sie sie, wenn Sie um Hilfe bitten. Sie enthält nichts über Sie.',
  backToMegdocs: 'Zurück zu MEGDocs',
  connect: 'Mit Microsoft verbinden',
  reconnect: 'Neu verbinden',
  tryAgain: 'Noch einmal versuchen',
  disconnect: 'Verbindung trennen',
  openAccount: 'Verbindung zu Microsoft öffnen',
  continueInstead: 'Mit diesem Link weitermachen',
  whatToDo: 'Was Sie jetzt tun können',
  whoActs: 'Wer etwas tun muss',
  actors: {
    user: 'Sie selbst',
    tenant_admin: 'Die Microsoft-Administration Ihrer Organisation (meist die IT-Abteilung)',
    ops: 'Der Betrieb von MEGDocs',
    nobody: 'Niemand: Das geht von selbst vorüber',
  },
  userOrAdmin: 'Sie selbst oder die Microsoft-Administration Ihrer Organisation',
  cure: {
    yes: 'Neu verbinden behebt das.',
    afterAdmin: 'Neu verbinden hilft erst, wenn Ihre Administration ihren Teil getan hat.',
    recovers:
      'Sie müssen nicht neu verbinden. Sobald die Ursache behoben ist, geht es ohne Ihr Zutun wieder, spätestens nach 15 Minuten.',
    maybe: 'Neu verbinden kann helfen.',
    later: 'Ein späterer Versuch hilft.',
    no: 'Neu verbinden hilft hier nicht.',
    notNeeded: 'Sie müssen nicht neu verbinden.',
  },
  permission: {
    list: 'Berechtigungen',
    granted: 'Erteilt',
    missing: 'Noch nicht erteilt',
    words: {
      'User.Read': 'Ihre Profilinformationen lesen',
      'Files.ReadWrite': 'Ihre eigenen M365-Dateien lesen und schreiben',
      'Files.ReadWrite.All': 'Ihre M365-Dateien lesen und schreiben',
      'Sites.Selected': 'In den SharePoint-Websites lesen und schreiben, die Ihre Administration auswählt',
      'Sites.ReadWrite.All': 'In allen SharePoint-Websites lesen und schreiben, die Sie öffnen können',
    },
    excess: 'Erteilt, aber nicht nötig',
    excessText: 'MEGDocs fragt danach nicht mehr. Es endet, wenn Sie Ihre Genehmigung bei Microsoft widerrufen:',
  },
  account: {
    title: 'Ihre Verbindung zu Microsoft',
    notConnected: {
      status: 'Nicht verbunden',
      lead: 'Verbinden Sie Ihr Microsoft-Konto, um MEGDocs-Dokumente in Microsoft 365 im Browser zu bearbeiten.',
      does: 'Was das Verbinden bewirkt',
      points: [
        'MEGDocs kann für Sie Ihre Dateien in Microsoft 365 öffnen und speichern, und zwar nur solche, die Sie selbst öffnen können.',
        'Sie melden sich bei Microsoft an. Ihr Passwort sehen und speichern wir nie.',
        'Sie können die Verbindung hier jederzeit trennen.',
      ],
      asks: 'Was Sie bei Microsoft genehmigen',
      alsoAsks:
        'Microsoft nennt außerdem Ihre Anmeldung und das Beibehalten des Zugriffs. Damit werden Sie nicht jede Stunde neu gefragt.',
      adminHint:
        'In vielen Organisationen muss zuerst die Administration zustimmen. Wenn Microsoft Ihnen das anzeigt, kommen Sie hierher zurück: Wir bereiten die Nachricht an sie vor.',
    },
    connected: {
      status: 'Verbunden',
      account: 'Microsoft-Konto',
      accountUnknown: 'Wird nach der nächsten Nutzung angezeigt',
      since: 'Verbunden',
      refreshed: 'Zuletzt erneuert',
      reconnectHint:
        'Verbinden Sie neu, wenn etwas nicht funktioniert oder wenn Sie neue Berechtigungen erteilen möchten. Bis das fertig ist, bleiben Sie verbunden.',
      missingTitle: 'MEGDocs braucht jetzt weitere Berechtigungen',
      missingText:
        'Was bisher ging, geht weiterhin. Verbinden Sie neu und erteilen Sie, was unten markiert ist, um alles zu nutzen.',
    },
    paused: 'Angehalten',
    attention: {
      status: 'Braucht Ihre Aufmerksamkeit',
      title: 'Die Verbindung funktioniert zurzeit nicht',
      happened: 'Microsoft gibt MEGDocs keinen Zugriff mehr für Sie.',
      todo: 'Verbinden Sie neu.',
      since: 'Seit',
      details: 'Die Verbindung',
      withdrawn: 'Wurde der Zugriff entzogen? Das sehen Sie bei Microsoft:',
      passing: 'Die Verbindung selbst ist in Ordnung.',
      passingTodo: 'Wir versuchen es von selbst wieder. Sie müssen nichts tun.',
    },
    pending: {
      status: 'Nicht abgeschlossen',
      title: 'Sie wurden zu Microsoft geschickt, und die Anmeldung ist nicht abgeschlossen',
      since: 'Zu Microsoft geschickt',
      text: 'Wenn die Seite von Microsoft noch in einem anderen Tab offen ist, machen Sie dort weiter. Sonst beginnen Sie hier neu: Es wurde nichts geändert.',
      restart: 'Neu beginnen',
    },
    disconnectTitle: 'Verbindung trennen',
    disconnectText: 'MEGDocs löscht den gespeicherten Zugriff sofort. Ihre Dateien bleiben, wo sie sind.',
  },
  consentPages: {
    work: 'myapps.microsoft.com (Geschäfts-, Schul- oder Unikonto)',
    personal: 'account.live.com (privates Konto)',
    unknown: 'Die Microsoft-Administration Ihrer Organisation kann die Genehmigung widerrufen.',
  },
  confirm: {
    title: 'Verbindung zu Microsoft trennen?',
    endsTitle: 'Das endet',
    ends: [
      'Der Zugriff, den MEGDocs für Sie gespeichert hat, wird sofort gelöscht.',
      'Sie können Dokumente aus MEGDocs erst wieder in Microsoft 365 bearbeiten, wenn Sie neu verbinden.',
      'Anmeldungen bei Microsoft, die Sie hier begonnen und nicht abgeschlossen haben, werden abgebrochen.',
    ],
    keepsTitle: 'Das endet nicht',
    keeps: [
      'Ihre Dateien und Dokumente: Es wird nichts gelöscht, weder bei Microsoft noch in MEGDocs.',
      'Ein Dokument, das Sie gerade geöffnet haben: Der Zugriff bei Microsoft kann weitergehen, bis er von selbst abläuft, meist innerhalb von 90 Minuten.',
    ],
    approval:
      'Ihre Genehmigung bei Microsoft: Microsoft bietet uns keinen Weg, sie für Sie zurückzunehmen. Sie selbst können das hier:',
    yes: 'Jetzt trennen',
    no: 'Verbunden bleiben',
  },
  disconnected: {
    title: 'Die Verbindung zu Microsoft ist getrennt',
    text: 'MEGDocs hat den Zugriff gelöscht, den es für Sie gespeichert hatte. Ihre Dateien sind unverändert.',
    consent:
      'Microsoft merkt sich weiterhin, dass Sie MEGDocs einmal genehmigt haben. Auch das können Sie zurücknehmen:',
    again: 'Sie können jederzeit neu verbinden.',
  },
  result: {
    connected: 'Mit Microsoft verbunden',
    reconnected: 'Wieder mit Microsoft verbunden',
    as: 'Sie sind verbunden als',
    next: 'Sie können Ihre Dokumente jetzt aus MEGDocs in Microsoft 365 bearbeiten.',
    notYou: 'Das sind nicht Sie?',
    usedAccount: 'Verwendetes Microsoft-Konto',
    refused: {
      title: 'Die Verbindung kam nicht zustande',
      happened: 'Microsoft hat den nötigen Zugriff nicht gegeben.',
      todo: 'Versuchen Sie es noch einmal. Wenn es sich wiederholt, bitten Sie um Hilfe und nennen Sie die Referenz unten.',
    },
    tryLater: 'Versuchen Sie es in ein paar Minuten noch einmal. Es wurde nichts geändert.',
    whilePaused:
      'Es wurde nichts verbunden oder geändert. Fragen Sie die Betreiber von MEGDocs, wann der Zugriff wieder möglich ist. Verbinden Sie dann, falls Ihre Kontoseite sagt, dass Sie nicht verbunden sind.',
    readings: 'Das kann zweierlei bedeuten',
    declined: {
      title: 'Sie wollten nicht genehmigen',
      text: 'Dann hat sich nichts geändert. Verbinden Sie neu, wann immer Sie möchten, und genehmigen Sie.',
    },
    adminNeeded: {
      title: 'Sie hatten gar nicht die Wahl',
      text: 'Microsoft zeigte etwas wie „Administrator\u00ADgenehmigung erforderlich“. Dann muss die Administration Ihrer Organisation MEGDocs einmal genehmigen. Die Nachricht unten sagt ihr alles Nötige. Verbinden Sie danach neu.',
    },
    pinned: 'Bisher verbunden',
    chosen: 'Jetzt gewählt',
    lookAlike:
      'Beide sehen hier gleich aus, weil der größte Teil des Namens verborgen ist. Es sind verschiedene Konten.',
    useFirst:
      'Um beim verbundenen Konto zu bleiben, tun Sie nichts. Sie sind weiterhin damit verbunden; verbinden Sie nur neu, wenn es Ihre Aufmerksamkeit braucht.',
    switchFirst: 'Um zum anderen Konto zu wechseln, trennen Sie zuerst die Verbindung und verbinden Sie dann neu.',
  },
  adminMessage: {
    title: 'Nachricht an Ihre Administration',
    send: 'E-Mail mit diesem Text schreiben',
    copy: 'Oder den Text kopieren',
    isAdmin: 'Sie administrieren selbst?',
    open: 'Die Anfrage lesen und genehmigen',
    approveSubject: 'Bitte MEGDocs für Microsoft 365 genehmigen',
    helpSubject: 'MEGDocs erreicht Microsoft 365 für mich nicht',
    hello: 'Guten Tag,',
    want: 'ich möchte MEGDocs-Dokumente in Microsoft 365 bearbeiten.',
    explained: 'Was gefragt wird, was es erreichen kann, wie man es begrenzt und widerruft:',
    app: 'Anwendung',
    clientId: 'Anwendungs-ID (Client)',
    permissions: 'Berechtigungen (delegiert: nur Dateien, die ich selbst öffnen kann)',
    microsoft: 'Antwort von Microsoft',
    reference: 'Referenz',
    thanks: 'Vielen Dank',
  },
  goingOn: {
    title: 'Zurück zu MEGDocs',
    text: 'Sie kommen gleich von selbst zu MEGDocs zurück.',
    go: 'Weiter zu MEGDocs',
  },
  plainHttp:
    'Für den Betrieb dieses Dienstes: Die Anfrage kam als unverschlüsseltes HTTP an, obwohl https eingestellt ist. Der vorgeschaltete Proxy muss diesen Header senden, und seine Adresse muss in TRUSTED_PROXIES stehen:',
  adminConsent: {
    title: 'MEGDocs für Ihre Organisation genehmigen',
    lead: 'Für die Administration von Microsoft 365: was gefragt wird, was es erreichen kann, wie man es begrenzt und widerruft.',
    who: 'Wer fragt',
    app: 'Anwendung',
    clientId: 'Anwendungs-ID (Client)',
    service: 'Dienst',
    answersTo: 'Antworten gehen an',
    what: 'Was gefragt wird',
    delegated:
      'Das sind delegierte Berechtigungen. MEGDocs handelt nur im Namen von Personen, die sich verbunden haben, und erreicht nur Dateien, die diese Person schon öffnen kann. Einen eigenen Zugriff auf Ihren Mandanten bekommt es nicht.',
    reach: {
      'User.Read': 'Name, E-Mail-Adresse und einfaches Profil der Person, die sich verbindet.',
      'Files.ReadWrite': 'die Dateien der Person, die sich verbindet, lesen, anlegen, ändern und löschen.',
      'Files.ReadWrite.All':
        'alle Dateien, auf die die Person Zugriff hat, auch von anderen freigegebene, lesen, anlegen, ändern und löschen.',
      'Sites.Selected':
        'nur SharePoint-Websites, auf denen Sie MEGDocs danach eine Rolle geben. Bis dahin erreicht es keine davon.',
      'Sites.ReadWrite.All':
        'Dokumente und Listeneinträge in allen SharePoint-Websites ändern und löschen, auf die die Person Zugriff hat.',
    },
    alsoAsks:
      'Die Seite von Microsoft nennt außerdem das Anmelden (openid, profile) und das Beibehalten des Zugriffs (offline_access), damit niemand jede Stunde neu gefragt wird.',
    stored:
      'Was gespeichert wird: je verbundener Person Name und Kennungen des Kontos und, verschlüsselt, ihr Zugriff. Keine Passwörter. Trennen löscht es.',
    approving: 'Was die Genehmigung bewirkt',
    approvingText:
      'Die Genehmigung verbindet niemanden. Danach kann jede Person ihr eigenes Konto verbinden, ohne dass Microsoft noch einmal fragt.',
    limit: 'Auf bestimmte Personen begrenzen',
    limitSteps: [
      'Nach der Genehmigung öffnen Sie das Microsoft Entra Admin Center (entra.microsoft.com), dann Unternehmens\u00ADanwendungen und die Anwendung mit der ID von oben.',
      'Stellen Sie unter Eigenschaften „Zuweisung erforderlich?“ auf Ja.',
      'Fügen Sie unter Benutzer und Gruppen hinzu, wer sie nutzen darf.',
    ],
    revoke: 'Widerrufen',
    revokeSteps: [
      'Öffnen Sie am selben Ort Berechtigungen und widerrufen Sie, was erteilt wurde, oder löschen Sie die Anwendung aus Ihrem Mandanten.',
      'Um es für alle sofort zu sperren, stellen Sie unter Eigenschaften „Aktiviert für die Benutzeranmeldung?“ auf Nein.',
      'Um den Zugriff einer einzelnen Person zu beenden, widerrufen Sie deren Sitzungen.',
    ],
    revokeNote: 'Kurz zuvor gegebener Zugriff kann noch gelten, bis er abläuft, meist innerhalb von 90 Minuten.',
    go: 'Bei Microsoft prüfen und genehmigen',
    goHint: 'Sie melden sich bei Microsoft mit einem Administrationskonto an und entscheiden dort.',
    approvedTitle: 'MEGDocs ist für Ihre Organisation genehmigt',
    approvedText:
      'Sagen Sie den Nutzenden, dass sie in MEGDocs noch einmal auf „Mit Microsoft verbinden“ klicken. Jede Person verbindet ihr eigenes Konto.',
    refusedTitle: 'MEGDocs wurde nicht genehmigt',
    refusedText:
      'Microsoft meldet keine Genehmigung. Entweder wurde sie abgelehnt, oder das verwendete Konto darf nicht für die ganze Organisation genehmigen. Es wurde nichts geändert.',
    declinedText: 'Die Genehmigung wurde bei Microsoft abgelehnt oder abgebrochen. Es wurde nichts geändert.',
    noRightText: 'Das verwendete Konto darf nicht für die ganze Organisation genehmigen. Es wurde nichts geändert.',
    brokenTitle: 'MEGDocs kann zurzeit nicht genehmigt werden',
    forward: 'Wenn jemand anderes darüber entscheidet, senden Sie dieser Person die Nachricht unten.',
    refusedTodo:
      'Um zu genehmigen, beginnen Sie neu und melden Sie sich mit einem Konto an, das zustimmen darf, zum Beispiel als Cloudanwendungs\u00ADadministrator.',
    again: 'Die Anfrage noch einmal lesen',
  },
}
