"""Parts that several of the lab's tools are made of."""

from html import escape

import anywidget
import traitlets

from ..plotting import MUTED, RIGHT

_CELL = "padding:1px 6px;white-space:nowrap;font-variant-numeric:tabular-nums;"


class ArrowKeys(anywidget.AnyWidget):
    """An invisible helper: put it into a box with the CSS class "course-widget".

    JupyterLab goes to the next cell on an arrow key, even with the focus on a menu or a slider,
    unless that says that it wants its keys. ipywidgets does not say so; this does.
    """

    _esm = """
    function render({ el }) {
      el.style.display = "none";
      function keep({ key, target }) {
        if (target.closest?.(".course-widget")) {
          target.toggleAttribute("data-lm-suppress-shortcuts", key?.startsWith("Arrow"));
        }
      }
      // on the window, since JupyterLab listens on the document
      window.addEventListener("keydown", keep, true);
      return () => window.removeEventListener("keydown", keep, true);
    }
    export default { render };
    """
    # "important", since ipywidgets has a "none" that is
    _css = """
    .course-widget :is(button, select, input, [role="slider"]):focus-visible {
      outline: 3px solid #e69f00 !important;
      outline-offset: 1px;
    }
    """


class LiveImage(anywidget.AnyWidget):
    """A PNG, `value`, that changes often; with alt text, which ``ipywidgets.Image`` does not have.

    `width` and `height` are pixels on the screen, fixed, so that nothing on the page moves.
    """

    _esm = """
    function render({ model, el }) {
        const image = document.createElement("img");
        for (const name of ["alt", "width", "height"]) image[name] = model.get(name);
        image.style.background = "white";
        let url;
        function update() {
            const last = url;
            url = URL.createObjectURL(new Blob([model.get("value")], { type: "image/png" }));
            image.src = url; // the browser shows the last picture until this one is there
            if (last) URL.revokeObjectURL(last);
        }
        update();
        model.on("change:value", update);
        el.append(image);
        return () => URL.revokeObjectURL(url);
    }
    export default { render };
    """
    value = traitlets.Bytes().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    width = traitlets.Int().tag(sync=True)
    height = traitlets.Int().tag(sync=True)


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
