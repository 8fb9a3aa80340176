"""Many trainings at once, on all cores of a computer or on a cluster.

joblib does the work: it starts the processes, hands out the runs, and gives the results back as
they come. By itself it uses the cores of this computer. Inside of
``joblib.parallel_config(backend="dask")`` the same call uses a Dask cluster.
"""

import hashlib
import heapq
import inspect
import itertools
import math
import os
import platform
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterable, Mapping
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import replace

import numpy as np
from joblib import Parallel, delayed
from joblib.parallel import get_active_backend

from .network import Network
from .sweep_table import Checkpoint, SweepRow, SweepTable, key
from .training import DivergenceError, blas_cores, interrupts_wait, sgd, tell_checkpoint_lost

N_CLASSES = 10
_POINTS = 200  # of a loss curve
_SMALL = 10_000  # bytes; larger arrays are shared by the processes in place of being copied
_SENDING = 10  # seconds; a sweep on a cluster begins then even if not all workers have the images


def _defaults(function, *without):
    parameters = inspect.signature(function).parameters
    return {name: p.default for name, p in parameters.items() if name not in without}


_OF_NETWORK = _defaults(Network, "layer_sizes", "rng")
_OF_TRAINING = _defaults(sgd, "network", "X", "y", "rng")
_ONE_AT_A_TIME = threading.RLock()  # joblib's processes are shared: to end a sweep ends them all
OPTIONS = {"hidden": 20, **_OF_NETWORK, **_OF_TRAINING}  # with what they are if left out


def sweep(grid, X, y, *, validation, repeats=1, n_jobs=-1, progress=True, checkpoint=None):
    """Train a network for each setting of a grid, many at once, and return a table of the results.

    An interrupt (Ctrl-C, or the kernel's stop button) ends the sweep: what has finished is
    returned. So it is where a cluster has no worker left. A run that diverges or fails is a row
    that says so, and the others go on. If a worker dies, its run is tried again.

    Parameters
    ----------
    grid : dict of lists, or list of dicts
        A dict of lists stands for every combination: ``{"hidden": [20, 50], "l2": [0, 0.01]}`` is
        four settings. A list of dicts stands for these settings and no others. The keys are the
        options of `Network` and `train` by their names there, and ``hidden``: the number of units
        in the hidden layer, or a tuple of several layers, or 0 for none. (It takes the place of
        ``layer_sizes``, whose first and last number are given by the data.) A setting that comes
        twice is run once.
    X, y : ndarray, shapes (n, n_in) and (n,)
        Images to train on, pixels 0–1, and their labels, 0–9.
    validation : tuple of (X_val, y_val)
        Images and labels to choose by. Not the test set: keep that for the end.
    repeats : int
        How many seeds each setting is tried with. The seeds are 0, 1, 2, …, the same for each
        setting: they decide its first weights and the order of its images. So a row is what
        ``train(Network(…, rng=seed), X, y, …, rng=seed)`` comes to.
    n_jobs : int
        Processes on this computer, -1 for one a core. On a cluster all of its workers are used.
    progress : bool
        Whether to show a bar with the best accuracy so far.
    checkpoint : path-like, optional
        A file that keeps each finished run. The same call later goes on from there, even if the
        computer was switched off in between. A finished run is never repeated: neither one that
        diverged nor one that failed. If the file cannot be written, a line says so and the sweep
        goes on.

    Returns
    -------
    SweepTable
        In the order of the grid, whatever was finished first. (Runs with the most to compute begin
        first.) The numbers do not depend on how many workers there are: each run has a single core
        for its matrix products.

    Raises
    ------
    ValueError
        At once, if a key of the grid is not such an option, or the data do not fit.
    FileNotFoundError
        At once, if there is no folder for the checkpoint.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.random((40, 4)), np.arange(40) % 2
    >>> table = sweep({"hidden": [2, 3]}, X, y, validation=(X, y), n_jobs=1, progress=False)
    >>> [row.setting for row in table]
    [{'hidden': 2}, {'hidden': 3}]
    """
    from tqdm import tqdm

    search = Search(
        grid, X, y, validation=validation, repeats=repeats, n_jobs=n_jobs, checkpoint=checkpoint
    )
    bar = tqdm(
        total=search.n_planned,
        initial=len(search.finished),
        file=sys.stdout,
        disable=not progress,
        unit="run",
    )
    ended_by = None
    with bar, closing(search.results()) as results:
        try:
            for _ in results:
                if search.best:
                    bar.set_postfix(best=f"{search.best.accuracy:.2%}", refresh=False)
                bar.update()
        except KeyboardInterrupt:
            search.interrupted = True
        except OSError as error:  # a cluster without a worker (TimeoutError), a full disk
            if not search.finished:
                raise
            search.interrupted, ended_by = True, f"{type(error).__name__}: {error}"
    if ended_by:
        print(ended_by)
    table = search.table()
    if table.interrupted:
        later = "the same call goes on from here" if search.has_checkpoint else "the others are not"
        print(
            f"Interrupted: {len(table)} of {table.n_planned} runs have finished and are in the "
            f"table; {later}."
        )
    return table


class Search:
    """A sweep under way: what is planned, and what has finished. `sweep` has the parameters.

    Attributes
    ----------
    n_planned : int
    finished : dict of SweepRow
        By the key of the run, in the order in which they finished.
    best : SweepRow or None
        Of the runs that are done.
    interrupted : bool
    """

    def __init__(self, grid, X, y, *, validation, repeats=1, n_jobs=-1, checkpoint=None):
        if not isinstance(repeats, int | np.integer) or repeats < 1:
            raise ValueError(f"repeats must be a whole number of 1 or more, but is {repeats!r}")
        self.data = _checked(X, y, validation)
        seeds = range(int(repeats))
        settings = _settings(grid)
        self._planned = {key(s, seed): (s, seed) for s in settings for seed in seeds}
        self.finished, self.best, self.interrupted = {}, None, False
        self._checkpoint = None
        if checkpoint is not None:
            self._checkpoint = Checkpoint(checkpoint, _fingerprint(self.data))
            for name, row in self._checkpoint.rows.items():
                if name in self._planned:  # JSON makes lists of tuples
                    self._add(replace(row, setting=self._planned[name][0]))
        # made here, as joblib keeps its configuration a thread, and the results may be in another
        self._dask = _dask_backend()
        if self._dask:
            _bring_failures_back(self._dask)
            _keep_to_the_cluster(self._dask)
        self._parallel = Parallel(
            n_jobs=n_jobs,
            return_as="generator_unordered",
            batch_size=1,  # a run that is finished is told at once
            # on a cluster, a worker that joins later has to find something to do
            pre_dispatch="all" if self._dask else "2 * n_jobs",
            max_nbytes=_SMALL,
            # joblib would take memory in place of a folder, in pages so small that looking them up
            # costs a run on all of MNIST some 5 %
            temp_folder=tempfile.gettempdir(),
        )

    @property
    def has_checkpoint(self):
        """Whether finished runs are written down; not any more where that has failed."""
        return self._checkpoint is not None

    @property
    def n_planned(self):
        """How many runs there are in all."""
        return len(self._planned)

    def table(self):
        """Return what has finished, in the order of the grid."""
        rows = [self.finished[name] for name in self._planned if name in self.finished]
        return SweepTable(rows, self.n_planned, self.interrupted)

    def results(self):
        """Do the runs that are left, and yield each row as it is finished.

        To close this generator ends the runs under way. While another thread of this process is at
        a sweep, this one waits.
        """
        with _ONE_AT_A_TIME:
            yield from self._results()

    def _results(self):
        # the longest first: then no worker is left with a long one when the others have finished
        left = sorted(self._planned.items(), key=lambda planned: -self._work(*planned[1]))
        left = {name: run for name, run in left if name not in self.finished}
        deaths = 0  # of workers, since the last run that was finished
        while left:
            # after each death half as many, until it is known which run kills its worker
            now = list(itertools.islice(left, max(1, len(left) >> deaths)))
            images = _on_each_worker(self._dask, self.data) if self._dask else nullcontext()
            with images:
                rows = self._parallel(delayed(train_once)(*left[name], *self.data) for name in now)
                try:
                    for row in rows:
                        del left[key(row.setting, row.seed)]
                        deaths = 0
                        with interrupts_wait() as interrupts:  # or a run would be in the file alone
                            self._add(row)
                            if row.worker:  # not one that was lost: try it again
                                self._write_down(row)
                        if interrupts:
                            raise KeyboardInterrupt
                        yield row
                # cancelled: with a worker of a cluster, the images were lost that it alone had
                except (BrokenProcessPool, CancelledError) as error:
                    deaths += 1
                    if len(now) == 1:
                        row = _lost(*left.pop(now[0]), error)
                        deaths = 0
                        self._add(row)
                        yield row
                finally:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # that runs were cancelled: we did that
                        rows.close()

    def _write_down(self, row):
        """Add a row to the checkpoint; a full disk need not cost the runs that are still to come."""
        if not self.has_checkpoint:
            return
        try:
            self._checkpoint.add(row)
        except OSError as error:
            self._checkpoint = None  # its last line may be torn; nothing may follow that
            tell_checkpoint_lost(error, "the sweep")

    def _work(self, setting, seed):
        """Return about how much a run has to compute: products, and what each iteration costs."""
        options, (X, *_) = OPTIONS | setting, self.data
        try:
            sizes = _layer_sizes(options, X)
            weights = sum(n_in * n_out for n_in, n_out in itertools.pairwise(sizes))
            return options["epochs"] * len(X) * (weights + 500_000 / options["batch_size"])
        except (TypeError, ValueError, ZeroDivisionError):
            return 0  # such a run fails at once, and its row says why

    def _add(self, row):
        self.finished[key(row.setting, row.seed)] = row
        if row.status == "done" and (self.best is None or row.accuracy > self.best.accuracy):
            self.best = row


def train_once(setting, seed, X, y, X_val, y_val):
    """Do one run of a sweep, in whatever process this is, and return its `SweepRow`.

    Parameters
    ----------
    setting : dict
        Options by the names in `OPTIONS`.
    seed : int
    X, y, X_val, y_val : ndarray
    """
    start = time.perf_counter()
    losses, accuracies, status, message = [], [], "done", ""
    try:
        with blas_cores(1):
            for step, accuracy in _training(setting, seed, X, y, X_val, y_val):
                losses.append(step.loss)
                if accuracy is not None:
                    accuracies.append(accuracy)
    except DivergenceError as error:
        status, message = "diverged", str(error)
    except Exception as error:  # whatever it is, the other runs go on
        status, message = "failed", f"{type(error).__name__}: {error}"
    parts = np.array_split(losses, min(_POINTS, len(losses))) if losses else []
    return SweepRow(
        setting=setting,
        seed=seed,
        status=status,
        message=message,
        accuracies=accuracies,
        loss=[float(part.mean()) for part in parts],
        seconds=time.perf_counter() - start,
        worker=f"{platform.node()}:{os.getpid()}",
    )


def _training(setting, seed, X, y, X_val, y_val):
    """Yield each step and, after each epoch, the accuracy on the validation images."""
    options = OPTIONS | setting
    network = Network(
        _layer_sizes(options, X), rng=seed, **{name: options[name] for name in _OF_NETWORK}
    )
    steps = sgd(network, X, y, rng=seed, **{name: options[name] for name in _OF_TRAINING})
    per_epoch = -(-len(X) // options["batch_size"])
    for step in steps:
        accuracy = None
        if step.iteration % per_epoch == 0:
            with np.errstate(over="ignore", invalid="ignore"):  # of a run that is about to diverge
                accuracy = network.accuracy(X_val, y_val)
        yield step, accuracy


def _layer_sizes(options, X):
    hidden = options["hidden"] if isinstance(options["hidden"], tuple) else (options["hidden"],)
    return [X.shape[1], *(size for size in hidden if size != 0), N_CLASSES]


def _lost(setting, seed, error):
    """Return the row of a run that no worker brought to an end; it has no worker."""
    message = (
        "its worker died (was it killed, or out of memory?), or it could not be sent to one: "
        f"{type(error).__name__}: {error}"
    )
    return SweepRow(setting, seed, "failed", message, [], [], 0.0, "")


def _dask_backend():
    """Return joblib's Dask backend if that is in use, and None otherwise."""
    backend, _ = get_active_backend()
    return backend if type(backend).__name__ == "DaskDistributedBackend" else None


def _bring_failures_back(backend):
    """Let a run that was lost on the cluster come back as a row.

    joblib's Dask backend does not report a task that could not be sent, or whose workers died one
    after another. It would wait for it for ever.
    """
    name = "submit" if hasattr(backend, "submit") else "apply_async"  # before joblib 1.6
    submit = getattr(backend, name)
    if hasattr(submit, "brings_failures_back"):
        return

    def submit_and_watch(batch, callback=None):
        def look(future):
            if error := future.exception():
                callback([_lost(*args[:2], error) for _, args, _ in batch.items])

        future = submit(batch, callback)
        future.add_done_callback(look)
        return future

    submit_and_watch.brings_failures_back = True
    setattr(backend, name, submit_and_watch)


@contextmanager
def _on_each_worker(backend, arrays):
    """Send the arrays to each worker of a cluster meanwhile, before the first run asks for them.

    One or a few workers get them from here, and a task on each worker asks these for them. Dask's
    own way to give each worker a copy, with which joblib's option `scatter` works, can wait for
    ever: for a worker that dies meanwhile, or where the same images were sent not long ago
    (dask/distributed#8576: it names them by what they hold).
    """
    from distributed import wait

    client = backend.client
    for last in (False, True):
        backend.effective_n_jobs(-1)  # waits for a first worker, or says that there is none
        try:
            futures = client.scatter(list(arrays), hash=False)
            break
        except OSError:  # the worker that they were sent to has died
            if last:
                raise
    copies = [client.submit(len, futures, workers=[w], pure=False) for w in client.ncores()]
    # a worker that is slow, busy or dead by then asks for them with its first run, if ever
    with suppress(TimeoutError, CancelledError), client.as_current():
        wait(copies, timeout=_SENDING)
    names = [id(array) for array in arrays]  # that joblib knows them by, as long as they live
    backend.data_futures.update(zip(names, futures, strict=True))
    try:
        yield
    finally:
        for name in names:
            backend.data_futures.pop(name, None)


def _keep_to_the_cluster(backend):
    """Let the runs be done on the cluster even if it has a single worker left.

    With one worker joblib would do them itself, in this process: a run that takes all memory would
    end the notebook's kernel.
    """
    workers = type(backend).effective_n_jobs
    backend.effective_n_jobs = lambda n_jobs: max(2, workers(backend, n_jobs))


# what is asked for


def _settings(grid):
    """Return the settings of a grid as a list of dicts of plain values, or say what is wrong."""
    if isinstance(grid, Mapping):
        for name, values in grid.items():
            _check_name(name)
            if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
                raise ValueError(
                    f"grid[{name!r}] must be a list of values to try, such as [{values!r}], but is "
                    f"{values!r}"
                )
        grid = [
            dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())
        ]
    settings = {}
    for setting in grid:
        if not isinstance(setting, Mapping):
            raise ValueError(
                "grid must be a dict of lists, such as {'hidden': [20, 50]}, or a list of dicts, "
                f"such as [{{'hidden': 20}}], but holds {setting!r}"
            )
        for name in setting:
            _check_name(name)
        setting = {name: _plain(name, value) for name, value in setting.items()}
        settings.setdefault(key(setting, 0), setting)
    return list(settings.values())


def _check_name(name):
    if name in OPTIONS:
        return
    hints = {
        "rng": "; the seeds are 0, 1, 2, …: say how many with repeats",
        "seed": "; the seeds are 0, 1, 2, …: say how many with repeats",
        "layer_sizes": "; the number of units in the hidden layers is 'hidden'",
    }
    raise ValueError(
        f"a grid has no option {name!r}; its keys must be among {', '.join(OPTIONS)}"
        f"{hints.get(name, '')}"
    )


def _plain(name, value):
    """Return a value as what JSON knows, `hidden` as a number or a tuple of two or more."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if name == "hidden" and isinstance(value, list | tuple):
        value = tuple(_plain("", size) for size in value)
        return value if len(value) > 1 else value[0] if value else 0
    if not isinstance(value, bool | int | float | str | None):
        raise ValueError(f"a value of {name!r} must be a number or a name, but is {value!r}")
    return value


def _checked(X, y, validation):
    """Return X, y, X_val, y_val as arrays that fit each other, or say what is wrong with them."""
    try:
        X_val, y_val = validation
    except (TypeError, ValueError):
        raise ValueError(
            "validation must be a tuple (X_val, y_val) of images and labels that are not trained "
            f"on, but is of type {type(validation).__name__}"
        ) from None
    network = Network([np.shape(X)[-1] if np.ndim(X) else 1, N_CLASSES])
    return *network.check_examples(X, y, rows=None), *network.check_examples(
        X_val, y_val, rows=None
    )


def _fingerprint(arrays):
    """Return a text that tells these arrays from others."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


# planning


def broadcast_seconds(n_bytes, n_workers, bytes_per_second):
    """Return how long it takes until each worker has the images.

    The model: whoever has them passes them on to one other at a time, so that the number of copies
    doubles in each round.

    Parameters
    ----------
    n_bytes : int
        Size of the images.
    n_workers : int
        On one computer the processes share the images, so here it means computers.
    bytes_per_second : float
        Of the network, between two computers.

    Returns
    -------
    float
        Seconds.

    Examples
    --------
    >>> broadcast_seconds(1000, 3, bytes_per_second=100)
    20.0
    """
    rounds = math.ceil(math.log2(n_workers + 1))
    return rounds * n_bytes / bytes_per_second


def simulate(seconds, n_workers, *, per_run=0.0, start=0.0):
    """Return how long a sweep takes on so many workers.

    The model: workers are ready after `start`. One scheduler hands the runs out in their order,
    each to the worker that is free first. It needs `per_run` for each, and does one at a time.

    Parameters
    ----------
    seconds : sequence of float
        What each run takes on a worker.
    n_workers : int
    per_run : float
        Seconds of the scheduler's own work for each run.
    start : float
        Seconds until the workers have started and have the images.

    Returns
    -------
    float
        Seconds until the last run is finished.

    Examples
    --------
    >>> simulate([3.0, 1.0, 1.0, 1.0], 2)
    3.0
    >>> simulate([1.0] * 1000, 1000, per_run=0.25)
    251.0
    """
    scheduler = start
    free = [start] * n_workers  # when each worker is free; a heap
    for duration in seconds:
        scheduler = max(scheduler, free[0]) + per_run
        heapq.heapreplace(free, scheduler + duration)
    return max(free)
