"""What mail programs write around what they quote, language by language, as parts of regular expressions."""

WROTE = (
    r"wrote|schrieb|a écrit|ha scritto|escribió|ha escrit|escreveu|schreef|geschreven|skrev|pisze|napisał"
    r"|napisała|napisał\(a\)|napsal|napsala|napsal\(a\)|napísal|kirjoitti|írta|a scris|yazdı|пишет|писал"
    r"|написал|написала|написал\(а\)|пише|έγραψε|כתב|כתבה|كتب|đã viết|menulis|написа|je napisao"
    r"|je napisala|je napisal"
)
"""Between who wrote it and the colon."""

WROTE_EAST = r"写道|寫道|のメール|書きました|님이 작성|작성:"
"""The same, of languages that put no blanks between words."""

ORIGINAL = (
    r"original message|reply message|original appointment|ursprüngliche nachricht|originalnachricht"
    r"|original-nachricht|message d.origine|message original|messaggio originale|mensaje original"
    r"|mensagem original|missatge original|oorspronkelijk bericht|oprindelig meddelelse|original besked"
    r"|ursprungligt meddelande|originalmeddelande|opprinnelig melding|alkuperäinen viesti"
    r"|wiadomość oryginalna|oryginalna wiadomość|původní zpráva|pôvodná správa|eredeti üzenet"
    r"|mesajul original|orijinal mesaj|исходное сообщение|оригінальне повідомлення|αρχικό μήνυμα|原始邮件"
    r"|原始郵件|元のメッセージ|원본 메시지|الرسالة الأصلية"
)
"""Between two rows of dashes, above the message that is answered."""

FORWARDED = (
    r"forwarded message|begin forwarded message|weitergeleitete nachricht|message transféré"
    r"|messaggio inoltrato|mensaje reenviado|mensagem encaminhada|doorgestuurd bericht"
    r"|vidarebefordrat meddelande|videresendt meddelelse|wiadomość przekazana|пересланное сообщение"
    r"|пересылаемое сообщение|转发的邮件"
)
"""After a row of dashes, above a message that is passed on."""

SENT_FROM = (
    r"sent from my |sent from (?:mail|outlook|yahoo|proton|samsung)|get outlook for "
    r"|von meinem .{1,40} gesendet|gesendet von |envoyé de(?:puis)? mon |envoyé à partir de "
    r"|enviado desde mi |enviado do meu |inviato da(?:l mio)? |verzonden vanaf mijn |verstuurd vanaf mijn "
    r"|skickat från min |sendt fra min |wysłane z |odesláno z |lähetetty |отправлено с |отправлено из "
    r"|发自我的|我的.{1,12}から送信|iphoneから送信"
)
"""The beginning of a line that a program puts below a message."""

HEAD = {
    "from": (
        r"from|von|de|da|van|från|fra|lähettäjä|od|feladó|de la|kimden|от|від|από|发件人|寄件者|差出人"
        r"|보낸 사람"
    ),
    "sent": (
        r"sent|date|gesendet|datum|envoyé|enviado|enviado el|inviato|data|fecha|verzonden|skickat|sendt"
        r"|dato|lähetetty|päivämäärä|wysłano|odesláno|odoslané|elküldve|dátum|trimis|gönderildi|tarih"
        r"|отправлено|дата|надіслано|στάλθηκε|发送时间|寄件日期|送信日時|日付|보낸 날짜"
    ),
    "to": (
        r"to|an|à|para|per|a|aan|till|til|vastaanottaja|do|komu|címzett|către|kime|кому|προς|收件人|宛先"
        r"|받는 사람"
    ),
    "subject": (
        r"subject|betreff|objet|asunto|oggetto|assunto|onderwerp|ämne|emne|aihe|temat|předmět|predmet"
        r"|tárgy|subiect|konu|тема|θέμα|主题|主旨|件名|제목"
    ),
}
"""The names of the lines that stand above a quote: who, when, to whom, about what."""
