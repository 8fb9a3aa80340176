"""Trying out a learner's function, in limited time: no error, print or endless loop gets through."""

import copy
import ctypes
import inspect
import io
import re
import sys
import textwrap
import threading
import warnings
from collections.abc import Mapping
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from . import faults, reading, slips

TIME_LIMIT = 3.0  # seconds for all inputs of an exercise; a right answer needs some hundredths
_MOST_LINES = 15  # of an answer
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

    `reference` is the right function; where it raises ValueError, so must the attempt. `about`, or else
    its docstring, has what it returns and mistakes in a step of it: the code, what stands there instead,
    and the hint. A case is a title and the arguments. Where many results are right, `run` sums up.
    """

    def __init__(self, reference, cases, about=None, run=lambda f, args: f(*args.values())):
        about, _, self._slips = (about or inspect.getdoc(reference)).partition("\n\n")
        self.names = list(inspect.signature(reference).parameters)
        self.__doc__ = f"{reference.__name__}: {', '.join(self.names)}. {about}"
        self.cases = [(title, dict(zip(self.names, a, strict=True))) for title, *a in cases]
        self.reference, self.run = reference, run

    @cached_property
    def mistakes(self):
        """Functions with a mistake whose hint is their docstring: the known ones, and the others."""
        known = slips.of_function(self.reference, self._slips)
        return known, slips.of_function(self.reference)

    def __call__(self, attempt):
        """Try `attempt` on all inputs and say how it went; raise nothing, whatever it does."""
        if attempt is None or attempt is ...:
            return Result(False, _TO_DO)
        if not callable(attempt):
            came = faults.kind(attempt)
            return _not_yet(f"Give it the name of the function, without brackets, not {came}.")
        fault = _fault_of_arguments(attempt, self.names)
        if fault:
            return _not_yet(fault)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # what they tell of is told in words
            trials = [faults.Trial(*case, self.run) for case in self.cases]
            for trial in trials:
                trial.wanted = trial.give(self.reference)
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), _kept(attempt):
                stopped = _within_time(partial(self._try, attempt, trials))
            trials = [trial for trial in trials if trial.given is not None]
            done = [trial for trial in trials if trial.done]
            wrong = [trial for trial in done if self._is_wrong(trial)]
            if stopped and not wrong:
                return _not_yet(stopped, trials, trials[-1])
            return self._answer(attempt, done, wrong)

    def _try(self, attempt, trials):
        """Run the attempt on the input of each trial, which gets what came."""
        for trial in trials:
            trial.given = copy.deepcopy(trial.args)
            pictures = nullcontext() if trial is trials[0] else _no_pictures()
            with redirect_stdout(trial.printed), np.errstate(all="ignore"), pictures:
                try:
                    came = self.run(attempt, trial.given)
                    trial.receive([came] if isinstance(came, BaseException) else came)
                except _TimeIsUp:
                    raise
                except BaseException as error:  # sys.exit() too
                    trial.receive(error)

    def _is_wrong(self, trial):
        try:
            return trial.came is None or trial.changed() or not trial.is_right()
        except Exception:  # a result so odd that it cannot even be looked at
            return True

    def _answer(self, attempt, trials, wrong):
        if _is_unfinished(trials[0].came):
            return Result(False, _TO_DO)
        if trials[0].came is None and not _said(trials[0]):
            return Result(False, _TO_DO + _NO_RETURN)
        if not wrong:
            note = " (What it printed is left out.)" if any(map(_said, trials)) else ""
            return Result(True, f"✓ Right, on all {len(self.cases)} inputs.{note}")
        first = wrong[0]
        try:
            text = self._fault(attempt, first, trials)
        except Exception:
            text = f"Expected: {faults.show(first.wanted)}\nCame: {faults.kind(first.came)}"
        if text.startswith("Still to be done"):
            return Result(False, f"○ {text}")
        return _not_yet(text, trials, first)

    def _fault(self, attempt, first, trials):
        """Say what is wrong in the first trial that went wrong."""
        if first.came is None and not isinstance(first.wanted, ValueError):
            told = " print shows a value; only `return` hands it back." if _said(first) else ""
            return f"It returned None on this input: it came to its end without a `return`.{told}"
        text, name = "", first.changed()
        if not first.is_right():
            text = faults.describe(trials, *self.mistakes, *reading.look_into(attempt))
        begin = "It has also" if text else "Why: The result is right, but your function has"
        return f"{text}\n{begin} changed its argument {name}, {_CHANGED}".strip() if name else text


_CHANGED = (
    "which whoever calls it may still need. Lines such as `a -= b` and `a[i] = b` work on the array "
    "itself, also where a copy of a dictionary holds it. `a = a - b` makes a new one."
)


def check(*cases, **options):
    """Make a `Check` of the right function."""
    return lambda reference: Check(reference, cases, **options)


class _TimeIsUp(BaseException):
    """Raised inside the attempt to stop it; ``except Exception`` does not catch it."""


def _within_time(work):
    """Do the work in a thread until the time is up; then say in which line it was stopped.

    A thread is left behind while it computes in C, in NumPy for example: there nothing reaches it.
    """
    lines = []

    def guarded():
        try:
            work()
        except _TimeIsUp as error:
            lines.extend(reading.lines_of(error))

    worker = threading.Thread(target=guarded, daemon=True)
    worker.start()
    try:
        worker.join(TIME_LIMIT)
        in_time = not worker.is_alive()
    finally:  # also if the learner interrupts
        for _ in range(100):  # more than once: a bare `except` in a loop catches some
            if not worker.is_alive():
                break
            identity, error = ctypes.c_ulong(worker.ident), ctypes.py_object(_TimeIsUp)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, error)
            worker.join(0.01)
    if in_time:
        return None
    where = f" It stood in the line `{lines[0]}`." if lines else ""
    left = "\nIt cannot be stopped from here. Restart the kernel before you go on."
    return (
        f"It had not come to an end after {TIME_LIMIT:g} seconds, so it was stopped.{where} Does the "
        "condition of a loop stay true for ever? If it is only slow: compute with whole arrays."
    ) + left * worker.is_alive()


def _refuse(error, *_):
    raise error


_END = partial(_refuse, SystemExit("exit() would end the whole notebook"))
_TYPE = partial(_refuse, EOFError("input() waits for typing; all you need is in the arguments"))
_STAND_INS = {"input": _TYPE, "exit": _END, "quit": _END}
_KEPT = re.compile(r"builtins|math|numpy(\.\w+)?|course_utils(\.\w+)*")


@contextmanager
def _kept(attempt):
    """Let the attempt neither wait for input, nor end the notebook, nor leave a module changed."""
    names = getattr(attempt, "__globals__", {})
    modules = [vars(m) for n, m in list(sys.modules.items()) if _KEPT.fullmatch(n)]
    contents = [(module, dict(module)) for module in [names, *modules]]
    names.update(_STAND_INS)
    try:
        yield
    finally:
        for name in _STAND_INS:
            names.pop(name, None)
        for module, then in contents:
            if any(module.get(name) is not value for name, value in then.items()):
                module.update(then)


@contextmanager
def _no_pictures():
    """Drop the pictures of an input: those of the first are enough."""
    from IPython.utils.capture import capture_output  # here, as it takes long to load

    pyplot = sys.modules.get("matplotlib.pyplot")
    before = pyplot.get_fignums() if pyplot else []
    with capture_output(stdout=False, stderr=False):
        yield
    for number in set(pyplot.get_fignums() if pyplot else ()).difference(before):
        pyplot.close(number)


def _said(trial):
    return trial.printed.getvalue()[:200].strip()


def _not_yet(text, trials=(), trial=None):
    """Return the answer, in at most 15 lines: of an input that is too long, only the shapes are told."""
    said = f"\nIt printed: {_said(trial)!r}" if trial and _said(trial) else ""
    for most in faults.MOST_SHOWN, 8, 0:
        lines = ["✗ Not yet."]
        if trial:
            before = [t.title for t in trials[: trials.index(trial)]]
            lines += [f"Right so far: {'; '.join(before)}."] * bool(before)
            shown = [f"{name} = {faults.show(v, most)}" for name, v in trial.args.items()]
            shown = shown if most else [", ".join(shown)]
            lines += [f"Input: {trial.title}", *(f"  {line}" for line in shown)]
        lines += (text + said).splitlines()
        filled = [textwrap.fill(line, 96, subsequent_indent="    ") for line in lines]
        lines = "\n".join(filled).splitlines()
        if len(lines) <= _MOST_LINES:
            break
    return Result(False, "\n".join(lines[:_MOST_LINES]))


def _fault_of_arguments(attempt, names):
    try:
        inspect.signature(attempt).bind(*names)
    except TypeError:
        return f"It must take ({', '.join(names)}). Yours takes {inspect.signature(attempt)}."
    except ValueError:
        pass  # some functions that are not written in Python do not tell
    return None


def _is_unfinished(came):
    """Return whether the dots of the stub are all that there is, or were computed with."""
    if isinstance(came, TypeError | AttributeError):
        return "ellipsis" in str(came)
    came = list(came.values()) if isinstance(came, Mapping) else came
    if isinstance(came, tuple | list) and came:
        return all(_is_unfinished(part) for part in came)
    return came is ... or type(came) is NotImplementedError  # and not a subclass: input() has one
