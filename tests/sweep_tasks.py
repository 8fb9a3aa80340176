"""Stand-ins for `train_once`, which workers can import quickly: they tell what happens there."""

import os
import signal

from course_utils.sweep_table import SweepRow


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
