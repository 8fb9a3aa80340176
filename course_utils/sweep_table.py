"""What a sweep found: one row a run, as a table and as a file that survives a crash."""

import csv
import json
import os
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path

from .weight_files import check_folder, whole_file

_SHOWN = 20  # rows in a notebook
_HIGH_FIRST = ("accuracy", "best_accuracy")


@dataclass(frozen=True)
class SweepRow:
    """One run of a sweep.

    Attributes
    ----------
    setting : dict
        What was tried: options of `Network` and `train`, and ``hidden``.
    seed : int
        Of the first weights and of the order of the images.
    status : {"done", "diverged", "failed"}
    message : str
        Why it diverged or failed; else empty.
    accuracies : list of float
        On the validation images, 0 to 1, after each finished epoch.
    loss : list of float
        The loss curve in at most 200 points: each is the mean of as many iterations; nats.
    seconds : float
        From the first weights to the last accuracy.
    worker : str
        The computer and the process that did it.
    """

    setting: dict
    seed: int
    status: str
    message: str
    accuracies: list
    loss: list = field(repr=False)
    seconds: float
    worker: str = field(repr=False)  # it has the computer's name

    @property
    def accuracy(self):
        """The last validation accuracy; None for a run that was not done."""
        return self.accuracies[-1] if self.status == "done" else None

    @property
    def best_accuracy(self):
        """The best validation accuracy after any epoch, or None."""
        return max(self.accuracies, default=None)

    @property
    def final_loss(self):
        """The last point of the loss curve, or None; nats."""
        return self.loss[-1] if self.loss else None

    def value(self, name):
        """Return what stands in the column `name`; None for an option that was not set."""
        return self.setting[name] if name in self.setting else getattr(self, name, None)


_RESULTS = ("accuracy", "best_accuracy", "final_loss", "seconds", "worker", "status")
_FIELDS = {"seed", *_RESULTS, *SweepRow.__dataclass_fields__}


class SweepTable:
    """The runs of a sweep, one row each, in the order of the grid.

    Parameters
    ----------
    rows : sequence of SweepRow
    n_planned : int
        How many runs the whole sweep has.

    Attributes
    ----------
    rows : list of SweepRow
    n_planned : int
    interrupted : bool
        Whether the sweep was stopped before its end.
    """

    def __init__(self, rows, n_planned, interrupted=False):
        self.rows = list(rows)
        self.n_planned, self.interrupted = n_planned, interrupted

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        return iter(self.rows)

    def __repr__(self):
        return f"SweepTable: {self.summary()}"

    @property
    def options(self):
        """The names of the options that were tried."""
        return list(dict.fromkeys(name for row in self.rows for name in row.setting))

    def summary(self):
        """Return in a line how many runs there are, how they ended, and which was best."""
        counts = dict.fromkeys(("done", "diverged", "failed"), 0)
        for row in self.rows:
            counts[row.status] += 1
        parts = [f"{len(self)} of {self.n_planned} runs"]
        parts += [f"{n} {status}" for status, n in counts.items() if n and status != "done"]
        if counts["done"]:
            best = self.best()
            parts.append(f"best {best.accuracy:.2%} with {describe(best.setting)}")
        return "; ".join(parts)

    def column(self, name):
        """Return the values of one column, an option or a field of `SweepRow`, row by row.

        Raises
        ------
        KeyError
            If there is no such column.
        """
        if self.rows and name not in _FIELDS and name not in self.options:
            raise KeyError(
                f"there is no column {name!r}; there are {', '.join([*self.options, 'seed', *_RESULTS])}"
            )
        return [row.value(name) for row in self.rows]

    def sort(self, by="accuracy"):
        """Return a table with the rows in another order.

        Parameters
        ----------
        by : str
            An option or a field of `SweepRow`. Accuracies come highest first, all else lowest
            first; rows without such a value come last.

        Returns
        -------
        SweepTable
        """
        values = self.column(by)

        def place(k):
            value = values[k] if isinstance(values[k], tuple) else (values[k],)
            if by in _HIGH_FIRST and values[k] is not None:
                value = (-values[k],)
            return (True,) if values[k] is None else (False, value)

        order = sorted(range(len(self)), key=place)
        return SweepTable([self.rows[k] for k in order], self.n_planned, self.interrupted)

    def best(self):
        """Return the row with the highest final validation accuracy; of equals, the first.

        Raises
        ------
        ValueError
            If no run is done.
        """
        done = [row for row in self.rows if row.status == "done"]
        if not done:
            raise ValueError("there is no best run: none is done; look at the rows' messages")
        return max(done, key=lambda row: row.accuracy)

    def to_csv(self, path):
        """Write the table to a CSV file, with the loss curve and the accuracies as JSON lists.

        Parameters
        ----------
        path : path-like

        Raises
        ------
        OSError
            If the file cannot be written; an old file of that name is then still there.
        """
        names = [*self.options, "seed", *_RESULTS, "message", "accuracies", "loss"]
        with whole_file(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            for row in self.rows:
                values = [row.value(name) for name in names]
                writer.writerow([json.dumps(v) if isinstance(v, list) else v for v in values])

    def _repr_html_(self):
        names = [*self.options, "seed", "accuracy", "best epoch", "final loss", "seconds", "worker"]
        head = "".join(f'<th scope="col">{escape(name.replace("_", " "))}</th>' for name in names)
        workers = {worker: k for k, worker in enumerate(dict.fromkeys(self.column("worker")), 1)}
        lines = []
        for row in self.rows[:_SHOWN]:
            cells = [_text(row.value(name)) for name in [*self.options, "seed"]]
            if row.status == "done":
                cells.append(f"{row.accuracy:.2%}")
            else:
                cells.append(f'<span title="{escape(row.message)}">{row.status}</span>')
            cells.append("–" if row.best_accuracy is None else f"{row.best_accuracy:.2%}")
            cells.append("–" if row.final_loss is None else f"{row.final_loss:.3g}")
            cells += [f"{row.seconds:.2f}", str(workers[row.worker])]
            lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        more = len(self) - _SHOWN
        rest = f"<p>… and {more} more rows</p>" if more > 0 else ""
        return (
            f'<table style="font-variant-numeric:tabular-nums"><caption style="text-align:left">'
            f"{escape(self.summary())}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{''.join(lines)}</tbody></table>{rest}"
        )


def describe(setting):
    """Return a setting in words: ``learning_rate 0.1, hidden 20``."""
    return ", ".join(f"{name} {_text(value)}" for name, value in setting.items()) or "all defaults"


def _text(value):
    if isinstance(value, tuple):
        return "-".join(map(str, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    return "–" if value is None else escape(str(value))


def key(setting, seed):
    """Return what tells a run from all others of the same data."""
    return json.dumps([setting, seed], sort_keys=True)


class Checkpoint:
    """A file that gets a line for each run as soon as it is finished, and is only ever added to.

    A line is on the disk before the run counts, so a crash loses no finished run. A last line that
    was cut short by a crash is dropped.

    Parameters
    ----------
    path : path-like
    data : str
        A fingerprint of the images and labels; lines with another one are left alone.

    Raises
    ------
    ValueError
        If the file holds something else than such lines.
    OSError
        If it cannot be read or written, or there is no folder for it.
    """

    _START = b'{"data": "'

    def __init__(self, path, data):
        check_folder(path)
        self.path, self.data = Path(path), data
        content = self.path.read_bytes() if self.path.exists() else b""
        *lines, torn = content.split(b"\n")
        if torn[: len(self._START)] != self._START[: len(torn)]:
            raise self._wrong(len(lines) + 1)
        self.rows = {}
        for number, line in enumerate(lines, 1):
            try:
                fields = json.loads(line)
                of_data = fields.pop("data")
                row = SweepRow(**fields)
            except (ValueError, TypeError, KeyError, AttributeError):
                raise self._wrong(number) from None
            if of_data == data:
                self.rows[key(row.setting, row.seed)] = row
        if torn:
            os.truncate(self.path, len(content) - len(torn))

    def _wrong(self, number):
        return ValueError(
            f"checkpoint must be a new file or one that a sweep has written, but line {number} of "
            f"{self.path} is no run; choose another path"
        )

    def add(self, row):
        """Write a row, and return when it is on the disk."""
        with open(self.path, "ab") as file:
            file.write(json.dumps({"data": self.data, **asdict(row)}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
