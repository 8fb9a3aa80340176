"""Small things to move, in the notebooks where moving explains best: drawn in the browser.

They need no kernel. What a cell displays is a frame that holds a whole page, so it also works in a
saved notebook that is opened again, and in an HTML export. In a box of ipywidgets they are widgets.
"""

import json
from html import escape
from pathlib import Path

import anywidget
import numpy as np
import traitlets

_HERE = Path(__file__).parent
_PARTS = (_HERE / "explorers_parts.js").read_text("utf-8")
# what notebook 02 finds for the 9 that looks like an 8, on MNIST
UNSURE_NINE = (-65.0, -65.2, -55.2, -43.4, -53.6, -39.9, -60.5, -50.1, -30.4, -41.4)

# The page's half of a widget, in place of the kernel's; then, in a frame, what the page around it
# decides: light or dark, which its own colour of text tells. The frame gets the height of its page.
_STAND_IN = """
const traits = %s;
const nothing = () => {};
const model = { get: (name) => traits[name], set: nothing, save_changes: nothing };
widget.render({ model: { ...model, on: nothing, off: nothing }, el: document.body });
const frame = window.frameElement;
if (frame) {
  const root = document.documentElement;
  const follow = () => {
    const { color } = getComputedStyle(frame.parentElement);
    const green = Number(color.match(/[\\d.]+/g)[1]);
    frame.style.colorScheme = root.style.colorScheme = green > 127 ? "dark" : "light";
    document.body.style.color = color;
  };
  const fit = () => (frame.style.height = `${root.offsetHeight}px`);
  follow();
  new MutationObserver(follow).observe(frame.ownerDocument.body, { attributes: true });
  new ResizeObserver(fit).observe(root);
  frame.previousElementSibling.hidden = true;
}
"""


class Explorer(anywidget.AnyWidget):
    """A widget whose browser half needs nothing from Python but its traits at the start."""

    _css = _HERE / "explorers.css"
    title = "Explorer"
    height = 400  # of the frame, in pixels, until its page has told its own

    def page(self):
        """Return the HTML of a page that shows this without a kernel."""
        names = set(self.keys) - set(anywidget.AnyWidget.class_trait_names())
        traits = {name: getattr(self, name) for name in sorted(names) if name[0] != "_"}
        return page(self.title, str(self._esm), str(self._css), traits)

    def _repr_mimebundle_(self, **_):
        """Return a frame, and no view of a widget: JupyterLab would prefer that one, and fail."""
        return {"text/plain": self.title, "text/html": frame(self.page(), self.title, self.height)}


def page(title, module, styles, traits):
    """Return the HTML of a page that shows a widget: its module, its style sheet and its traits."""
    module = module.replace("export default", "const widget =")
    values = json.dumps(traits).replace("</", "<\\/")  # or a text could end the script
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
        '<meta name="viewport" content="width=device-width">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<style>\n{styles}</style>\n"
        f'<body><script type="module">\n{module}{_STAND_IN % values}</script></body>\n</html>\n'
    )


def frame(html, title, height):
    """Return HTML that shows a page within a page, or says how to see it where it is not trusted."""
    return (
        f'<div class="course-frame"><p>{title}: run this cell to see it.</p>'
        f'<iframe title="{title}" srcdoc="{escape(html)}" '
        f'style="width:100%;height:{height}px;border:0;display:block"></iframe></div>'
    )


class SoftmaxExplorer(Explorer):
    """Scores with sliders, their exponentials and their shares; see `softmax_explorer`."""

    _esm = _PARTS + (_HERE / "explorers_softmax.js").read_text("utf-8")
    title = "Softmax, with a slider for each score"
    presets = traitlets.List().tag(sync=True)  # pairs of a name and a list of scores


def softmax_explorer(scores=(2.0, 1.0, 0.0)):
    """Move two to ten scores and a temperature, and see the exponentials and the shares follow.

    Raises ValueError if there are fewer scores or more, or one is beyond -100 to 100.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or not 2 <= len(scores) <= 10 or not (abs(scores) <= 100).all():
        raise ValueError(
            f"scores must be two to ten numbers from -100 to 100, but are {scores.tolist()}"
        )
    given = ", ".join(f"{score:g}" for score in scores).replace("-", "−")
    more = [("five: 3, 2, 1, 0, −1", [3, 2, 1, 0, -1]), ("ten of the unsure 9", [*UNSURE_NINE])]
    return SoftmaxExplorer(presets=[(given, scores.tolist()), *more])


class LearningRateExplorer(Explorer):
    """A ball in a valley, and gradient descent from it; see `learning_rate_explorer`."""

    _esm = _PARTS + (_HERE / "explorers_valley.js").read_text("utf-8")
    title = "Gradient descent in a valley, with a learning rate to move"
    height = 500
    # the learning rate is 10 to the power `place`
    start = traitlets.Dict({"place": -1.52, "start": 2, "steps": 8}).tag(sync=True)


def learning_rate_explorer():
    """Drag a ball in a valley, and move the learning rate and the number of steps from there."""
    return LearningRateExplorer()
