"""Compare the course with PyTorch, scikit-learn and bare NumPy: ``python benchmarks/compare.py``.

All sides run in one process, in turns: one round of each, then the next round, so that what else
the computer does falls on all alike. README.md in this folder says what is compared and how.
"""

import argparse
import gc
import gzip
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import scikit_side
import sides

from course_utils import Network, data_path, load_mnist

try:
    import torch_side
except ImportError:
    torch_side = None

HERE = Path(__file__).resolve().parent
HIDDEN, BATCHES = (20, 50, 128, 512), (1, 10, 32, 100, 256, 1000)
ROWS = ("epoch", "article", "goal", "inference", "loading", "import", "memory", "growth")
FLOORS = {"products": sides.Products, "products (@)": sides.PlainProducts}
FILES = {"course": "sides", "torch": "torch_side", "scikit-learn": "scikit_side"}


def main():
    """Run the rows that are asked for, print them, and save them."""
    options = arguments()
    work = Work(quick=options.quick)
    print(f"{work.environment['machine']}\n{work.digits!r}")
    if "torch" not in work.sides:
        print("PyTorch is not installed, so it is left out: python -m pip install torch==2.13.0")
    complete = options.rows == list(ROWS) and not options.quick
    options.results.mkdir(parents=True, exist_ok=True)
    path = options.results / ("comparison" if complete else "part")
    rows = []
    for name in options.rows:
        for row in getattr(work, f"{name}_rows")():
            rows.append(row)
            print(as_line(row), flush=True)
        # saved after each kind of row, so that an error in a later one costs nothing
        result = {"environment": work.environment, "rounds": work.rounds, "rows": rows}
        path.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    draw(rows, path.with_suffix(".png"))


def arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few images and one round, as a test")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), help="only these")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="a folder")
    return parser.parse_args()


class Work:
    """The rows of the comparison. A row is a dict; `times` holds one list of seconds a side."""

    def __init__(self, *, quick):
        self.quick, self.rounds = quick, 1 if quick else 5
        self.digits = load_mnist()
        (self.X, self.y), (self.X_test, self.y_test) = self.digits
        self.sides = {"course": sides.Course, "scikit-learn": scikit_side.ScikitLearn}
        if torch_side:
            self.sides["torch"] = torch_side.Torch
        self.environment = environment(self.digits)

    def some(self, images):
        """Return so many images, or few in a quick run."""
        return min(images, 200 if self.quick else images, len(self.X))

    def epoch_rows(self):
        """Train for one epoch: 784-20-10 on all images, larger networks on fewer."""
        cells = [(hidden, batch) for hidden in HIDDEN for batch in BATCHES]
        for hidden, batch in [(20, 10), (50, 100)] if self.quick else cells:
            wanted = len(self.X) if hidden == 20 else {1: 1_000, 10: 6_000}.get(batch, 12_000)
            n = self.some(wanted)
            row = f"epoch of 784-{hidden}-10, batch {batch}"
            classes = self.sides | FLOORS
            yield self.epochs(row, hidden, batch, self.X[:n], self.y[:n], classes)

    def epochs(self, name, hidden, batch, X, y, classes, **labels):
        """Return the row of one epoch on `X`, `y`."""
        options = {"batch_size": batch, "learning_rate": 0.01 if batch == 1 else 0.1}
        made = {side: cls([784, hidden, 10], X, y, **options) for side, cls in classes.items()}
        return self.compare(name, made, hidden=hidden, batch=batch, images=len(X), **labels)

    def compare(self, name, made, **labels):
        """Tune each side, then measure an epoch of each, in turns."""
        for side in made.values():
            side.tune()
        times, accuracies = {side: [] for side in made}, {side: [] for side in made}
        for seed in range(self.rounds):
            for name_of_side, side in in_turn(made, seed):
                gc.collect()
                times[name_of_side].append(side.epoch(seed))
                accuracies[name_of_side].append(side.accuracy(self.X_test, self.y_test))
        accuracy = {
            side: statistics.median(values)
            for side, values in accuracies.items()
            if None not in values
        }
        ways = {name_of_side: side.way for name_of_side, side in made.items()}
        return summary(name, times, accuracy=accuracy, ways=ways, **labels)

    def article_rows(self):
        """Measure 20,000 of the article's 300,000 iterations, which all cost the same."""
        n = self.some(20_000)
        made = {
            "course": sides.ArticleCourse,
            "article's loop": sides.ArticleLoop,
        }
        options = {"batch_size": 1, "learning_rate": 0.001}
        made = {
            side: cls([784, 20, 10], self.X[:n], self.y[:n], **options)
            for side, cls in made.items()
        }
        yield self.compare(f"article's recipe, {n:,} iterations", made, images=n)

    def course_and_torch(self):
        """Return the two sides that do exactly the same."""
        return {side: cls for side, cls in self.sides.items() if side != "scikit-learn"}

    def goal_rows(self):
        """Train until 97 % and 98 % of the test images are right, asking after each epoch."""
        goals, epochs, n = (0.97, 0.98), 15, len(self.X)
        if self.quick:
            goals, epochs, n = (0.2, 0.3), 15, self.some(200)
        options = {"batch_size": 64, "learning_rate": 0.05, "momentum": 0.9}
        made = {
            side: cls([784, 128, 10], self.X[:n], self.y[:n], **options)
            for side, cls in self.course_and_torch().items()
        }
        for side in made.values():
            side.tune()
        times = {goal: {side: [] for side in made} for goal in goals}
        for seed in range(self.rounds):
            for name, side in in_turn(made, seed):
                gc.collect()
                reached = side.until(seed, self.X_test, self.y_test, goals, epochs)
                for goal, seconds in reached.items():
                    times[goal][name].append(seconds)
        ways = {name: side.way for name, side in made.items()}
        for goal in goals:
            counts = {name: len(seconds) for name, seconds in times[goal].items()}
            measured = {name: seconds for name, seconds in times[goal].items() if seconds}
            yield summary(f"time to {goal:.0%}", measured, ways=ways, images=n, reached=counts)

    def inference_rows(self):
        """Ask two networks for the labels of all test images."""
        n = self.some(len(self.X_test))
        X, y = np.ascontiguousarray(self.X_test[:n]), self.y_test[:n]
        for network in (Network([784, 20, 10]), Network.load(data_path("sample_weights.npz"))):
            ways = {
                "course": network.predict,  # as learners call it, with the cores that NumPy takes
                "per-image loop": lambda X, network=network: sides.one_by_one(network, X),
                "scikit-learn": quickest(scikit_side.predictor, network, X),
            }
            if torch_side:
                ways["torch"] = quickest(torch_side.predictor, network, X)
            times, accuracy = {side: [] for side in ways}, {}
            for seed in range(self.rounds):
                for side, ask in in_turn(ways, seed):
                    repeats = 1 if side == "per-image loop" or self.quick else 10
                    ask(X[:100])
                    with sides.stopwatch() as seconds:
                        for _ in range(repeats):
                            labels = ask(X)
                    times[side].append(seconds[0] / repeats)
                    accuracy[side] = float((labels == y).mean())
            sizes = "-".join(map(str, network.layer_sizes))
            yield summary(f"{sizes} reads {n:,} images", times, accuracy=accuracy)

    def loading_rows(self):
        """Load the four `.gz` files; only decompress and divide; only decompress."""
        files = self.digits.files
        if any(path.suffix != ".gz" for path in files.values()):
            print("The files of the digits are not gzipped here, so loading is left out.")
            return
        ways = {
            "course": lambda: load_mnist(
                source=self.digits.source if self.digits.source != "other" else "auto"
            ),
            "decompress and divide": lambda: [convert(name, p) for name, p in files.items()],
            "decompress": lambda: [gzip.decompress(p.read_bytes()) for p in files.values()],
        }
        yield self.time_calls("loading", ways)

    def import_rows(self):
        """Import, in a new process each time."""
        code = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"
        imports = {
            "numpy": "import numpy",
            "course": "import course_utils",
            "course, in use": "from course_utils import Network, load_mnist, train",
            "scikit-learn": "import sklearn.neural_network",
        }
        if torch_side:
            imports["torch"] = "import torch"

        def importer(line):
            return lambda: float(run_python("-c", code.format(line)))

        ways = {side: importer(line) for side, line in imports.items()}
        yield self.time_calls("import", ways, measured_inside=True)

    def time_calls(self, name, ways, *, measured_inside=False):
        """Call each of the functions once to warm up, then in turns."""
        for call in ways.values():
            call()
        times = {side: [] for side in ways}
        for seed in range(self.rounds):
            for side, call in in_turn(ways, seed):
                gc.collect()
                with sides.stopwatch() as seconds:
                    inside = call()
                times[side].append(inside if measured_inside else seconds[0])
        return summary(name, times)

    def memory_rows(self):
        """Load, train one epoch of 784-20-10 and read the test images, in a process each."""
        peaks = {}
        for side, cls in self.sides.items():
            peak = run_python(str(HERE / "peak_memory.py"), FILES[side], cls.__name__).split()[-1]
            if peak != "unknown":
                peaks[side] = [float(peak)]
        yield summary("peak memory (MB)", peaks, unit="MB")

    def growth_rows(self):
        """Train for one epoch on 6,000 to 600,000 images, and with 10 to 1,000 hidden units."""
        both = self.course_and_torch()
        for n in (100, 1000) if self.quick else (6_000, 60_000, 600_000):
            copies = -(-n // len(self.X))
            X = np.tile(self.X, (copies, 1))[:n] if copies > 1 else self.X[:n]
            y = np.tile(self.y, copies)[:n]
            yield self.epochs(f"{n:,} images, 784-20-10", 20, 100, X, y, both, grows="images")
        n = self.some(20_000)
        for hidden in (10, 30) if self.quick else (10, 30, 100, 300, 1000):
            X, y, name = self.X[:n], self.y[:n], f"{hidden:,} hidden units, {n:,} images"
            yield self.epochs(name, hidden, 100, X, y, both, grows="hidden")


def in_turn(items, seed):
    """Return the items of a dict, beginning with another one in each round."""
    items = list(items.items())
    first = seed % len(items)
    return items[first:] + items[:first]


def quickest(predictor, network, X):
    """Return the predictor of a peer with one core or with all, whichever takes less time."""
    took = {}
    for ask in [predictor(network, cores) for cores in sides.SOME_OR_ALL]:
        ask(X)
        with sides.stopwatch() as seconds:
            ask(X)
        took[ask] = seconds[0]
    return min(took, key=took.get)


def convert(name, path):
    """Decompress one file, and turn it into the array that `load_mnist` gives."""
    data = gzip.decompress(path.read_bytes())
    if "labels" in name:
        return np.frombuffer(data, np.uint8, offset=8).astype(np.int64)
    pixels = np.frombuffer(data, np.uint8, offset=16).reshape(-1, 784)
    return np.divide(pixels, np.float32(255), dtype=np.float32)


def run_python(*arguments):
    """Run this Python once more, and return what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments], check=True, capture_output=True, text=True, encoding="utf-8"
    )
    return done.stdout.strip()


def summary(name, times, *, unit="s", **more):
    """Return a row: all measurements, their medians and spreads, and ratios to the course."""
    medians = {side: statistics.median(values) for side, values in times.items()}
    spreads = {side: [min(values), max(values)] for side, values in times.items()}
    ours = medians.get("course")
    ratios = {side: value / ours for side, value in medians.items() if ours and side != "course"}
    measured = {"medians": medians, "spreads": spreads, "ratios": ratios, "times": times}
    return {"name": name, "unit": unit} | measured | more


def as_line(row):
    """Return a row as text: median, spread, ratio to the course, and accuracy of each side."""
    lines = [row["name"]]
    for side, median in row["medians"].items():
        low, high = row["spreads"][side]
        line = f"    {side:22}{median:10.4g} {row['unit']:2}  ({low:.4g} to {high:.4g})"
        if side in row["ratios"]:
            line += f"  {row['ratios'][side]:6.2f} x the course"
        if side in row.get("accuracy", {}):
            line += f"  {row['accuracy'][side]:.2%} right"
        if row.get("ways", {}).get(side) is not None:
            line += f"  {row['ways'][side]}"
        lines.append(line)
    return "\n".join(lines)


def environment(digits):
    """Return versions, cores and BLAS."""
    import sklearn

    libraries = sorted(
        {
            f"{lib['internal_api']} {lib['version']} ({lib.get('architecture', '')})"
            for lib in sides.blas().info()
            if lib["user_api"] == "blas"
        }
    )
    versions = {"Python": platform.python_version(), "numpy": np.__version__}
    versions |= {"scikit-learn": sklearn.__version__}
    if torch_side:
        versions["torch"] = torch_side.torch.__version__
    words = ", ".join(f"{name} {version}" for name, version in versions.items())
    machine = f"{words}; {sides.CORES} cores; {', '.join(libraries)}; {processor()}"
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "machine": machine,
        "versions": versions,
        "cores": sides.CORES,
        "blas": libraries,
        "processor": processor(),
        "system": platform.system(),
        "load before": load,
        "digits": digits.source,
    }


def processor():
    """Return what this computer calls its processor."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def draw(rows, path):
    """Draw the rows that have a picture: the grid of epochs, and how the epoch time grows."""
    from matplotlib import pyplot as plt

    plt.style.use("course_utils.course")
    figure, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    grid = [row for row in rows if row["name"].startswith("epoch of")]
    for ax, peer in zip(axes[0], ("torch", "scikit-learn"), strict=True):
        drawn = [row for row in grid if peer in row["ratios"]]
        if drawn:
            draw_grid(ax, drawn, peer)
    for ax, key in zip(axes[1], ("images", "hidden"), strict=True):
        drawn = [row for row in rows if row.get("grows") == key]
        if drawn:
            draw_growth(ax, drawn, key)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_grid(ax, rows, peer):
    """Draw how many times as long a peer takes, against the batch size: a line for each width."""
    for hidden, marker in zip(sorted({row["hidden"] for row in rows}), "os^D", strict=False):
        line = sorted(
            (row["batch"], row["ratios"][peer]) for row in rows if row["hidden"] == hidden
        )
        ax.plot(*zip(*line, strict=True), f"{marker}-", label=f"{hidden} hidden units")
    ax.axhline(1, color="#555555", linewidth=1)
    ticks = [0.5, 1, 2, 5]
    ax.set(xscale="log", yscale="log", ylim=(0.5, 6), xlabel="batch size", ylabel="times as long")
    ax.set_yticks(ticks, ticks)
    ax.set_yticks([], minor=True)
    ax.set_title(f"{peer}: above 1 the course is quicker")
    ax.legend()


def draw_growth(ax, rows, key):
    """Draw the epoch time against the number of images or of hidden units."""
    for side, marker in (("course", "o-"), ("torch", "s--")):
        there = [row for row in rows if side in row["medians"]]
        ax.plot([r[key] for r in there], [r["medians"][side] for r in there], marker, label=side)
    units = {"images": "images", "hidden": "hidden units"}[key]
    ax.set(title=f"Epoch time grows with the {units}", xlabel=units, ylabel="seconds")
    ax.set(xscale="log", yscale="log")
    ax.legend()


if __name__ == "__main__":
    start = time.perf_counter()
    main()
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)
