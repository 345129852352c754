"""What people wrote, found among what their programs wrote around it."""

import pytest
from crm_ticketing.mail.html import text_of_html
from crm_ticketing.mail.quotes import own_words
from crm_ticketing.mail.threads import number_in, plain_subject, subject_of_ticket

CASES = {
    "gmail en": (
        "Thanks!\n\nOn Mon, Jan 5, 2026 at 9:00 AM Support <help@example.com> wrote:\n\n> Hello\n> there\n",
        "Thanks!",
    ),
    "gmail wrapped": (
        "Thanks!\n"
        "\n"
        "On Mon, Jan 5, 2026 at 9:00 AM Support Team of Example <\n"
        "help@example.com> wrote:\n"
        "\n"
        "> Hello\n",
        "Thanks!",
    ),
    "gmail html no marks": (
        "Thanks!\n\nOn Mon, Jan 5, 2026 at 9:00 AM Support <help@example.com> wrote:\n\nHello\nthere\n",
        "Thanks!",
    ),
    "de": (
        "Danke.\n\nAm 05.01.2026 um 09:00 schrieb Support <help@example.com>:\n> Hallo\n",
        "Danke.",
    ),
    "de2": (
        "Danke.\n\nAm Mo., 5. Jan. 2026 um 09:00 Uhr schrieb Support <\nhelp@example.com>:\n\n> Hallo\n",
        "Danke.",
    ),
    "fr": (
        "Merci\n\nLe lun. 5 janv. 2026 à 09:00, Support <help@example.com> a écrit :\n\n> Bonjour\n",
        "Merci",
    ),
    "es": (
        "Gracias\n\nEl lun, 5 ene 2026 a las 9:00, Soporte (<help@example.com>) escribió:\n\n> Hola",
        "Gracias",
    ),
    "it": (
        "Grazie\n\nIl giorno lun 5 gen 2026 alle ore 09:00 Support <help@example.com> ha scritto:\n\n> Ciao",
        "Grazie",
    ),
    "pt": (
        "Obrigado\n\nEm seg., 5 de jan. de 2026 às 09:00, Suporte <help@example.com> escreveu:\n\n> Oi",
        "Obrigado",
    ),
    "nl": (
        "Dank\n\nOp ma 5 jan 2026 om 09:00 schreef Support <help@example.com>:\n\n> Hoi",
        "Dank",
    ),
    "sv": (
        "Tack\n\nDen mån 5 jan. 2026 kl 09:00 skrev Support <help@example.com>:\n\n> Hej",
        "Tack",
    ),
    "pl": (
        "Dzięki\n\npon., 5 sty 2026 o 09:00 Support <help@example.com> napisał(a):\n\n> Hej",
        "Dzięki",
    ),
    "pl2": (
        "Dzięki\n\nW dniu 05.01.2026 o 09:00, Support pisze:\n> Hej",
        "Dzięki",
    ),
    "ru": (
        "Спасибо\n\nпн, 5 янв. 2026 г. в 09:00, Support <help@example.com>:\n\n> Привет",
        "Спасибо",
    ),
    "ru2": (
        "Спасибо\n\n5 января 2026 г., 09:00 пользователь Support написал:\n> Привет",
        "Спасибо",
    ),
    "ja": (
        "ありがとう\n\n2026年1月5日(月) 9:00 Support <help@example.com>:\n\n> こんにちは",
        "ありがとう",
    ),
    "zh": (
        "谢谢\n\n在 2026年1月5日,09:00,Support <help@example.com> 写道:\n\n> 你好",
        "谢谢",
    ),
    "zhfull": (
        "谢谢\n\nSupport <help@example.com> 于2026年1月5日周一 09:00写道:\n\n> 你好",
        "谢谢",
    ),
    "outlook en": (
        "Thank you.\n"
        "\n"
        "________________________________\n"
        "From: Support <help@example.com>\n"
        "Sent: Monday, January 5, 2026 9:00\n"
        "To: Ada\n"
        "Subject: RE: Lid\n"
        "\n"
        "Hello",
        "Thank you.",
    ),
    "outlook de": (
        "Danke.\n"
        "\n"
        "Von: Support <help@example.com>\n"
        "Gesendet: Montag, 5. Januar 2026 09:00\n"
        "An: Ada\n"
        "Betreff: AW: Deckel\n"
        "\n"
        "Hallo",
        "Danke.",
    ),
    "outlook fr": (
        "Merci\n"
        "\n"
        "De : Support <help@example.com>\n"
        "Envoyé : lundi 5 janvier 2026 09:00\n"
        "À : Ada\n"
        "Objet : RE: Couvercle\n"
        "\n"
        "Bonjour",
        "Merci",
    ),
    "orig": (
        "Ok\n\n-----Ursprüngliche Nachricht-----\nVon: x\n",
        "Ok",
    ),
    "bold": (
        "Ok\n\n*From:* S <a@b>\n*Sent:* Monday\n*To:* x\n*Subject:* y\n\nmore",
        "Ok",
    ),
    "interleaved": (
        "> What colour?\nRed.\n> Which size?\nLarge.\n",
        "> What colour?\nRed.\n> Which size?\nLarge.",
    ),
    "interleaved attr": (
        "On 5 Jan 2026, S wrote:\n> What colour?\nRed.\n> Which size?\nLarge.\n\n> bye\n",
        "On 5 Jan 2026, S wrote:\n> What colour?\nRed.\n> Which size?\nLarge.",
    ),
    "sig": (
        "Broken lid.\n\n-- \nAda Lovelace\nLondon\n",
        "Broken lid.",
    ),
    "iphone": (
        "Broken lid.\n\nSent from my iPhone\n\n> On 5 Jan 2026, at 09:00, S <a@b> wrote:\n> \n> Hi\n",
        "Broken lid.",
    ),
    "iphone2": (
        "Kaputt\n\nVon meinem iPhone gesendet\n\nAm 05.01.2026 um 09:00 schrieb S <a@b.c>:\n\nHi",
        "Kaputt",
    ),
    "marker": (
        "Yes\n\n##- Please write your answer above this line -##\nHi",
        "Yes",
    ),
    "sentence": (
        "My brother wrote:\nthe lid is broken\nplease help",
        "My brother wrote:\nthe lid is broken\nplease help",
    ),
    "forward": (
        "See below\n"
        "\n"
        "---------- Forwarded message ---------\n"
        "From: X <x@y>\n"
        "Date: Mon\n"
        "Subject: z\n"
        "To: me\n"
        "\n"
        "Text",
        "See below\n\n---------- Forwarded message ---------\nFrom: X <x@y>\nDate: Mon\n"
        "Subject: z\nTo: me\n\nText",
    ),
    "only quote": (
        "> Hello\n> there",
        "> Hello\n> there",
    ),
    "yahoo": (
        "Hi\n\n    On Monday, January 5, 2026 at 09:00:00 AM GMT+1, S <a@b.c> wrote:  \n \n Hello",
        "Hi",
    ),
    "ko": (
        "감사합니다\n\n2026년 1월 5일 (월) 오전 9:00, Support <help@example.com>님이 작성:\n\n> 안녕",
        "감사합니다",
    ),
    "bottom": (
        "On 5 Jan 2026, S wrote:\n> What colour?\n\nRed.",
        "On 5 Jan 2026, S wrote:\n> What colour?\n\nRed.",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_own_words(name: str) -> None:
    text, own = CASES[name]
    assert own_words(text).own == own


@pytest.mark.parametrize("name", CASES)
def test_no_word_is_lost(name: str) -> None:
    text = CASES[name][0]
    said = own_words(text)
    assert f"{said.own} {said.rest}".split() == text.split()


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a<br>b<br><br>c", "a\nb\n\nc"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("a<blockquote>b<blockquote>c</blockquote></blockquote>d", "a\n\n> b\n>\n>> c\n\nd"),
        ("<!-- a -->b<!-- c", "b"),
        ("<script>a<b</script>c<style>d", "c"),
        ("1 < 2 &amp; 3 &gt; 2 &#8364;", "1 < 2 & 3 > 2 €"),
        ("<head><title>a</title><body>b", "b"),
        ("a<unfinished", "a<unfinished"),
        ("", ""),
    ],
)
def test_html(html: str, text: str) -> None:
    assert text_of_html(html) == text


@pytest.mark.parametrize(
    ("subject", "plain", "number"),
    [
        ("Broken lid", "Broken lid", None),
        ("Re: AW: [#12] Re: Broken lid", "Broken lid", 12),
        ("Fwd: [#3] WG: [#12] lid", "lid", 12),
        ("RE[2]: lid", "lid", None),
        ("[#0] lid", "[#0] lid", None),
        ("[#9999999999] lid", "[#9999999999] lid", None),
        ("\u56de\u590d\uff1a lid", "lid", None),
    ],
)
def test_subjects(subject: str, plain: str, number: int | None) -> None:
    assert (plain_subject(subject), number_in(subject)) == (plain, number)


def test_a_subject_is_known_again() -> None:
    sent = subject_of_ticket(12, "Re: Broken lid")
    assert sent == "[#12] Broken lid"
    assert (plain_subject(f"AW: {sent}"), number_in(f"AW: {sent}")) == ("Broken lid", 12)
