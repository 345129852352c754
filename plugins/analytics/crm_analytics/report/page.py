"""The page: everything in one file, which asks for nothing from anywhere."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).parent / "vendor"
SCRIPTS = ("vega.min.js", "vega-lite.min.js", "vega-embed.min.js")

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1d2430; background: #f4f5f7; margin: 0; }
header, main, footer { max-width: 78rem; margin: 0 auto; padding: 1.2rem; }
header h1 { margin: 0; font-size: 1.7rem; } header p, footer { color: #5a6474; margin: .2rem 0; }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(34rem, 100%), 1fr)); gap: 1.2rem; }
section { background: #fff; border-radius: .6rem; padding: 1rem 1.2rem; min-width: 0; }
section { box-shadow: 0 1px 3px #0002; }
section h2 { font-size: 1.15rem; margin: 0 0 .2rem; } section p { margin: .2rem 0 .8rem; color: #5a6474; }
.figures { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: 1rem 2.4rem; }
.figures div { min-width: 9rem; } .figures b { display: block; font-size: 1.6rem; }
.picture { width: 100%; } table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #e3e6ea; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.none { font-style: italic; } @media print { body { background: #fff; } section { break-inside: avoid; } }
"""
_DRAW = """
for (const place of document.querySelectorAll(".picture")) {
  const spec = JSON.parse(document.getElementById(place.dataset.spec).textContent);
  const actions = {export: true, source: false, compiled: false, editor: false};
  vegaEmbed(place, spec, {renderer: "svg", actions})
    .catch(error => { place.textContent = String(error); place.dataset.failed = "1"; });
}
"""


@dataclass(frozen=True)
class Figure:
    """A number at the top; `value` is as it is shown."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """`spec` is a Vega-Lite specification; None where there is nothing to draw, and `note` says why."""

    title: str
    note: str
    spec: Mapping[str, Any] | None


@dataclass(frozen=True)
class Table:
    """`numbers` are the columns that hold numbers, by their places."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    numbers: Sequence[int] = ()


def page(title: str, at: datetime, figures: Sequence[Figure], parts: Sequence[Picture | Table]) -> str:
    """The whole file. `at` is when its figures were read."""
    sections = [_figures(figures)] if figures else []
    specs: list[str] = []
    for number, part in enumerate(parts):
        sections.append(_picture(part, number, specs) if isinstance(part, Picture) else _table(part))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="icon" href="data:,"><style>{_STYLE}</style></head><body>'
        f"<header><h1>{escape(title)}</h1><p>Read on {at:%Y-%m-%d} at {at:%H:%M} UTC.</p></header>"
        f"<main>{''.join(sections)}</main>"
        "<footer><p>Drawn with Vega, Vega-Lite and Vega-Embed; the licences end this file.</p>"
        f"</footer>{''.join(specs)}{''.join(f'<script>{_script(name)}</script>' for name in SCRIPTS)}"
        f"<script>{_DRAW}</script><!--\n{_licences()}\n--></body></html>\n"
    )


def _figures(figures: Sequence[Figure]) -> str:
    each = "".join(
        f"<div><span>{escape(one.name)}</span><b>{escape(one.value)}</b><small>{escape(one.note)}</small></div>"
        for one in figures
    )
    return f'<section class="figures">{each}</section>'


def _picture(part: Picture, number: int, specs: list[str]) -> str:
    if part.spec is None:
        return _section(part.title, f'<p class="none">{escape(part.note)}</p>')
    name = f"spec-{number}"
    specs.append(f'<script type="application/json" id="{name}">{_json(part.spec)}</script>')
    drawn = f'<div class="picture" data-spec="{name}" role="img" aria-label="{escape(part.title)}"></div>'
    return _section(part.title, f"<p>{escape(part.note)}</p>{drawn}")


def _table(part: Table) -> str:
    if not part.rows:
        return _section(part.title, f'<p class="none">{escape(part.note)}</p>')

    def cells(tag: str, values: Sequence[object]) -> str:
        return "".join(
            f"<{tag}{' class=number' if place in part.numbers else ''}>{escape(str(value))}</{tag}>"
            for place, value in enumerate(values)
        )

    rows = "".join(f"<tr>{cells('td', row)}</tr>" for row in part.rows)
    head = f"<thead><tr>{cells('th', part.columns)}</tr></thead>"
    return _section(part.title, f"<p>{escape(part.note)}</p><table>{head}<tbody>{rows}</tbody></table>")


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _json(spec: Mapping[str, Any]) -> str:
    """As a script element may hold it: what is in it can neither end the element nor begin a comment."""
    return json.dumps(spec).replace("<", "\\u003c")


@cache
def _script(name: str) -> str:
    text = (VENDOR / name).read_text()
    if "</script" in text.lower() or "<!--" in text:
        raise ValueError(f"{name} cannot stand in a page: it holds the end of a script")
    return text


@cache
def _licences() -> str:
    return (VENDOR / "LICENSES.txt").read_text().replace("--", "- -")
