"""What panels of ipywidgets need besides."""

from html import escape

import anywidget
import ipywidgets as widgets


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
      // a click on the line of a slider moves its handle, and leaves the focus where it was
      function take({ target }) {
        const slider = target.closest?.(".course-widget .widget-slider");
        slider?.querySelector('[role="slider"]')?.focus();
      }
      // on the window, since JupyterLab listens on the document
      const listeners = { keydown: keep, pointerup: take };
      for (const name in listeners) window.addEventListener(name, listeners[name], true);
      return () => {
        for (const name in listeners) window.removeEventListener(name, listeners[name], true);
      };
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


class Status(widgets.HTML):
    """What a panel has to say: room for two lines, so that nothing moves when it says it."""

    def __init__(self):
        super().__init__(layout={"flex": "1 1 340px", "height": "36px"})

    def say(self, text):
        """Show a text, which a screen reader speaks."""
        self.value = f'<div role="status" style="line-height: 17px">{escape(text)}</div>'


def close_parts(widget):
    """Close all that a widget is made of, which ipywidgets would hold for ever."""
    parts = [getattr(widget, name, None) for name in ("layout", "style")]
    for part in (*getattr(widget, "children", ()), *filter(None, parts)):
        close_parts(part)
        part.close()
