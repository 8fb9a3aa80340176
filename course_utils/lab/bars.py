"""Bars of probability as HTML: quick to redraw, sharp at any size, readable in light and dark."""

from html import escape

from ..plotting import MUTED, RIGHT

_CELL = "padding:1px 6px;white-space:nowrap;font-variant-numeric:tabular-nums;"


def bars(rows, alt):
    """Draw rows of (name, share 0–1, number to show) as horizontal bars, and return the HTML.

    The largest share is bold and has a mark; None leaves a bar empty. `alt` says what is shown.
    """
    largest = max((share for _, share, _ in rows if share is not None), default=None)
    lines = []
    for name, share, number in rows:
        wins = share is not None and share == largest
        weight, color, mark = ("bold", RIGHT, "◀") if wins else ("normal", MUTED, "")
        lines.append(
            f'<div style="{_CELL}font-weight:{weight};text-align:right">{escape(name)}</div>'
            '<div style="height:14px;align-self:center;border-left:1px solid;'
            'background:rgba(128,128,128,0.15)">'
            f'<div style="height:100%;width:{100 * (share or 0):.2f}%;background:{color}"></div>'
            "</div>"
            f'<div style="{_CELL}font-weight:{weight}">{escape(number)} {mark}</div>'
        )
    return (
        f'<div role="img" aria-label="{escape(alt)}" style="display:inline-grid;line-height:22px;'
        'grid-template-columns:auto 200px minmax(6em,auto)">' + "".join(lines) + "</div>"
    )
