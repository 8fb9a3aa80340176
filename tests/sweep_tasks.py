"""Stand-ins for `train_once`, which workers can import quickly: they tell what happens there."""

import os
import signal

from course_utils.sweep_table import SweepRow
from course_utils.sweeps import train_once

GATE = "now quickly"  # the name of an event on the cluster


def row(setting, seed, message=""):
    return SweepRow(setting, seed, "done", message, [0.5], [], 0.0, f"w:{os.getpid()}")


def how_x_came(setting, seed, X, *more_data):
    return row(setting, seed, type(X).__name__)


def where_x_is(setting, seed, X, *more_data):
    return row(setting, seed, f"{os.getpid()} {id(X)}")


def die_with_seven_units(setting, seed, *data):
    if setting["hidden"] == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return row(setting, seed)


def slowly_until_the_gate_is_open(setting, seed, *data):
    """Do a run that takes at least a second, until there is no need for it."""
    from distributed import Event

    Event(GATE).wait(1)
    return train_once(setting, seed, *data)
