"""Whatever bytes come, something is read, within bounds."""

import pytest
from crm_ticketing.mail.bounded import LONGEST_TEXT
from crm_ticketing.mail.content import MOST_REFERENCES, read_mail
from crm_ticketing.mail.html import text_of_html
from crm_ticketing.mail.judgement import judge
from crm_ticketing.mail.parts import MOST_ATTACHMENTS
from crm_ticketing.mail.quotes import own_words
from hypothesis import given, settings
from hypothesis import strategies as st

_PIECES = st.sampled_from(
    [
        *(b"From: ", b"To: ", b"Subject: ", b"Date: ", b"Message-ID: ", b"References: ", b"In-Reply-To: "),
        *(
            b"Content-Type: multipart/mixed; boundary=b\n",
            b"Content-Type: multipart/alternative; boundary=b\n",
        ),
        *(b"Content-Type: text/html; charset=", b"Content-Type: message/rfc822\n", b"multipart/report"),
        *(b"Content-Transfer-Encoding: base64\n", b"Content-Transfer-Encoding: x-uuencode\n\nbegin 644 a\n"),
        *(b"Content-Transfer-Encoding: quoted-printable\n", b"Content-Disposition: attachment; filename="),
        *(b"filename*=utf-8''%ff", b"filename*0*=", b"utf-8", b"punycode", b"utf-7", b"base64", b"idna"),
        *(b"=?utf-8?b?", b"=?x?q?", b"?=", b"--b\n", b"--b--\n", b"\n", b"\r\n", b"\n\n", b"\r", b" ", b"\t"),
        *(b"<", b">", b"@", b"(", b")", b'"', b"\\", b";", b":", b",", b"=", b"%", b"[", b"]", b"x", b"\xff"),
        *(
            b"\x00",
            b"\xed\xa0\x80",
            b"<a@b.c>",
            b"Mon, 05 Jan 2026 09:00:00 +9999",
            b"&#x110000;",
            b"<blockquote>",
        ),
    ]
)
_MESSAGES = st.one_of(st.binary(max_size=400), st.lists(_PIECES, max_size=60).map(b"".join))


@given(_MESSAGES)
@settings(max_examples=2_000, deadline=None)
def test_something_is_read_of_any_bytes(raw: bytes) -> None:
    mail = read_mail(raw)
    judge(mail)
    words = own_words(mail.text)
    texts = [mail.message_id, mail.sender, mail.sender_name, mail.subject, words.own, words.rest]
    texts += [file.name for file in mail.attachments] + [file.media_type for file in mail.attachments]
    for text in texts:
        assert "\0" not in text
        text.encode()  # no lone surrogates: a database refuses them
    assert mail.message_id
    assert "\n" not in mail.subject
    assert all(file.name and "/" not in file.name for file in mail.attachments)


_BIG = 300_000
_HEAVY = {
    "brackets": b"From: " + b"(" * _BIG + b"\n\nx",
    "addresses": b"From: " + b"a@b.c," * (_BIG // 6) + b"\n\nx",
    "encoded words": b"Subject: " + b"=?utf-8?q?a?= " * (_BIG // 14) + b"\n\nx",
    "parameters": b"Content-Type: text/plain; " + b"a=b;" * (_BIG // 4) + b"\n\nx",
    "headers": b"a: b\n" * (_BIG // 5) + b"\n\nx",
    "nested parts": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (number, number)
        for number in range(3_000)
    ),
    "nested messages": b"Content-Type: message/rfc822\n\n" * 5_000,
    "parts": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * (_BIG // 8),
    "tags": b"Content-Type: text/html\n\n" + b"<a" * (_BIG // 2),
    "heads": b"Content-Type: text/html\n\n" + b"<head>" * (_BIG // 6),
    "comments": b"Content-Type: text/html\n\n" + b"<!--" * (_BIG // 4),
    "blockquotes": b"Content-Type: text/html\n\n" + b"<blockquote>x" * (_BIG // 13),
    "punycode": b"Content-Type: text/plain; charset=punycode\n\n" + b"-abc" * (_BIG // 4),
    "one long line": b"\n\n" + b"x" * (_BIG * 4),
    "attributions": b"\n\n" + b"> a\nOn 5 Jan 2026 x wrote:\n" * (_BIG // 28),
    "from lines": b"\n\n" + b"From: x\n" * (_BIG // 8),
}


@pytest.mark.parametrize("name", _HEAVY)
def test_much_of_anything_is_cut(name: str) -> None:
    mail = read_mail(_HEAVY[name])
    own_words(mail.text)
    assert len(mail.text) <= LONGEST_TEXT
    assert len(mail.attachments) <= MOST_ATTACHMENTS
    assert len(mail.references) <= MOST_REFERENCES


def test_the_sender_is_found_behind_a_long_name() -> None:
    for size in (1_900, 5_000, 15_000):
        assert read_mail(b'From: "%s" <Ada@example.com>\n\nx' % (b"N" * size)).sender == "ada@example.com"


@given(st.text(max_size=300))
@settings(deadline=None)
def test_quotes_lose_no_word(text: str) -> None:
    said = own_words(text)
    assert sorted(f"{said.own} {said.rest}".split()) == sorted(text.split())


@given(
    st.lists(st.sampled_from(["<", ">", "a", "<p>", "</p>", "<!--", "-->", "<head>", "<body", "&lt;", " "]))
)
@settings(deadline=None)
def test_any_html_has_a_text(parts: list[str]) -> None:
    assert isinstance(text_of_html("".join(parts)), str)
