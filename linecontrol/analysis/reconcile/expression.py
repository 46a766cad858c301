"""Arithmetic that a researcher writes down, as ``powder * powder.starch / (roots * roots.starch)``.

Parsed, never executed: numbers, names, + - * / and brackets are all there is. Derivatives come from complex arithmetic
(a step of 1e-20 i), so they are exact to the last bits and need no step to be chosen.
"""

from __future__ import annotations

import ast
import cmath
from collections.abc import Mapping
from dataclasses import dataclass, replace

MOST_LETTERS = 2000
MOST_PARTS = 500  # names, numbers and signs of one expression
LARGEST = 1e15  # of a number written down, and of a value: beyond it products leave what a computer can hold
STEP = 1e-20

_SIGNS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_ACCEPTED = "numbers, streams, fractions as stream.fraction, + - * / and brackets"


class ExpressionError(ValueError):
    """An expression that cannot be read; says what and what is accepted."""


@dataclass(frozen=True, slots=True)
class Expression:
    """Attributes: text: as written; names: variables in it, in order, each once."""

    text: str
    names: tuple[str, ...]
    _tree: ast.expr

    def at(self, values: Mapping[str, complex]) -> complex:
        """Its value. Raises KeyError for an unknown name, ZeroDivisionError, OverflowError (both ArithmeticError)."""
        found = _evaluate(self._tree, values)
        if not cmath.isfinite(found):
            raise OverflowError(f"{self.text}: is larger than a computer can hold")
        return found

    def gradient(self, values: Mapping[str, float]) -> dict[str, float]:
        """Derivative by each of its names at these values."""
        point: dict[str, complex] = {name: complex(values[name]) for name in self.names}
        found = {}
        for name in self.names:
            here = point[name]
            point[name] = here + 1j * STEP
            found[name] = self.at(point).imag / STEP
            point[name] = here
        return found

    def mixed_units(self, units: Mapping[str, str]) -> tuple[str, str] | None:
        """Two units that are added to each other; None when there are none, or it cannot be told.

        Args:
            units: of each name; one left out, or empty, is a plain number, as a share is.
        """
        found: list[tuple[str, str]] = []
        _unit(self._tree, units, found)
        return found[0] if found else None


def parse(text: str) -> Expression:
    """Read one expression. Raises ExpressionError."""
    if len(text) > MOST_LETTERS:
        raise ExpressionError(f"{len(text)} letters (accepted: up to {MOST_LETTERS})")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"{text!r} is not arithmetic (accepted: {_ACCEPTED})") from None
    names: dict[str, None] = {}
    parts = 0
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        parts += 1
        if parts > MOST_PARTS:
            raise ExpressionError(f"more than {MOST_PARTS} parts (accepted: up to {MOST_PARTS})")
        if isinstance(node, ast.BinOp) and type(node.op) in _SIGNS:
            waiting += [node.right, node.left]
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
            waiting.append(node.operand)
        elif isinstance(node, (ast.Name, ast.Attribute)):
            names[_name(node)] = None
        elif not (isinstance(node, ast.Constant) and type(node.value) in (int, float)):
            raise ExpressionError(f"{ast.unparse(node)[:60]!r} is not accepted (accepted: {_ACCEPTED})")
        elif abs(node.value) > LARGEST:  # type: ignore[arg-type]  # a whole number of any length compares without a fault
            written = ast.get_source_segment(text.strip(), node) or "a number"
            raise ExpressionError(f"{written[:20]} is too large a number (accepted: up to {LARGEST:g})")
    return Expression(text.strip(), tuple(names), tree)


def parse_balance(text: str) -> Expression:
    """``left = right`` as ``left - (right)``. Raises ExpressionError."""
    left, sign, right = text.partition("=")
    if not sign or "=" in right:
        raise ExpressionError(f"{text!r} is no balance (accepted: left = right)")
    parse(left)
    parse(right)
    found = parse(f"({left.strip()}) - ({right.strip()})")
    return replace(found, text=text.strip())


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    raise ExpressionError(f"{ast.unparse(node)[:60]!r} is not accepted (accepted: {_ACCEPTED})")


_UNKNOWN = "?"  # what a conversion or a product of two units comes to


def _unit(node: ast.expr, units: Mapping[str, str], mixed: list[tuple[str, str]]) -> str:
    """Its unit, empty for a plain number; what is added in two units goes into ``mixed``."""
    if isinstance(node, ast.UnaryOp):
        return _unit(node.operand, units, mixed)
    if isinstance(node, ast.Constant):
        return _UNKNOWN  # 1000 may be grams a kilogram, and 5 five kilograms
    if not isinstance(node, ast.BinOp):
        return units.get(_name(node), "")
    left, right = _unit(node.left, units, mixed), _unit(node.right, units, mixed)
    if isinstance(node.op, ast.Mult):
        return left or right if not (left and right) else _UNKNOWN
    if isinstance(node.op, ast.Div):
        return left if not right else "" if left == right != _UNKNOWN else _UNKNOWN
    if _UNKNOWN in (left, right) or not (left and right):
        return right if left in ("", _UNKNOWN) else left
    if left != right:
        mixed.append((left, right))
    return left


def _evaluate(node: ast.expr, values: Mapping[str, complex]) -> complex:
    if isinstance(node, ast.BinOp):
        left, right = _evaluate(node.left, values), _evaluate(node.right, values)
        sign = _SIGNS[type(node.op)]
        return (
            left + right
            if sign == "+"
            else left - right
            if sign == "-"
            else left * right
            if sign == "*"
            else left / right
        )
    if isinstance(node, ast.UnaryOp):
        inner = _evaluate(node.operand, values)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.Constant):
        return complex(float(node.value))  # type: ignore[arg-type]  # parse has let numbers through only
    return values[_name(node)]
