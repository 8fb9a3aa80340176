"""Trying out a learner's function: within a time limit, with an answer whatever it does.

The function is called, and no error, print or endless loop gets through. `faults` says what is wrong
with what it returns. Its source is never judged.
"""

import copy
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
_MOST_PRINTED = 200  # characters of what the attempt printed that are shown
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
        self.names = about.partition("(")[2].partition(")")[0].split(", ")
        self.cases = [(title, dict(zip(self.names, a, strict=True))) for title, *a in cases]
        self.mistakes, self.run = faults.functions(mistakes), run
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
        printed, found, tried = io.StringIO(), [], []

        def work():
            try:
                with np.errstate(all="ignore"):
                    found.append(self._try_all(attempt, printed, tried))
            except _TimeIsUp:
                pass
            except BaseException as error:  # a result so odd that it cannot even be looked at
                found.append(_not_yet(f"What it returned cannot be read ({type(error).__name__})."))

        # a thread can be left behind, where an attempt does not let itself be stopped
        worker = threading.Thread(target=work, daemon=True)
        with warnings.catch_warnings(), redirect_stdout(printed), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")  # what they tell of is told in words
            worker.start()
            worker.join(TIME_LIMIT + 1)
        if found:
            return found[0]
        text = (
            f"Input: {tried[-1]}\nIt had not come to an end after {TIME_LIMIT:g} seconds, so it was "
            "stopped. Is there a loop whose condition stays true for ever?"
        )
        if worker.is_alive():
            text += "\nIt cannot be stopped from here. Restart the kernel before you go on."
        return _not_yet(text)

    def _try_all(self, attempt, printed, tried):
        """Go through the cases and return the `Result`; `tried` gets the description of each."""
        fault = _fault_of_arguments(attempt, self.names)
        if fault:
            return _not_yet(fault)
        limit = _limit(TIME_LIMIT)
        for title, args in self.cases:
            tried.append(title)
            given, before = copy.deepcopy(args), sys.gettrace()
            sys.settrace(limit)
            try:
                came = self.run(attempt, given)
            except _TimeIsUp:
                raise
            except BaseException as error:  # sys.exit() too
                came = error
            finally:
                sys.settrace(before)
            said = printed.getvalue()[:_MOST_PRINTED].strip()
            if _is_unfinished(came):
                return Result(False, _TO_DO)
            if came is None and len(tried) == 1 and not said:
                return Result(False, _TO_DO + _NO_RETURN)
            if came is None:
                fault = "It returned None on this input: it came to its end without a `return`."
                fault += " print shows a value; only `return` hands it back." if said else ""
            else:
                passed = [args for _, args in self.cases[: len(tried) - 1]]
                fault = self.judge(args, came, passed) or _changed(args, given)
            if fault:
                shown = "".join(
                    f"\n  {name} = {faults.show(value)}" for name, value in args.items()
                )
                said = f"\nIt printed: {said!r}" if said else ""
                return _not_yet(f"Input: {title}{shown}\n{fault}{said}")
        note = " (What it printed is left out.)" if said else ""
        return Result(True, f"✓ Right, on all {len(self.cases)} inputs.{note}")


class _TimeIsUp(BaseException):
    """Raised inside the attempt to stop it; ``except Exception`` does not catch it."""


def _limit(seconds):
    """Return a trace function, which Python calls at each line, that stops the attempt in time."""
    end = time.monotonic() + seconds  # signals would come in the main thread only

    def trace(frame, event, argument):
        if time.monotonic() > end:
            raise _TimeIsUp
        return trace

    return trace


def _not_yet(text):
    lines = f"✗ Not yet.\n{text}".splitlines()
    filled = (textwrap.fill(line, 96, subsequent_indent="    ") for line in lines)
    return Result(False, "\n".join(filled))


def _fault_of_arguments(attempt, names):
    try:
        inspect.signature(attempt).bind(*names)
    except TypeError:
        takes = f"It must take {len(names)} argument{'s' * (len(names) > 1)}: {', '.join(names)}."
        return f"{takes} Yours takes {inspect.signature(attempt)}."
    except ValueError:
        pass  # some functions that are not written in Python do not tell
    return None


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
        if isinstance(value, Mapping | np.ndarray) and not faults.same(after[name], value):
            return (
                f"Why: The result is right, but your function has changed its argument {name}. "
                "Whoever calls it may still need that. Lines such as `a -= b` and `a[i] = b` work on "
                "the array itself; `a = a - b` makes a new one, and so does `a.copy()`."
            )
    return None
