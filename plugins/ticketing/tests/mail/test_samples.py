"""What becomes of each message in `samples/`."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from crm_ticketing.mail.content import read_mail
from crm_ticketing.mail.judgement import Ignored, judge
from crm_ticketing.mail.quotes import own_words
from crm_ticketing.mail.threads import number_in, plain_subject

FOLDER = Path(__file__).parent / "samples"
OWN = ("help@shop.example",)


@dataclass(frozen=True)
class Outcome:
    text: str
    ignored: Ignored | None = None
    sender: str = "ada@example.com"
    subject: str = "Broken lid"
    number: int | None = None
    references: tuple[str, ...] = ()
    files: tuple[tuple[str, str, int], ...] = ()


BROKEN = "The lid is broken."
PICTURE = "The lid, see the picture."

OUTCOMES = {
    "absence_note": Outcome("I am away.", Ignored.AUTOMATIC, subject="Automatic reply: Broken lid"),
    "alternative_with_picture": Outcome(PICTURE, files=(("lid ö.png", "image/png", 1024),)),
    "answer_to_a_message": Outcome(
        "It is red.", number=12, references=("sent-2@shop.example", "sent-1@shop.example")
    ),
    "base64_with_rubbish": Outcome(BROKEN),
    "bounce": Outcome(
        "Nobody has the address ada@example.com.",
        Ignored.BOUNCE,
        sender="mailer-daemon@mx.example.com",
        subject="Undelivered Mail Returned to Sender",
        files=(("[#12] Broken lid.eml", "message/rfc822", 210),),
    ),
    "bulk": Outcome("Buy lids.", Ignored.BULK, subject="10 % off lids"),
    "flowed": Outcome("The lid is broken, and the pot too.\n\nAda"),
    "forwarded_as_file": Outcome("See the file.", files=(("Invoice 7.eml", "message/rfc822", 260),)),
    "html_only": Outcome("Hello,\n\nthe lid is <broken>.\n\n- red\n- large\n\nAda"),
    "huge_header": Outcome("Below a huge header."),
    "huge_references": Outcome(
        "A long thread.", references=tuple(f"{number}@example.com" for number in range(1999, 1949, -1))
    ),
    "latin1_quoted_printable": Outcome(
        "Grüße aus Köln - schön!", sender="joerg@example.com", subject="Deckel für Töpfe"
    ),
    "loop": Outcome("We got your message.", Ignored.LOOP, sender="help@shop.example"),
    "newsletter": Outcome("Lids.", Ignored.BULK, subject="Lids weekly"),
    "no_mail_at_all": Outcome("ÿþ" * 100, Ignored.NO_SENDER, sender="", subject=""),
    "no_message_id": Outcome(BROKEN),
    "no_sender": Outcome("Hello?", Ignored.NO_SENDER, sender=""),
    "nothing_but_headers": Outcome(""),
    "outlook_answer_in_german": Outcome("Er ist rot.", number=12),
    "plain": Outcome("The lid is broken.\nPlease send a new one."),
    "raw_bytes_in_the_subject": Outcome("Hello.", subject="Réclamation"),
    "shift_jis": Outcome("蓋です", subject="Lid"),
    "twenty_thousand_parts": Outcome("\n".join(["--b", "", "x"] * 20_000), subject="Parts"),
    "unfinished_multipart": Outcome(PICTURE, files=(("attachment", "image/png", 0),)),
    "unknown_charset": Outcome("Schön."),
    "utf8_base64": Outcome("蓋が壊れています。😀", subject="蓋が壊れています"),
    "utf8_that_is_none": Outcome("Café, à bientôt"),
    "windows1252_said_to_be_ascii": Outcome("It costs € 20 – too much."),
    "written_by_hand_and_says_so": Outcome(BROKEN),
    "x_loop": Outcome("We got your message.", Ignored.LOOP),
}


def test_each_sample_has_an_outcome() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(OUTCOMES)


@pytest.mark.parametrize("name", sorted(OUTCOMES))
def test_what_becomes_of_a_message(name: str) -> None:
    mail = read_mail((FOLDER / f"{name}.eml").read_bytes())
    assert (
        Outcome(
            own_words(mail.text).own,
            judge(mail, OWN).ignored,
            mail.sender,
            plain_subject(mail.subject),
            number_in(mail.subject),
            mail.references,
            tuple((file.name, file.media_type, len(file.content)) for file in mail.attachments),
        )
        == OUTCOMES[name]
    )


def test_a_bounce_names_what_did_not_arrive() -> None:
    assert read_mail((FOLDER / "bounce.eml").read_bytes()).reported == ("sent-2@shop.example",)


def test_a_message_without_an_id_has_the_same_one_each_time() -> None:
    raw = (FOLDER / "no_message_id.eml").read_bytes()
    assert read_mail(raw).message_id == read_mail(raw).message_id
    assert read_mail(raw).message_id.endswith("@without-id.invalid")
    assert read_mail(raw + b"!").message_id != read_mail(raw).message_id
