"""The text of an HTML message: paragraphs, lists and quotes as plain text writes them. In one pass."""

import re
from html import unescape

_NAME = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]{0,20})")
_BLANKS = re.compile(r"[ \t\r\n\f]+")
_SILENT = frozenset({"style", "script", "title", "head", "noscript", "template"})
_BLOCKS = frozenset(
    {
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
    }
)
_SPACED = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "pre", "blockquote"})
MOST_DEPTH = 20


def text_of_html(html: str) -> str:
    """Plain text. Quotes (`blockquote`) begin with `> ` on each line, as in plain messages."""
    page = _Page()
    lowered = html.lower()
    if len(lowered) != len(html):  # a letter whose lower case has another length: positions would not fit
        lowered = html
    absent: set[str] = set()

    def find(mark: str, start: int) -> int:
        """As `str.find`; what was not found once is not looked for again, further on."""
        place = -1 if mark in absent else lowered.find(mark, start)
        if place < 0:
            absent.add(mark)
        return place

    at, end = 0, len(html)
    while at < end:
        start = html.find("<", at)
        page.words(html[at : start if start >= 0 else end])
        if start < 0:
            break
        if html.startswith("<!--", start):
            closed = html.find("-->", start + 4)
            at = end if closed < 0 else closed + 3
            continue
        close = html.find(">", start)
        if close < 0:
            page.words(html[start:])
            break
        found = _NAME.match(html, start)
        if found is None:
            at = close + 1 if html[start + 1 : start + 2] in ("!", "?", "/") else start + 1
            if at == start + 1:
                page.words("<")
            continue
        name = found[1].lower()
        at = close + 1
        opening = html[start + 1] != "/"
        if name in _SILENT and opening and html[close - 1] != "/":
            closed = find(f"</{name}", at)
            if name == "head":  # its end may be left out; a body ends it too
                places = (closed, find("<body", at))
                closed = min((place for place in places if place >= 0), default=-1)
                at = closed if closed >= 0 else at
            else:
                at = end if closed < 0 else closed
            continue
        page.tag(name, opening)
    return page.text()


class _Page:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line: list[str] = []
        self.quotes = self.quotes_before = 0
        self.gap = False

    def words(self, text: str) -> None:
        said = _BLANKS.sub(" ", unescape(text).replace("\u00a0", " ").replace("\u200b", ""))
        if said and (said != " " or self.line):
            self.line.append(said)

    def tag(self, name: str, opening: bool) -> None:
        if name == "br":
            self.end(keep=True)
        elif name in ("td", "th") and not opening:
            self.line.append(" ")
        elif name in _BLOCKS:
            self.end()
            self.gap = self.gap or name in _SPACED
            if name == "blockquote":
                self.quotes = min(self.quotes + 1, MOST_DEPTH) if opening else max(self.quotes - 1, 0)
            if name == "li" and opening:
                self.line.append("- ")

    def end(self, *, keep: bool = False) -> None:
        said = "".join(self.line).strip()
        self.line = []
        if not said and not keep:
            return
        mark = ">" * self.quotes + (" " if self.quotes else "")
        if self.gap and self.lines and self.lines[-1].strip("> "):
            self.lines.append(">" * min(self.quotes, self.quotes_before))
        self.gap = False
        self.quotes_before = self.quotes
        self.lines.append((mark + said).rstrip())

    def text(self) -> str:
        self.end()
        return re.sub(r"\n{3,}", "\n\n", "\n".join(self.lines)).strip("\n")
