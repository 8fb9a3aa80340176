"""Where the runs of a sweep are done: in processes of this computer, or on a Dask cluster.

Both give out futures by `submit`, and by `as_completed` pairs of a future and what it came to: a
result, or the error of a run that was lost. `close` ends what is still under way.
"""

import heapq
import math
import os
import queue
import shutil
import signal
import sys
import tempfile
import threading
import time
from functools import cache
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path

import numpy as np

PATIENCE = 10  # seconds without any worker, after which a sweep on a cluster ends


class Processes:
    """Processes of this computer, one a core; all look at the same images, in files."""

    def __init__(self, arrays, n_jobs):
        from pebble import ProcessPool  # here, so that the workers need not import it

        script = sys.modules.get("__mp_main__")  # what a worker imports as it starts
        if getattr(script, "__name__", "") == "__mp_main__" and not parent_process():
            sys.exit("In a script, put the sweep under `if __name__ == '__main__':`")
        self.n_jobs = n_jobs
        self.folder = tempfile.TemporaryDirectory(prefix="sweep-", ignore_cleanup_errors=True)
        for k, array in enumerate(arrays):
            np.save(Path(self.folder.name, f"{k}.npy"), array)
        self.pool = ProcessPool(n_jobs, 0, _begin, [self.folder.name], get_context("spawn"))

    def submit(self, function, *args):
        return self.pool.schedule(_with_arrays, (function, args, self.folder.name))

    def as_completed(self, futures):
        return _as_they_end(futures)

    def close(self):
        try:
            # a worker that is stopped while it still starts would print a traceback
            begun = lambda p: Path(self.folder.name, str(p.pid)).exists()  # noqa: E731
            while self.pool.active and sum(map(begun, active_children())) < self.n_jobs:
                time.sleep(0.05)
        finally:
            self.pool.stop()
            self.pool.join()
            self.folder.cleanup()


def n_cores():
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _begin(folder):
    """Say that a worker has begun; let it end, and the images go, if its parent is killed."""
    Path(folder, str(os.getpid())).touch()

    def wait():
        parent_process().join()
        shutil.rmtree(folder, ignore_errors=True)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def _with_arrays(function, args, folder):
    return function(*args, *_arrays(folder))


@cache
def _arrays(folder):
    paths = sorted(Path(folder).glob("*.npy"))
    return [np.asarray(np.load(path, mmap_mode="r")) for path in paths]


class Cluster:
    """The workers of a Dask cluster. Dask itself tries a run again whose worker dies.

    The images are tasks like any other, and not scattered: so Dask makes them again if all workers
    that hold them die (dask/distributed#3149).
    """

    def __init__(self, arrays, client):
        import dask

        self.client, self.futures = client, []
        self.look()
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
            self.arrays = [client.submit(np.asarray, array, pure=False) for array in arrays]

    def submit(self, function, *args):
        future = self.client.submit(function, *args, *self.arrays, pure=False)
        self.futures.append(future)
        return future

    def as_completed(self, futures):
        for future, outcome in _as_they_end(futures, self.look):
            if future.cancelled():
                raise ConnectionError("the scheduler is gone, or has dropped the runs")
            yield future, outcome

    def look(self):
        """Raise TimeoutError if there is no worker, and none comes."""
        self.client.wait_for_workers(1, timeout=PATIENCE)

    def close(self):
        self.client.cancel(self.futures + self.arrays)


def _as_they_end(futures, look=lambda: None):
    """Yield each future with its outcome, as they end; `look` each second in which none does."""
    ended = queue.SimpleQueue()
    for future in futures:
        future.add_done_callback(ended.put)
    n_left = len(futures)
    while n_left:
        try:
            future = ended.get(timeout=1)
            outcome = future.result(timeout=1)
        except queue.Empty:
            look()
            continue
        except TimeoutError:  # on a cluster its worker died even now: it is done again
            ended.put(future)
            look()
            continue
        except Exception as error:
            outcome = error
        n_left -= 1
        yield future, outcome


# planning for more workers than there are


def broadcast_seconds(n_bytes, n_workers, bytes_per_second):
    """Return how long it takes until each worker has the images.

    Whoever has them passes them on to one other at a time, so the copies double in each round.

    >>> broadcast_seconds(1000, 3, bytes_per_second=100)
    20.0
    """
    return math.ceil(math.log2(n_workers + 1)) * n_bytes / bytes_per_second


def simulate(seconds, n_workers, *, per_run=0.0, start=0.0):
    """Return how long runs that take so many `seconds` each need on so many workers.

    Workers are ready after `start`. One scheduler hands the runs out in their order, each to the
    worker that is free first; it needs `per_run` seconds for each, and does one at a time.

    >>> simulate([3.0, 1.0, 1.0, 1.0], 2)
    3.0
    """
    scheduler = start
    free = [start] * n_workers  # when each worker is free; a heap
    for duration in seconds:
        scheduler = max(scheduler, free[0]) + per_run
        heapq.heapreplace(free, scheduler + duration)
    return max(free)
