"""Many trainings at once: a grid of settings in, a table of results out."""

import hashlib
import itertools
import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from .. import _checks, _files
from .._cores import blas_cores
from ..network import Network
from ..training import DivergenceError, sgd
from .pools import Cluster, Processes, n_cores

N_CLASSES = 10
N_POINTS = 200  # of a loss curve
OPTIONS = {"hidden": 20, **_checks.options_of(Network, sgd)}  # with what they are if left out
NUMBERS = ("accuracy", "best_accuracy", "final_loss", "seconds")
RESULTS = (*NUMBERS, "worker", "status", "message", "accuracies", "loss")
LOST = "its worker died (was it killed, or out of memory?), or it could not be sent to one: {}: {}"


def sweep(
    grid, X, y, *, validation, repeats=1, n_jobs=None, client=None, progress=True, checkpoint=None
):
    """Train a network for each setting of a grid, many at once, and return a table of the results.

    The stop button (Ctrl-C) ends the sweep, and so does a cluster without any worker: what has
    finished is returned. A run that diverges, fails or kills its worker is a row that says so.

    Parameters
    ----------
    grid : dict of lists, or list of dicts
        ``{"hidden": [20, 50], "l2": [0, 0.01]}`` stands for every combination, four settings; a
        list of dicts for these settings alone. The keys are the options of `Network` and `train`,
        and ``hidden``: units in the hidden layer, a tuple of several layers, or 0 for none.
    X, y : ndarray, shapes (n, n_in) and (n,)
        Images to train on, pixels 0–1, and their labels, 0–9.
    validation : tuple of (X, y)
        Images and labels to choose by. Not the test set: keep that for the end.
    repeats : int
        How many seeds each setting is tried with: 0, 1, 2, … A row is what
        ``train(Network(…, rng=seed), X, y, …, rng=seed)`` comes to, on however many workers.
    n_jobs : int, optional
        Processes on this computer; one a core if left out.
    client : distributed.Client, optional
        Of a Dask cluster: its workers then do the runs.
    progress : bool
        Whether to show a bar with the best accuracy so far.
    checkpoint : path-like, optional
        A file that keeps each finished run; the same call later goes on from there.

    Returns
    -------
    pandas.DataFrame
        A row a run, in the order of the grid: the options that were tried, seed, accuracy and
        best_accuracy (on the validation images, after the last and the best epoch), final_loss,
        seconds, worker, status ("done", "diverged" or "failed"), message, accuracies (after each
        epoch), and loss, in at most 200 points.

    Raises
    ------
    ValueError, FileNotFoundError
        At once, if something is not as described, or the checkpoint has no folder.
    TimeoutError
        If the cluster has no worker for ten seconds, and nothing has finished.

    Examples
    --------
    >>> X, y = np.random.default_rng(0).random((40, 4)), np.arange(40) % 2
    >>> table = sweep({"hidden": [2, 3]}, X, y, validation=(X, y), n_jobs=1, progress=False)
    >>> table[["hidden", "seed", "status"]]
       hidden  seed status
    0       2     0   done
    1       3     0   done
    """
    search = Search(grid, X, y, validation, repeats, n_jobs, client, checkpoint)
    total, done = len(search.planned), len(search.rows)
    bar = tqdm(total=total, initial=done, file=sys.stdout, disable=not progress, unit="run")
    ended_by = None
    with bar, closing(search.results()) as results:
        try:
            for _ in results:
                if search.best:
                    bar.set_postfix(best=f"{search.best['accuracy']:.2%}", refresh=False)
                bar.update()
        except KeyboardInterrupt:
            ended_by = "Interrupted"
        except OSError as error:  # a cluster without a worker (TimeoutError) or a scheduler
            if not search.rows:
                raise
            ended_by = f"{type(error).__name__}: {error}"
    if ended_by:
        later = "the same call goes on from here" if search.checkpoint else "the others are not"
        n = f"{len(search.rows)} of {total} runs"
        print(f"{ended_by}: {n} have finished and are in the table; {later}.")
    return search.table()


class Search:
    """A sweep under way: `planned` are its runs, and `rows` those that have finished, by a key.

    `options` are the names of what is tried, `best` is the row with the highest accuracy, or None.
    """

    def __init__(
        self, grid, X, y, validation, repeats=1, n_jobs=None, client=None, checkpoint=None
    ):
        self.n_jobs, self.client = n_cores() if n_jobs is None else n_jobs, client
        _checks.whole_number("repeats", repeats)
        _checks.whole_number("n_jobs", self.n_jobs)
        settings = _settings(grid)
        self.options = list(dict.fromkeys(name for setting in settings for name in setting))
        wide = any(setting.get("dtype") == "float64" for setting in settings)
        n_in = np.shape(X)[-1] if np.ndim(X) else 1
        network = Network([n_in, N_CLASSES], dtype="float64" if wide else "float32")
        self.data = *_checks.examples(network, X, y), *_checks.validation(network, validation)
        runs = [(setting, seed) for setting in settings for seed in range(repeats)]
        self.planned = {_key(OPTIONS | setting, seed): (setting, seed) for setting, seed in runs}
        self.rows, self.best, self.checkpoint = {}, None, None
        if checkpoint is not None:
            self.checkpoint = Checkpoint(checkpoint, self.data)
            for name, result in self.checkpoint.results.items():
                if name in self.planned:
                    self._add(name, result)

    def results(self):
        """Do the runs that are left, and yield each row as it is finished.

        To close this generator ends the runs under way.
        """
        left = [name for name in self.planned if name not in self.rows]
        # the longest first: then no worker is left with a long one when the others have finished
        left.sort(key=lambda name: -_work(self.planned[name][0], self.data[0]))
        lost = set()
        while left:
            with closing(self._pool(len(left))) as pool:
                futures = {pool.submit(train_once, *self.planned[name]): name for name in left}
                left = []
                for future, result in pool.as_completed(futures):
                    name = futures[future]
                    if not isinstance(result, Exception):
                        self._write_down(name, result)
                    elif self.client or name in lost:  # Dask itself tries a run again
                        result = _result("failed", LOST.format(type(result).__name__, result))
                    else:  # once more, when the others are done
                        lost.add(name)
                        left.append(name)
                        continue
                    yield self._add(name, result)

    def _pool(self, n_runs):
        if self.client is None:
            return Processes(self.data, min(self.n_jobs, n_runs))
        return Cluster(self.data, self.client)

    def table(self):
        """Return what has finished, in the order of the grid, as a DataFrame."""
        import pandas as pd  # here, so that the workers need not import it

        rows = [self.rows[name] for name in self.planned if name in self.rows]
        table = pd.DataFrame(rows, columns=[*self.options, "seed", *RESULTS])
        return table.astype(dict.fromkeys(NUMBERS, float))

    def _add(self, name, result):
        setting, seed = self.planned[name]
        options = {option: setting.get(option, OPTIONS[option]) for option in self.options}
        row = self.rows[name] = {**options, "seed": seed, **result}
        if row["status"] == "done" and (not self.best or row["accuracy"] > self.best["accuracy"]):
            self.best = row
        return row

    def _write_down(self, name, result):
        if self.checkpoint:
            write = partial(self.checkpoint.add, name, result)
            if not _files.try_to(write, self.checkpoint.path, "the sweep"):
                self.checkpoint = None  # its last line may be torn; nothing may follow that


def train_once(setting, seed, X, y, X_val, y_val):
    """Do one run, in whatever process this is, and return its results."""
    start, options = time.perf_counter(), OPTIONS | setting
    losses, accuracies, status, message = [], [], "done", ""
    of_network = {name: options.pop(name) for name in ("activation", "init", "dtype")}
    sizes = _layer_sizes(options.pop("hidden"), X)
    try:
        with blas_cores(1), np.errstate(all="ignore"):
            network = Network(sizes, rng=seed, **of_network)
            for step in sgd(network, X, y, rng=seed, **options):
                losses.append(step.loss)
                if step.ends_epoch:
                    accuracies.append(network.accuracy(X_val, y_val))
    except DivergenceError as error:
        status, message = "diverged", str(error)
    except Exception as error:  # whatever it is, the other runs go on
        status, message = "failed", f"{type(error).__name__}: {error}"
    return _result(status, message, accuracies, losses, time.perf_counter() - start)


def _result(status, message, accuracies=(), losses=(), seconds=None):
    parts = np.array_split(losses, min(N_POINTS, len(losses))) if losses else []
    loss = [float(part.mean()) for part in parts]
    return {
        "accuracy": accuracies[-1] if status == "done" else None,
        "best_accuracy": max(accuracies, default=None),
        "final_loss": loss[-1] if loss else None,
        "seconds": seconds,
        "worker": "" if seconds is None else f"{platform.node()}:{os.getpid()}",
        "status": status,
        "message": message,
        "accuracies": list(accuracies),
        "loss": loss,
    }


def _layer_sizes(hidden, X):
    hidden = hidden if isinstance(hidden, tuple) else (hidden,)
    return [X.shape[1], *(size for size in hidden if size != 0), N_CLASSES]


def _work(setting, X):
    """Return about how much a run has to compute: products, and what each iteration costs."""
    options = OPTIONS | setting
    try:
        weights = sum(a * b for a, b in itertools.pairwise(_layer_sizes(options["hidden"], X)))
        return options["epochs"] * (weights + 500_000 / options["batch_size"])
    except (TypeError, ValueError, ZeroDivisionError):
        return 0  # such a run fails at once, and its row says why


# what is asked for


def _settings(grid):
    """Return the settings of a grid as a list of dicts of plain values, or say what is wrong."""
    if isinstance(grid, Mapping):
        for name, values in grid.items():
            _check_name(name)
            if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
                raise ValueError(f"grid[{name!r}] must be a list of values, such as [{values!r}]")
        every = itertools.product(*grid.values())
        grid = [dict(zip(grid, values, strict=True)) for values in every]
    settings = []
    for setting in grid:
        if not isinstance(setting, Mapping):
            raise ValueError(
                "grid must be a dict of lists, such as {'hidden': [20, 50]}, or a list of dicts, "
                f"such as [{{'hidden': 20}}], but holds {setting!r}"
            )
        settings.append({name: _plain(name, value) for name, value in setting.items()})
    return settings


def _check_name(name):
    if name not in OPTIONS:
        raise ValueError(
            f"a grid has no option {name!r}; its keys must be among {', '.join(OPTIONS)}; 'hidden' "
            "are the units in the hidden layers, and repeats says how many seeds are tried"
        )


def _plain(name, value):
    """Return a value as what JSON knows, `hidden` as a number or a tuple of two or more."""
    _check_name(name)
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if name == "hidden" and isinstance(value, list | tuple):
        sizes = tuple(int(size) if isinstance(size, np.integer) else size for size in value)
        value = sizes if len(sizes) > 1 else sizes[0] if sizes else 0
    for part in value if isinstance(value, tuple) else (value,):
        if not isinstance(part, bool | int | float | str | None):
            raise ValueError(f"a value of {name!r} must be a number or a name, but is {value!r}")
    return value


def _key(options, seed):
    """Return what tells a run from all others of the same data; JSON makes lists of tuples."""
    return json.dumps([options, seed], sort_keys=True)


class Checkpoint:
    """A file that gets a line for each finished run, and is only ever added to.

    A line is on the disk before the run counts. A last line that was cut short by a crash is
    dropped; lines of other images are left alone.
    """

    START = b'{"data": "'

    def __init__(self, path, data):
        _files.check_folder(path)
        digest = hashlib.sha256()
        for array in data:
            digest.update(f"{array.dtype} {array.shape} ".encode())
            digest.update(np.ascontiguousarray(array))
        self.path, self.data, self.results = Path(path), digest.hexdigest(), {}
        content = self.path.read_bytes() if self.path.exists() else b""
        *lines, last = content.split(b"\n")
        is_torn = last[: len(self.START)] == self.START[: len(last)]
        for number, line in enumerate(lines if is_torn else [*lines, last], 1):
            try:
                fields = json.loads(line)
                name, result = _key(*fields["run"]), {key: fields["result"][key] for key in RESULTS}
            except (ValueError, TypeError, KeyError):
                raise ValueError(
                    "checkpoint must be a new file or one that a sweep has written, but line "
                    f"{number} of {path} is no run; choose another path"
                ) from None
            if fields["data"] == self.data:
                self.results[name] = result
        if is_torn and last:
            os.truncate(path, len(content) - len(last))

    def add(self, name, result, path):
        """Write a run, and return when it is on the disk."""
        line = {"data": self.data, "run": json.loads(name), "result": result}
        with open(path, "ab") as file:
            file.write(json.dumps(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
