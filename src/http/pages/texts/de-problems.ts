import type { ProblemTexts } from './types.ts'

export const problemsDe: ProblemTexts = {
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
}
