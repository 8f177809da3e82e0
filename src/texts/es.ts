import type { Texts } from './en.ts'

const approve = 'Microsoft pide que antes lo apruebe un administrador. Por favor, lean la solicitud y apruébenla.'

const ourFault = {
  title: 'La conexión con Microsoft no funciona en este momento',
  happened: 'Hay algo mal configurado por nuestra parte. Usted no ha hecho nada mal.',
  todo: 'Avise al soporte de MEGDocs e indique la referencia que aparece abajo.',
}

const microsoftsTrouble = 'Lo volvemos a intentar automáticamente. No tiene que hacer nada.'

/** Spanish of Spain, formal. Names of menus are Microsoft's own Spanish ones. */
export const es: Texts = {
  product: 'MEGDocs',
  area: 'Conexión con Microsoft',
  reference: 'Referencia',
  referenceUse: 'Indíquela si pide ayuda. No contiene datos personales.',
  support: 'Soporte de MEGDocs',
  supportSubject: 'MEGDocs, referencia {reference}',
  language: { name: 'Español', choose: 'Idioma' },
  status: {
    connected: 'Conectado',
    notConnected: 'Sin conectar',
    notWorking: 'No funciona',
    paused: 'En pausa',
    notFinished: 'Sin terminar',
    unknown: 'No se sabe en este momento',
  },
  actions: {
    connect: 'Conectar con Microsoft',
    connectAgain: 'Volver a conectar',
    continueToMicrosoft: 'Continuar en Microsoft',
    continueToMegdocs: 'Continuar en MEGDocs',
    continueWithLink: 'Continuar con este enlace',
    backToMegdocs: 'Volver a MEGDocs',
    cancel: 'Cancelar',
    tryAgain: 'Reintentar',
    logInAndConnect: 'Iniciar sesión y conectar con Microsoft',
    openConnection: 'Abrir su conexión con Microsoft',
    disconnect: 'Desconectar',
    disconnectNow: 'Desconectar ahora',
    stayConnected: 'Mantener la conexión',
    openMessage: 'Ver el mensaje para Informática',
    writeMail: 'Escribir un correo con este texto',
    contactSupport: 'Contactar con el soporte de MEGDocs',
    readRequest: 'Leer la solicitud y aprobarla',
    approve: 'Revisar y aprobar en Microsoft',
  },
  whatToDo: 'Qué puede hacer ahora',
  whoActs: '¿Quién puede solucionarlo?',
  actors: {
    tenant_admin: 'El departamento de informática de su organización (quien administra Microsoft 365)',
    ops: 'El soporte de MEGDocs',
  },
  cure: {
    afterAdmin: 'Cuando Informática lo haya solucionado, vuelva a conectar su cuenta.',
    recovers:
      'No tiene que volver a conectar su cuenta. Una vez solucionado el problema, todo funcionará de nuevo en un máximo de 15 minutos.',
  },
  permission: {
    list: 'Permisos',
    granted: 'Concedido',
    missing: 'Todavía no concedido',
    words: {
      'User.Read': 'Leer la información de su perfil',
      'Files.ReadWrite': 'Leer y escribir sus propios archivos de M365',
      'Files.ReadWrite.All': 'Leer y escribir sus archivos de M365',
      'Sites.Selected': 'Leer y escribir en los sitios de SharePoint que elija su departamento de informática',
      'Sites.ReadWrite.All': 'Leer y escribir en todos los sitios de SharePoint que usted puede abrir',
    },
    atMicrosoft: 'En la página de Microsoft leerá (con estas palabras u otras parecidas):',
    consentPage: {
      'User.Read': '«Iniciar sesión y leer su perfil»: su nombre, su correo electrónico y su perfil básico.',
      'Files.ReadWrite':
        '«Tener acceso completo a sus archivos»: leer, crear, modificar y eliminar sus propios archivos.',
      'Files.ReadWrite.All':
        '«Tener acceso completo a todos los archivos a los que tiene acceso»: leerlos, crearlos, modificarlos y eliminarlos, incluidos los que otras personas comparten con usted y los de SharePoint.',
      'Sites.Selected':
        '«Acceder a los sitios seleccionados en nombre del usuario que ha iniciado sesión»: su departamento de informática decide qué puede hacer MEGDocs en cada sitio. Eso puede incluir modificar y eliminar.',
      'Sites.ReadWrite.All':
        '«Editar o eliminar elementos en todas las colecciones de sitios»: modificar y eliminar documentos y elementos de listas en todos los sitios que usted puede abrir.',
    },
    excess: 'Concedido, pero no necesario',
    excessText: 'MEGDocs ya no pide este permiso. Termina cuando usted retira su aprobación en Microsoft:',
  },
  account: {
    title: 'Su conexión con Microsoft',
    notConnected: {
      lead: 'Conecte su cuenta de Microsoft para editar documentos de MEGDocs en Microsoft 365 desde el navegador.',
      does: 'Qué ocurre al conectar',
      points: [
        'MEGDocs puede abrir y guardar archivos de Microsoft 365 en su nombre, pero solo los que usted puede abrir.',
        'Usted inicia sesión en Microsoft. Nosotros nunca vemos ni guardamos su contraseña.',
        'Puede desconectar su cuenta aquí en cualquier momento.',
      ],
      asks: 'Qué le pedirá Microsoft que apruebe',
      alsoAsks:
        'Microsoft menciona además dos cosas que necesita cualquier conexión: que usted inicie sesión y que MEGDocs conserve el acceso que le da. Sin lo segundo, tendría que iniciar sesión cada hora.',
      adminHint:
        'En muchas organizaciones, el departamento de informática debe aprobar MEGDocs antes. Si Microsoft se lo indica, siga allí el enlace para volver a la aplicación: le prepararemos un mensaje para Informática.',
    },
    connected: {
      account: 'Cuenta de Microsoft',
      accountUnknown: 'Se mostrará después del próximo uso',
      since: 'Conexión establecida',
      refreshed: 'Acceso renovado automáticamente',
      reconnectHint:
        'Vuelva a conectar su cuenta si algo no funciona o si quiere aprobar permisos nuevos. Mientras tanto, la conexión actual se mantiene.',
      missingTitle: 'MEGDocs necesita ahora más permisos',
      missingText:
        'Lo que funcionaba hasta ahora sigue funcionando. Para usarlo todo, vuelva a conectar su cuenta y apruebe lo que aparece marcado abajo.',
    },
    attention: {
      title: 'La conexión no funciona en este momento',
      happened: 'Microsoft ya no permite que MEGDocs acceda en su nombre.',
      todo: 'Vuelva a conectar su cuenta.',
      since: 'Detectado',
      details: 'La conexión',
      withdrawn: '¿Alguien ha retirado el acceso? Puede comprobarlo en Microsoft:',
      passing: 'La conexión en sí funciona.',
      passingTodo: microsoftsTrouble,
    },
    pending: {
      title: 'El inicio de sesión en Microsoft no ha terminado',
      since: 'Empezó',
      text: '¿Sigue abierta la página de Microsoft en otra pestaña? Entonces termine allí. Si no, empiece aquí de nuevo: no se ha cambiado nada.',
    },
    disconnectTitle: 'Desconectar',
    disconnectText: 'MEGDocs elimina de inmediato el acceso que tiene guardado. Sus archivos se quedan donde están.',
  },
  consentPages: {
    work: 'myapps.microsoft.com (cuenta profesional o educativa)',
    personal: 'account.live.com (cuenta personal)',
    unknown: 'El departamento de informática de su organización puede retirar la aprobación.',
  },
  confirm: {
    title: '¿Desconectar de Microsoft?',
    endsTitle: 'Qué se elimina o se interrumpe',
    ends: [
      'El acceso que MEGDocs tiene guardado para usted se elimina de inmediato.',
      'No podrá editar documentos de MEGDocs en Microsoft 365 hasta que vuelva a conectar su cuenta.',
      'Se cancelan los inicios de sesión en Microsoft que empezó aquí y no terminó.',
    ],
    keepsTitle: 'Qué se mantiene',
    keeps: [
      'Sus archivos y documentos: no se elimina nada, ni en Microsoft ni en MEGDocs.',
      'Un documento que esté abierto ahora: puede que se pueda seguir editando hasta que caduque ese acceso, normalmente en un máximo de 90 minutos.',
    ],
    approval:
      'Su aprobación en Microsoft: Microsoft no nos permite retirarla en su nombre. Puede retirarla usted aquí:',
  },
  disconnected: {
    title: 'La cuenta de Microsoft está desconectada',
    text: 'MEGDocs ha eliminado el acceso que tenía guardado para usted. Sus archivos no han cambiado.',
    consent: 'Microsoft todavía recuerda que usted aprobó MEGDocs. También puede retirar esa aprobación:',
    again: 'Puede volver a conectar su cuenta en cualquier momento.',
  },
  result: {
    connected: 'Conexión con Microsoft establecida',
    reconnected: 'Conexión con Microsoft restablecida',
    as: 'Cuenta conectada:',
    next: 'Ya puede editar sus documentos de MEGDocs en Microsoft 365.',
    notYou: '¿No es su cuenta? Aquí puede cambiarla o desconectarla:',
    usedAccount: 'Cuenta de Microsoft utilizada',
    refused: {
      title: 'No se ha podido establecer la conexión',
      happened: 'Microsoft no ha dado el acceso necesario.',
      todo: 'Vuelva a conectar su cuenta. Si ocurre lo mismo, contacte con el soporte de MEGDocs e indique la referencia que aparece abajo.',
    },
    tryLater: 'No se ha cambiado nada. Vuelva a conectar su cuenta dentro de unos minutos.',
    retryOrSupport:
      'No se ha cambiado nada. Vuelva a conectar su cuenta dentro de unos minutos. Si ocurre lo mismo, contacte con el soporte de MEGDocs e indique la referencia que aparece abajo.',
    whilePaused:
      'No se ha conectado ni cambiado nada. Pregunte al soporte de MEGDocs cuándo volverá a haber acceso. Si después aparece «Sin conectar», vuelva a conectar su cuenta.',
    todo: {
      account_not_found:
        'Vuelva a conectarse y elija la cuenta de su organización. O envíe a Informática el mensaje que aparece abajo.',
      account_locked:
        'Espere unos minutos y vuelva a conectar su cuenta. Si sigue bloqueada, envíe a Informática el mensaje que aparece abajo.',
      device_not_compliant:
        'Abra MEGDocs en un dispositivo de su organización y conecte allí su cuenta. O envíe a Informática el mensaje que aparece abajo.',
      connect_in_progress: 'Espere un momento. Después, abra su conexión con Microsoft: allí verá si ha funcionado.',
    },
    readings: {
      title: '¿Qué ha visto en Microsoft?',
      adminNeeded: {
        title: 'Microsoft ha pedido la aprobación de un administrador',
        text: 'Ha visto «Se necesita la aprobación del administrador». Solo su departamento de informática puede aprobar MEGDocs, una vez para todos. Envíele el mensaje que aparece abajo. Cuando lo haya aprobado, vuelva a conectar su cuenta.',
      },
      requestSent: {
        title: 'Ha enviado una solicitud en Microsoft («Se requiere aprobación»)',
        text: 'Su departamento de informática ya la ha recibido y no tiene que enviar nada más. Cuando la haya aprobado, vuelva a conectar su cuenta.',
      },
      declined: {
        title: 'Ha pulsado «Cancelar»',
        text: 'No se ha cambiado nada. Vuelva a conectar su cuenta y pulse «Aceptar» en Microsoft.',
      },
    },
    pinned: 'Cuenta conectada hasta ahora',
    chosen: 'Cuenta elegida ahora',
    lookAlike: 'Las dos parecen iguales porque la mayor parte del nombre está oculta. Son cuentas diferentes.',
    useFirst: '¿Quiere mantener la cuenta conectada? Entonces no tiene que hacer nada: sigue conectada.',
    switchFirst:
      '¿Quiere usar la otra cuenta? Abra su conexión con Microsoft, desconéctela y después conecte la otra cuenta.',
  },
  adminMessage: {
    title: 'Mensaje para Informática',
    copy: 'O copie el texto',
    isAdmin: '¿Administra usted Microsoft 365?',
    subject: 'Asunto',
    approveSubject: 'Solicitud: aprobar MEGDocs para Microsoft 365',
    helpSubject: 'MEGDocs no puede acceder a mi Microsoft 365',
    hello: 'Buenos días:',
    want: 'Quiero editar documentos de MEGDocs en Microsoft 365.',
    explained: 'Alcance, límites y retirada del acceso:',
    app: 'Aplicación',
    contact: 'Contacto',
    permissions: 'Permisos (delegados)',
    reach: {
      'User.Read': 'perfil',
      'Files.ReadWrite': 'leer, modificar y eliminar los archivos propios',
      'Files.ReadWrite.All': 'leer, modificar y eliminar todos los archivos del usuario, también los compartidos',
      'Sites.Selected': 'solo los sitios de SharePoint que ustedes elijan',
      'Sites.ReadWrite.All': 'modificar y eliminar elementos en todos los sitios de SharePoint del usuario',
    },
    microsoft: 'Respuesta de Microsoft',
    reference: 'Referencia',
    thanks: 'Muchas gracias',
  },
  goingOn: {
    title: 'Volviendo a MEGDocs',
    text: 'En un momento volverá a MEGDocs.',
  },
  plainHttp:
    'Para quien opera este servicio: la petición llegó como HTTP sin cifrar, aunque está configurado https. El proxy que está delante debe enviar esta cabecera y su dirección debe figurar en TRUSTED_PROXIES:',
  adminConsent: {
    title: 'Aprobar MEGDocs para su organización',
    lead: 'Para quien administra Microsoft 365: quién pide el acceso, a qué puede acceder MEGDocs y cómo limitar y retirar el acceso.',
    who: 'Quién pide el acceso',
    app: 'Aplicación',
    clientId: 'Id. de aplicación (cliente)',
    publisher: 'Editor',
    contact: 'Contacto',
    privacy: 'Aviso de privacidad',
    service: 'Servicio',
    redirectUri: 'URI de redirección',
    check:
      'Compruebe en Microsoft que se trata de esta aplicación: la dirección de la página de inicio de sesión de Microsoft contiene el id. de aplicación indicado arriba.',
    what: 'Permisos solicitados',
    delegated:
      'Son permisos delegados. MEGDocs actúa solo en nombre de las personas que han conectado su cuenta y solo llega a los archivos que esas personas pueden abrir. No obtiene ningún acceso propio a su inquilino.',
    reach: {
      'User.Read': 'Leer el nombre, el correo electrónico y el perfil básico del usuario que ha iniciado sesión.',
      'Files.ReadWrite': 'Leer, crear, modificar y eliminar los archivos propios del usuario que ha iniciado sesión.',
      'Files.ReadWrite.All':
        'Leer, crear, modificar y eliminar todos los archivos a los que tiene acceso el usuario que ha iniciado sesión, incluidos los compartidos y los de SharePoint.',
      'Sites.Selected':
        'Acceder solo a los sitios de SharePoint en los que usted asigne después un rol a MEGDocs. Hasta entonces no llega a ninguno.',
      'Sites.ReadWrite.All':
        'Modificar y eliminar documentos y elementos de listas en todos los sitios de SharePoint a los que tiene acceso el usuario que ha iniciado sesión.',
    },
    alsoAsks:
      'La página de Microsoft menciona además el inicio de sesión (openid, profile) y la conservación del acceso (offline_access). Sin offline_access, cada persona tendría que iniciar sesión cada hora.',
    stored:
      'Qué guardamos: por cada persona conectada, el nombre y los identificadores de la cuenta y, cifrado, su acceso. Ninguna contraseña. Al desconectar, se elimina.',
    approving: 'Qué ocurre al aprobar',
    approvingText:
      'La aprobación no conecta a nadie. Después, cada persona puede conectar su propia cuenta sin que Microsoft le vuelva a preguntar.',
    requestWaiting:
      '¿Ya le ha enviado alguien una solicitud a través de Microsoft? La encontrará en el Centro de administración de Microsoft Entra (entra.microsoft.com), en Entra ID > Aplicaciones empresariales > Solicitudes de consentimiento del administrador. Apruébela allí o apruebe aquí: basta con una vez.',
    limit: 'Limitar el acceso antes de que todos puedan usar MEGDocs',
    limitSteps: [
      'Añada la aplicación a su inquilino sin aprobarla. Con la CLI de Azure: az ad sp create --id {clientId}. Si ya está en su inquilino, empiece por el paso 2.',
      'En el Centro de administración de Microsoft Entra (entra.microsoft.com), abra Entra ID > Aplicaciones empresariales y elija la aplicación con este id.',
      'En «Propiedades», ponga «¿Asignación requerida?» en «Sí».',
      'En «Usuarios y grupos», añada a las personas que pueden usarla.',
      'Después, apruébela aquí. A las demás personas, Microsoft les indicará que no tienen la aplicación asignada.',
    ],
    revoke: 'Retirar el acceso',
    revokeSteps: [
      'Detener el acceso de todos de inmediato: en «Propiedades» de la misma aplicación, ponga «¿Habilitado para que los usuarios inicien sesión?» en «No». Nadie podrá conectar su cuenta y las conexiones existentes dejarán de funcionar. Puede deshacerlo.',
      'Retirar la aprobación: en «Permisos», revoque lo que se haya concedido. Las conexiones existentes dejarán de funcionar y hará falta una nueva aprobación. Los permisos que cada persona concedió por su cuenta se mantienen: para retirarlos también, elimine la aplicación de su inquilino.',
      'Retirar el acceso de una sola persona: quítela de «Usuarios y grupos» (con «¿Asignación requerida?» en «Sí»). Después, abra Entra ID > Usuarios, elija a la persona y seleccione «Revocar sesiones». Así se cierra su sesión en todo Microsoft, no solo en MEGDocs. Si solo revoca las sesiones, la persona puede volver a conectar su cuenta.',
    ],
    revokeNote:
      'El acceso concedido poco antes puede seguir siendo válido hasta que caduque, normalmente en un máximo de 90 minutos.',
    goHint: 'Iniciará sesión en Microsoft con una cuenta de administrador y decidirá allí.',
    approvedTitle: 'MEGDocs está aprobado para su organización',
    approvedText:
      'Informe a las personas interesadas de que ya pueden pulsar «{action}» en MEGDocs. Cada una conecta su propia cuenta.',
    close: 'Puede cerrar esta página.',
    refusedTitle: 'MEGDocs no se ha aprobado',
    refusedText:
      'Microsoft no ha confirmado ninguna aprobación. O se rechazó, o la cuenta utilizada no puede aprobar para toda la organización. No se ha cambiado nada.',
    declinedText: 'La aprobación se rechazó o se canceló en Microsoft. No se ha cambiado nada.',
    declinedTodo: 'Si fue decisión suya, puede cerrar esta página. Si no, lea la solicitud de nuevo.',
    noRightText: 'La cuenta utilizada no puede aprobar para toda la organización. No se ha cambiado nada.',
    brokenTitle: 'MEGDocs no se puede aprobar en este momento',
    forward: 'Si lo decide otra persona, envíele el mensaje que aparece abajo.',
    refusedTodo:
      'Para aprobar, empiece de nuevo e inicie sesión con una cuenta que pueda hacerlo, por ejemplo, con el rol de administrador de aplicaciones en la nube.',
    tryLater: 'No se ha cambiado nada. Inténtelo de nuevo dentro de unos minutos.',
  },
  django: {
    connectText:
      'A continuación iniciará sesión en Microsoft. Microsoft le preguntará si MEGDocs puede leer su perfil y usar sus archivos de Microsoft 365.',
    continueTitle: 'Continuar en Microsoft',
    continueText: 'Si no ocurre nada:',
    notStartedHere: {
      title: 'Por favor, vuelva a conectarse',
      text: 'Su sesión de MEGDocs ya no era la misma que al empezar, así que no se ha conectado nada. Si fue usted quien pulsó «{action}», púlselo otra vez. Si no, cierre esta página.',
    },
    impersonated: {
      title: 'Está actuando en nombre de otra persona',
      happened: 'Mientras actúa en nombre de otra persona, no puede usar su cuenta de Microsoft.',
      todo: 'Deje de actuar en su nombre. Después, inténtelo de nuevo con su propia cuenta.',
    },
    manageText: 'Otro sitio web le ha enviado aquí. Continúe solo si quiere ver o cambiar su conexión con Microsoft.',
    problemTitle: 'No ha funcionado',
    failures: {
      not_connected: {
        title: 'No está conectado con Microsoft',
        happened: 'MEGDocs necesita su cuenta de Microsoft para esto.',
        todo: 'Conéctese con Microsoft. Solo lleva un minuto.',
      },
      connect_refused: {
        title: 'No se ha podido establecer la conexión',
        happened: 'Microsoft no ha dado el acceso necesario. No se ha cambiado nada.',
        todo: 'Vuelva a conectar su cuenta. Si ocurre lo mismo, contacte con el soporte de MEGDocs.',
      },
      not_found: {
        title: 'Este intento de conexión ha terminado',
        happened: 'Ha tardado demasiado o ya se ha completado.',
        todo: 'Abra su conexión con Microsoft: ahí ve si ha funcionado. Si no, vuelva a conectar su cuenta.',
      },
    },
    forSupport: 'Para el soporte',
    code: 'Código',
    reason: 'Motivo',
    askIt: 'Solo Informática puede solucionarlo. El mensaje para ellos ya está preparado.',
    connected: 'Conectado con Microsoft como {name}.',
    connectedWithoutName: 'Cuenta conectada con Microsoft.',
    tellSupport: 'Si sigue igual, avise al soporte de MEGDocs.',
    account: 'Cuenta de Microsoft',
    mailAgain:
      'Solo lleva un minuto. Es posible que antes tenga que iniciar sesión en MEGDocs. Vuelva a conectar su cuenta con este enlace:',
    mailFirst:
      'Con este enlace puede conectar su cuenta de Microsoft con MEGDocs. Es posible que antes tenga que iniciar sesión en MEGDocs:',
    mailForward: 'Solo Informática puede solucionarlo. Envíeles el siguiente mensaje:',
  },
  reasons: {
    access_revoked: {
      title: 'El acceso se ha retirado en Microsoft',
      happened:
        'Ocurre cuando un administrador restablece su contraseña, cuando se cierran todas sus sesiones o cuando alguien retira el acceso.',
      todo: 'Vuelva a conectar su cuenta.',
    },
    refresh_token_expired: {
      title: 'La conexión ha caducado',
      happened: 'No se ha usado durante mucho tiempo. En ese caso, Microsoft la cierra.',
      todo: 'Vuelva a conectar su cuenta.',
    },
    sign_in_frequency: {
      title: 'Su organización exige que inicie sesión de nuevo',
      happened: 'Una directiva de su organización exige iniciar sesión de nuevo cada cierto tiempo.',
      todo: 'Vuelva a conectar su cuenta e inicie sesión en Microsoft.',
    },
    password_changed: {
      title: 'Su contraseña de Microsoft ha cambiado o ha caducado',
      happened: 'Microsoft pide la contraseña actual antes de continuar.',
      todo: 'Vuelva a conectar su cuenta e inicie sesión en Microsoft con su contraseña actual.',
    },
    token_invalid: {
      title: 'Microsoft ya no acepta esta conexión',
      happened: 'El acceso guardado ya no es válido. Microsoft no nos dice por qué.',
      todo: 'Vuelva a conectar su cuenta.',
    },
    sign_in_required: {
      title: 'Microsoft pide que inicie sesión de nuevo',
      happened: 'Si no inicia sesión de nuevo, Microsoft no da acceso.',
      todo: 'Vuelva a conectar su cuenta e inicie sesión en Microsoft.',
    },
    mfa_required: {
      title: 'Microsoft pide una confirmación adicional',
      happened:
        'Su organización exige que confirme el inicio de sesión de una segunda forma, por ejemplo, con un código en el teléfono.',
      todo: 'Tenga a mano su teléfono o su llave de seguridad. Después, vuelva a conectar su cuenta y complete el paso adicional.',
    },
    consent_required: {
      title: 'Los permisos no están aprobados',
      happened: 'Todavía no se han aprobado, o se ha retirado la aprobación.',
      todo: 'Vuelva a conectar su cuenta y pulse «Aceptar» en Microsoft. Si Microsoft pide la aprobación de un administrador, envíe a Informática el mensaje que aparece abajo.',
    },
    admin_consent_required: {
      title: 'Primero, un administrador debe aprobar MEGDocs',
      happened:
        'En su organización, los usuarios no pueden aprobar estos permisos por su cuenta. Es una configuración habitual.',
      todo: 'Envíe a Informática el mensaje que aparece abajo. La aprobación solo es necesaria una vez, para todos o para algunas personas. Si ya ha enviado una solicitud en Microsoft, Informática ya la tiene: espere la respuesta.',
    },
    blocked_by_policy: {
      title: 'Una directiva de su organización lo impide',
      happened: 'Su inicio de sesión fue correcto, pero una directiva de su organización no permite este acceso.',
      todo: 'Envíe a Informática el mensaje que aparece abajo. Incluye la respuesta de Microsoft.',
    },
    device_not_compliant: {
      title: 'Su organización exige un dispositivo administrado',
      happened:
        'Una directiva de su organización solo da acceso en los dispositivos que administra la propia organización.',
      todo: 'Vuelva a conectar su cuenta en un dispositivo de su organización o envíe a Informática el mensaje que aparece abajo.',
    },
    account_disabled: {
      title: 'Esta cuenta de Microsoft está deshabilitada',
      happened: 'Su organización o Microsoft ha deshabilitado la cuenta.',
      todo: 'Envíe a Informática el mensaje que aparece abajo.',
    },
    account_not_found: {
      title: 'Esta cuenta de Microsoft no pertenece a la organización',
      happened: 'Se ha eliminado, o nunca perteneció a esta organización.',
      todo: 'Envíe a Informática el mensaje que aparece abajo. Si tiene una cuenta de Microsoft nueva, desconecte la actual y después conecte la nueva.',
    },
    account_locked: {
      title: 'Esta cuenta de Microsoft está bloqueada',
      happened:
        'Microsoft bloquea una cuenta durante un tiempo tras demasiadas contraseñas erróneas o inicios de sesión inusuales.',
      todo: 'Espere un tiempo. Si sigue bloqueada, envíe a Informática el mensaje que aparece abajo.',
    },
    not_assigned: {
      title: 'Todavía no tiene MEGDocs asignado en Microsoft',
      happened:
        'En su organización, solo algunas personas pueden usar MEGDocs con Microsoft, y usted todavía no está entre ellas.',
      todo: 'Envíe a Informática el mensaje que aparece abajo para que le añadan.',
    },
    app_unavailable: {
      title: 'MEGDocs está desactivado en su organización',
      happened: 'En Microsoft, MEGDocs está deshabilitado o no existe en su organización.',
      todo: 'Envíe a Informática el mensaje que aparece abajo.',
    },
    tenant_unavailable: {
      title: 'Nadie de su organización puede iniciar sesión en Microsoft',
      happened:
        'Microsoft ha bloqueado o eliminado el directorio de su organización, o el inicio de sesión no está bien configurado.',
      todo: 'Envíe a Informática el mensaje que aparece abajo.',
    },
    tenant_restricted: {
      title: 'No se permite el acceso entre dos organizaciones',
      happened: 'La cuenta pertenece a otra organización, y una de las dos no permite este acceso.',
      todo: 'Envíe a Informática el mensaje que aparece abajo.',
    },
    not_approved: {
      title: 'MEGDocs todavía no tiene permiso',
      happened: 'Microsoft le ha enviado de vuelta sin conceder el permiso y no nos dice por qué.',
      todo: 'Envíe a Informática el mensaje que aparece abajo. Si fue usted quien lo rechazó, vuelva a conectar su cuenta.',
    },
    missing_scopes: {
      title: 'Faltan algunos permisos',
      happened:
        'Microsoft solo ha concedido una parte de los permisos necesarios, por eso no se ha podido establecer la conexión.',
      todo: 'Vuelva a conectar su cuenta y apruebe todos los permisos.',
    },
    no_refresh_token: {
      title: 'No se ha podido configurar la conexión',
      happened: 'Hay algo mal configurado por nuestra parte. Usted no ha hecho nada mal.',
      todo: 'Avise al soporte de MEGDocs e indique la referencia que aparece abajo.',
    },
    tenant_not_allowed: {
      title: 'Aquí no se admiten cuentas de esta organización',
      happened: 'Solo se pueden conectar cuentas de determinadas organizaciones.',
      todo: 'Vuelva a conectarse y elija la cuenta de su propia organización.',
    },
    other_cloud: {
      title: 'Esta cuenta pertenece a otra nube de Microsoft',
      happened:
        'Microsoft tiene varias nubes separadas, por ejemplo, una para la Administración de Estados Unidos. Aquí no se pueden conectar cuentas de esa nube.',
      todo: 'Avise al soporte de MEGDocs e indique la referencia que aparece abajo. Si tiene otra cuenta de Microsoft, vuelva a conectarse con esa.',
    },
    account_type_not_allowed: {
      title: 'Aquí no se admite este tipo de cuenta',
      happened: 'Parece una cuenta personal de Microsoft.',
      todo: 'Vuelva a conectarse y elija su cuenta profesional o educativa.',
    },
    other_account: {
      title: 'Esta no es la cuenta de Microsoft que está conectada',
      happened:
        'Para no mezclar sus archivos con los de otras personas, no cambiamos la cuenta automáticamente. No se ha cambiado nada.',
      todo: 'Decida qué cuenta quiere usar.',
    },
    identity_unproven: {
      title: 'No hemos podido comprobar que la respuesta fuera para usted',
      happened:
        'La prueba de identidad de Microsoft no ha superado nuestra comprobación, así que no hemos guardado nada.',
      todo: 'Lo volvemos a intentar automáticamente. Si sigue igual, avise al soporte de MEGDocs e indique la referencia que aparece abajo.',
    },
    code_rejected: {
      title: 'No se ha podido terminar el inicio de sesión',
      happened: 'Ha tardado demasiado, o la página se ha cargado dos veces.',
      todo: 'Vuelva a conectar su cuenta. Solo lleva un minuto.',
    },
    not_back_yet: {
      title: 'Este inicio de sesión no se puede terminar aquí',
      happened: 'MEGDocs no ha recibido lo que su navegador trae de vuelta de Microsoft. No hemos guardado nada.',
      todo: 'Vuelva a conectar su cuenta. No copie la dirección de esta página de un navegador a otro.',
    },
    not_the_same_user: {
      title: 'Otra persona empezó este inicio de sesión',
      happened:
        'Lo empezó otra persona que usa MEGDocs. Para no mezclar sus archivos con los de otras personas, no hemos guardado nada.',
      todo: 'Inicie sesión en MEGDocs con su propia cuenta y vuelva a conectarse. Si alguien le envió el enlace, no lo use.',
    },
    abandoned: {
      title: 'El inicio de sesión no se terminó a tiempo',
      happened: 'Ha pasado demasiado tiempo desde que empezó aquí hasta que volvió de Microsoft.',
      todo: 'Vuelva a conectar su cuenta. En Microsoft tendrá media hora.',
    },
    microsoft_unreachable: {
      title: 'No se puede acceder a Microsoft en este momento',
      happened: 'El servicio de inicio de sesión de Microsoft no nos responde. El problema no está en su cuenta.',
      todo: microsoftsTrouble,
    },
    microsoft_timeout: {
      title: 'Microsoft no ha respondido a tiempo',
      happened:
        'El servicio de inicio de sesión de Microsoft va lento en este momento. El problema no está en su cuenta.',
      todo: microsoftsTrouble,
    },
    microsoft_error: {
      title: 'Microsoft tiene un problema en este momento',
      happened:
        'El servicio de inicio de sesión de Microsoft comunica un error propio. El problema no está en su cuenta.',
      todo: microsoftsTrouble,
    },
    microsoft_bad_answer: {
      title: 'No hemos podido usar la respuesta de Microsoft',
      happened:
        'Microsoft, o algo en el camino hasta Microsoft, ha enviado una respuesta que no entendemos. Usted no ha hecho nada mal.',
      todo: 'Lo volvemos a intentar automáticamente. Si sigue igual, avise al soporte de MEGDocs e indique la referencia que aparece abajo.',
    },
    throttled: {
      title: 'Microsoft limita nuestras peticiones en este momento',
      happened: 'Ha habido muchas peticiones a la vez y Microsoft hace esperar a algunas.',
      todo: microsoftsTrouble,
    },
    loop_detected: {
      title: 'Microsoft ha puesto en pausa esta conexión durante un tiempo',
      happened: 'Microsoft ha recibido demasiadas peticiones seguidas. La causa está en nuestro sistema, no en usted.',
      todo: 'Lo volvemos a intentar automáticamente. Si sigue igual, avise al soporte de MEGDocs e indique la referencia que aparece abajo.',
    },
    connect_in_progress: {
      title: 'La conexión se está estableciendo',
      happened: 'Tarda un poco más de lo habitual.',
      todo: 'Espere un momento.',
    },
    refresh_in_progress: {
      title: 'El acceso se está renovando',
      happened: 'Tarda un poco más de lo habitual.',
      todo: 'Espere un momento.',
    },
    broker_trouble: {
      title: 'Tenemos un problema en este momento',
      happened: 'Una parte de nuestro sistema no funciona como debería. Usted no ha hecho nada mal.',
      todo: 'Lo volvemos a intentar automáticamente. Si sigue igual, avise al soporte de MEGDocs e indique la referencia que aparece abajo.',
    },
    user_frozen: {
      title: 'El acceso está en pausa',
      happened: 'MEGDocs ha puesto en pausa el acceso a sus archivos de Microsoft. No se ha eliminado nada.',
      todo: 'No tiene que volver a conectar su cuenta. Si necesita el acceso ahora, pregunte al soporte de MEGDocs.',
    },
    tenant_frozen: {
      title: 'El acceso está en pausa para su organización',
      happened:
        'MEGDocs ha puesto en pausa el acceso a los archivos de Microsoft de su organización. No se ha eliminado nada.',
      todo: 'No tiene que volver a conectar su cuenta. Si necesita el acceso ahora, pregunte al soporte de MEGDocs.',
    },
    caller_key_frozen: {
      title: 'El acceso está en pausa',
      happened: 'MEGDocs ha puesto en pausa una parte del acceso a Microsoft. Su conexión no ha cambiado.',
      todo: 'No tiene que volver a conectar su cuenta. Si necesita el acceso ahora, pregunte al soporte de MEGDocs.',
    },
    challenge_repeated: {
      title: 'Microsoft no permite el acceso en este momento',
      happened:
        'Microsoft pide una y otra vez una comprobación que no termina. Usted no ha hecho nada mal. Su conexión no ha cambiado.',
      todo: 'Avise al soporte de MEGDocs e indique la referencia que aparece abajo.',
    },
    client_credential: ourFault,
    registration_unknown: ourFault,
    app_registration: ourFault,
  },
  unknownReason: {
    user: {
      title: 'La conexión no funciona',
      happened: 'Microsoft no permite que MEGDocs acceda en su nombre.',
      todo: 'Vuelva a conectar su cuenta.',
    },
    tenant_admin: {
      title: 'Primero, su organización debe cambiar algo',
      happened: 'Microsoft no permite que MEGDocs acceda en su nombre.',
      todo: 'Pregunte a Informática e indique la referencia que aparece abajo.',
    },
    ops: {
      title: 'La conexión no funciona en este momento',
      happened: 'Algo no funciona como debería por nuestra parte. Usted no ha hecho nada mal.',
      todo: 'Si sigue igual, avise al soporte de MEGDocs e indique la referencia que aparece abajo.',
    },
    nobody: {
      title: 'Microsoft no da acceso en este momento',
      happened: 'El problema no está en su cuenta.',
      todo: microsoftsTrouble,
    },
  },
  problems: {
    link_expired: {
      title: 'Este enlace ha caducado',
      happened: 'Por su seguridad, un enlace para conectar con Microsoft solo vale durante poco tiempo.',
      todo: 'Conéctese con Microsoft otra vez. Solo lleva un minuto.',
    },
    link_used: {
      title: 'Este enlace ya se ha usado',
      happened:
        'Cada enlace para conectar con Microsoft vale una sola vez. Si lo abre otra vez con el botón Atrás o desde el historial, no ocurre nada.',
      todo: 'Si acaba de conectar su cuenta, ya está todo hecho. Su conexión con Microsoft muestra si ha funcionado.',
    },
    link_foreign: {
      title: 'Este enlace pertenece a otro navegador',
      happened:
        'Antes se abrió en otro navegador o en otro dispositivo. Si alguien se lo envió, no lo use: podría conectar sus archivos con la cuenta de esa persona.',
      todo: 'Conéctese con Microsoft en este navegador.',
    },
    other_sign_in: {
      title: 'Ya hay otro inicio de sesión en curso en este navegador',
      happened:
        'Alguien ha empezado a conectar con Microsoft en este navegador y no ha terminado. El enlace que ha abierto pertenece a otra persona que usa MEGDocs. No se ha usado.',
      todo: '¿Fue usted? Entonces termine en la otra ventana: allí no ha cambiado nada. ¿Alguien le envió este enlace? Entonces cierre esta página. Continúe con este enlace solo si fue usted quien lo abrió en MEGDocs: después ya no se podrá terminar el otro inicio de sesión.',
    },
    result_gone: {
      title: 'Este resultado ya no se muestra',
      happened: 'Mostramos durante diez minutos si la conexión con Microsoft ha funcionado.',
      todo: 'Si acaba de conectar su cuenta, ya está todo hecho. Su conexión con Microsoft muestra si ha funcionado.',
    },
    sign_in_unmatched: {
      title: 'Este inicio de sesión no se puede terminar aquí',
      happened:
        'La respuesta de Microsoft ya se ha usado, ha llegado demasiado tarde o el inicio de sesión empezó en otro navegador.',
      todo: 'Si acaba de conectar su cuenta, ya está todo hecho. Su conexión con Microsoft muestra si ha funcionado.',
    },
    cookies_blocked: {
      title: 'Su navegador bloquea las cookies',
      happened:
        'Necesitamos una cookie para saber que sigue siendo usted cuando vuelve de Microsoft. No contiene datos personales y se elimina después de media hora.',
      todo: 'Permita las cookies para este sitio web o salga del modo privado. Después, conéctese con Microsoft otra vez.',
    },
    session_over: {
      title: 'Esta página está cerrada',
      happened:
        'Se cierra cuando desconecta su cuenta, termina de conectarla o cierra la sesión de MEGDocs y, en todo caso, después de 30 minutos.',
      todo: 'Si acaba de desconectar su cuenta, ya está todo hecho. Si no, abra otra vez su conexión con Microsoft.',
    },
    no_session: {
      title: 'Por favor, abra esta página desde MEGDocs',
      happened: 'Solo usted puede ver su conexión con Microsoft. Por eso MEGDocs debe decirnos primero quién es usted.',
      todo: 'Ábrala desde MEGDocs. Es posible que tenga que iniciar sesión allí.',
    },
    form_expired: {
      title: 'La acción no se ha realizado',
      happened: 'La página en la que pulsó estaba desactualizada o se abrió para otra persona. No se ha cambiado nada.',
      todo: 'Abra otra vez su conexión con Microsoft y repítalo allí.',
    },
    microsoft_unavailable: {
      title: 'No se puede acceder a Microsoft en este momento',
      happened: 'El servicio de inicio de sesión de Microsoft no nos responde. El problema no está en su cuenta.',
      todo: 'No se ha cambiado nada. Conéctese con Microsoft otra vez dentro de unos minutos.',
    },
    broker_misconfigured: {
      title: 'La conexión no funciona en este momento',
      happened: 'Hay algo mal configurado por nuestra parte. Usted no ha hecho nada mal.',
      todo: 'Avise al soporte de MEGDocs e indique la referencia que aparece abajo. Con ella se puede encontrar la causa.',
    },
    service_unavailable: {
      title: 'Este servicio no está disponible en este momento',
      happened: 'Una parte de nuestro sistema no responde. Su conexión no se ha perdido.',
      todo: 'Vuelva a MEGDocs e inténtelo de nuevo dentro de unos minutos.',
    },
    plain_http: {
      title: 'Esta página necesita una conexión segura',
      happened: 'La petición nos llegó sin cifrar (http en lugar de https), así que nos hemos detenido aquí.',
      todo: 'Compruebe que la dirección empieza por https://. Si es así, avise al soporte de MEGDocs e indique la referencia que aparece abajo.',
    },
    invalid_request: {
      title: 'Esta dirección no está completa',
      happened: 'Falta una parte de la dirección o se ha modificado. Ocurre cuando se copia un enlace a mano.',
      todo: 'Vuelva a MEGDocs y empiece desde allí.',
    },
    request_too_large: {
      title: 'Su navegador envió demasiados datos a la vez',
      happened: 'La dirección o las cookies de este sitio son demasiado largas. No se ha cambiado nada.',
      todo: 'Vuelva a MEGDocs e inténtelo de nuevo. Si esta página aparece otra vez, borre las cookies de este sitio en su navegador.',
    },
    not_found: {
      title: 'Esta página no existe',
      happened: 'Puede que la dirección esté mal escrita o que el enlace sea antiguo.',
      todo: 'Vuelva a MEGDocs y empiece desde allí.',
    },
    too_many_requests: {
      title: 'Demasiadas peticiones',
      happened:
        'Ha habido más peticiones de las que aceptamos a la vez, desde este navegador o desde otros de la misma red.',
      todo: 'Espere un minuto. Después, vuelva a MEGDocs e inténtelo de nuevo.',
    },
    internal_error: {
      title: 'Se ha producido un error en nuestro sistema',
      happened: 'No debería haber ocurrido. Usted no ha hecho nada mal.',
      todo: 'Vuelva a MEGDocs e inténtelo de nuevo. Si ocurre lo mismo, avise al soporte de MEGDocs e indique la referencia que aparece abajo.',
    },
  },
  adminRequests: {
    not_approved: approve,
    consent_required: approve,
    admin_consent_required: approve,
    blocked_by_policy:
      'Una directiva bloquea el inicio de sesión (Entra: registros de inicio de sesión, acceso condicional). Por favor, permitan MEGDocs allí.',
    device_not_compliant:
      'Una directiva exige un dispositivo administrado. Por favor, díganme qué dispositivo puedo usar o permitan MEGDocs en esa directiva.',
    account_disabled: 'Microsoft indica que mi cuenta está deshabilitada. Por favor, compruébenlo.',
    account_not_found:
      'Microsoft no encuentra mi cuenta en nuestra organización. Por favor, díganme qué cuenta debo usar.',
    account_locked: 'Microsoft indica que mi cuenta está bloqueada. Por favor, desbloquéenla.',
    not_assigned:
      'No tengo MEGDocs asignado. Por favor, añádanme (Entra ID > Aplicaciones empresariales > Usuarios y grupos).',
    app_unavailable:
      'MEGDocs está deshabilitado o no existe en nuestro inquilino. Por favor, habilítenlo (Entra ID > Aplicaciones empresariales > Propiedades).',
    tenant_unavailable:
      'Microsoft rechaza los inicios de sesión en nuestro inquilino (bloqueado, eliminado, sin administrar o con fallo de federación). Por favor, compruébenlo.',
    tenant_restricted:
      'El acceso entre organizaciones está bloqueado (configuración de acceso entre inquilinos). Por favor, permitan MEGDocs.',
  },
}
