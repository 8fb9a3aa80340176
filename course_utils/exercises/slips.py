r"""Slips: the right function with one sign, name, axis or value changed, and a hint for each.

They are made in the text of the function, by tables: what is looked for, what takes its place, and
the hint. The tests make the same slips in the folded solutions.
"""

import ast
import inspect
import itertools
import re
import textwrap

from .. import functions

_STEPS = r"""
FOLD\(axis=-?1 -> .\1(axis=0 -> `\1` runs down the columns. It belongs along the rows.
FOLD\(axis=0 -> .\1(axis=1 -> `\1` runs along the rows. It belongs down the columns.
FOLD\(axis=-?\d.*?\) -> .\1() -> `\1` runs over everything. It needs an axis.
FOLD(\(axis=-?\d), keepdims=True -> .\1\2 -> `\1` meets the wrong numbers: keepdims=True.
FOLD(\(axis=-?\d)\) -> .\1\2, keepdims=True) -> `\1` has an axis too many: no keepdims.
FOLD\(.*?\) ->  -> `\1` is missing.
\b(CALLED)\((.+?) \+ (ONE)\) -> (\1(\2) + \3) -> `\3` is added behind `\1`. It belongs inside.
\b(CALLED)(\([^()]*\)) -> \2 -> `\1` is missing.
softmax\((.*)\) -> softmax(sigmoid(\1)) -> The last layer has a sigmoid before its softmax.
softmax\((.*)\) -> softmax((\1).T).T -> The softmax runs down the columns, not along the rows.
softmax\((.*)\) -> softmax((\1).ravel()).reshape(len(X), -1) -> The softmax runs over everything.
softmax\((.*)\) -> np.exp(\1) / np.exp(\1).sum(-1, keepdims=True) -> exp overflows in its softmax.
len\(X(\w*)\) -> Y\1.shape[1] -> It was divided by the number of classes, not of images.
Z1 > 0 -> A1 -> It was multiplied by A1. The slope of relu is 1 or 0.
Z1 > 0 -> A1 * (1 - A1) -> This is the slope of the sigmoid. That of relu is 1 or 0.
Z1 > 0 -> True -> The slope of relu is missing: it is 0 where Z1 is not positive.
A1 \* \(1 - A1\) -> (Z1 > 0) -> This is the slope of relu. That of the sigmoid is A1 * (1 - A1).
A1 \* \(1 - A1\) -> sigmoid(A1) * (1 - sigmoid(A1)) -> The sigmoid was taken twice: A1 is one.
np\.(maximum|minimum)\(([^,()]+), .*?\) -> \2 -> `np.\1` is missing.
\bround\((.*)\) -> int(\1 + 0.5) -> int(x + 0.5) is wrong where x is negative. Use round().
(ONE) - (ONE) -> \2 - \1 -> `\1` minus `\2` is turned round.
\+ (ONE) -> - \1 -> `\1` was subtracted, not added.
- (ONE) -> + \1 -> `\1` was added, not subtracted.
 / (ONE) ->  -> The division by `\1` is missing.
 [-+] (TERM) ->  -> `\1` is missing.
 [*@] (ONE) ->  -> `\1` is missing.
(ONE) [+*@] (?=ONE) ->  -> `\1` is missing.
(TERM) ([-+]) (?=ONE) -> \2 -> `\1` is missing.
- (ONE) -> / \1 -> It was divided by `\1`. Subtract it.
- (TERM) -> * (1 - \1) -> It was multiplied by 1 minus `\1`. Subtract it.
(ONE) \* (ONE) -> \2 / \1 -> It was divided by `\1`, not multiplied.
([*/]) \((ONE [-+*/] ONE)\) -> \1 \2 -> Brackets are missing around `\2`.
\((ONE [-+*/] ONE)\) ([*/]) -> \1 \2 -> Brackets are missing around `\1`.
(ONE) \* (ONE [-+] TERM) -> \1 * (\2) -> All of it was multiplied by `\1`, not only the next.
-(?=\w) ->  -> The minus is missing.
== -> != -> `!=` stands where `==` belongs.
!= -> == -> `==` stands where `!=` belongs.
>= -> > -> What is just at the limit counts, too: `>=`.
> (?=\w) -> >= -> What is just at the limit does not count: `>`.
\n +(b\d) = .* ->  -> `\1` has not moved. Biases learn, too.
\n +(\S+) = .* ->  -> The step to `\1` is missing.
([(\[])(\w+), (\w+)([)\]]) -> \1\3, \2\4 -> `\2` and `\3` are exchanged.
NUMBER -> (\1 * 10) -> A number is ten times `\1`.
"""
_SHORT = {
    "TERM": "ONE(?: [*/@] ONE)*",
    "ONE": r"(?:[\w.]*\([^()]*\)|[\w.]+(?:\[[^][]*\])?)",  # a call, a bracket, or a name
    "CALLED": r"sigmoid|relu|softmax|round|np\.log|np\.exp",
    "FOLD": r"\.(sum|mean|max|argmax)",
    "NUMBER": r"(?<![\w.=-])(\d[\d.]*(?:e-?\d+)?)(?![\w.])",
}
_ALIKE = """sigmoid relu softmax np.tanh
np.log np.log2 np.log10 np.exp
round int math.floor math.ceil
.sum .mean .max .min .argmax .argmin
np.maximum np.minimum"""  # any of a line may stand where another belongs
_VALUES = """
-{} -> has the opposite sign
{}.T -> is transposed: rows and columns have changed places
{} / n -> is n times too small, for n rows
{} * n -> is n times too large, for n rows
{} * n / (n - 1) -> is divided by n - 1, not by n
{} * 0 -> is missing, as if it were 0
{} / 2 -> is half of what it should be
{} * 2 -> is twice as large as it should be
{} / 100 -> is divided by 100
{} * 100 -> is in percent; a share is a number from 0 to 1
1 - {} -> is 1 minus what it should be
{} + 1 -> is too large by 1
{} - 1 -> is too small by 1
np.trunc({}) -> has its fractions cut off
{}.ravel() -> lies in one row; reshape gives it its shape
{}.argmax(axis=-1) -> holds places of the largest numbers, not the numbers
"""


def _rows(table):
    lines = table.strip("\n").replace("\n    ->", " ->").splitlines()
    return [line.split(" -> ") for line in lines]


def _rules_of_any(names):
    """Return (pattern, what takes its place, hint) for the slips that any function may see."""
    for pattern, other, hint in _rows(_STEPS):
        for word, meaning in _SHORT.items():
            pattern = pattern.replace(word, meaning)
        yield pattern, other, hint
    for line in _ALIKE.splitlines():
        for right, other in itertools.permutations(line.split(), 2):
            hint = f"`{other.strip('.')}` stands where `{right.strip('.')}` belongs."
            yield rf"(?:\b|(?=\.)){re.escape(right)}\(", f"{other}(", hint
    for right, other in itertools.permutations(names, 2):
        yield rf"\b{right}\b(?! =)", other, f"`{other}` stands where `{right}` belongs."


def _rules_of(table):
    """Return the same for a table of code as it stands there, where … is all to the end, or between."""
    for code, other, hint in _rows(table):
        pattern = re.escape(code).replace("…", "((?s:.*?))" if code[-1] != "…" else "(.*)")
        yield pattern, other.replace("…", r"\1"), hint


def of_source(source, table=None):
    """Yield (hint, source) for each slip in the source of a function: those of the table, or any."""
    tree = ast.parse(textwrap.dedent(source))
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef))
    function.decorator_list = []
    if isinstance(function.body[0], ast.Expr):
        del function.body[0]  # its docstring
    head, *lines = ast.unparse(function).splitlines()
    body = "\n" + "\n".join(lines)
    args = [arg.arg for arg in function.args.args]
    stored = re.findall(r"\w+(?=(?:, \w+)* (?:=|in) )", body)
    rules = _rules_of_any(dict.fromkeys(args + stored)) if table is None else _rules_of(table)
    for pattern, other, hint in rules:
        found = list(re.finditer(pattern, body))
        in_lines = itertools.groupby(found, lambda match: body.count("\n", 0, match.start()))
        groups = [[match] for match in found] + [list(group) for _, group in in_lines] + [found]
        for k, group in enumerate(groups):
            if group and group not in groups[:k]:
                changed = body
                for match in reversed(group):
                    start, end = match.span()
                    changed = changed[:start] + match.expand(other) + changed[end:]
                hints = dict.fromkeys(match.expand(hint) for match in group)
                yield " ".join(hints), head + changed
    if table is not None:
        return
    yield from ((hint, head + changed) for hint, changed in _changed_values(body, args))
    for k, line in enumerate(lines):
        for earlier in range(k):
            moved = [*lines[:earlier], line, *lines[earlier:k], *lines[k + 1 :]]
            step = f"The step to `{line.split(' = ')[0].strip()}` comes too early."
            yield step, "\n".join([head, *moved])


def _changed_values(body, args):
    """Yield the hint and the text for each slip of an argument, of a result, and of what is between."""
    for change, hint in _rows(_VALUES):
        change = change.replace("n", f"len({args[0]})") if "n" in change.split() else change
        for match in re.finditer(r"\n +(return|\w+ =) (.+)", body):
            value = change.format(f"({match[2]})")
            name = "The result" if match[1] == "return" else f"`{match[1][:-2]}`"
            yield f"{name} {hint}.", body[: match.start(2)] + value + body[match.end(2) :]
        for name in args:
            yield f"`{name}` {hint}.", f"\n    {name} = {change.format(name)}{body}"
    for one, two in itertools.combinations(args, 2):
        yield f"`{one}` and `{two}` are exchanged.", f"\n    {one}, {two} = ({two}, {one}){body}"
    yield "The last row is missing.", "".join(f"\n    {a} = {a}[:-1]" for a in args[:2]) + body
    yield "Only the first row is used.", "".join(f"\n    {a} = {a}[:1]" for a in args[:2]) + body


def of_function(function, table=None):
    """Return the function with each slip in it; the hint is its docstring."""
    found = []
    for hint, source in of_source(inspect.getsource(function), table):
        names = vars(functions) | vars(inspect.getmodule(function))
        try:
            exec(source, names)  # noqa: S102
        except SyntaxError:
            continue
        found.append(names[function.__name__])
        found[-1].__doc__ = hint
    return found
