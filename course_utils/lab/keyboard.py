"""Arrow keys for the course's controls, and a focus that is easy to see."""

import anywidget

CLASS = "course-widget"


class ArrowKeys(anywidget.AnyWidget):
    """An invisible helper: put it into a box with the CSS class `CLASS`.

    With the focus on a menu or a slider in a notebook, JupyterLab goes to the next cell on an arrow
    key, unless the element says that it wants its keys. ipywidgets does not say so; this does.
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
