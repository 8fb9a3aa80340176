"""All that can be set in the playground, and the knobs for it."""

from dataclasses import asdict, dataclass

import ipywidgets as widgets


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
        names = ("epochs", "batch_size", "learning_rate", "momentum", "l2")
        return {name: getattr(self, name) for name in names}

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
        call = f"(network, X_train{part}, y_train{part}{options}, rng={self.seed}"
        kind = f"{[784, *self.hidden, 10]}, activation={self.activation!r}, init={self.init!r}"
        made = f"network = Network({kind}, rng={self.seed})\n"
        if n_iterations is None:
            head = "from course_utils import Network, train\n\n"
            return f"{head}{made}history = train{call}, validation=(X_test, y_test))"
        head = "from itertools import islice\nfrom course_utils import Network, sgd\n\n"
        steps = f"islice(sgd{call}), {n_iterations})"
        return f"{head}{made}losses = [step.loss for step in {steps}]"


def make_knobs(n_train):
    """Return the controls by the names of `Settings`, the hidden layers in two."""

    def series(first, last, kind=float):
        return [kind(float(f"{m}e{e}")) for e in range(first, last) for m in (1, 2, 5)]

    names = ["he: √(2 / n_in)", "xavier: √(2 / (n_in + n_out))", "normal: N(0, 1)"]
    sizes = [*(size for size in series(2, 7, int) if size < n_train), n_train]
    new = asdict(Settings()) | {"hidden_layers": 1, "units": 20, "n_images": n_train}
    look = {"style": {"description_width": "96px"}, "layout": {"width": "auto"}}
    knobs = {}
    for name, description, values in (
        ("hidden_layers", "Hidden layers", range(4)),
        ("units", "Units in each", [2, 5, 10, 20, 50, 100, 200]),
        ("activation", "Activation", ["relu", "sigmoid"]),
        ("init", "First weights", [(name, name.split(":")[0]) for name in names]),
        ("learning_rate", "Learning rate", [*series(-4, 2), 100.0]),
        ("batch_size", "Batch size", sorted([*series(0, 3, int), 32, 1000])),
        ("epochs", "Epochs", range(1, 31)),
        ("momentum", "Momentum", [k / 20 for k in range(20)]),
        ("l2", "L2", [0.0, 1e-5, 1e-4, 0.001, 0.01, 0.1]),
        ("n_images", "Images", sizes),
        ("seed", "Seed", range(10)),
    ):
        about = {"description": description, "value": new[name], **look}
        if name in ("activation", "init"):
            knobs[name] = widgets.Dropdown(options=values, **about)
        else:
            about |= {"options": [(f"{v:,g}", v) for v in values], "continuous_update": False}
            knobs[name] = widgets.SelectionSlider(**about)
    return knobs


def read_knobs(knobs):
    """Return what the knobs say, as `Settings`."""
    values = {name: knob.value for name, knob in knobs.items()}
    hidden = (values.pop("units"),) * values.pop("hidden_layers")
    if values["n_images"] == knobs["n_images"].options[-1][1]:
        values["n_images"] = None
    return Settings(hidden, **values)
