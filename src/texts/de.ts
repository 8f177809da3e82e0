import type { Texts } from './en.ts'

const approve = 'Laut Microsoft muss die IT das zuerst genehmigen. Bitte lesen Sie die Anfrage und genehmigen Sie sie.'

const ourFault = {
  title: 'Das Verbinden mit Microsoft funktioniert zurzeit nicht',
  happened: 'Bei uns ist etwas nicht richtig eingerichtet. Sie haben nichts falsch gemacht.',
  todo: 'Wenden Sie sich an den MEGDocs-Support und geben Sie die Referenz unten an.',
}

const microsoftsTrouble = 'Wir versuchen es automatisch wieder. Sie müssen nichts tun.'

/** German. \u00AD: where a word that is too long for a phone may be divided. */
export const de: Texts = {
  product: 'MEGDocs',
  area: 'Verbindung zu Microsoft',
  reference: 'Referenz',
  referenceUse: 'Bitte bei Rückfragen angeben. Enthält keine persönlichen Daten.',
  support: 'MEGDocs-Support',
  supportSubject: 'MEGDocs, Referenz {reference}',
  language: { name: 'Deutsch', choose: 'Sprache' },
  status: {
    connected: 'Verbunden',
    notConnected: 'Nicht verbunden',
    notWorking: 'Funktioniert zurzeit nicht',
    paused: 'Vorübergehend gesperrt',
    notFinished: 'Nicht abgeschlossen',
    unknown: 'Zurzeit nicht bekannt',
  },
  actions: {
    connect: 'Mit Microsoft verbinden',
    connectAgain: 'Erneut verbinden',
    continueToMicrosoft: 'Weiter zu Microsoft',
    continueToMegdocs: 'Weiter zu MEGDocs',
    continueWithLink: 'Mit diesem Link fortfahren',
    backToMegdocs: 'Zurück zu MEGDocs',
    cancel: 'Abbrechen',
    tryAgain: 'Noch einmal versuchen',
    logInAndConnect: 'Anmelden und mit Microsoft verbinden',
    openConnection: 'Verbindung zu Microsoft öffnen',
    disconnect: 'Verbindung trennen',
    disconnectNow: 'Jetzt trennen',
    stayConnected: 'Verbunden bleiben',
    openMessage: 'Nachricht an Ihre IT öffnen',
    writeMail: 'E-Mail mit diesem Text schreiben',
    contactSupport: 'MEGDocs-Support kontaktieren',
    readRequest: 'Anfrage lesen und genehmigen',
    approve: 'Bei Microsoft prüfen und genehmigen',
  },
  whatToDo: 'Was Sie jetzt tun können',
  whoActs: 'Wer kann das beheben?',
  actors: {
    tenant_admin: 'Ihre IT-Administration (meist die IT-Abteilung)',
    ops: 'Der MEGDocs-Support',
  },
  cure: {
    afterAdmin: 'Verbinden Sie Ihr Konto erneut, sobald Ihre IT das Problem behoben hat.',
    recovers:
      'Sie müssen Ihr Konto nicht erneut verbinden. Sobald das Problem behoben ist, funktioniert alles innerhalb von 15 Minuten wieder.',
  },
  permission: {
    list: 'Berechtigungen',
    granted: 'Erteilt',
    missing: 'Noch nicht erteilt',
    words: {
      'User.Read': 'Ihre Profilinformationen lesen',
      'Files.ReadWrite': 'Ihre eigenen M365-Dateien lesen und schreiben',
      'Files.ReadWrite.All': 'Ihre M365-Dateien lesen und schreiben',
      'Sites.Selected': 'Auf den SharePoint-Websites lesen und schreiben, die Ihre IT auswählt',
      'Sites.ReadWrite.All': 'Auf allen SharePoint-Websites lesen und schreiben, die Sie öffnen können',
    },
    atMicrosoft: 'Auf der Seite von Microsoft steht dafür (sinngemäß):',
    consentPage: {
      'User.Read': '„Sie anmelden und Ihr Profil lesen“: Ihr Name, Ihre E-Mail-Adresse und Ihr grundlegendes Profil.',
      'Files.ReadWrite': '„Vollzugriff auf Ihre Dateien“: Ihre eigenen Dateien lesen, anlegen, ändern und löschen.',
      'Files.ReadWrite.All':
        '„Vollzugriff auf alle Dateien, auf die Sie Zugriff haben“: diese Dateien lesen, anlegen, ändern und löschen, auch für Sie freigegebene und solche in SharePoint.',
      'Sites.Selected':
        '„Zugriff auf ausgewählte Websites im Namen der angemeldeten Person“: Ihre IT legt für jede Website fest, was MEGDocs dort darf. Dazu können Ändern und Löschen gehören.',
      'Sites.ReadWrite.All':
        '„Elemente in allen Websitesammlungen bearbeiten oder löschen“: Dokumente und Listenelemente auf allen Websites ändern und löschen, die Sie öffnen können.',
    },
    excess: 'Erteilt, aber nicht nötig',
    excessText:
      'MEGDocs braucht das nicht mehr. Wenn Sie Ihre Zustimmung bei Microsoft widerrufen, endet auch die Verbindung. Verbinden Sie Ihr Konto danach erneut:',
  },
  account: {
    title: 'Ihre Verbindung zu Microsoft',
    notConnected: {
      lead: 'Verbinden Sie Ihr Microsoft-Konto, um MEGDocs-Dokumente im Browser in Microsoft 365 zu bearbeiten.',
      does: 'Was das Verbinden bewirkt',
      points: [
        'MEGDocs kann für Sie Dateien in Microsoft 365 öffnen und speichern, aber nur solche, die Sie selbst öffnen können.',
        'Sie melden sich bei Microsoft an. Ihr Kennwort sehen und speichern wir nie.',
        'Sie können die Verbindung hier jederzeit trennen.',
      ],
      asks: 'Welchen Berechtigungen Sie bei Microsoft zustimmen',
      alsoAsks:
        'Microsoft nennt außerdem zwei Dinge, die jede Verbindung braucht: dass Sie sich anmelden und dass MEGDocs den erteilten Zugriff behält. Sonst müssten Sie sich jede Stunde neu anmelden.',
      adminHint:
        'In vielen Organisationen muss die IT MEGDocs zuerst genehmigen. Wenn Microsoft Ihnen das anzeigt, folgen Sie dort dem Link zurück zur Anwendung: Wir bereiten dann eine Nachricht an Ihre IT vor.',
    },
    connected: {
      account: 'Microsoft-Konto',
      accountUnknown: 'Wird nach der nächsten Nutzung angezeigt',
      since: 'Verbunden',
      refreshed: 'Zugriff automatisch erneuert',
      reconnectHint:
        'Verbinden Sie Ihr Konto erneut, wenn etwas nicht funktioniert oder wenn Sie neue Berechtigungen erteilen möchten. Bis das abgeschlossen ist, bleiben Sie verbunden.',
      missingTitle: 'MEGDocs braucht jetzt weitere Berechtigungen',
      missingText:
        'Was bisher funktioniert hat, funktioniert weiterhin. Um alles nutzen zu können, verbinden Sie Ihr Konto erneut und stimmen Sie dem zu, was unten markiert ist.',
    },
    attention: {
      title: 'Die Verbindung funktioniert zurzeit nicht',
      happened: 'Microsoft erlaubt MEGDocs nicht mehr, in Ihrem Namen zuzugreifen.',
      todo: 'Verbinden Sie Ihr Konto erneut.',
      since: 'Festgestellt',
      details: 'Die Verbindung',
      withdrawn: 'Wurde der Zugriff entzogen? Das sehen Sie bei Microsoft:',
      passing: 'Die Verbindung selbst ist in Ordnung.',
      passingTodo: microsoftsTrouble,
    },
    pending: {
      title: 'Sie wurden zu Microsoft weitergeleitet, und die Anmeldung ist noch nicht abgeschlossen',
      since: 'Zu Microsoft weitergeleitet',
      text: 'Ist die Seite von Microsoft noch in einem anderen Tab geöffnet? Dann schließen Sie die Anmeldung dort ab. Wenn nicht, beginnen Sie hier noch einmal: Es wurde nichts geändert.',
    },
    disconnectTitle: 'Verbindung trennen',
    disconnectText: 'MEGDocs löscht den gespeicherten Zugriff sofort. Ihre Dateien bleiben, wo sie sind.',
  },
  consentPages: {
    work: 'myapps.microsoft.com (Geschäfts-, Schul- oder Unikonto)',
    personal: 'account.live.com (persönliches Konto)',
    unknown: 'Ihre IT-Administration kann die Zustimmung widerrufen.',
  },
  confirm: {
    title: 'Verbindung zu Microsoft trennen?',
    endsTitle: 'Das endet',
    ends: [
      'Der Zugriff, den MEGDocs für Sie gespeichert hat, wird sofort gelöscht.',
      'Sie können MEGDocs-Dokumente erst wieder in Microsoft 365 bearbeiten, wenn Sie Ihr Konto erneut verbinden.',
      'Anmeldungen bei Microsoft, die Sie hier begonnen und nicht abgeschlossen haben, werden abgebrochen.',
    ],
    keepsTitle: 'Das endet nicht',
    keeps: [
      'Ihre Dateien und Dokumente: Es wird nichts gelöscht, weder bei Microsoft noch in MEGDocs.',
      'Ein Dokument, das gerade geöffnet ist: Es kann bearbeitbar bleiben, bis dieser Zugriff abläuft, meist innerhalb von 90 Minuten.',
    ],
    approval:
      'Ihre Zustimmung bei Microsoft: Microsoft lässt nicht zu, dass wir sie für Sie widerrufen. Sie können sie hier selbst widerrufen:',
  },
  disconnected: {
    title: 'Die Verbindung zu Microsoft ist getrennt',
    text: 'MEGDocs hat den Zugriff gelöscht, den es für Sie gespeichert hatte. Ihre Dateien wurden nicht verändert.',
    consent:
      'Bei Microsoft bleibt gespeichert, dass Sie MEGDocs den Zugriff einmal erlaubt haben. Auch das können Sie widerrufen:',
    again: 'Sie können Ihr Konto jederzeit erneut verbinden.',
  },
  result: {
    connected: 'Mit Microsoft verbunden',
    reconnected: 'Wieder mit Microsoft verbunden',
    as: 'Sie sind verbunden als',
    next: 'Sie können Ihre MEGDocs-Dokumente jetzt in Microsoft 365 bearbeiten.',
    notYou: 'Nicht Ihr Konto? Hier können Sie es wechseln oder die Verbindung trennen:',
    usedAccount: 'Verwendetes Microsoft-Konto',
    refused: {
      title: 'Die Verbindung kam nicht zustande',
      happened: 'Microsoft hat den nötigen Zugriff nicht erteilt.',
      todo: 'Verbinden Sie Ihr Konto erneut. Wenn es wieder nicht klappt, wenden Sie sich an den MEGDocs-Support und geben Sie die Referenz unten an.',
    },
    tryLater: 'Es wurde nichts geändert. Verbinden Sie Ihr Konto in ein paar Minuten erneut.',
    retryOrSupport:
      'Es wurde nichts geändert. Verbinden Sie Ihr Konto in ein paar Minuten erneut. Wenn es wieder nicht klappt, wenden Sie sich an den MEGDocs-Support und geben Sie die Referenz unten an.',
    whilePaused:
      'Es wurde nichts verbunden oder geändert. Fragen Sie den MEGDocs-Support, wann der Zugriff wieder möglich ist. Steht dort danach „Nicht verbunden“, verbinden Sie Ihr Konto erneut.',
    todo: {
      account_not_found:
        'Verbinden Sie sich erneut und wählen Sie dabei das Konto Ihrer Organisation. Oder senden Sie Ihrer IT die Nachricht unten.',
      account_locked:
        'Warten Sie ein paar Minuten und verbinden Sie Ihr Konto erneut. Wenn es dann noch gesperrt ist, senden Sie Ihrer IT die Nachricht unten.',
      device_not_compliant:
        'Öffnen Sie MEGDocs auf einem Gerät Ihrer Organisation und verbinden Sie Ihr Konto dort. Oder senden Sie Ihrer IT die Nachricht unten.',
      connect_in_progress:
        'Warten Sie einen Moment. Öffnen Sie dann Ihre Verbindung zu Microsoft: Dort sehen Sie, ob es geklappt hat.',
    },
    readings: {
      title: 'Was haben Sie bei Microsoft gesehen?',
      adminNeeded: {
        title: 'Microsoft verlangte eine Administrator\u00ADgenehmigung',
        text: 'Sie haben „Administrator\u00ADgenehmigung erforderlich“ gesehen. Nur Ihre IT kann MEGDocs genehmigen, einmal für alle. Senden Sie ihr die Nachricht unten. Verbinden Sie Ihr Konto erneut, sobald sie MEGDocs genehmigt hat.',
      },
      requestSent: {
        title: 'Sie haben bei Microsoft eine Anfrage gesendet („Genehmigung erforderlich“)',
        text: 'Ihre IT hat sie bereits erhalten, Sie müssen nichts weiter senden. Verbinden Sie Ihr Konto erneut, sobald sie MEGDocs genehmigt hat.',
      },
      declined: {
        title: 'Sie haben auf „Abbrechen“ geklickt',
        text: 'Es wurde nichts geändert. Verbinden Sie Ihr Konto erneut und klicken Sie bei Microsoft auf „Akzeptieren“.',
      },
    },
    pinned: 'Bisher verbunden',
    chosen: 'Jetzt gewählt',
    lookAlike:
      'Beide sehen hier gleich aus, weil der größte Teil des Namens verborgen ist. Es sind verschiedene Konten.',
    useFirst:
      'Sie möchten beim bisherigen Konto bleiben? Dann müssen Sie nichts tun: Sie sind weiterhin damit verbunden.',
    switchFirst:
      'Sie möchten das andere Konto verwenden? Öffnen Sie Ihre Verbindung zu Microsoft, trennen Sie sie und verbinden Sie dann das andere Konto.',
  },
  adminMessage: {
    title: 'Nachricht an Ihre IT',
    copy: 'Oder den Text kopieren',
    isAdmin: 'Sie sind selbst Administratorin oder Administrator?',
    subject: 'Betreff',
    approveSubject: 'Bitte MEGDocs für Microsoft 365 genehmigen',
    helpSubject: 'MEGDocs kann nicht auf mein Microsoft 365 zugreifen',
    hello: 'Guten Tag,',
    want: 'ich möchte MEGDocs-Dokumente in Microsoft 365 bearbeiten.',
    explained: 'Umfang, Einschränkung und Widerruf:',
    app: 'Anwendung',
    contact: 'Kontakt',
    permissions: 'Berechtigungen (delegiert)',
    reach: {
      'User.Read': 'Profil',
      'Files.ReadWrite': 'eigene Dateien lesen, ändern, löschen',
      'Files.ReadWrite.All': 'alle Dateien der Person lesen, ändern, löschen, auch freigegebene',
      'Sites.Selected': 'nur SharePoint-Websites, die Sie auswählen',
      'Sites.ReadWrite.All': 'Elemente auf allen SharePoint-Websites der Person ändern und löschen',
    },
    microsoft: 'Antwort von Microsoft',
    reference: 'Referenz',
    thanks: 'Vielen Dank',
  },
  goingOn: {
    title: 'Zurück zu MEGDocs',
    text: 'Sie werden gleich zu MEGDocs weitergeleitet.',
  },
  plainHttp:
    'Für die Betreiber dieses Dienstes: Die Anfrage kam als unverschlüsseltes HTTP an, obwohl https eingestellt ist. Der vorgeschaltete Proxy muss diesen Header senden, und seine Adresse muss in TRUSTED_PROXIES stehen:',
  adminConsent: {
    title: 'MEGDocs für Ihre Organisation genehmigen',
    lead: 'Für die Administration von Microsoft 365: wer Zugriff anfordert, worauf MEGDocs zugreifen kann und wie Sie den Zugriff begrenzen und widerrufen.',
    who: 'Wer Zugriff anfordert',
    app: 'Anwendung',
    clientId: 'Anwendungs-ID (Client)',
    publisher: 'Herausgeber',
    contact: 'Kontakt',
    privacy: 'Datenschutzhinweise',
    service: 'Dienst',
    redirectUri: 'Umleitungs-URI',
    check:
      'Prüfen Sie bei Microsoft, dass es diese Anwendung ist: Die Adresse der Anmeldeseite von Microsoft enthält die Anwendungs-ID von oben.',
    what: 'Angeforderte Berechtigungen',
    delegated:
      'Das sind delegierte Berechtigungen. MEGDocs handelt nur im Namen von Personen, die ihr Konto verbunden haben, und erreicht nur Dateien, die diese Personen selbst öffnen können. Einen eigenen Zugriff auf Ihren Mandanten bekommt MEGDocs nicht.',
    reach: {
      'User.Read': 'Name, E-Mail-Adresse und grundlegendes Profil der angemeldeten Person lesen.',
      'Files.ReadWrite': 'Die eigenen Dateien der angemeldeten Person lesen, anlegen, ändern und löschen.',
      'Files.ReadWrite.All':
        'Alle Dateien lesen, anlegen, ändern und löschen, auf die die angemeldete Person Zugriff hat, auch freigegebene und solche in SharePoint.',
      'Sites.Selected':
        'Nur auf SharePoint-Websites zugreifen, auf denen Sie MEGDocs danach eine Rolle geben. Bis dahin erreicht MEGDocs keine.',
      'Sites.ReadWrite.All':
        'Dokumente und Listenelemente auf allen SharePoint-Websites ändern und löschen, auf die die angemeldete Person Zugriff hat.',
    },
    alsoAsks:
      'Die Seite von Microsoft nennt außerdem das Anmelden (openid, profile) und das Behalten des Zugriffs (offline_access). Ohne offline_access müssten sich alle jede Stunde neu anmelden.',
    stored:
      'Was wir speichern: je verbundener Person den Namen und die Kennungen des Kontos sowie, verschlüsselt, den Zugriff. Keine Kennwörter. Beim Trennen wird das gelöscht.',
    approving: 'Was die Genehmigung bewirkt',
    approvingText:
      'Mit der Genehmigung ist noch niemand verbunden. Danach kann jede Person ihr eigenes Konto verbinden, ohne dass Microsoft sie noch einmal fragt.',
    requestWaiting:
      'Hat Ihnen jemand schon über Microsoft eine Anfrage gesendet? Sie finden sie im Microsoft Entra Admin Center (entra.microsoft.com) unter Entra ID > Enterprise-Apps im Bereich „Aktivität“ bei den Anfragen zur Administrator\u00ADzustimmung. Genehmigen Sie dort oder hier: Einmal genügt.',
    limit: 'Zugriff begrenzen, bevor alle MEGDocs nutzen können',
    limitSteps: [
      'Fügen Sie die Anwendung Ihrem Mandanten hinzu, ohne sie zu genehmigen. In der Azure CLI: az ad sp create --id {clientId}. Ist sie schon in Ihrem Mandanten, beginnen Sie mit Schritt 2.',
      'Öffnen Sie im Microsoft Entra Admin Center (entra.microsoft.com) Entra ID > Enterprise-Apps und wählen Sie die Anwendung mit dieser ID.',
      'Stellen Sie unter „Eigenschaften“ die Option „Zuweisung erforderlich?“ auf „Ja“.',
      'Fügen Sie unter „Benutzer und Gruppen“ die Personen hinzu, die MEGDocs nutzen dürfen.',
      'Genehmigen Sie die Anwendung dann hier. Allen anderen zeigt Microsoft an, dass sie nicht zugewiesen sind.',
    ],
    revoke: 'Zugriff widerrufen',
    revokeSteps: [
      'Für alle sofort sperren: Stellen Sie bei derselben Anwendung unter „Eigenschaften“ die Option „Aktiviert für die Benutzeranmeldung?“ auf „Nein“. Niemand kann sich mehr verbinden, und bestehende Verbindungen funktionieren nicht mehr. Sie können das rückgängig machen.',
      'Die Genehmigung widerrufen: Widerrufen Sie unter „Berechtigungen“, was erteilt wurde. Bestehende Verbindungen funktionieren dann nicht mehr, und eine neue Genehmigung ist nötig. Was einzelne Personen selbst erteilt haben, bleibt: Um auch das zu beenden, löschen Sie die Anwendung aus Ihrem Mandanten.',
      'Den Zugriff einer einzelnen Person beenden: Entfernen Sie die Person unter „Benutzer und Gruppen“ („Zuweisung erforderlich?“ muss auf „Ja“ stehen). Öffnen Sie dann Entra ID > Benutzer, wählen Sie die Person und „Sitzungen widerrufen“. Damit wird die Person überall bei Microsoft abgemeldet, nicht nur bei MEGDocs. Wenn Sie nur die Sitzungen widerrufen, kann sie sich wieder verbinden.',
    ],
    revokeNote: 'Ein kurz zuvor erteilter Zugriff kann noch gelten, bis er abläuft, meist innerhalb von 90 Minuten.',
    goHint: 'Sie melden sich bei Microsoft mit einem Administratorkonto an und entscheiden dort.',
    approvedTitle: 'MEGDocs ist für Ihre Organisation genehmigt',
    approvedText:
      'Teilen Sie den Anwenderinnen und Anwendern mit, dass sie in MEGDocs jetzt auf „{action}“ klicken können. Jede Person verbindet ihr eigenes Konto.',
    close: 'Sie können diese Seite schließen.',
    refusedTitle: 'MEGDocs wurde nicht genehmigt',
    refusedText:
      'Microsoft meldet keine Genehmigung. Entweder wurde sie abgelehnt, oder das verwendete Konto darf nicht für die ganze Organisation genehmigen. Es wurde nichts geändert.',
    declinedText: 'Die Genehmigung wurde bei Microsoft abgelehnt oder abgebrochen. Es wurde nichts geändert.',
    declinedTodo:
      'Wenn das Ihre Entscheidung war, können Sie diese Seite schließen. Wenn nicht, lesen Sie die Anfrage noch einmal.',
    noRightText: 'Das verwendete Konto darf nicht für die ganze Organisation genehmigen. Es wurde nichts geändert.',
    brokenTitle: 'MEGDocs kann zurzeit nicht genehmigt werden',
    forward: 'Wenn jemand anderes darüber entscheidet, senden Sie dieser Person die Nachricht unten.',
    refusedTodo:
      'Um zu genehmigen, beginnen Sie noch einmal und melden Sie sich mit einem Konto an, das dazu berechtigt ist, zum Beispiel als Cloudanwendungs\u00ADadministrator.',
    tryLater: 'Es wurde nichts geändert. Versuchen Sie es in ein paar Minuten noch einmal.',
  },
  django: {
    connectText:
      'Sie melden sich jetzt bei Microsoft an. Microsoft fragt Sie, ob MEGDocs Ihr Profil lesen und auf Ihre Microsoft-365-Dateien zugreifen darf.',
    continueTitle: 'Weiter zu Microsoft',
    continueText: 'Falls nichts passiert:',
    notStartedHere: {
      title: 'Bitte noch einmal verbinden',
      text: 'Ihre Anmeldung bei MEGDocs war nicht mehr dieselbe, deshalb wurde nichts verbunden. Wenn Sie selbst auf „{action}“ geklickt haben, klicken Sie bitte noch einmal. Wenn nicht, schließen Sie diese Seite.',
    },
    impersonated: {
      title: 'Sie handeln für eine andere Person',
      happened: 'Solange Sie für eine andere Person handeln, können Sie deren Microsoft-Konto nicht benutzen.',
      todo: 'Beenden Sie das. Versuchen Sie es danach mit Ihrem eigenen Konto noch einmal.',
    },
    manageText:
      'Eine andere Website hat Sie hierher geleitet. Fahren Sie nur fort, wenn Sie Ihre Verbindung zu Microsoft ansehen oder ändern möchten.',
    problemTitle: 'Das hat nicht funktioniert',
    failures: {
      not_connected: {
        title: 'Sie sind nicht mit Microsoft verbunden',
        happened: 'MEGDocs braucht dafür Ihr Microsoft\u2011Konto.',
        todo: 'Verbinden Sie sich mit Microsoft. Das dauert eine Minute.',
      },
      connect_refused: {
        title: 'Die Verbindung kam nicht zustande',
        happened: 'Microsoft hat den nötigen Zugriff nicht erteilt. Es wurde nichts geändert.',
        todo: 'Verbinden Sie Ihr Konto erneut. Wenn es wieder nicht klappt, wenden Sie sich an den MEGDocs-Support.',
      },
      not_found: {
        title: 'Dieser Versuch ist beendet',
        happened: 'Er hat zu lange gedauert oder wurde schon abgeschlossen.',
        todo: 'Öffnen Sie Ihre Microsoft-Verbindung: Dort sehen Sie, ob es geklappt hat. Wenn nicht, verbinden Sie Ihr Konto erneut.',
      },
    },
    forSupport: 'Für den Support',
    code: 'Code',
    reason: 'Grund',
    askIt: 'Das kann nur Ihre IT lösen. Die Nachricht an sie ist vorbereitet.',
    connected: 'Mit Microsoft verbunden als {name}.',
    connectedWithoutName: 'Mit Microsoft verbunden.',
    tellSupport: 'Wenn es so bleibt, sagen Sie dem MEGDocs-Support Bescheid.',
    account: 'Microsoft-Konto',
    mailAgain:
      'Es dauert eine Minute. Vielleicht müssen Sie sich zuerst bei MEGDocs anmelden. Bitte verbinden Sie Ihr Konto über diesen Link erneut:',
    mailFirst:
      'Über diesen Link können Sie Ihr Microsoft-Konto mit MEGDocs verbinden. Vielleicht müssen Sie sich zuerst bei MEGDocs anmelden:',
    mailForward: 'Das kann nur Ihre IT lösen. Bitte senden Sie ihr diese Nachricht:',
  },
  reasons: {
    access_revoked: {
      title: 'Der Zugriff wurde bei Microsoft beendet',
      happened:
        'Das geschieht, wenn die IT Ihr Kennwort zurücksetzt, wenn alle Ihre Anmeldungen beendet werden oder wenn der Zugriff entzogen wird.',
      todo: 'Verbinden Sie Ihr Konto erneut.',
    },
    refresh_token_expired: {
      title: 'Die Verbindung ist abgelaufen',
      happened: 'Sie wurde lange nicht benutzt. Dann beendet Microsoft sie.',
      todo: 'Verbinden Sie Ihr Konto erneut.',
    },
    sign_in_frequency: {
      title: 'Ihre Organisation verlangt eine neue Anmeldung',
      happened: 'Eine Richtlinie Ihrer Organisation verlangt von Zeit zu Zeit eine neue Anmeldung.',
      todo: 'Verbinden Sie Ihr Konto erneut und melden Sie sich bei Microsoft an.',
    },
    password_changed: {
      title: 'Ihr Microsoft\u2011Kennwort wurde geändert oder ist abgelaufen',
      happened: 'Microsoft verlangt Ihr aktuelles Kennwort, bevor es weitergeht.',
      todo: 'Verbinden Sie Ihr Konto erneut und melden Sie sich bei Microsoft mit Ihrem aktuellen Kennwort an.',
    },
    token_invalid: {
      title: 'Microsoft akzeptiert diese Verbindung nicht mehr',
      happened: 'Der gespeicherte Zugriff gilt nicht mehr. Den Grund nennt uns Microsoft nicht.',
      todo: 'Verbinden Sie Ihr Konto erneut.',
    },
    sign_in_required: {
      title: 'Microsoft verlangt eine neue Anmeldung',
      happened: 'Ohne neue Anmeldung erteilt Microsoft keinen Zugriff.',
      todo: 'Verbinden Sie Ihr Konto erneut und melden Sie sich bei Microsoft an.',
    },
    mfa_required: {
      title: 'Microsoft verlangt eine zusätzliche Bestätigung',
      happened:
        'Ihre Organisation verlangt, dass Sie die Anmeldung auf einem zweiten Weg bestätigen, zum Beispiel mit einem Code auf dem Telefon.',
      todo: 'Halten Sie Ihr Telefon oder Ihren Sicherheitsschlüssel bereit. Verbinden Sie Ihr Konto dann erneut und führen Sie den zusätzlichen Schritt aus.',
    },
    consent_required: {
      title: 'Den Berechtigungen wurde nicht zugestimmt',
      happened: 'Die Zustimmung wurde noch nicht erteilt, oder sie wurde widerrufen.',
      todo: 'Verbinden Sie Ihr Konto erneut und klicken Sie bei Microsoft auf „Akzeptieren“. Wenn Microsoft eine Administrator\u00ADgenehmigung verlangt, senden Sie Ihrer IT die Nachricht unten.',
    },
    admin_consent_required: {
      title: 'Zuerst muss Ihre IT MEGDocs genehmigen',
      happened:
        'In Ihrer Organisation können Sie diesen Berechtigungen nicht selbst zustimmen. Das ist eine übliche Einstellung.',
      todo: 'Senden Sie Ihrer IT die Nachricht unten. Die Genehmigung ist nur einmal nötig, für alle oder für bestimmte Personen. Wenn Sie bei Microsoft schon eine Anfrage gesendet haben, liegt sie Ihrer IT bereits vor: Warten Sie dann auf die Antwort.',
    },
    blocked_by_policy: {
      title: 'Eine Richtlinie Ihrer Organisation verhindert das',
      happened: 'Ihre Anmeldung war richtig, aber eine Richtlinie Ihrer Organisation lässt diesen Zugriff nicht zu.',
      todo: 'Senden Sie Ihrer IT die Nachricht unten. Darin steht auch die Antwort von Microsoft.',
    },
    device_not_compliant: {
      title: 'Ihre Organisation verlangt ein verwaltetes Gerät',
      happened:
        'Eine Richtlinie Ihrer Organisation erlaubt den Zugriff nur auf Geräten, die Ihre Organisation verwaltet.',
      todo: 'Verbinden Sie Ihr Konto auf einem Gerät Ihrer Organisation erneut oder senden Sie Ihrer IT die Nachricht unten.',
    },
    account_disabled: {
      title: 'Dieses Microsoft\u2011Konto ist deaktiviert',
      happened: 'Ihre Organisation oder Microsoft hat das Konto deaktiviert.',
      todo: 'Senden Sie Ihrer IT die Nachricht unten.',
    },
    account_not_found: {
      title: 'Dieses Microsoft\u2011Konto gehört nicht zur Organisation',
      happened: 'Es wurde entfernt, oder es war nie Teil dieser Organisation.',
      todo: 'Senden Sie Ihrer IT die Nachricht unten. Wenn Sie ein neues Microsoft-Konto haben, trennen Sie die Verbindung und verbinden Sie dann das neue Konto.',
    },
    account_locked: {
      title: 'Dieses Microsoft\u2011Konto ist gesperrt',
      happened:
        'Nach zu vielen falschen Kennwörtern oder ungewöhnlichen Anmeldungen sperrt Microsoft ein Konto für eine Weile.',
      todo: 'Warten Sie eine Weile. Bleibt es gesperrt, senden Sie Ihrer IT die Nachricht unten.',
    },
    not_assigned: {
      title: 'MEGDocs ist Ihnen bei Microsoft noch nicht zugewiesen',
      happened:
        'In Ihrer Organisation dürfen nur bestimmte Personen MEGDocs mit Microsoft nutzen. Sie gehören noch nicht dazu.',
      todo: 'Senden Sie Ihrer IT die Nachricht unten, damit sie Sie hinzufügen kann.',
    },
    app_unavailable: {
      title: 'MEGDocs ist in Ihrer Organisation abgeschaltet',
      happened: 'Bei Microsoft ist MEGDocs in Ihrer Organisation deaktiviert oder nicht vorhanden.',
      todo: 'Senden Sie Ihrer IT die Nachricht unten.',
    },
    tenant_unavailable: {
      title: 'In Ihrer Organisation ist zurzeit keine Anmeldung bei Microsoft möglich',
      happened:
        'Microsoft hat das Verzeichnis Ihrer Organisation gesperrt oder gelöscht, oder die Anmeldung dort ist nicht richtig eingerichtet.',
      todo: 'Senden Sie Ihrer IT die Nachricht unten.',
    },
    tenant_restricted: {
      title: 'Der Zugriff zwischen zwei Organisationen ist nicht erlaubt',
      happened: 'Das Konto gehört zu einer anderen Organisation, und eine der beiden lässt diesen Zugriff nicht zu.',
      todo: 'Senden Sie Ihrer IT die Nachricht unten.',
    },
    not_approved: {
      title: 'MEGDocs hat noch keine Berechtigung',
      happened: 'Microsoft hat Sie ohne Zustimmung zurückgeschickt und nennt uns den Grund nicht.',
      todo: 'Senden Sie Ihrer IT die Nachricht unten. Wenn Sie selbst abgelehnt haben, verbinden Sie Ihr Konto stattdessen erneut.',
    },
    missing_scopes: {
      title: 'Einige Berechtigungen fehlen',
      happened:
        'Microsoft hat nur einen Teil der nötigen Berechtigungen erteilt. Deshalb kam die Verbindung nicht zustande.',
      todo: 'Verbinden Sie Ihr Konto erneut und stimmen Sie allen Berechtigungen zu.',
    },
    no_refresh_token: {
      title: 'Die Verbindung konnte nicht eingerichtet werden',
      happened: 'Bei uns ist etwas nicht richtig eingerichtet. Sie haben nichts falsch gemacht.',
      todo: 'Wenden Sie sich an den MEGDocs-Support und geben Sie die Referenz unten an.',
    },
    tenant_not_allowed: {
      title: 'Konten dieser Organisation sind hier nicht zugelassen',
      happened: 'Hier können Sie nur Konten bestimmter Organisationen verbinden.',
      todo: 'Verbinden Sie sich erneut und wählen Sie dabei das Konto Ihrer eigenen Organisation.',
    },
    other_cloud: {
      title: 'Dieses Konto gehört zu einer anderen Microsoft\u2011Cloud',
      happened:
        'Microsoft betreibt mehrere getrennte Clouds, zum Beispiel eine für US-Behörden. Konten dieser Cloud können hier nicht verbunden werden.',
      todo: 'Wenden Sie sich an den MEGDocs-Support und geben Sie die Referenz unten an. Wenn Sie ein anderes Microsoft-Konto haben, verbinden Sie dieses.',
    },
    account_type_not_allowed: {
      title: 'Diese Art von Konto ist hier nicht zugelassen',
      happened: 'Es ist offenbar ein persönliches Microsoft-Konto.',
      todo: 'Verbinden Sie sich erneut und wählen Sie dabei Ihr Geschäfts-, Schul- oder Unikonto.',
    },
    other_account: {
      title: 'Das ist nicht das verbundene Microsoft\u2011Konto',
      happened:
        'Damit Ihre Dateien nicht mit denen anderer Personen vermischt werden, wechseln wir das Konto nicht automatisch. Es wurde nichts geändert.',
      todo: 'Entscheiden Sie, welches Konto Sie verwenden möchten.',
    },
    identity_unproven: {
      title: 'Wir konnten nicht sicher feststellen, ob die Antwort für Sie bestimmt war',
      happened:
        'Der Identitätsnachweis von Microsoft hat unsere Prüfung nicht bestanden. Deshalb haben wir nichts gespeichert.',
      todo: 'Wir versuchen es automatisch wieder. Wenn es so bleibt, wenden Sie sich an den MEGDocs-Support und geben Sie die Referenz unten an.',
    },
    code_rejected: {
      title: 'Die Anmeldung konnte nicht abgeschlossen werden',
      happened: 'Sie hat zu lange gedauert, oder die Seite wurde zweimal geladen.',
      todo: 'Verbinden Sie Ihr Konto erneut. Das dauert eine Minute.',
    },
    not_back_yet: {
      title: 'Diese Anmeldung kann hier nicht abgeschlossen werden',
      happened: 'MEGDocs hat nicht erhalten, was Ihr Browser von Microsoft zurückbringt. Wir haben nichts gespeichert.',
      todo: 'Verbinden Sie Ihr Konto erneut. Kopieren Sie die Adresse dieser Seite nicht von einem Browser in einen anderen.',
    },
    not_the_same_user: {
      title: 'Diese Anmeldung hat eine andere Person begonnen',
      happened:
        'Sie wurde von jemand anderem in MEGDocs begonnen. Damit Ihre Dateien nicht mit denen anderer Personen vermischt werden, haben wir nichts gespeichert.',
      todo: 'Melden Sie sich mit Ihrem eigenen Konto bei MEGDocs an und verbinden Sie Ihr Konto erneut. Wenn Ihnen jemand den Link geschickt hat, benutzen Sie ihn nicht.',
    },
    abandoned: {
      title: 'Die Anmeldung wurde nicht rechtzeitig abgeschlossen',
      happened: 'Zwischen dem Beginn hier und Ihrer Rückkehr von Microsoft ist zu viel Zeit vergangen.',
      todo: 'Verbinden Sie Ihr Konto erneut. Bei Microsoft haben Sie dann eine halbe Stunde Zeit.',
    },
    microsoft_unreachable: {
      title: 'Microsoft ist zurzeit nicht erreichbar',
      happened: 'Der Anmeldedienst von Microsoft antwortet uns nicht. An Ihrem Konto liegt es nicht.',
      todo: microsoftsTrouble,
    },
    microsoft_timeout: {
      title: 'Microsoft hat nicht rechtzeitig geantwortet',
      happened: 'Der Anmeldedienst von Microsoft ist zurzeit langsam. An Ihrem Konto liegt es nicht.',
      todo: microsoftsTrouble,
    },
    microsoft_error: {
      title: 'Bei Microsoft gibt es zurzeit eine Störung',
      happened: 'Der Anmeldedienst von Microsoft meldet einen eigenen Fehler. An Ihrem Konto liegt es nicht.',
      todo: microsoftsTrouble,
    },
    microsoft_bad_answer: {
      title: 'Wir konnten die Antwort von Microsoft nicht verwenden',
      happened:
        'Microsoft oder etwas auf dem Weg dorthin hat eine Antwort geschickt, die wir nicht verstehen. Sie haben nichts falsch gemacht.',
      todo: 'Wir versuchen es automatisch wieder. Wenn es so bleibt, wenden Sie sich an den MEGDocs-Support und geben Sie die Referenz unten an.',
    },
    throttled: {
      title: 'Microsoft bremst uns gerade',
      happened: 'Es gab viele Anfragen gleichzeitig. Deshalb lässt Microsoft einige davon warten.',
      todo: microsoftsTrouble,
    },
    loop_detected: {
      title: 'Microsoft hat diese Verbindung für eine Weile angehalten',
      happened: 'Microsoft hat zu viele Anfragen hintereinander erhalten. Die Ursache liegt bei uns, nicht bei Ihnen.',
      todo: 'Wir versuchen es automatisch wieder. Wenn es so bleibt, wenden Sie sich an den MEGDocs-Support und geben Sie die Referenz unten an.',
    },
    connect_in_progress: {
      title: 'Die Verbindung wird gerade hergestellt',
      happened: 'Das dauert etwas länger als gewöhnlich.',
      todo: 'Warten Sie einen Moment.',
    },
    refresh_in_progress: {
      title: 'Der Zugriff wird gerade erneuert',
      happened: 'Das dauert etwas länger als gewöhnlich.',
      todo: 'Warten Sie einen Moment.',
    },
    broker_trouble: {
      title: 'Bei uns gibt es zurzeit eine Störung',
      happened: 'Ein Teil unseres Systems arbeitet nicht wie vorgesehen. Sie haben nichts falsch gemacht.',
      todo: 'Wir versuchen es automatisch wieder. Wenn es so bleibt, wenden Sie sich an den MEGDocs-Support und geben Sie die Referenz unten an.',
    },
    user_frozen: {
      title: 'Der Zugriff ist vorübergehend gesperrt',
      happened: 'MEGDocs hat den Zugriff auf Ihre Microsoft-Dateien vorübergehend gesperrt. Es wurde nichts gelöscht.',
      todo: 'Sie müssen Ihr Konto nicht erneut verbinden. Wenn Sie den Zugriff jetzt brauchen, fragen Sie den MEGDocs-Support.',
    },
    tenant_frozen: {
      title: 'Der Zugriff ist für Ihre Organisation vorübergehend gesperrt',
      happened:
        'MEGDocs hat den Zugriff auf die Microsoft-Dateien Ihrer Organisation vorübergehend gesperrt. Es wurde nichts gelöscht.',
      todo: 'Sie müssen Ihr Konto nicht erneut verbinden. Wenn Sie den Zugriff jetzt brauchen, fragen Sie den MEGDocs-Support.',
    },
    caller_key_frozen: {
      title: 'Der Zugriff ist vorübergehend gesperrt',
      happened:
        'MEGDocs hat einen Teil des Zugriffs auf Microsoft vorübergehend gesperrt. Ihre Verbindung wurde nicht verändert.',
      todo: 'Sie müssen Ihr Konto nicht erneut verbinden. Wenn Sie den Zugriff jetzt brauchen, fragen Sie den MEGDocs-Support.',
    },
    challenge_repeated: {
      title: 'Microsoft verweigert zurzeit den Zugriff',
      happened:
        'Microsoft verlangt immer wieder eine Prüfung, die nicht zum Ende kommt. Sie haben nichts falsch gemacht, und Ihre Verbindung wurde nicht verändert.',
      todo: 'Wenden Sie sich an den MEGDocs-Support und geben Sie die Referenz unten an.',
    },
    client_credential: ourFault,
    registration_unknown: ourFault,
    app_registration: ourFault,
  },
  unknownReason: {
    user: {
      title: 'Die Verbindung funktioniert nicht',
      happened: 'Microsoft erlaubt MEGDocs nicht, in Ihrem Namen zuzugreifen.',
      todo: 'Verbinden Sie Ihr Konto erneut.',
    },
    tenant_admin: {
      title: 'Ihre Organisation muss zuerst etwas ändern',
      happened: 'Microsoft erlaubt MEGDocs nicht, in Ihrem Namen zuzugreifen.',
      todo: 'Fragen Sie Ihre IT und geben Sie die Referenz unten an.',
    },
    ops: {
      title: 'Die Verbindung funktioniert zurzeit nicht',
      happened: 'Bei uns arbeitet etwas nicht wie vorgesehen. Sie haben nichts falsch gemacht.',
      todo: 'Wenn es so bleibt, wenden Sie sich an den MEGDocs-Support und geben Sie die Referenz unten an.',
    },
    nobody: {
      title: 'Microsoft erteilt zurzeit keinen Zugriff',
      happened: 'An Ihrem Konto liegt es nicht.',
      todo: microsoftsTrouble,
    },
  },
  problems: {
    link_expired: {
      title: 'Dieser Link ist abgelaufen',
      happened: 'Zu Ihrer Sicherheit gilt ein Link zum Verbinden mit Microsoft nur kurze Zeit.',
      todo: 'Verbinden Sie sich noch einmal mit Microsoft. Das dauert eine Minute.',
    },
    link_used: {
      title: 'Dieser Link wurde schon benutzt',
      happened:
        'Jeder Link zum Verbinden mit Microsoft gilt nur einmal. Wenn Sie ihn über „Zurück“ oder aus dem Verlauf noch einmal öffnen, passiert nichts.',
      todo: 'Wenn Sie sich gerade verbunden haben, ist alles erledigt. Ihre Verbindung zu Microsoft zeigt, ob es geklappt hat.',
    },
    link_foreign: {
      title: 'Dieser Link gehört zu einem anderen Browser',
      happened:
        'Er wurde vorher in einem anderen Browser oder auf einem anderen Gerät geöffnet. Wenn jemand Ihnen den Link geschickt hat, benutzen Sie ihn nicht: Er könnte Ihre Dateien mit dem Konto dieser Person verbinden.',
      todo: 'Verbinden Sie sich in diesem Browser mit Microsoft.',
    },
    other_sign_in: {
      title: 'In diesem Browser läuft schon eine andere Anmeldung',
      happened:
        'Jemand hat in diesem Browser begonnen, sich mit Microsoft zu verbinden, und ist noch nicht fertig. Der Link, den Sie geöffnet haben, gehört zu einer anderen Person in MEGDocs. Er wurde nicht benutzt.',
      todo: 'Waren Sie das? Dann schließen Sie die Anmeldung im anderen Fenster ab: Dort hat sich nichts geändert. Hat Ihnen jemand diesen Link geschickt? Dann schließen Sie diese Seite. Fahren Sie nur dann mit diesem Link fort, wenn Sie ihn selbst in MEGDocs geöffnet haben: Die andere Anmeldung lässt sich danach nicht mehr abschließen.',
    },
    result_gone: {
      title: 'Dieses Ergebnis wird nicht mehr angezeigt',
      happened: 'Ob das Verbinden mit Microsoft geklappt hat, zeigen wir zehn Minuten lang an.',
      todo: 'Wenn Sie sich gerade verbunden haben, ist alles erledigt. Ihre Verbindung zu Microsoft zeigt, ob es geklappt hat.',
    },
    sign_in_unmatched: {
      title: 'Diese Anmeldung kann hier nicht abgeschlossen werden',
      happened:
        'Die Antwort von Microsoft wurde schon verwendet, sie kam zu spät, oder die Anmeldung wurde in einem anderen Browser begonnen.',
      todo: 'Wenn Sie sich gerade verbunden haben, ist alles erledigt. Ihre Verbindung zu Microsoft zeigt, ob es geklappt hat.',
    },
    cookies_blocked: {
      title: 'Ihr Browser blockiert Cookies',
      happened:
        'Wir brauchen ein Cookie, um zu erkennen, dass Sie es sind, wenn Sie von Microsoft zurückkommen. Es enthält keine persönlichen Daten und wird nach einer halben Stunde gelöscht.',
      todo: 'Erlauben Sie Cookies für diese Website oder verlassen Sie den privaten Modus. Verbinden Sie sich dann noch einmal mit Microsoft.',
    },
    session_over: {
      title: 'Diese Seite ist geschlossen',
      happened:
        'Sie wird geschlossen, wenn Sie die Verbindung trennen, das Verbinden abschließen oder sich von MEGDocs abmelden, spätestens aber nach 30 Minuten.',
      todo: 'Wenn Sie die Verbindung gerade getrennt haben, ist alles erledigt. Wenn nicht, öffnen Sie Ihre Verbindung zu Microsoft noch einmal.',
    },
    no_session: {
      title: 'Bitte öffnen Sie diese Seite über MEGDocs',
      happened:
        'Ihre Verbindung zu Microsoft können nur Sie sehen. Deshalb muss uns MEGDocs zuerst sagen, wer Sie sind.',
      todo: 'Öffnen Sie die Seite über MEGDocs. Möglicherweise müssen Sie sich dort anmelden.',
    },
    form_expired: {
      title: 'Das wurde nicht ausgeführt',
      happened:
        'Die Seite, auf der Sie geklickt haben, war veraltet oder für eine andere Person geöffnet. Es wurde nichts geändert.',
      todo: 'Öffnen Sie Ihre Verbindung zu Microsoft noch einmal und wiederholen Sie es dort.',
    },
    microsoft_unavailable: {
      title: 'Microsoft ist zurzeit nicht erreichbar',
      happened: 'Der Anmeldedienst von Microsoft antwortet uns nicht. An Ihrem Konto liegt es nicht.',
      todo: 'Es wurde nichts geändert. Verbinden Sie sich in ein paar Minuten noch einmal mit Microsoft.',
    },
    broker_misconfigured: {
      title: 'Das Verbinden funktioniert zurzeit nicht',
      happened: 'Bei uns ist etwas nicht richtig eingerichtet. Sie haben nichts falsch gemacht.',
      todo: 'Wenden Sie sich an den MEGDocs-Support und geben Sie die Referenz unten an. Damit lässt sich die Ursache finden.',
    },
    service_unavailable: {
      title: 'Dieser Dienst ist zurzeit nicht verfügbar',
      happened: 'Ein Teil unseres Systems antwortet nicht. Ihre Verbindung ist nicht verloren.',
      todo: 'Gehen Sie zurück zu MEGDocs und versuchen Sie es in ein paar Minuten noch einmal.',
    },
    plain_http: {
      title: 'Diese Seite braucht eine sichere Verbindung',
      happened: 'Die Anfrage kam unverschlüsselt bei uns an (http statt https). Deshalb haben wir hier abgebrochen.',
      todo: 'Prüfen Sie, ob die Adresse mit https:// beginnt. Wenn ja, wenden Sie sich an den MEGDocs-Support und geben Sie die Referenz unten an.',
    },
    invalid_request: {
      title: 'Diese Adresse ist nicht vollständig',
      happened: 'Ein Teil der Adresse fehlt oder wurde verändert. Das passiert, wenn ein Link von Hand kopiert wird.',
      todo: 'Gehen Sie zurück zu MEGDocs und beginnen Sie dort.',
    },
    request_too_large: {
      title: 'Ihr Browser hat zu viel auf einmal gesendet',
      happened: 'Die Adresse oder die Cookies dieser Website sind zu lang geworden. Es wurde nichts geändert.',
      todo: 'Gehen Sie zurück zu MEGDocs und versuchen Sie es noch einmal. Wenn diese Seite wieder erscheint, löschen Sie im Browser die Cookies dieser Website.',
    },
    not_found: {
      title: 'Diese Seite gibt es nicht',
      happened: 'Die Adresse ist vielleicht falsch geschrieben, oder der Link ist veraltet.',
      todo: 'Gehen Sie zurück zu MEGDocs und beginnen Sie dort.',
    },
    too_many_requests: {
      title: 'Zu viele Anfragen',
      happened:
        'Es kamen mehr Anfragen, als wir auf einmal annehmen, aus diesem Browser oder von anderen im selben Netz.',
      todo: 'Warten Sie eine Minute. Gehen Sie dann zurück zu MEGDocs und versuchen Sie es noch einmal.',
    },
    internal_error: {
      title: 'Bei uns ist ein Fehler aufgetreten',
      happened: 'Das hätte nicht passieren dürfen. Sie haben nichts falsch gemacht.',
      todo: 'Gehen Sie zurück zu MEGDocs und versuchen Sie es noch einmal. Wenn es wieder nicht klappt, wenden Sie sich an den MEGDocs-Support und geben Sie die Referenz unten an.',
    },
  },
  adminRequests: {
    not_approved: approve,
    consent_required: approve,
    admin_consent_required: approve,
    blocked_by_policy:
      'Eine Richtlinie blockiert die Anmeldung (Entra: Anmeldeprotokolle, bedingter Zugriff). Bitte lassen Sie MEGDocs dort zu.',
    device_not_compliant:
      'Eine Richtlinie verlangt ein verwaltetes Gerät. Bitte nennen Sie mir ein passendes Gerät oder lassen Sie MEGDocs in der Richtlinie zu.',
    account_disabled: 'Laut Microsoft ist mein Konto deaktiviert. Bitte prüfen Sie das.',
    account_not_found:
      'Microsoft findet mein Konto in unserer Organisation nicht. Bitte sagen Sie mir, welches Konto ich verwenden soll.',
    account_locked: 'Laut Microsoft ist mein Konto gesperrt. Bitte entsperren Sie es.',
    not_assigned:
      'MEGDocs ist mir nicht zugewiesen. Bitte fügen Sie mich hinzu (Entra ID > Enterprise-Apps > Benutzer und Gruppen).',
    app_unavailable:
      'MEGDocs ist in unserem Mandanten deaktiviert oder fehlt. Bitte aktivieren Sie es (Entra ID > Enterprise-Apps > Eigenschaften).',
    tenant_unavailable:
      'Microsoft verweigert Anmeldungen in unserem Mandanten (gesperrt, gelöscht, nicht verwaltet oder Verbund gestört). Bitte prüfen Sie das.',
    tenant_restricted:
      'Der Zugriff zwischen Organisationen ist blockiert (mandantenübergreifende Zugriffseinstellungen). Bitte lassen Sie MEGDocs zu.',
  },
}
