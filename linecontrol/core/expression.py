"""A condition's value as arithmetic over tags, written in a file: ``TT-303 - TT-309``, ``rise(AT-318, 900)``.

Parsed, never executed: numbers, tags, + - * / and brackets, and the functions below are all there is. Signs stand
between blanks, because tag names hold hyphens. Pure: the memory that a function needs is the caller's.

* ``min(a, b, …)``, ``max(a, b, …)``, ``abs(a)``
* ``mean(a, s)``: exponential mean of ``a`` with time constant ``s`` [line s].
* ``rise(a, s)``: how far ``a`` has risen over about the last ``s`` [line s]: a tenth-as-slow mean minus ``mean(a, s)``.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

MOST_LETTERS = 300
MOST_PARTS = 60
_TAG = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*(?:\.[A-Za-z_]+)?")
_PLAIN: Mapping[str, Callable[..., float]] = {"min": min, "max": max, "abs": abs}
_SLOW = ("mean", "rise")
_QUICK_SHARE = 0.1  # of the window: what counts as now
_ACCEPTED = "numbers, tags, + - * / between blanks, brackets, min, max, abs, mean(x, s), rise(x, s)"


class ExpressionError(ValueError):
    """An expression that cannot be read; says what, and what is accepted."""


@dataclass(slots=True)
class Memory:
    """What slow functions of one expression remember: a mean by place. Starts empty."""

    means: dict[str, float] = field(default_factory=dict)

    def mean(self, place: str, value: float, tau_s: float, dt_s: float) -> float:
        """Exponential mean; a value that is no number leaves it where it was."""
        old = self.means.get(place, value)
        if math.isnan(value):
            return old
        share = 1.0 - math.exp(-max(dt_s, 0.0) / tau_s)
        new = value if math.isnan(old) else old + share * (value - old)
        self.means[place] = new
        return new


_Work = Callable[[Mapping[str, float], Memory, float], float]
"""(values by tag, memory, seconds since the last look) -> value."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An arithmetic expression over tags.

    Attributes:
        text: as written. tags: those it reads, in order, each once. is_tag: one tag and nothing else.
        lag_s: how long ago the cause may lie of what it shows only now [line s]: three windows, 95 % of a step.
    """

    text: str
    tags: tuple[str, ...]
    is_tag: bool
    lag_s: float
    _work: _Work

    def at(self, values: Mapping[str, float], memory: Memory, dt_s: float) -> float:
        """Its value; NaN where a tag is NaN, where it is divided by zero, and where it is no finite number.

        Args:
            values: every tag of ``tags``; NaN = not GOOD.
            dt_s: line time since the last time it was asked with this memory [s].
        """
        try:
            found = self._work(values, memory, dt_s)
        except (ZeroDivisionError, OverflowError):
            return math.nan
        return found if math.isfinite(found) else math.nan


def _compiled(node: ast.expr, names: Mapping[str, str]) -> _Work:
    """What a node comes to, as a function: the tree is walked once, not at every look."""
    if isinstance(node, ast.Name):
        tag = names[node.id]
        return lambda values, _memory, _dt_s: values[tag]
    if isinstance(node, ast.Constant):
        constant = float(node.value)  # type: ignore[arg-type]  # parse has let numbers through only
        return lambda _values, _memory, _dt_s: constant
    if isinstance(node, ast.UnaryOp):
        inner = _compiled(node.operand, names)
        return inner if isinstance(node.op, ast.UAdd) else lambda *now: -inner(*now)
    if isinstance(node, ast.BinOp):
        work, left, right = _OPERATORS[type(node.op)], _compiled(node.left, names), _compiled(node.right, names)
        return lambda *now: work(left(*now), right(*now))
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        raise TypeError("parse lets nothing else through")
    name, parts = node.func.id, [_compiled(part, names) for part in node.args]
    if name in _PLAIN:
        return _plain(_PLAIN[name], parts)
    return _slow(name, parts[0], parts[1], f"{node.col_offset}")


def _plain(function: Callable[..., float], parts: Sequence[_Work]) -> _Work:
    def work(values: Mapping[str, float], memory: Memory, dt_s: float) -> float:
        found = [part(values, memory, dt_s) for part in parts]
        return math.nan if any(map(math.isnan, found)) else float(function(*found))

    return work


def _slow(name: str, part: _Work, window: _Work, place: str) -> _Work:
    """``mean`` and ``rise``; ``place`` tells several in one expression apart."""

    def work(values: Mapping[str, float], memory: Memory, dt_s: float) -> float:
        value, window_s = part(values, memory, dt_s), window(values, memory, dt_s)
        slow = memory.mean(place, value, window_s, dt_s)
        if name == "mean":
            return math.nan if math.isnan(value) else slow
        quick = memory.mean(f"{place}:now", value, _QUICK_SHARE * window_s, dt_s)
        return math.nan if math.isnan(value) else quick - slow

    return work


def _window_s(node: ast.expr) -> float:
    """The longest way through windows of slow functions [line s]; that of ``rise`` looks at its first tenth."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
        return max(map(_window_s, parts), default=0.0)
    if node.func.id in _PLAIN:
        return max(map(_window_s, node.args))
    inner, window = node.args
    seconds = float(window.value)  # type: ignore[attr-defined]  # parse has let numbers through only
    return _window_s(inner) + (seconds if node.func.id == "mean" else _QUICK_SHARE * seconds)


_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def parse(text: str) -> Expression:
    """Read one expression. Raises ExpressionError."""
    if len(text) > MOST_LETTERS:
        raise ExpressionError(f"{len(text)} letters (accepted: up to {MOST_LETTERS})")
    names: dict[str, str] = {}

    def placed(found: re.Match[str]) -> str:
        word = found.group()
        if word in _PLAIN or word in _SLOW:
            return word
        at = next((at for at, tag in names.items() if tag == word), f"t{len(names)}_")
        names[at] = word
        return at

    try:
        tree = ast.parse(_TAG.sub(placed, text.strip()), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"{text!r} cannot be read (accepted: {_ACCEPTED})") from None
    waiting, parts = [tree], 0
    while waiting:
        node = waiting.pop()
        parts += 1
        if parts > MOST_PARTS:
            raise ExpressionError(f"more than {MOST_PARTS} parts (accepted: up to {MOST_PARTS})")
        waiting += _parts(node, names, text)
    is_tag, lag_s = isinstance(tree, ast.Name), 3.0 * _window_s(tree)
    return Expression(text.strip(), tuple(names.values()), is_tag, lag_s, _compiled(tree, names))


def _parts(node: ast.expr, names: Mapping[str, str], text: str) -> list[ast.expr]:
    """What stands below a node. Raises ExpressionError for one that is not accepted."""
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return [node.left, node.right]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
        return [node.operand]
    if isinstance(node, ast.Name) and node.id in names:
        return []
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return []
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _arguments(node.func.id, node.args)
    raise ExpressionError(f"{text!r} holds something else (accepted: {_ACCEPTED})")


def _arguments(name: str, args: list[ast.expr]) -> list[ast.expr]:
    if name in _SLOW:
        window = args[1] if len(args) == 2 else None
        value = window.value if isinstance(window, ast.Constant) else None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise ExpressionError(f"{name} takes a value and a time in seconds, as {name}(AT-318, 900)")
    elif name not in _PLAIN or not args or (name == "abs" and len(args) != 1) or (name != "abs" and len(args) < 2):
        raise ExpressionError(f"{name} is not known, or has too few values (accepted: {_ACCEPTED})")
    return args
