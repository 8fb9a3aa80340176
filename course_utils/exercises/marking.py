"""Trying out a learner's function: within a time limit, with an answer whatever it does.

`mark` calls the function, and never lets an error, a print or an endless loop through. `compare` says
what is wrong with a result: it computes what each of a list of known mistakes would have given, and
looks whether one of them is what came. The source of the function is never judged.
"""

import copy
import gc
import inspect
import io
import linecache
import reprlib
import sys
import textwrap
import threading
import time
import traceback
import warnings
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

import numpy as np

TIME_LIMIT = 3.0  # seconds for all inputs of an exercise; a right answer needs some hundredths
_MOST_PRINTED = 200  # characters of what the attempt printed that are kept
_MOST_SHOWN = 20  # numbers of an array; of a larger one its shape is told
_TO_DO = "○ Still to be done. Replace the dots by your code, then run the cell again."
_NO_RETURN = "\n(It returned None. If you have written your code, its `return` is missing.)"


@dataclass(frozen=True, repr=False)
class Result:
    """What a check says to an attempt. A notebook shows its text.

    Attributes
    ----------
    passed : bool
        Whether the attempt is right.
    text : str
        The answer, in words.
    """

    passed: bool
    text: str

    def __repr__(self):
        return self.text


def mark(attempt, cases, judge, run=None):
    """Try `attempt` on each of `cases`, until one goes wrong, and say how it went.

    Parameters
    ----------
    attempt : callable
        What the learner has written.
    cases : list of (str, dict)
        Each case is its description, and the arguments by name, in the order of the call. The attempt
        is given a copy.
    judge : callable
        Takes the arguments (dict) and what came: the result, or the error that was raised. Returns
        None if that is right, and otherwise what is wrong with it, as text.
    run : callable, optional
        Takes the attempt and the arguments, and returns what is to be judged. Calls it, if left out.

    Returns
    -------
    Result
        Nothing is raised, whatever the attempt does.
    """
    if attempt is None or attempt is ...:
        return Result(False, _TO_DO)
    if not callable(attempt):
        return _not_yet(
            f"This check needs the function itself, and got {_kind(attempt)}. Give it the name of "
            "the function, without brackets behind it."
        )
    printed, found, tried = _Printed(), [], []

    def work():
        try:
            with np.errstate(all="ignore"):
                limited = _within(TIME_LIMIT, run or _run)
                found.append(_first_fault(attempt, cases, judge, limited, printed, tried))
        except _TimeIsUp:
            pass
        except BaseException as error:  # a result so odd that it cannot even be looked at
            found.append(_not_yet(f"What it returned cannot be read ({type(error).__name__})."))

    # a thread can be left behind, where an attempt does not let itself be stopped
    worker = threading.Thread(target=work, daemon=True)
    collects = gc.isenabled()
    gc.disable()  # deep in an endless recursion it would fail, and what it prints is not the attempt's
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


def compare(reference, mistakes, *, rtol=1e-5, atol=1e-8):
    """Make a judge for `mark` that holds a result against the right one and against known mistakes.

    Parameters
    ----------
    reference : callable
        Takes the arguments and returns the right result: a number, an array, a tuple or a dict of
        such. Where it raises ValueError, so must the attempt.
    mistakes : dict of str to callable, or to a tuple of callables
        A hint, and a function with the mistake that the hint is about. If it gives what came, the
        hint is told. If several do, one goes first that is right where the attempt was right: on the
        inputs before, and in the other parts of a dict or a named tuple.
    rtol, atol : float
        How much a number may be off: ``atol + rtol * abs(right)``.

    Returns
    -------
    callable
    """
    passed = []  # the inputs before this one, and their right results

    def same(came, wanted):
        return _same(came, wanted, rtol, atol)

    def judge(args, came):
        wanted = _call(reference, args)
        if isinstance(wanted, ValueError):
            return None if isinstance(came, ValueError) else _should_have_raised(came)
        if isinstance(came, BaseException):
            return describe_error(came)
        if same(came, wanted):
            passed.append((args, wanted))
            return _fault_of_type(came, wanted)
        name, came_part, wanted_part = _first_difference(came, wanted, same)
        why = known(args, came, wanted, name, came_part)
        why = why or _fault_of_type(came_part, wanted_part)
        why = why or _fault_of_value(came_part, wanted_part, same)
        of = f" {name}" if name else ""
        place = _first_place(came_part, wanted_part, same)
        if np.size(wanted_part) > _MOST_SHOWN and place:  # then that one says more than the shape
            came_part, wanted_part = came_part[place], wanted_part[place]
            of += f" at [{', '.join(map(str, place))}]"
        return (
            f"Expected{of}: {_show(wanted_part)}\nCame{of}:     {_show(came_part)}\n"
            f"Why: {f'{name}: ' if name else ''}{why}"
        )

    def known(args, came, wanted, name, came_part):
        """Return the hint of the mistake that explains what came, and the passed inputs, best."""
        best = (0, 0), None
        for hint, wrongs in mistakes.items():
            for wrong in wrongs if isinstance(wrongs, tuple) else (wrongs,):
                result = _call(wrong, args)
                parts = _parts(result, wanted) or {"": result}
                if name in parts and same(came_part, parts[name]):
                    may_be = all(same(_call(wrong, before), right) for before, right in passed)
                    came_parts = _parts(came, wanted) or {"": came}
                    explained = sum(same(came_parts[n], parts[n]) for n in parts)
                    best = max(best, ((may_be, explained), hint), key=lambda pair: pair[0])
        return best[1]

    return judge


class _TimeIsUp(BaseException):
    """Raised inside the attempt to stop it; ``except Exception`` does not catch it."""


class _Printed(io.TextIOBase):
    """Takes what is printed, and keeps the beginning."""

    text = ""

    def write(self, text):
        self.text += text[: _MOST_PRINTED - len(self.text)]
        return len(text)


def _within(seconds, run):
    """Return a function that does what `run` does, and raises `_TimeIsUp` when all time is spent.

    Python calls a trace function at each line. Signals would not do: they come neither on Windows nor
    outside the main thread.
    """
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


def _run(attempt, args):
    return attempt(*args.values())


def _not_yet(text):
    lines = f"✗ Not yet.\n{text}".splitlines()
    return Result(
        False, "\n".join(textwrap.fill(line, 96, subsequent_indent="    ") for line in lines)
    )


def _first_fault(attempt, cases, judge, run, printed, tried):
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
            if printed.text:
                fault += " print shows a value; only `return` hands it back."
        else:
            fault = judge(args, came)
        fault = fault or _changed(args, given)
        if fault:
            shown = "".join(f"\n  {name} = {_show(value)}" for name, value in args.items())
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


def describe_error(error):
    """Say in which line an attempt stopped, by which error, and what often lies behind that.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    str
    """
    frames = traceback.extract_tb(error.__traceback__)
    ours = Path(__file__).parent
    theirs = [frame for frame in frames if ours not in Path(frame.filename).parents]
    line = linecache.getline(theirs[0].filename, theirs[0].lineno).strip() if theirs else ""
    where = f" in the line `{line}`" if line else ""
    text = f"It stopped{where} with {type(error).__name__}: {error}"
    for known, words, hint in _OFTEN:
        if isinstance(error, known) and words in str(error):
            text += f"\nWhy: {hint}"
            break
    return text


_OFTEN = (
    (NameError, "", "This name is not known. Is it spelt like the argument? Is it imported?"),
    (ValueError, "matmul", "The shapes do not fit in a matrix product. Is one to be transposed?"),
    (
        ValueError,
        "broadcast",
        "The shapes do not fit each other. Is it keepdims=True that is missing, or were labels taken "
        "for one-hot rows?",
    ),
    (IndexError, "", "An index goes beyond the end. Look at the shapes in the input."),
    (RecursionError, "", "The function calls itself, without end."),
)


def _should_have_raised(came):
    if isinstance(came, BaseException):
        return f"Expected: ValueError\nCame: {type(came).__name__}: {came}"
    return (
        f"Expected: ValueError\nCame: {_show(came)}\nWhy: This input is not valid, and nobody would "
        "notice. Say so: `raise ValueError(...)`."
    )


def _call(function, args):
    """Call with a copy of `args`; return what is raised."""
    try:
        return _run(function, copy.deepcopy(args))
    except Exception as error:
        return error


def _same(came, wanted, rtol, atol):
    """Return whether two results have the same form, shape and numbers; their types may differ."""
    if isinstance(wanted, Mapping):
        return (
            isinstance(came, Mapping)
            and set(came) == set(wanted)
            and all(_same(came[name], wanted[name], rtol, atol) for name in wanted)
        )
    if isinstance(wanted, tuple):
        return (
            isinstance(came, tuple | list)
            and len(came) == len(wanted)
            and all(_same(a, b, rtol, atol) for a, b in zip(came, wanted, strict=True))
        )
    came, wanted = _as_numbers(came), _as_numbers(wanted)
    return (
        came is not None
        and wanted is not None
        and came.shape == wanted.shape
        and np.allclose(came, wanted, rtol, atol, equal_nan=True)
    )


def _as_numbers(value):
    """Return `value` as an array of float64, or None if it does not hold numbers."""
    try:
        array = np.asarray(value)
    except Exception:  # rows of different lengths, or an object that cannot be turned into one
        return None
    return array.astype(np.float64) if array.dtype.kind in "biuf" else None


def _first_difference(came, wanted, same):
    """Return (name of the part, what came, what was wanted), for the first part that differs."""
    came_parts, wanted_parts = _parts(came, wanted), _parts(wanted, wanted)
    if came_parts.keys() == wanted_parts.keys():
        for name, part in wanted_parts.items():
            if not same(came_parts[name], part):
                return name, came_parts[name], part
    return "", came, wanted


def _parts(value, like):
    """Return the named parts of a dict, or of a tuple like the named one in `like`; else none."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | list) and len(value) == len(getattr(like, "_fields", ())):
        return dict(zip(like._fields, value, strict=True))
    return {}


def _fault_of_type(came, wanted):
    """Say what is wrong with the kind of thing that came, or return None."""
    if isinstance(wanted, Mapping):
        names = ", ".join(map(repr, wanted))
        if not isinstance(came, Mapping):
            return (
                f"It should return a dictionary with the keys {names}, but returned {_kind(came)}."
            )
        if set(came) != set(wanted):
            return f"The keys should be {names}, but are {', '.join(map(repr, came))}."
        pairs = [(came[name], wanted[name]) for name in wanted]
        return next(filter(None, (_fault_of_type(*pair) for pair in pairs)), None)
    if isinstance(wanted, tuple):
        n = len(wanted)
        if not isinstance(came, tuple | list):
            return f"It should return a tuple, but returned {_kind(came)}."
        if len(came) != n:
            return f"The tuple should have the length {n}, but has {len(came)}."
        pairs = zip(came, wanted, strict=True)
        return next(filter(None, (_fault_of_type(*pair) for pair in pairs)), None)
    if isinstance(wanted, np.ndarray):
        if not isinstance(came, np.ndarray):
            return f"It should return a NumPy array, but returned {_kind(came)}."
        allowed = "iu" if wanted.dtype.kind in "iu" else "iuf"
        if came.dtype.kind not in allowed:
            whole = "whole numbers" if allowed == "iu" else "numbers"
            return f"The array should hold {whole}, but its type is {came.dtype}."
        return None
    value = came.item() if isinstance(came, np.ndarray | np.generic) and came.ndim == 0 else came
    if isinstance(wanted, Integral):
        if isinstance(value, bool) or not isinstance(value, Integral):
            return f"It should return a whole number, an int, but returned {_kind(came)}."
    elif isinstance(value, bool) or not isinstance(value, Real):
        return f"It should return a single number, but returned {_kind(came)}."
    return None


def _fault_of_value(came, wanted, same):
    """Say how the numbers that came differ from those that were wanted."""
    came, wanted = _as_numbers(came), _as_numbers(wanted)
    if came is None or wanted is None:
        return "The two differ."
    if came.ndim == 2 and same(came.T, wanted):
        return "It is transposed: rows and columns have changed places."
    if came.shape != wanted.shape:
        return f"The shape should be {wanted.shape}, but is {came.shape}."
    if not np.isfinite(came).all() and np.isfinite(wanted).all():
        return (
            "There is nan or inf in it. Does `exp` overflow, is there a division by 0, or the "
            "logarithm of 0?"
        )
    if same(-came, wanted):
        return "The sign is turned round."
    if wanted.size > 1 and wanted.any():
        factor = float((came * wanted).sum() / (wanted * wanted).sum())
        if factor and same(came, factor * wanted):
            return f"Every number is {factor:.4g} times as large as it should be."
        place = _first_place(came, wanted, same)
        return (
            f"The first number that differs is at [{', '.join(map(str, place))}]: expected "
            f"{wanted[place]:.6g}, came {came[place]:.6g}."
        )
    return "The numbers differ."


def _first_place(came, wanted, same):
    """Return the index of the first number that differs, or None if the shapes do."""
    if not (isinstance(came, np.ndarray) and np.shape(came) == np.shape(wanted)):
        return None
    differs = ~np.vectorize(same, otypes=[bool])(came, wanted)
    return tuple(int(i) for i in np.argwhere(differs)[0])


def _kind(value):
    """Describe the type of `value` in words."""
    return "None" if value is None else f"a value of the type {type(value).__name__}"


def _show(value):
    """Write a value for people: small ones as they are, large ones by their shape."""
    if isinstance(value, bytes):
        return f"{value[:24].hex(' ')}{' …' if len(value) > 24 else ''}"
    if isinstance(value, Mapping) and len(value) > 6:
        return f"a dictionary with the keys {', '.join(map(str, value))}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name!r}: {_show(v)}" for name, v in value.items()) + "}"
    if isinstance(value, tuple | list):
        parts = [_show(part) for part in value[:6]] + ["…"] * (len(value) > 6)
        return f"({', '.join(parts)}{',' * (len(parts) == 1)})"
    if isinstance(value, np.ndarray) and value.ndim > 0:
        if value.size > _MOST_SHOWN:
            return f"array of shape {value.shape}"
        number = {"float_kind": lambda x: f"{x:.4g}"}
        return " ".join(np.array2string(value, separator=", ", formatter=number).split())
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    if isinstance(value, int | np.integer | np.bool_):
        return str(value)
    if isinstance(value, str):
        return reprlib.repr(value)
    if inspect.isfunction(value):
        return (value.__doc__ or "a function").strip().splitlines()[0]
    return _kind(value)  # what it says of itself may hold an address
