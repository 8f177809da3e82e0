import type { AdminRequestTexts, ReasonTexts, UnknownReasonTexts } from './types.ts'

export const reasonsDe: ReasonTexts = {
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
}

export const unknownReasonDe: UnknownReasonTexts = {
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
}

const approve =
  'Microsoft sagt mir, dass zuerst die Administration die Anwendung genehmigen muss. Bitte sehen Sie sich die Anfrage an und genehmigen Sie sie.'

export const adminRequestsDe: AdminRequestTexts = {
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
}
