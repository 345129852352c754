"""What a person wrote in an e-mail, apart from what their program quoted below it, and from the signature.

Programs write a line above the quote, each in its own language. What is quoted between a person's own lines
stays: these lines answer it. A signature is cut only where the standard mark (`-- `) or a program's own
phrase says so; anything cleverer loses words. A forwarded message is what its sender wants to show: it stays.
"""

import re
from dataclasses import dataclass

from .phrases import FORWARDED, HEAD, ORIGINAL, SENT_FROM, WROTE, WROTE_EAST

REPLY_ABOVE = "##- Please write your answer above this line -##"
"""Above which an answer stands, in messages that we send."""

LONGEST_SIGNATURE = 15
"""Lines below the standard mark that are still taken for a signature."""

_ATTRIBUTION = re.compile(rf"(?i)(?=.{{0,400}}?(?:\d|@)).{{0,400}}?\b(?:{WROTE})\b.{{0,160}}[:\uff1a]\s*$")
_ATTRIBUTION_EAST = re.compile(rf"(?=.{{0,400}}?(?:\d|@)).{{0,400}}?(?:{WROTE_EAST})\s*[:\uff1a]?\s*$")
_FROM_WHOM = re.compile(r"(?=.{0,300}?\d).{0,300}?<[^<>\s]{1,100}@[^<>\s]{1,100}>.{0,20}[:\uff1a]\s*$")
_FIRST_OF_SEVERAL = re.compile(r"[\d@<]")
_ENDS = (":", "\uff1a", "道", "ル", "た", "성")

_ORIGINAL = re.compile(rf"(?i)[-_ ]{{2,20}}\s*(?:{ORIGINAL})\s*[-_ ]{{2,20}}\s*$")
_FORWARDED = re.compile(rf"(?i)[-_> ]{{2,20}}\s*(?:{FORWARDED})")
_HEAD_LINE = {
    name: re.compile(rf"(?i)[*_]{{0,2}}(?:{words})[*_]{{0,2}}\s*[:\uff1a]") for name, words in HEAD.items()
}
_SENT_FROM = re.compile(rf"(?i)(?:{SENT_FROM}).{{0,120}}$")
_UNDERLINE = re.compile(r"[_\-=*]{5,}\s*$")


@dataclass(frozen=True)
class Said:
    """What was written, and what was cut from below it (quote and signature), as it stood."""

    own: str
    rest: str = ""


def own_words(text: str) -> Said:
    """What the person wrote. All of the text where nothing would be left of it."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    end = _start_of_quote(lines)
    end = _before_trailing_quote(lines, end)
    end = _before_signature(lines, end)
    own = "\n".join(lines[:end]).strip()
    if not own:
        return Said(text.strip())
    return Said(own, "\n".join(lines[end:]).strip("\n"))


def _start_of_quote(lines: list[str]) -> int:
    """The line at which a program began to repeat the message that is answered."""
    for at, line in enumerate(lines):
        bare = line.strip()
        if _FORWARDED.match(bare):
            return len(lines)
        if not bare or len(bare) > 600:
            continue
        if REPLY_ABOVE in bare:
            return at
        if bare[0] in "-_" and _ORIGINAL.match(bare):
            return at
        if _is_head(lines, at):
            ruled = at > 0 and _UNDERLINE.match(lines[at - 1].strip())
            return at - 1 if ruled else at
        height = _attribution(lines, at)
        if height and not _answered_below(lines, at + height):
            return at
    return len(lines)


def _attribution(lines: list[str], at: int) -> int:
    """How many lines from this one on say who wrote the quote that follows; programs break them. 0: none."""
    said = ""
    for height in (1, 2, 3):
        if at + height > len(lines) or (height > 1 and not lines[at + height - 1].strip()):
            return 0
        said = f"{said} {lines[at + height - 1].strip()}".strip()
        if said.startswith(">"):
            return 0
        if len(said) > 400 or said[-1:] not in _ENDS:
            continue
        if height > 1 and not _FIRST_OF_SEVERAL.search(lines[at]):
            return 0  # the last line of what the person wrote
        if _ATTRIBUTION.match(said) or _ATTRIBUTION_EAST.match(said):
            return height if _quote_follows(lines, at + height) or _says_when(said) else 0
        if _FROM_WHOM.match(said) and _quote_follows(lines, at + height):
            return height
    return 0


def _says_when(said: str) -> bool:
    """A date or an address: what a person hardly writes into a sentence that ends like this."""
    return bool(re.search(r"@|\d{1,4}[./年:-]\s?\d{1,2}|\b(?:19|20)\d\d\b", said))


def _quote_follows(lines: list[str], at: int) -> bool:
    for line in lines[at : at + 3]:
        if line.strip():
            return line.lstrip().startswith(">")
    return False


def _answered_below(lines: list[str], at: int) -> bool:
    """Whether the person wrote on between or below the quoted lines (marked with `>`) that begin here."""
    quoted = False
    for place in range(at, len(lines)):
        bare = lines[place].strip()
        if bare.startswith(">"):
            quoted = True
        elif bare and quoted:
            return not (bare == "--" or _SENT_FROM.match(bare) or _UNDERLINE.match(bare))
        elif bare:
            return False  # a quote without marks: all that follows is part of it
    return False


def _is_head(lines: list[str], at: int) -> bool:
    """From, Sent, To and Subject, one below the other, as Outlook writes them."""
    if not _HEAD_LINE["from"].match(lines[at].strip()[:100]):
        return False
    seen = set()
    for line in lines[at + 1 : at + 8]:
        bare = line.strip()[:100]
        seen |= {name for name in ("sent", "to", "subject") if _HEAD_LINE[name].match(bare)}
    return len(seen) >= 2


def _before_trailing_quote(lines: list[str], end: int) -> int:
    at = end
    while at > 0 and (not lines[at - 1].strip() or lines[at - 1].lstrip().startswith(">")):
        at -= 1
    quoted = any(line.lstrip().startswith(">") for line in lines[at:end])
    return at if quoted else end


def _before_signature(lines: list[str], end: int) -> int:
    for at in range(max(0, end - LONGEST_SIGNATURE - 1), end):
        # the blank behind the mark is lost on the way, and was cut above
        if lines[at] == "--" and at > 0:
            end = at
            break
    kept = end
    while kept > 0 and not lines[kept - 1].strip():
        kept -= 1
    if kept > 1 and _SENT_FROM.match(lines[kept - 1].strip()):
        return kept - 1
    return end
