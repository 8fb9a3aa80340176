"""Small things to move, in the notebooks where moving explains best: drawn in the browser."""

from pathlib import Path

import numpy as np
import traitlets

from .pages import PageWidget

_HERE = Path(__file__).parent
_PARTS = (_HERE / "explorers_parts.js").read_text("utf-8")
# what notebook 02 finds for the 9 that looks like an 8, on MNIST
UNSURE_NINE = (-65.0, -65.2, -55.2, -43.4, -53.6, -39.9, -60.5, -50.1, -30.4, -41.4)


class Explorer(PageWidget):
    """A widget to move things in, without Python."""

    _css = (_HERE / "explorers.css").read_text("utf-8")


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
