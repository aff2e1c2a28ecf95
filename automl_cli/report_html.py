"""A report as one HTML file that carries its pictures: it can be mailed, and needs no network."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem; }
h1, h2, h3 { font-weight: 600; } h3 { margin: 2rem 0 0; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #e6e6e6; text-align: right;
         white-space: nowrap; }
.name { text-align: left; }
img { max-width: 100%; } .note { color: #777; }
"""


def png(figure: Figure) -> bytes:
    """A figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    title: str = "",
    note: str = "",
    names: int = 1,
) -> str:
    """An HTML table of texts, with a title above and a note below it.

    Args:
        names: so many columns are names, the others figures.
    """

    def line(cells: Sequence[str], tag: str) -> str:
        parts = [
            f"<{tag}{' class=name' * (place < names)}>{html.escape(cell)}</{tag}>"
            for place, cell in enumerate(cells)
        ]
        return f"<tr>{''.join(parts)}</tr>"

    above = f"<h3>{html.escape(title)}</h3>" * bool(title)
    below = f'<p class="note">{html.escape(note)}</p>' * bool(note)
    body = f"{line(head, 'th')}{''.join(line(r, 'td') for r in rows)}"
    return f"{above}<table>{body}</table>{below}"


def page(title: str, summary: str, sections: Mapping[str, Mapping[str, bytes]]) -> str:
    """The whole page: a summary, then a section of named pictures (PNG) per name."""
    parts = [f"<h1>{html.escape(title)}</h1>", summary]
    for name, pictures in sections.items():
        parts.append(f"<h2>{html.escape(name)}</h2>")
        for what, picture in pictures.items():
            text, data = html.escape(f"{name}: {what}"), base64.b64encode(picture).decode()
            parts.append(f'<p><img alt="{text}" src="data:image/png;base64,{data}"></p>')
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )
