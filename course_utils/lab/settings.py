"""All that can be set in the playground, and the knobs for it."""

from dataclasses import asdict, dataclass

import ipywidgets as widgets

from .. import _checks
from ..training import sgd


@dataclass(frozen=True)
class Settings:
    """All that decides what a run comes to; the same settings give the same weights."""

    hidden: tuple = (20,)  # units in each hidden layer
    activation: str = "relu"
    init: str = "he"
    learning_rate: float = 0.1
    batch_size: int = 32
    epochs: int = 5
    momentum: float = 0.0
    l2: float = 0.0
    n_images: int | None = None  # to train on, from the first; None for all
    seed: int = 0

    @property
    def of_training(self):
        """The options of `sgd`, but for the seed."""
        values = asdict(self)
        return {name: values[name] for name in _checks.options_of(sgd) if name in values}

    @property
    def changes(self):
        """What is not as in a new panel, in a few words."""
        short = {"learning_rate": "rate", "batch_size": "batch", "n_images": "images", "l2": "L2"}
        values = asdict(self) | {"hidden": "×".join(map(str, self.hidden)) or "none"}
        changed = [n for n, new in asdict(Settings()).items() if getattr(self, n) != new]
        return ", ".join(f"{short.get(n, n)} {values[n]}" for n in changed) or "as at first"

    def code(self, n_iterations=None):
        """Return the lines of Python that repeat a run: the whole of it, or so many iterations."""
        part = "" if self.n_images is None else f"[:{self.n_images}]"
        options = "".join(f", {name}={value!r}" for name, value in self.of_training.items())
        network = f"{[784, *self.hidden, 10]}, activation={self.activation!r}, init={self.init!r}"
        lines = ["", f"network = Network({network}, rng={self.seed})"]
        call = f"(network, X_train{part}, y_train{part}{options}, rng={self.seed}"
        if n_iterations is None:
            lines.insert(0, "from course_utils import Network, train")
            lines.append(f"history = train{call}, validation=(X_test, y_test))")
        else:
            lines.insert(0, "from itertools import islice\nfrom course_utils import Network, sgd")
            lines.append(f"steps = sgd{call})")
            lines.append(f"losses = [step.loss for step in islice(steps, {n_iterations})]")
        return "\n".join(lines)


def make_knobs(n_train):
    """Return the controls by the names of `Settings`, the hidden layers in two."""

    def series(first, last):
        return [float(f"{m}e{e}") for e in range(first, last) for m in (1, 2, 5)]

    new = Settings()
    inits = {"he: √(2 / n_in)": "he", "xavier: √(2 / (n_in + n_out))": "xavier"}
    inits["normal: N(0, 1)"] = "normal"
    sizes = [int(n) for n in series(2, 7) if n < n_train] + [n_train]
    knobs = {}
    for name, description, values, value in (
        ("hidden_layers", "Hidden layers", range(4), len(new.hidden)),
        ("units", "Units in each", [2, 5, 10, 20, 50, 100, 200], *new.hidden),
        ("activation", "Activation", {"relu": "relu", "sigmoid": "sigmoid"}, new.activation),
        ("init", "First weights", inits, new.init),
        ("learning_rate", "Learning rate", [*series(-4, 2), 100.0], new.learning_rate),
        ("batch_size", "Batch size", sorted([*map(int, series(0, 3)), 32, 1000]), new.batch_size),
        ("epochs", "Epochs", range(1, 31), new.epochs),
        ("momentum", "Momentum", [k / 20 for k in range(20)], new.momentum),
        ("l2", "L2", [0.0, 1e-5, 1e-4, 0.001, 0.01, 0.1], new.l2),
        ("n_images", "Images", sizes, n_train),
        ("seed", "Seed", range(10), new.seed),
    ):
        look = {"style": {"description_width": "96px"}, "layout": {"width": "auto"}}
        if isinstance(values, dict):
            knob = widgets.Dropdown(options=values, value=value, description=description, **look)
        else:
            options = [(f"{v:,g}", v) for v in values]
            more = {"options": options, "value": value, "continuous_update": False}
            knob = widgets.SelectionSlider(description=description, **more, **look)
        knobs[name] = knob
    return knobs


def read_knobs(knobs):
    """Return what the knobs say, as `Settings`."""
    values = {name: knob.value for name, knob in knobs.items()}
    hidden = (values.pop("units"),) * values.pop("hidden_layers")
    if values["n_images"] == knobs["n_images"].options[-1][1]:
        values["n_images"] = None
    return Settings(hidden, **values)
