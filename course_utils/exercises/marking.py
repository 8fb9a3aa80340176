"""Trying out a learner's function: within a time limit, with an answer whatever it does.

The function is called, and no error, print or endless loop gets through. `faults` says what is wrong
with what it returns. Its source is never judged.
"""

import copy
import gc
import inspect
import io
import sys
import textwrap
import threading
import time
import warnings
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial

import numpy as np

from . import faults

TIME_LIMIT = 3.0  # seconds for all inputs of an exercise; a right answer needs some hundredths
_MOST_PRINTED = 200  # characters of what the attempt printed that are kept
_TO_DO = "○ Still to be done. Replace the dots by your code, then run the cell again."
_NO_RETURN = "\n(It returned None. If you have written your code, its `return` is missing.)"


@dataclass(frozen=True, repr=False)
class Result:
    """What a check says to an attempt: whether it is right, and the answer in words."""

    passed: bool
    text: str

    def __repr__(self):  # a notebook shows this
        return self.text


class Check:
    """A check of an exercise. It is called with what a learner has written, and gives a `Result`.

    `about` begins with the call, and each of `cases` is a description and the arguments. `reference`
    takes the arguments and returns the right result; where it raises ValueError, so must the attempt.
    `mistakes` are functions with a known mistake and its hint as docstring, or families of them. A
    `judge` in place of both says what is wrong with what came; `run` calls the attempt.
    """

    def __init__(self, about, cases, reference=None, *mistakes, judge=None, run=faults.run):
        self.__doc__ = f"Check {about}"
        names = about.partition("(")[2].partition(")")[0].split(", ")
        self.cases = [(title, dict(zip(names, args, strict=True))) for title, *args in cases]
        self.reference, self.mistakes, self.run = reference, faults.functions(mistakes), run
        self.judge = judge or partial(faults.describe, reference, self.mistakes)

    def __call__(self, attempt):
        """Try `attempt` on each input, until one goes wrong, and say how it went.

        Nothing is raised, and nothing is changed, whatever the attempt does.
        """
        if attempt is None or attempt is ...:
            return Result(False, _TO_DO)
        if not callable(attempt):
            return _not_yet(
                f"This check needs the function itself, and got {faults.kind(attempt)}. Give it the "
                "name of the function, without brackets behind it."
            )
        printed, found, tried = _Printed(), [], []

        def work():
            try:
                with np.errstate(all="ignore"):
                    run = _within(TIME_LIMIT, self.run)
                    found.append(_try_all(attempt, self.cases, self.judge, run, printed, tried))
            except _TimeIsUp:
                pass
            except BaseException as error:  # a result so odd that it cannot even be looked at
                found.append(_not_yet(f"What it returned cannot be read ({type(error).__name__})."))

        # a thread can be left behind, where an attempt does not let itself be stopped
        worker = threading.Thread(target=work, daemon=True)
        collects = gc.isenabled()
        gc.disable()  # deep in an endless recursion it fails, and what it prints is not the attempt's
        try:
            with warnings.catch_warnings(), redirect_stdout(printed), redirect_stderr(printed):
                warnings.simplefilter("ignore")  # what they tell of is told in words
                worker.start()
                worker.join(TIME_LIMIT + 1)
        finally:
            if collects:
                gc.enable()
        if found:
            return found[0]
        text = (
            f"Input: {tried[-1]}\nIt had not come to an end after {TIME_LIMIT:g} seconds, so it was "
            "stopped. Is there a loop whose condition stays true for ever?"
        )
        if worker.is_alive():
            text += "\nIt cannot be stopped from here. Restart the kernel before you go on."
        return _not_yet(text)


class _TimeIsUp(BaseException):
    """Raised inside the attempt to stop it; ``except Exception`` does not catch it."""


class _Printed(io.TextIOBase):
    """Takes what is printed, and keeps the beginning."""

    text = ""

    def write(self, text):
        self.text += text[: _MOST_PRINTED - len(self.text)]
        return len(text)


def _within(seconds, run):
    """Return a function that does what `run` does, and raises `_TimeIsUp` when all time is spent."""
    # Python calls a trace function at each line; signals come only in the main thread
    end = time.monotonic() + seconds

    def trace(frame, event, argument):
        if time.monotonic() > end:
            raise _TimeIsUp
        return trace

    def limited(attempt, args):
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            return run(attempt, args)
        finally:
            sys.settrace(before)

    return limited


def _not_yet(text):
    lines = f"✗ Not yet.\n{text}".splitlines()
    return Result(
        False, "\n".join(textwrap.fill(line, 96, subsequent_indent="    ") for line in lines)
    )


def _try_all(attempt, cases, judge, run, printed, tried):
    """Go through the cases and return the `Result`; `tried` gets the description of each."""
    for number, (title, args) in enumerate(cases):
        tried.append(title)
        try:
            inspect.signature(attempt).bind(*args.values())
        except TypeError:
            n = len(args)
            return _not_yet(
                f"It must take {n} argument{'s' * (n > 1)}: {', '.join(args)}. Yours takes "
                f"{inspect.signature(attempt)}."
            )
        except ValueError:
            pass  # some functions that are not written in Python do not tell
        given = copy.deepcopy(args)
        try:
            came = run(attempt, given)
        except _TimeIsUp:
            raise
        except BaseException as error:  # sys.exit() too
            came = error
        if _is_unfinished(came):
            return Result(False, _TO_DO)
        if came is None and number == 0 and not printed.text:
            return Result(False, _TO_DO + _NO_RETURN)
        if came is None:
            fault = "It returned None on this input: it came to its end without a `return`."
            fault += " print shows a value; only `return` hands it back." if printed.text else ""
        else:
            fault = judge(args, came, [args for _, args in cases[:number]])
        fault = fault or _changed(args, given)
        if fault:
            shown = "".join(f"\n  {name} = {faults.show(value)}" for name, value in args.items())
            said = f"\nIt printed: {printed.text.strip()!r}" if printed.text.strip() else ""
            return _not_yet(f"Input: {title}{shown}\n{fault}{said}")
    note = " (What it printed is left out.)" if printed.text else ""
    return Result(True, f"✓ Right, on all {len(cases)} inputs.{note}")


def _is_unfinished(came):
    """Return whether the dots of the stub are still there."""
    if isinstance(came, TypeError | AttributeError):
        return "ellipsis" in str(came)  # the stub went on to compute with them
    if isinstance(came, Mapping):
        came = list(came.values())
    if isinstance(came, tuple | list):
        return any(_is_unfinished(part) for part in came)
    return came is ... or type(came) is NotImplementedError  # and not a subclass: input() has one


def _changed(before, after):
    """Say which argument the attempt has changed, if any."""
    for name, value in before.items():
        if not _equal(value, after[name]):
            return (
                f"Why: The result is right, but your function has changed its argument {name}. "
                "Whoever calls it may still need that. Lines such as `a -= b` and `a[i] = b` work on "
                "the array itself; `a = a - b` makes a new one, and so does `a.copy()`."
            )
    return None


def _equal(a, b):
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(_equal(a[name], b[name]) for name in a)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return True  # nothing that can be changed, or a random generator, which has to be
