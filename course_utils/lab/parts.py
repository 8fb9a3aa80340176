"""What panels of ipywidgets need besides."""

import anywidget


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


def close_parts(widget):
    """Close all that a widget is made of, which ipywidgets would hold for ever."""
    parts = [getattr(widget, name, None) for name in ("layout", "style")]
    for part in (*getattr(widget, "children", ()), *filter(None, parts)):
        close_parts(part)
        part.close()
