"""Which runs are meant: ``recipe == "kudzu-*" and yield > 85 and started >= "2026-01"``. Pure.

Parsed by Python's own grammar and then walked, never executed: names of a run, numbers, texts, comparisons, ``and``,
``or``, ``not``, ``in`` and brackets are all there is.
"""

from __future__ import annotations

import ast
import io
import math
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from linecontrol.analysis.metrics import METRICS, NAMED, PLACES, Record, is_named, named, number
from linecontrol.core.errors import ConfigError, Problem

MOST_LETTERS, MOST_PARTS = 2000, 300
_YIELD = "yield_"  # ``yield`` is a word of Python's
_YIELDS = ("yield", "yield_reconciled")  # in percent, and never as small as 1
_MOST = 1e15  # no figure of a run is so large
_TIMES = {"started": "started_at", "ended": "ended_at"}
_WORDS = (*PLACES, "run_id", "reason", *_TIMES)
_FLAGS = ("simulated",)
ACCEPTED = (
    f"{', '.join((*_WORDS, *_FLAGS))}; numbers {', '.join(METRICS)}; {NAMED}; "
    'with == != < <= > >= in and or not, as in: recipe == "kudzu-*" and yield > 85'
)

Value = float | str | bool | None
_ORDER: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}
_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.In: "in",
    ast.NotIn: "not in",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on batch records. Attributes: text: as written."""

    text: str
    _tree: ast.expr

    def holds(self, record: Record) -> bool:
        """Whether this run is meant. What a record does not say is equal to nothing and neither above nor below."""
        return _truth(self._tree, record)


def parse_where(text: str) -> Where:
    """Read a condition. Raises ConfigError saying what is not understood and what is accepted."""
    if len(text) > MOST_LETTERS:
        raise _wrong(f"{len(text)} letters", f"up to {MOST_LETTERS}")
    try:
        tree = ast.parse(_with_yield(text.strip()), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        hint = " (equal is written ==)" if "=" in text.replace("==", "").replace("!=", "").replace("<=", "") else ""
        raise _wrong(f"{text!r} is not a condition{hint}", ACCEPTED) from None
    if sum(1 for _ in ast.walk(tree)) > MOST_PARTS:
        raise _wrong("the condition has too many parts", f"up to {MOST_PARTS}")
    _check_truth(tree)
    return Where(text.strip(), tree)


def _wrong(message: str, accepted: str) -> ConfigError:
    return ConfigError([Problem("", None, "where", message, accepted)])


def _with_yield(text: str) -> str:
    """The name ``yield`` under a name that Python lets through."""
    tokens = [
        (token.type, _YIELD if token.type == tokenize.NAME and token.string == "yield" else token.string)
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in (tokenize.NEWLINE, tokenize.NL, tokenize.COMMENT)
    ]
    return tokenize.untokenize(tokens)


# -- checking: once, when it is read
def _check_truth(node: ast.expr) -> None:
    if isinstance(node, ast.BoolOp):
        for part in node.values:
            _check_truth(part)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        _check_truth(node.operand)
    elif isinstance(node, ast.Compare):
        _check_comparison(node)
    elif isinstance(node, ast.Name) and node.id in _FLAGS:
        pass
    else:
        raise _wrong(f"{_shown(node)!r} is neither true nor false", ACCEPTED)


def _check_comparison(node: ast.Compare) -> None:
    sides = [node.left, *node.comparators]
    for sign, left, right in zip(node.ops, sides, sides[1:], strict=False):
        if type(sign) not in _SIGNS:
            raise _wrong(f"{_shown(node)!r} is not understood", ACCEPTED)
        if isinstance(sign, (ast.In, ast.NotIn)):
            if not isinstance(right, (ast.List, ast.Tuple, ast.Set)):
                raise _wrong(f"{_shown(node)!r}: what is in what?", 'a list, as in: lot in ["A-17", "A-18"]')
            kinds = {_kind(left), *map(_kind, right.elts)}
        else:
            kinds = {_kind(left), _kind(right)}
            _check_share(left, right)
            _check_share(right, left)
        if len(kinds - {"any"}) > 1:
            raise _wrong(f"{_shown(node)!r} compares a number with a text", 'texts stand in quotes, as in: lot == "17"')
        if not any(isinstance(side, (ast.Name, ast.Attribute)) for side in (left, right)):
            raise _wrong(f"{_shown(node)!r} says nothing of a run", ACCEPTED)


def _kind(node: ast.expr) -> str:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        node = node.operand
        if _kind(node) != "number":
            raise _wrong(f"{_shown(node)!r} has no sign", ACCEPTED)
        return "number"
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            return "any"
        if isinstance(node.value, int | float):
            if not abs(node.value) < _MOST:
                raise _wrong("a number is too large", f"below {_MOST:g}")
            return "number"
        if isinstance(node.value, str):
            return "text"
    if isinstance(node, ast.Name):
        name = _name(node)
        if name in METRICS:
            return "number"
        if name in _WORDS:
            return "text"
        if name in _FLAGS:
            return "any"
    if isinstance(node, ast.Attribute) and is_named(_dotted(node)):
        return "any"
    raise _wrong(f"{_shown(node)!r} is not understood", ACCEPTED)


def _check_share(left: ast.expr, right: ast.expr) -> None:
    """0.85 where 85 is meant would find every run without a word."""
    if isinstance(left, ast.Name) and _name(left) in _YIELDS:
        bound = _number_of(right)
        if bound is not None and 0.0 < bound <= 1.0:
            unit = METRICS[_name(left)].unit
            raise _wrong(f"{_name(left)} is in {unit}: {bound:g} is hardly meant", f"{100 * bound:g}")


def _number_of(node: ast.expr) -> float | None:
    return float(node.value) if isinstance(node, ast.Constant) and type(node.value) in (int, float) else None  # type: ignore[arg-type]


def _name(node: ast.Name) -> str:
    return "yield" if node.id == _YIELD else node.id


def _dotted(node: ast.expr) -> str:
    """``plant.rasp.size_um`` of nested attributes; "" when they do not begin with a name."""
    if isinstance(node, ast.Attribute) and (head := _dotted(node.value)):
        return f"{head}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _shown(node: ast.expr) -> str:
    return ast.unparse(node).replace(_YIELD, "yield")[:60]


# -- looking at a record
def _truth(node: ast.expr, record: Record) -> bool:
    if isinstance(node, ast.BoolOp):
        every = isinstance(node.op, ast.And)
        return (all if every else any)(_truth(part, record) for part in node.values)
    if isinstance(node, ast.UnaryOp):
        return not _truth(node.operand, record)
    if isinstance(node, ast.Name):
        return bool(record.get(node.id))
    assert isinstance(node, ast.Compare)  # noqa: S101 - parse_where has let nothing else through
    sides = [node.left, *node.comparators]
    return all(
        _compared(sign, left, right, record) for sign, left, right in zip(node.ops, sides, sides[1:], strict=False)
    )


def _compared(sign: ast.cmpop, left: ast.expr, right: ast.expr, record: Record) -> bool:
    one = _value(left, record)
    if isinstance(right, (ast.List, ast.Tuple, ast.Set)):
        found = any(_equal(one, _value(part, record)) for part in right.elts)
        return found == isinstance(sign, ast.In)
    other = _value(right, record)
    if isinstance(sign, ast.Eq):
        return _equal(one, other)
    if isinstance(sign, ast.NotEq):
        return not _equal(one, other)
    if one is None or other is None or isinstance(one, str) != isinstance(other, str):
        return False
    return _ORDER[type(sign)](one, other)


def _equal(one: Value, other: Value) -> bool:
    """A text on the right with ``*`` or ``?`` is a pattern."""
    if isinstance(one, str) and isinstance(other, str):
        return one == other or fnmatchcase(one, other.replace("[", "[[]"))
    return one is not None and other is not None and one == other


def _value(node: ast.expr, record: Record) -> Value:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str | bool) else float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.UnaryOp):
        inner = _value(node.operand, record)
        assert isinstance(inner, float)  # noqa: S101 - as parse_where has seen to
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.Attribute):
        found = named(record, _dotted(node))
        return found if isinstance(found, str | bool) else _known(number(found))
    assert isinstance(node, ast.Name)  # noqa: S101 - as parse_where has seen to
    name = _name(node)
    if name in METRICS:
        return _known(METRICS[name].of(record))
    found = record.get(_TIMES.get(name, name))
    return found if isinstance(found, bool) else None if found is None else str(found)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
