import type { Texts } from './en.ts'

const approve =
  'Microsoft sagt mir, dass zuerst die Administration die Anwendung genehmigen muss. Bitte sehen Sie sich die Anfrage an und genehmigen Sie sie.'

/**
 * German, complete: the type asks for every text English has. \u00AD: where a word too long for a phone may be divided.
 */
export const de: Texts = {
  product: 'MEGDocs',
  area: 'Verbindung zu Microsoft',
  reference: 'Referenz',
  referenceUse: 'Nennen Sie sie, wenn Sie um Hilfe bitten. Sie enthält nichts über Sie.',
  language: { name: 'Deutsch', choose: 'Sprache' },
  status: {
    connected: 'Verbunden',
    notConnected: 'Nicht verbunden',
    notWorking: 'Funktioniert zurzeit nicht',
    paused: 'Angehalten',
    notFinished: 'Nicht abgeschlossen',
    unknown: 'Zurzeit nicht bekannt',
  },
  actions: {
    connect: 'Mit Microsoft verbinden',
    connectAgain: 'Erneut verbinden',
    continueToMicrosoft: 'Weiter zu Microsoft',
    continueToMegdocs: 'Weiter zu MEGDocs',
    continueWithLink: 'Mit diesem Link weitermachen',
    backToMegdocs: 'Zurück zu MEGDocs',
    cancel: 'Abbrechen',
    tryAgain: 'Noch einmal versuchen',
    logInAndConnect: 'Anmelden und mit Microsoft verbinden',
    openConnection: 'Verbindung zu Microsoft öffnen',
    changeOrDisconnect: 'Ändern oder trennen',
    disconnect: 'Verbindung trennen',
    disconnectNow: 'Jetzt trennen',
    stayConnected: 'Verbunden bleiben',
    openMessage: 'Nachricht an Ihre IT öffnen',
    writeMail: 'E-Mail mit diesem Text schreiben',
    readRequest: 'Die Anfrage lesen und genehmigen',
    approve: 'Bei Microsoft prüfen und genehmigen',
  },
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
    attention: {
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
      title: 'Sie wurden zu Microsoft geschickt, und die Anmeldung ist nicht abgeschlossen',
      since: 'Zu Microsoft geschickt',
      text: 'Wenn die Seite von Microsoft noch in einem anderen Tab offen ist, machen Sie dort weiter. Sonst beginnen Sie hier neu: Es wurde nichts geändert.',
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
    copy: 'Oder den Text kopieren',
    isAdmin: 'Sie administrieren selbst?',
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
  },
  django: {
    connectText:
      'Sie melden sich jetzt bei Microsoft an. Microsoft fragt Sie, ob MEGDocs Ihr Profil lesen und auf Ihre Microsoft-365-Dateien zugreifen darf.',
    continueTitle: 'Weiter zu Microsoft',
    continueText: 'Falls nichts passiert:',
    notStartedHere: {
      title: 'Bitte noch einmal verbinden',
      text: 'Ihre Anmeldung bei MEGDocs war nicht mehr dieselbe, deshalb wurde nichts verbunden. Wenn Sie selbst auf „Mit Microsoft verbinden“ geklickt haben, klicken Sie bitte noch einmal. Wenn nicht, schließen Sie diese Seite.',
    },
    manageText:
      'Eine andere Website hat Sie hierher geschickt. Machen Sie nur weiter, wenn Sie Ihre Verbindung zu Microsoft ansehen oder ändern möchten.',
    problemTitle: 'Das hat nicht funktioniert',
    forSupport: 'Für den Support',
    code: 'Code',
    reason: 'Grund',
    askIt: 'Das kann nur Ihre IT lösen. Die Nachricht an sie ist vorbereitet.',
    connected: 'Mit Microsoft verbunden als {name}.',
    yourAccount: 'Ihr Konto',
  },
  reasons: {
    access_revoked: {
      title: 'Der Zugriff wurde bei Microsoft beendet',
      happened:
        'Das geschieht, wenn die Administration das Passwort zurücksetzt, wenn alle Anmeldungen beendet werden oder wenn der Zugriff entzogen wird.',
      todo: 'Verbinden Sie neu.',
    },
    refresh_token_expired: {
      title: 'Die Verbindung ist abgelaufen',
      happened: 'Sie wurde lange nicht benutzt. Dann beendet Microsoft sie.',
      todo: 'Verbinden Sie neu.',
    },
    sign_in_frequency: {
      title: 'Ihre Organisation verlangt eine neue Anmeldung',
      happened: 'Eine Regel Ihrer Organisation verlangt von Zeit zu Zeit eine neue Anmeldung.',
      todo: 'Verbinden Sie neu und melden Sie sich bei Microsoft an.',
    },
    password_changed: {
      title: 'Ihr Microsoft-Passwort wurde geändert oder ist abgelaufen',
      happened: 'Microsoft verlangt das aktuelle Passwort, bevor es weitergeht.',
      todo: 'Verbinden Sie neu und melden Sie sich bei Microsoft mit dem aktuellen Passwort an.',
    },
    token_invalid: {
      title: 'Microsoft nimmt diese Verbindung nicht mehr an',
      happened: 'Der gespeicherte Zugriff gilt nicht mehr. Den Grund nennt uns Microsoft nicht.',
      todo: 'Verbinden Sie neu.',
    },
    sign_in_required: {
      title: 'Microsoft verlangt eine neue Anmeldung',
      happened: 'Ohne neue Anmeldung gibt Microsoft keinen Zugriff.',
      todo: 'Verbinden Sie neu und melden Sie sich bei Microsoft an.',
    },
    mfa_required: {
      title: 'Microsoft verlangt einen zweiten Nachweis',
      happened:
        'Ihre Organisation möchte, dass Sie die Anmeldung auf einem zweiten Weg bestätigen, etwa mit einem Code auf dem Telefon.',
      todo: 'Halten Sie Telefon oder Sicherheitsschlüssel bereit, verbinden Sie neu und führen Sie den zusätzlichen Schritt aus.',
    },
    consent_required: {
      title: 'Die Berechtigungen sind nicht genehmigt',
      happened: 'Sie wurden noch nicht genehmigt, oder die Genehmigung wurde zurückgenommen.',
      todo: 'Verbinden Sie neu und genehmigen Sie sie. Wenn Microsoft sagt, dass die Administration zustimmen muss, senden Sie ihr die Nachricht unten.',
    },
    admin_consent_required: {
      title: 'Zuerst muss die Administration zustimmen',
      happened:
        'In Ihrer Organisation können Nutzende diese Berechtigungen nicht selbst genehmigen. Das ist eine übliche Einstellung.',
      todo: 'Senden Sie Ihrer Administration die Nachricht unten. Sie genehmigt einmal, für alle oder für einige.',
    },
    blocked_by_policy: {
      title: 'Eine Regel Ihrer Organisation verhindert das',
      happened: 'Ihre Anmeldung war richtig, aber eine Richtlinie Ihrer Organisation lässt diesen Zugriff nicht zu.',
      todo: 'Senden Sie Ihrer Administration die Nachricht unten. Sie nennt, was Microsoft geantwortet hat.',
    },
    device_not_compliant: {
      title: 'Ihre Organisation verlangt ein verwaltetes Gerät',
      happened: 'Eine Richtlinie Ihrer Organisation gibt Zugriff nur auf Geräten, die sie verwaltet.',
      todo: 'Verbinden Sie auf einem Gerät Ihrer Organisation neu oder senden Sie Ihrer Administration die Nachricht unten.',
    },
    account_disabled: {
      title: 'Dieses Microsoft\u2011Konto ist deaktiviert',
      happened: 'Ihre Organisation oder Microsoft hat das Konto abgeschaltet.',
      todo: 'Senden Sie Ihrer Administration die Nachricht unten. Ist das Konto wieder aktiv, geht es wie zuvor.',
    },
    account_not_found: {
      title: 'Dieses Microsoft\u2011Konto gehört nicht zur Organisation',
      happened: 'Es wurde entfernt, oder es war nie Teil dieser Organisation.',
      todo: 'Benutzen Sie ein anderes Konto: Wenn hier eines verbunden ist, trennen Sie es zuerst. Oder fragen Sie Ihre Administration mit der Nachricht unten.',
    },
    account_locked: {
      title: 'Dieses Microsoft\u2011Konto ist gesperrt',
      happened:
        'Nach zu vielen falschen Passwörtern oder ungewöhnlichen Anmeldungen sperrt Microsoft ein Konto eine Zeit lang.',
      todo: 'Warten Sie eine Weile. Bleibt es gesperrt, senden Sie Ihrer Administration die Nachricht unten.',
    },
    not_assigned: {
      title: 'MEGDocs ist Ihnen bei Microsoft noch nicht zugewiesen',
      happened:
        'Ihre Organisation lässt MEGDocs mit Microsoft nur bestimmte Personen nutzen, und Sie gehören noch nicht dazu.',
      todo: 'Senden Sie Ihrer Administration die Nachricht unten, damit sie Sie hinzufügen kann.',
    },
    app_unavailable: {
      title: 'MEGDocs ist in Ihrer Organisation abgeschaltet',
      happened: 'Bei Microsoft ist MEGDocs in Ihrer Organisation deaktiviert oder fehlt.',
      todo: 'Senden Sie Ihrer Administration die Nachricht unten.',
    },
    tenant_unavailable: {
      title: 'Microsoft lässt Ihre Organisation nicht anmelden',
      happened:
        'Microsoft hat das Verzeichnis Ihrer Organisation gesperrt oder gelöscht, oder dessen Anmeldung ist nicht richtig eingerichtet.',
      todo: 'Senden Sie Ihrer Administration die Nachricht unten.',
    },
    tenant_restricted: {
      title: 'Ihre Organisation verhindert den Zugriff zwischen Organisationen',
      happened: 'Das Konto gehört zu einer anderen Organisation, und Zugriff zwischen beiden ist nicht erlaubt.',
      todo: 'Senden Sie Ihrer Administration die Nachricht unten.',
    },
    not_approved: {
      title: 'Die Berechtigungen wurden nicht genehmigt',
      happened: 'Microsoft hat Sie ohne Genehmigung zurückgeschickt. Den Grund nennt es uns nicht.',
      todo: 'Sehen Sie, was von beidem passt. Es wurde nichts geändert.',
    },
    missing_scopes: {
      title: 'Nicht alle Berechtigungen wurden erteilt',
      happened: 'Microsoft hat nur einen Teil des Nötigen erteilt. Deshalb kam die Verbindung nicht zustande.',
      todo: 'Verbinden Sie neu und genehmigen Sie alle Berechtigungen.',
    },
    no_refresh_token: {
      title: 'Die Verbindung konnte nicht eingerichtet werden',
      happened: 'Bei uns ist etwas nicht richtig eingerichtet. Sie haben nichts falsch gemacht.',
      todo: 'Sagen Sie dem Betrieb von MEGDocs Bescheid und nennen Sie die Referenz unten.',
    },
    tenant_not_allowed: {
      title: 'Konten dieser Organisation werden hier nicht angenommen',
      happened: 'Mit diesem MEGDocs lassen sich nur Konten bestimmter Organisationen verbinden.',
      todo: 'Verbinden Sie neu und wählen Sie ein Konto Ihrer eigenen Organisation.',
    },
    other_cloud: {
      title: 'Dieses Konto gehört zu einer anderen Microsoft-Cloud',
      happened:
        'Microsoft betreibt getrennte Clouds, zum Beispiel eine für US-Behörden. Dieses MEGDocs ist nicht mit der Cloud des verwendeten Kontos verbunden.',
      todo: 'Wenn Sie ein anderes Konto haben, beginnen Sie in MEGDocs neu und verwenden Sie dieses. Sonst sagen Sie dem Betrieb von MEGDocs Bescheid und nennen Sie die Referenz unten.',
    },
    account_type_not_allowed: {
      title: 'Diese Art von Konto wird hier nicht angenommen',
      happened: 'Es scheint ein privates Microsoft-Konto zu sein.',
      todo: 'Verbinden Sie neu und wählen Sie Ihr Geschäfts-, Schul- oder Unikonto.',
    },
    other_account: {
      title: 'Das ist ein anderes Microsoft\u2011Konto als das verbundene',
      happened:
        'Damit niemandes Dateien bei jemand anderem landen, wechselt das Konto nur, wenn Sie zuerst trennen. Es wurde nichts geändert.',
      todo: 'Entscheiden Sie, welches Konto Sie nutzen möchten.',
    },
    identity_unproven: {
      title: 'Wir konnten nicht sicher sein, dass die Antwort für Sie kam',
      happened:
        'Der Identitätsnachweis von Microsoft hat unsere Prüfung nicht bestanden. Deshalb haben wir nichts gespeichert.',
      todo: 'Versuchen Sie es noch einmal. Wenn es sich wiederholt, nennen Sie dem Betrieb von MEGDocs die Referenz unten.',
    },
    code_rejected: {
      title: 'Die Anmeldung konnte nicht abgeschlossen werden',
      happened: 'Sie hat zu lange gedauert, oder die Seite wurde zweimal geladen.',
      todo: 'Beginnen Sie neu. Es dauert eine Minute.',
    },
    not_back_yet: {
      title: 'Diese Anmeldung kann hier nicht abgeschlossen werden',
      happened: 'MEGDocs hat nicht erhalten, was Ihr Browser von Microsoft zurückbringt. Wir haben nichts gespeichert.',
      todo: 'Beginnen Sie noch einmal. Kopieren Sie die Adresse dieser Seite nicht von einem Browser in einen anderen.',
    },
    not_the_same_user: {
      title: 'Diese Anmeldung hat jemand anderes begonnen',
      happened:
        'Begonnen hat sie eine andere Person in MEGDocs. Damit niemandes Dateien bei jemand anderem landen, haben wir nichts gespeichert.',
      todo: 'Melden Sie sich in MEGDocs als Sie selbst an und beginnen Sie neu. Wenn jemand Ihnen den Link geschickt hat, benutzen Sie ihn nicht.',
    },
    abandoned: {
      title: 'Die Anmeldung wurde nicht rechtzeitig abgeschlossen',
      happened: 'Zwischen dem Beginn hier und der Rückkehr von Microsoft ist zu viel Zeit vergangen.',
      todo: 'Beginnen Sie neu. Lassen Sie sich bei Microsoft Zeit: Sie haben eine halbe Stunde.',
    },
    microsoft_unreachable: {
      title: 'Microsoft ist zurzeit nicht erreichbar',
      happened: 'Der Anmeldedienst von Microsoft antwortet uns nicht. An Ihrem Konto liegt es nicht.',
      todo: 'Wir versuchen es von selbst wieder. Sie müssen nichts tun.',
    },
    microsoft_timeout: {
      title: 'Microsoft hat nicht rechtzeitig geantwortet',
      happened: 'Der Anmeldedienst von Microsoft ist zurzeit langsam. An Ihrem Konto liegt es nicht.',
      todo: 'Wir versuchen es von selbst wieder. Sie müssen nichts tun.',
    },
    microsoft_error: {
      title: 'Microsoft hat zurzeit Schwierigkeiten',
      happened: 'Der Anmeldedienst von Microsoft meldet einen eigenen Fehler. An Ihrem Konto liegt es nicht.',
      todo: 'Wir versuchen es von selbst wieder. Sie müssen nichts tun.',
    },
    microsoft_bad_answer: {
      title: 'Die Antwort von Microsoft war nicht zu verwenden',
      happened:
        'Etwas auf dem Weg zu Microsoft, oder Microsoft selbst, hat eine Antwort geschickt, die wir nicht verstehen. Sie haben nichts falsch gemacht.',
      todo: 'Versuchen Sie es später noch einmal. Wenn es so bleibt, sagen Sie dem Betrieb von MEGDocs Bescheid und nennen Sie die Referenz unten.',
    },
    throttled: {
      title: 'Microsoft bittet uns, langsamer zu machen',
      happened: 'Es gab viele Anfragen gleichzeitig. Deshalb lässt Microsoft einige davon warten.',
      todo: 'Wir versuchen es von selbst wieder. Sie müssen nichts tun.',
    },
    loop_detected: {
      title: 'Microsoft hat diese Verbindung für eine Weile angehalten',
      happened: 'Es sah zu viele Anfragen hintereinander. Die Ursache liegt bei uns, nicht bei Ihnen.',
      todo: 'Versuchen Sie es später noch einmal. Wenn es so bleibt, nennen Sie dem Betrieb von MEGDocs die Referenz unten.',
    },
    connect_in_progress: {
      title: 'Die Verbindung wird gerade hergestellt',
      happened: 'Das dauert etwas länger als gewöhnlich.',
      todo: 'Versuchen Sie es gleich noch einmal.',
    },
    refresh_in_progress: {
      title: 'Die Verbindung wird gerade erneuert',
      happened: 'Das dauert etwas länger als gewöhnlich.',
      todo: 'Versuchen Sie es gleich noch einmal.',
    },
    broker_trouble: {
      title: 'Wir haben zurzeit selbst Schwierigkeiten',
      happened: 'Ein Teil unseres Systems arbeitet nicht, wie er soll. Sie haben nichts falsch gemacht.',
      todo: 'Versuchen Sie es in ein paar Minuten noch einmal. Wenn es so bleibt, nennen Sie dem Betrieb von MEGDocs die Referenz unten.',
    },
    user_frozen: {
      title: 'Der Zugriff ist angehalten',
      happened:
        'Die Betreiber von MEGDocs haben den Zugriff auf Ihre Microsoft-Dateien angehalten. Es wurde nichts gelöscht.',
      todo: 'Sie müssen nicht neu verbinden. Fragen Sie die Betreiber von MEGDocs, wenn Sie den Zugriff jetzt brauchen.',
    },
    tenant_frozen: {
      title: 'Der Zugriff ist für Ihre Organisation angehalten',
      happened:
        'Die Betreiber von MEGDocs haben den Zugriff auf die Microsoft-Dateien Ihrer Organisation angehalten. Es wurde nichts gelöscht.',
      todo: 'Sie müssen nicht neu verbinden. Fragen Sie die Betreiber von MEGDocs, wenn Sie den Zugriff jetzt brauchen.',
    },
    caller_key_frozen: {
      title: 'Der Zugriff ist angehalten',
      happened: 'Die Betreiber von MEGDocs haben einen Teil davon angehalten. Ihre Verbindung wurde nicht verändert.',
      todo: 'Sie müssen nicht neu verbinden. Fragen Sie die Betreiber von MEGDocs, wenn Sie den Zugriff jetzt brauchen.',
    },
    challenge_repeated: {
      title: 'Microsoft nimmt zurzeit keinen neuen Zugriff an',
      happened:
        'Microsoft verlangt immer wieder eine Prüfung, die nicht zum Ende kommt. Sie haben nichts falsch gemacht, und Ihre Verbindung wurde nicht verändert.',
      todo: 'Sagen Sie dem Betrieb von MEGDocs Bescheid und nennen Sie die Referenz unten. Sie müssen nicht neu verbinden.',
    },
    client_credential: {
      title: 'Das Verbinden mit Microsoft funktioniert zurzeit nicht',
      happened: 'Bei uns ist etwas nicht richtig eingerichtet. Sie haben nichts falsch gemacht.',
      todo: 'Sagen Sie dem Betrieb von MEGDocs Bescheid und nennen Sie die Referenz unten.',
    },
    registration_unknown: {
      title: 'Das Verbinden mit Microsoft funktioniert zurzeit nicht',
      happened: 'Bei uns ist etwas nicht richtig eingerichtet. Sie haben nichts falsch gemacht.',
      todo: 'Sagen Sie dem Betrieb von MEGDocs Bescheid und nennen Sie die Referenz unten.',
    },
    app_registration: {
      title: 'Das Verbinden mit Microsoft funktioniert zurzeit nicht',
      happened: 'Bei uns ist etwas nicht richtig eingerichtet. Sie haben nichts falsch gemacht.',
      todo: 'Sagen Sie dem Betrieb von MEGDocs Bescheid und nennen Sie die Referenz unten.',
    },
  },
  unknownReason: {
    user: {
      title: 'Die Verbindung funktioniert nicht',
      happened: 'Microsoft gibt MEGDocs keinen Zugriff für Sie.',
      todo: 'Verbinden Sie neu.',
    },
    tenant_admin: {
      title: 'Ihre Organisation muss zuerst etwas ändern',
      happened: 'Microsoft gibt MEGDocs keinen Zugriff für Sie.',
      todo: 'Fragen Sie Ihren Administrator, und nennen Sie ihm die Referenz unten.',
    },
    ops: {
      title: 'Die Verbindung funktioniert zurzeit nicht',
      happened: 'Bei uns arbeitet etwas nicht, wie es soll. Sie haben nichts falsch gemacht.',
      todo: 'Wenn es auch später nicht geht, nennen Sie dem Betrieb von MEGDocs die Referenz unten.',
    },
    nobody: {
      title: 'Microsoft gibt zurzeit keinen Zugriff',
      happened: 'An Ihrem Konto liegt es nicht.',
      todo: 'Wir versuchen es automatisch wieder. Sie müssen nichts tun.',
    },
  },
  problems: {
    link_expired: {
      title: 'Dieser Link ist abgelaufen',
      happened: 'Zu Ihrer Sicherheit gilt ein Link zum Verbinden mit Microsoft nur kurze Zeit.',
      todo: 'Beginnen Sie in MEGDocs neu. Es dauert eine Minute.',
    },
    link_used: {
      title: 'Dieser Link wurde schon benutzt',
      happened:
        'Jeder Link zum Verbinden mit Microsoft gilt einmal. Ihn noch einmal zu öffnen, über „Zurück“ oder aus dem Verlauf, bewirkt nichts.',
      todo: 'Wenn Sie gerade verbunden haben, sind Sie fertig. Sonst beginnen Sie in MEGDocs neu.',
    },
    link_foreign: {
      title: 'Dieser Link gehört zu einem anderen Browser',
      happened:
        'Er wurde zuerst in einem anderen Browser oder auf einem anderen Gerät geöffnet. Wenn jemand ihn Ihnen geschickt hat, benutzen Sie ihn nicht: Er könnte Ihre Dateien mit einem fremden Konto verbinden.',
      todo: 'Beginnen Sie in MEGDocs neu, in diesem Browser.',
    },
    other_sign_in: {
      title: 'In diesem Browser läuft gerade eine andere Anmeldung',
      happened:
        'Jemand hat in diesem Browser begonnen, sich mit Microsoft zu verbinden, und ist noch nicht fertig. Der Link, den Sie geöffnet haben, gehört zu einer anderen Person in MEGDocs. Er wurde nicht benutzt.',
      todo: 'Waren Sie das? Beenden Sie die Anmeldung im anderen Fenster, dort hat sich nichts geändert. Wenn jemand Ihnen diesen Link geschickt hat, schließen Sie diese Seite. Machen Sie mit diesem Link nur weiter, wenn Sie ihn selbst aus MEGDocs geöffnet haben: Die andere Anmeldung kann dann nicht mehr beendet werden.',
    },
    result_gone: {
      title: 'Dieses Ergebnis wird nicht mehr angezeigt',
      happened: 'Wie das Verbinden mit Microsoft ausging, wird zehn Minuten lang angezeigt.',
      todo: 'Wenn Sie gerade verbunden haben, sind Sie fertig. Ihre Verbindung zu Microsoft zeigt, wie es jetzt steht.',
    },
    sign_in_unmatched: {
      title: 'Diese Anmeldung kann hier nicht abgeschlossen werden',
      happened:
        'Die Antwort von Microsoft gehört zu keiner Anmeldung, die in diesem Browser begonnen wurde, oder sie wurde schon benutzt, oder es hat zu lange gedauert.',
      todo: 'Wenn Sie gerade verbunden haben, sind Sie fertig. Sonst beginnen Sie in MEGDocs neu.',
    },
    cookies_blocked: {
      title: 'Ihr Browser blockiert Cookies',
      happened:
        'Wir brauchen ein Cookie, um zu wissen, dass Sie es sind, wenn Sie von Microsoft zurückkommen. Es enthält keine persönlichen Daten und ist nach einer halben Stunde weg.',
      todo: 'Erlauben Sie Cookies für diese Seite oder verlassen Sie den privaten Modus. Dann beginnen Sie in MEGDocs neu.',
    },
    session_over: {
      title: 'Diese Seite ist geschlossen',
      happened:
        'Sie schließt sich, wenn Sie trennen, das Verbinden abschließen oder sich von MEGDocs abmelden, und sonst nach 30 Minuten.',
      todo: 'Wenn Sie gerade getrennt haben, sind Sie fertig. Sonst öffnen Sie Ihre Verbindung zu Microsoft neu.',
    },
    no_session: {
      title: 'Bitte öffnen Sie diese Seite aus MEGDocs',
      happened:
        'Ihre Verbindung zu Microsoft wird nur Ihnen gezeigt. Deshalb müssen wir zuerst von MEGDocs wissen, wer Sie sind.',
      todo: 'Öffnen Sie sie aus MEGDocs. Vielleicht müssen Sie sich dort anmelden.',
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
      todo: 'Versuchen Sie es in ein paar Minuten noch einmal. Es wurde nichts geändert.',
    },
    broker_misconfigured: {
      title: 'Das Verbinden funktioniert zurzeit nicht',
      happened: 'Bei uns ist etwas nicht richtig eingerichtet. Sie haben nichts falsch gemacht.',
      todo: 'Sagen Sie dem Betrieb von MEGDocs Bescheid und nennen Sie die Referenz unten. Damit lässt sich die Ursache finden.',
    },
    service_unavailable: {
      title: 'Dieser Dienst ist zurzeit nicht verfügbar',
      happened: 'Ein Teil unseres Systems antwortet nicht. Ihre Verbindung ist nicht verloren.',
      todo: 'Versuchen Sie es in ein paar Minuten noch einmal.',
    },
    plain_http: {
      title: 'Diese Seite braucht eine sichere Verbindung',
      happened: 'Die Anfrage kam unverschlüsselt bei uns an (http statt https). Deshalb haben wir nicht weitergemacht.',
      todo: 'Prüfen Sie, ob die Adresse mit https:// beginnt. Wenn ja, nennen Sie dem Betrieb von MEGDocs die Referenz unten.',
    },
    invalid_request: {
      title: 'Diese Adresse ist nicht vollständig',
      happened: 'Ein Teil der Adresse fehlt oder wurde verändert. Das passiert, wenn ein Link von Hand kopiert wird.',
      todo: 'Beginnen Sie in MEGDocs neu.',
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
      todo: 'Warten Sie eine Minute und versuchen Sie es dann noch einmal.',
    },
    internal_error: {
      title: 'Bei uns ist etwas schiefgegangen',
      happened: 'Das hätte nicht passieren dürfen. Sie haben nichts falsch gemacht.',
      todo: 'Versuchen Sie es noch einmal. Wenn es sich wiederholt, nennen Sie dem Betrieb von MEGDocs die Referenz unten.',
    },
  },
  adminRequests: {
    not_approved: approve,
    consent_required: approve,
    admin_consent_required: approve,
    blocked_by_policy:
      'Eine Richtlinie blockiert die Anmeldung (Entra Admin Center, Anmeldeprotokolle, bedingter Zugriff). Bitte lassen Sie die Anwendung dort zu.',
    device_not_compliant:
      'Eine Richtlinie verlangt ein verwaltetes Gerät. Bitte nennen Sie mir ein passendes Gerät oder lassen Sie die Anwendung in der Richtlinie zu.',
    account_disabled: 'Microsoft sagt, mein Konto sei deaktiviert. Bitte sehen Sie danach.',
    account_not_found:
      'Microsoft findet mein Konto in der Organisation nicht. Bitte sagen Sie mir, welches Konto ich benutzen soll.',
    account_locked: 'Microsoft sagt, mein Konto sei gesperrt. Bitte entsperren Sie es.',
    not_assigned:
      'Ich bin der Anwendung nicht zugewiesen. Bitte fügen Sie mich hinzu (Entra Admin Center, Unternehmensanwendungen, Benutzer und Gruppen).',
    app_unavailable:
      'Die Anwendung ist in unserem Mandanten deaktiviert oder fehlt. Bitte aktivieren Sie sie (Entra Admin Center, Unternehmensanwendungen, Eigenschaften).',
    tenant_unavailable:
      'Microsoft verweigert Anmeldungen unseres Mandanten: Er ist gesperrt, gelöscht oder nicht verwaltet, oder die Verbundanmeldung schlägt fehl. Bitte prüfen Sie ihn im Entra Admin Center und wenden Sie sich an den Microsoft-Support, falls er gesperrt ist.',
    tenant_restricted:
      'Zugriff zwischen Organisationen ist blockiert (mandantenübergreifende Zugriffseinstellungen). Bitte lassen Sie die Anwendung zu.',
  },
}
