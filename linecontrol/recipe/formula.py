"""Formula expressions: ``"=root_kg * 0.5"``. Numbers, names, + - * / and brackets; nothing else exists.

Own parser, so there is nothing to escape from: no attribute, call, index, power, string or import can be written.
Pure. An expression can be evaluated, bounded over the ranges of its names, and asked for its unit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_LENGTH = 200
MAX_DEPTH = 20
MAX_NUMBER = 1e12
_TOKEN = re.compile(
    r"[ \t]*(?:(\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?)|([A-Za-z_][A-Za-z0-9_]{0,39})|([-+*/()]))", re.ASCII
)


class ExpressionError(ValueError):
    """An expression that cannot be read or evaluated; the message says where and what is accepted."""


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Name:
    name: str


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Node
    right: Node


Node = Number | Name | Binary
Interval = tuple[float, float]


def is_expression(value: object) -> bool:
    return isinstance(value, str) and value.startswith("=")


def parse(text: str) -> Node:
    """The tree of ``text`` (with its leading ``=``). Raises ExpressionError."""
    if not text.startswith("="):
        raise ExpressionError(f"{_short(text)} is not an expression (accepted: = and then names, numbers, + - * / ( ))")
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"expression of {len(text)} characters (accepted: up to {MAX_LENGTH})")
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split(text)
        self._at = 0

    @staticmethod
    def _split(text: str) -> list[str]:
        tokens, at = [], 1
        end = len(text.rstrip(" \t"))
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None:
                raise ExpressionError(
                    f"{_short(text)}: {text[at:].strip()[:1]!r} is not understood "
                    "(accepted: names, numbers, + - * / and brackets)"
                )
            tokens.append(match.group(match.lastindex or 0))
            at = match.end()
        return tokens

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def whole(self) -> Node:
        node = self._sum(0)
        if self._peek():
            raise ExpressionError(f"{_short(self._text)}: {self._peek()!r} is not expected there")
        return node

    def _sum(self, depth: int) -> Node:
        node = self._product(depth)
        while self._peek() in ("+", "-"):
            operator = self._next()
            node = Binary(operator, node, self._product(depth))
        return node

    def _product(self, depth: int) -> Node:
        node = self._atom(depth)
        while self._peek() in ("*", "/"):
            operator = self._next()
            node = Binary(operator, node, self._atom(depth))
        return node

    def _atom(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"{_short(self._text)}: nested too deep (accepted: up to {MAX_DEPTH})")
        word = self._next()
        if word in ("+", "-"):
            inner = self._atom(depth + 1)
            return Binary("-", Number(0.0), inner) if word == "-" else inner
        if word == "(":
            inner = self._sum(depth + 1)
            if self._next() != ")":
                raise ExpressionError(f"{_short(self._text)}: a bracket is not closed")
            return inner
        if word[:1].isdigit():
            value = float(word)
            if value > MAX_NUMBER:
                raise ExpressionError(f"{word} is too large (accepted: up to {MAX_NUMBER:g})")
            return Number(value)
        if word[:1].isalpha() or word[:1] == "_":
            return Name(word)
        raise ExpressionError(f"{_short(self._text)}: a number or a name is missing")


def names(node: Node) -> frozenset[str]:
    """All formula names it uses."""
    if isinstance(node, Name):
        return frozenset({node.name})
    if isinstance(node, Binary):
        return names(node.left) | names(node.right)
    return frozenset()


def evaluate(node: Node, values: Mapping[str, float]) -> float:
    """Its value. Raises ExpressionError for an unknown name, a division by zero or a result that is not finite."""
    low, high = bounds(node, {name: (value, value) for name, value in values.items()})
    return (low if low == high else math.nan) + 0.0  # + 0.0: minus zero becomes zero


def bounds(node: Node, ranges: Mapping[str, Interval]) -> Interval:
    """Interval that surely holds the value for every choice of the names within ``ranges`` (interval arithmetic).

    It may be wider than needed when a name occurs twice. Raises ExpressionError as ``evaluate`` does, also when a
    divisor *can* be zero.
    """
    if isinstance(node, Number):
        return node.value, node.value
    if isinstance(node, Name):
        if node.name not in ranges:
            raise ExpressionError(f"unknown formula name {node.name} (accepted: {_listed(ranges)})")
        low, high = ranges[node.name]
        return float(low), float(high)
    a, b = bounds(node.left, ranges), bounds(node.right, ranges)
    if node.operator == "+":
        result = (a[0] + b[0], a[1] + b[1])
    elif node.operator == "-":
        result = (a[0] - b[1], a[1] - b[0])
    else:
        if node.operator == "/" and b[0] <= 0.0 <= b[1]:
            raise ExpressionError("divides by zero, or by something whose range holds zero")
        ends = [x * y if node.operator == "*" else x / y for x in a for y in b]
        result = (min(ends), max(ends))
    if not all(map(math.isfinite, result)):
        raise ExpressionError("the result is not a finite number")
    return result


def unit_of(node: Node, units: Mapping[str, str]) -> str | None:
    """Unit of the result where it is sure, else None (a product or quotient may convert on purpose).

    Raises ExpressionError when two different units are added or subtracted.
    """
    if isinstance(node, Name):
        return units.get(node.name)
    if isinstance(node, Number) or node.operator in ("*", "/"):
        return None
    left, right = unit_of(node.left, units), unit_of(node.right, units)
    if left is not None and right is not None and left != right:
        raise ExpressionError(f"adds or subtracts {left or 'no unit'} and {right or 'no unit'}")
    return left if left is not None else right


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _listed(ranges: Mapping[str, Interval]) -> str:
    return ", ".join(sorted(ranges)) or "none, the formula is empty"
