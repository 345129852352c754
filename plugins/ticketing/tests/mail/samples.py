"""Writes the messages in `samples/`, each of a kind that a mailbox gets, with the standard library.

    python -m plugins.ticketing.tests.mail.samples

The files are kept, as another version of the library may write them otherwise.
"""

import base64
from collections.abc import Callable
from email.message import EmailMessage
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import SMTP
from pathlib import Path

FOLDER = Path(__file__).parent / "samples"
PICTURE = bytes(range(256)) * 4

_MADE: dict[str, Callable[[], bytes]] = {}


def _sample(make: Callable[[], bytes]) -> Callable[[], bytes]:
    _MADE[make.__name__] = make
    return make


def _message(name: str, subject: str = "Broken lid", sender: str = "Ada <ada@example.com>") -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = "Help <help@shop.example>"
    message["Subject"] = subject
    message["Date"] = "Mon, 05 Jan 2026 09:00:00 +0100"
    message["Message-ID"] = f"<{name}@mail.example.com>"
    return message


@_sample
def plain() -> bytes:
    message = _message("plain")
    message.set_content("The lid is broken.\nPlease send a new one.\n")
    return bytes(message)


@_sample
def latin1_quoted_printable() -> bytes:
    message = _message("latin1", "Deckel für Töpfe", "Jörg Müller <JOERG@Example.com>")
    message.set_content(
        "Grüße aus Köln – schön!\n".replace("–", "-"), charset="iso-8859-1", cte="quoted-printable"
    )
    return bytes(message)


@_sample
def utf8_base64() -> bytes:
    message = _message("base64", "蓋が壊れています")
    message.set_content("蓋が壊れています。😀\n", cte="base64")
    return bytes(message)


@_sample
def windows1252_said_to_be_ascii() -> bytes:
    head = _message("cp1252")
    head.set_content("x")
    return (
        bytes(head)
        .replace(b"\r\n\r\nx", b"\r\n\r\nIt costs \x80 20 \x96 too much.")
        .replace(b"utf-8", b"us-ascii")
    )


@_sample
def shift_jis() -> bytes:
    message = _message("sjis", "Lid")
    message.set_content("蓋です\n", charset="shift_jis", cte="base64")
    return bytes(message)


@_sample
def unknown_charset() -> bytes:
    message = _message("charset")
    message.set_content("Schön.\n", cte="8bit")
    return bytes(message).replace(b'charset="utf-8"', b'charset="klingon-1"')


@_sample
def utf8_that_is_none() -> bytes:
    message = _message("broken")
    message.set_content("x")
    return bytes(message).replace(b"\r\n\r\nx", b"\r\n\r\nCaf\xe9, \xe0 bient\xf4t")


@_sample
def raw_bytes_in_the_subject() -> bytes:
    message = _message("raw", "SUBJECT")
    message.set_content("Hello.\n")
    return bytes(message).replace(b"SUBJECT", "Réclamation".encode("latin-1"))


@_sample
def alternative_with_picture() -> bytes:
    message = _message("alternative")
    message.set_content("The lid, see the picture.\n")
    message.add_alternative("<p>The <b>lid</b>, see the picture.</p>", subtype="html")
    message.add_attachment(PICTURE, maintype="image", subtype="png", filename="../lid ö.png")
    return bytes(message)


@_sample
def html_only() -> bytes:
    message = _message("html")
    message.set_content(
        "<html><head><title>no</title><style>p {color: red}</style></head><body><p>Hello,</p>"
        "<p>the lid&nbsp;is&nbsp;&lt;broken&gt;.</p><ul><li>red<li>large</ul><br>Ada"
        '<div class="gmail_quote"><div>'
        "On Mon, Jan 5, 2026 at 8:00 AM Help &lt;help@shop.example&gt; wrote:<br></div>"
        "<blockquote><p>What is it?</p></blockquote></div></body></html>",
        subtype="html",
    )
    return bytes(message)


@_sample
def answer_to_a_message() -> bytes:
    message = _message("answer", "Re: [#12] Broken lid")
    message["In-Reply-To"] = "<sent-2@shop.example>"
    message["References"] = "<sent-1@shop.example> <sent-2@shop.example>"
    message.set_content(
        "It is red.\n\n-- \nAda Lovelace\nLondon\n\nOn Mon, Jan 5, 2026 at 8:00 AM Help\n"
        "<help@shop.example> wrote:\n\n> What colour?\n> Best\n"
    )
    return bytes(message)


@_sample
def outlook_answer_in_german() -> bytes:
    message = _message("outlook", "AW: [#12] Broken lid")
    message.set_content(
        "Er ist rot.\n\nVon: Help <help@shop.example>\nGesendet: Montag, 5. Januar 2026 08:00\n"
        "An: Ada <ada@example.com>\nBetreff: [#12] Broken lid\n\nWelche Farbe?\n"
    )
    return bytes(message)


@_sample
def flowed() -> bytes:
    message = _message("flowed")
    message.set_content("The lid is \nbroken, and the \npot too.\n\nAda\n")
    message.set_param("format", "flowed")
    return bytes(message)


@_sample
def forwarded_as_file() -> bytes:
    inner = _message("inner", "Invoice 7", "Shop <shop@example.org>")
    inner.set_content("Your invoice.\n")
    message = _message("forward")
    message.set_content("See the file.\n")
    message.add_attachment(inner)
    return bytes(message)


@_sample
def absence_note() -> bytes:
    message = _message("absent", "Automatic reply: Broken lid")
    message["Auto-Submitted"] = "auto-replied"
    message.set_content("I am away.\n")
    return bytes(message)


@_sample
def written_by_hand_and_says_so() -> bytes:
    message = _message("hand")
    message["Auto-Submitted"] = "no"
    message.set_content("The lid is broken.\n")
    return bytes(message)


@_sample
def bulk() -> bytes:
    message = _message("bulk", "10 % off lids")
    message["Precedence"] = "bulk"
    message.set_content("Buy lids.\n")
    return bytes(message)


@_sample
def newsletter() -> bytes:
    message = _message("list", "Lids weekly")
    message["List-Unsubscribe"] = "<https://example.com/off>"
    message.set_content("Lids.\n")
    return bytes(message)


@_sample
def loop() -> bytes:
    message = _message("loop", sender="Help <help@shop.example>")
    message.set_content("We got your message.\n")
    return bytes(message)


@_sample
def x_loop() -> bytes:
    message = _message("x-loop")
    message["X-Loop"] = "help@shop.example"
    message.set_content("We got your message.\n")
    return bytes(message)


@_sample
def bounce() -> bytes:
    message = MIMEMultipart("report")
    message.set_param("report-type", "delivery-status")
    message["From"] = "Mail Delivery <MAILER-DAEMON@mx.example.com>"
    message["To"] = "help@shop.example"
    message["Subject"] = "Undelivered Mail Returned to Sender"
    message["Message-ID"] = "<bounce@mx.example.com>"
    message.attach(MIMEText("Nobody has the address ada@example.com.\n"))
    sent = EmailMessage()
    sent["From"] = "help@shop.example"
    sent["To"] = "ada@example.com"
    sent["Subject"] = "[#12] Broken lid"
    sent["Message-ID"] = "<sent-2@shop.example>"
    sent.set_content("What colour?\n")
    message.attach(MIMEMessage(sent))
    return message.as_bytes(policy=SMTP)


@_sample
def huge_header() -> bytes:
    message = _message("huge")
    message.set_content("Below a huge header.\n")
    return b"X-Huge: " + b"a" * 300_000 + b"\r\n" + bytes(message)


@_sample
def huge_references() -> bytes:
    message = _message("references")
    message.set_content("A long thread.\n")
    ids = "".join(f"\r\n <{number}@example.com>" for number in range(2_000))
    return f"References:{ids}\r\n".encode() + bytes(message)


@_sample
def nothing_but_headers() -> bytes:
    return bytes(_message("empty")).rstrip() + b"\r\n"


@_sample
def no_sender() -> bytes:
    message = _message("nobody")
    del message["From"]
    message.set_content("Hello?\n")
    return bytes(message)


@_sample
def no_message_id() -> bytes:
    message = _message("unnamed")
    del message["Message-ID"]
    message.set_content("The lid is broken.\n")
    return bytes(message)


@_sample
def unfinished_multipart() -> bytes:
    return b"".join(alternative_with_picture().partition(b"image/png")[:2])


@_sample
def base64_with_rubbish() -> bytes:
    head = _message("rubbish")
    head.set_content("x", cte="base64")
    coded = base64.b64encode(b"The lid is broken.")
    return (
        bytes(head).partition(b"\r\n\r\n")[0] + b"\r\n\r\n!!" + coded[:8] + b"\r\n*\r\n" + coded[8:] + b"\r\n"
    )


@_sample
def no_mail_at_all() -> bytes:
    return b"\x00\xff\xfe" * 100


@_sample
def twenty_thousand_parts() -> bytes:
    head = b"From: ada@example.com\r\nSubject: Parts\r\nMessage-ID: <parts@example.com>\r\n"
    kind = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    return head + kind + b"--b\r\n\r\nx\r\n" * 20_000


def main() -> None:
    for name, make in _MADE.items():
        (FOLDER / f"{name}.eml").write_bytes(make())


if __name__ == "__main__":
    main()
