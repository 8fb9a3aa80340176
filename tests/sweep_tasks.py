"""Stand-ins for `train_once`, which workers import: they tell what happens there, or wait."""

import mmap
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from course_utils.lab.sweep import RESULTS, train_once


def result(message=""):
    done = {"status": "done", "accuracy": 0.5, "message": message, "worker": f"w:{os.getpid()}"}
    return dict.fromkeys(RESULTS) | done


def quickly(setting, seed, *data):
    return result()


def how_x_came(setting, seed, X, *data):
    base = X
    while getattr(base, "base", None) is not None:
        base = base.base
    return result(f"{type(X).__name__} in {'a file' if isinstance(base, mmap.mmap) else 'memory'}")


def where_x_is(setting, seed, X, *data):
    return result(f"{os.getpid()} {id(X)}")


def die_with_seven_units(setting, seed, *data):
    if setting["hidden"] == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return result()


def at_gate(setting, seed, *data, folder, n_free=0):
    """Train, but only the first `n_free` runs at once.

    The others say which process has begun, and wait until there is a file ``gate``.
    """
    for k in range(n_free):
        with suppress(FileExistsError):
            Path(folder, f"{k}.free").touch(exist_ok=False)
            return train_once(setting, seed, *data)
    Path(folder, f"{os.getpid()}.begun").touch()
    while not Path(folder, "gate").exists():
        time.sleep(0.01)
    return train_once(setting, seed, *data)
