"""A pure function of floats, run for many plants at once: the same source, rewritten for numpy arrays of shape (N,).

The physics is written once, for one line, where plain floats are fastest. ``over_lanes`` reads that source and makes of
it a function that does the same in each of N lanes: a branch becomes a mask, a loop goes on until its last lane has
broken out. Nothing is approximated; a lane differs from the scalar function by the last bit or two of exp and log.

What it understands is small on purpose: numbers, tuples, ``if``, ``for ... in range(...)``, ``break``, calls of
other such functions, and one ``return`` at the end. Anything else is refused by name when the function is made.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import math
import textwrap
from collections.abc import Callable, Iterable
from functools import cache, wraps
from types import FunctionType
from typing import Any, NoReturn

import numpy as np

_PLAIN = (ast.Call, ast.Constant, ast.Tuple, ast.List, ast.BinOp, ast.UnaryOp, ast.Subscript, ast.Attribute,
          ast.Starred, ast.operator, ast.unaryop, ast.cmpop, ast.expr_context, ast.keyword)  # fmt: skip
_BUILTINS = {"range": range, "abs": np.abs, "float": lambda value: value}


@cache
def over_lanes(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function for arrays: each argument is a number for all lanes or an array of shape (N,).

    What the scalar function answers with an exception (a division by zero, an overflow) is infinite or NaN in its lane.
    Its constants are those of the moment when it is made; asked again, the same one is given.

    Raises:
        TypeError: the function is written in a way that lanes cannot follow; the message names line and construct.
    """
    made = _made(function)

    @wraps(function)
    def quiet(*args: Any, **named: Any) -> Any:
        with np.errstate(all="ignore"):  # of lanes that a mask will drop
            return made(*args, **named)

    return quiet


@cache
def _made(function: Callable[..., Any]) -> Callable[..., Any]:
    if not isinstance(function, FunctionType):
        raise TypeError(f"{function!r} is no plain function; lanes cannot follow it")
    found = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    if not isinstance(found, ast.FunctionDef) or function.__closure__ or found.decorator_list:
        raise TypeError(f"{function.__qualname__} is no plain function; lanes cannot follow it")
    text = ast.unparse(ast.fix_missing_locations(_Rewriting(function, found).done()))
    file = f"<lanes of {function.__module__}.{function.__qualname__}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)  # a traceback shows its lines
    space = _namespace(function, found)
    exec(compile(text, file, "exec"), space)  # noqa: S102  (our own source)
    made: Callable[..., Any] = space[found.name]
    made.__defaults__ = function.__defaults__
    return made


def _namespace(function: FunctionType, tree: ast.FunctionDef) -> dict[str, Any]:
    """What its names mean: numpy for math, lanes for other functions, everything else as it is."""
    space: dict[str, Any] = {"_where": np.where, "_any": _any, "_both": np.logical_and, "_either": np.logical_or}
    space |= {"_not": np.logical_not, "_choose": _choose, "_min": _least, "_max": _greatest, "_only": _only}
    for name in {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & function.__globals__.keys():
        value = function.__globals__[name]
        if isinstance(value, FunctionType):
            value = _made(value)
        elif callable(value) and getattr(math, name, None) is value:
            value = getattr(np, name, None)
            if value is None:
                raise TypeError(f"{function.__qualname__}: lanes do not understand {name}")
        space[name] = value
    return {**_BUILTINS, **space}


def _any(mask: Any) -> Any:
    return np.count_nonzero(mask) if isinstance(mask, np.ndarray) else mask  # faster than any()


def _all(mask: Any) -> Any:
    return np.count_nonzero(mask) == mask.size if isinstance(mask, np.ndarray) else mask


def _choose(test: Any, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """``yes if test else no`` in each lane; a side that no lane takes is not worked out."""
    if not _any(test):
        return no()
    return yes() if _all(test) else np.where(test, yes(), no())


def _only(mask: Any, function: Callable[..., Any], *args: Any) -> Any:
    """``function`` of the lanes in a mask; NaN in the others, where a loop might take long for nothing."""
    if _all(mask):
        return function(*args)
    lanes = np.flatnonzero(mask)
    found = np.full(mask.shape, math.nan)
    found[lanes] = function(*(arg[lanes] if isinstance(arg, np.ndarray) and arg.ndim else arg for arg in args))
    return found


def _least(a: Any, b: Any) -> Any:
    """As ``min(a, b)``, not-a-number included."""
    return np.where(b < a, b, a)


def _greatest(a: Any, b: Any) -> Any:
    return np.where(b > a, b, a)


class _Rewriting:
    """Of one function. ``_mask`` names the lanes that a statement is for, ``_live`` those still in a loop."""

    def __init__(self, function: FunctionType, tree: ast.FunctionDef) -> None:
        self._name = function.__qualname__
        self._globals = function.__globals__
        self._tree = tree
        self._bound = {arg.arg for arg in tree.args.args}
        self._local = self._bound | {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and _is_stored(n)}
        self._mask: str | None = None
        self._live: str | None = None
        self._count = 0

    def done(self) -> ast.FunctionDef:
        tree = self._tree
        args = ast.arguments([], [ast.arg(arg.arg) for arg in tree.args.args], None, [], [], None, [])
        if tree.args.vararg or tree.args.kwarg or tree.args.kwonlyargs or tree.args.posonlyargs:
            self._refuse(tree, "arguments by star or by keyword only")
        *body, last = tree.body
        if not isinstance(last, ast.Return) or last.value is None:
            self._refuse(last, "a function without a return at its end")
        args.defaults = [ast.Constant(None) for _ in tree.args.defaults]  # the real ones are set once it is made
        made = [*self._block(body), ast.Return(self._expr(last.value))]
        return ast.FunctionDef(tree.name, args, made, [], None, lineno=1)

    # --- statements ---------------------------------------------------------------------------------------------------

    def _block(self, statements: Iterable[ast.stmt]) -> list[ast.stmt]:
        return [made for statement in statements for made in self._statement(statement)]

    def _statement(self, node: ast.stmt) -> list[ast.stmt]:
        match node:
            case ast.Expr(ast.Constant(str())):
                return []
            case ast.Assign(targets, value):
                return self._assign(targets, self._expr(value), node)
            case ast.AnnAssign(ast.Name() as target, _, ast.expr() as value):
                return self._assign([target], self._expr(value), node)
            case ast.AugAssign(ast.Name(name) as target, op, value):
                # never in place: another name may mean the same array
                whole = ast.BinOp(self._expr(ast.Name(name, ast.Load(), lineno=node.lineno)), op, self._expr(value))
                return self._assign([target], whole, node)
            case ast.If():
                return self._branch(node)
            case ast.For(ast.Name(name), ast.Call(ast.Name("range"))) if not node.orelse:
                return self._loop(node, name)
            case ast.Break() if self._live is not None:
                broken = _call("_not", _load(self._mask)) if self._mask != self._live else ast.Constant(value=False)
                return [_set(self._live, _call("_both", _load(self._live), broken))]
            case _:
                self._refuse(node, type(node).__name__)

    def _assign(self, targets: list[ast.expr], value: ast.expr, node: ast.stmt) -> list[ast.stmt]:
        if self._mask is not None:
            if len(targets) > 1 or not isinstance(targets[0], ast.Name):
                self._refuse(node, "an assignment to more than one name in a branch")
            name = targets[0].id
            if name in self._bound:  # a name first met in this branch has nothing to keep
                value = _call("_where", _load(self._mask), value, _load(name))
        made = [self._expr(target) if isinstance(target, ast.Subscript) else target for target in targets]
        self._bound |= {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}
        return [ast.Assign(made, value, lineno=1)]

    def _branch(self, node: ast.If) -> list[ast.stmt]:
        outer, before = self._mask, set(self._bound)
        test = self._expr(node.test)
        on_both_sides = (_stored(node.body) & _stored(node.orelse)) - before
        made: list[ast.stmt] = [_set(name, ast.Constant(math.nan)) for name in sorted(on_both_sides)]
        self._bound |= on_both_sides
        yes = self._new_mask()
        made.append(_set(yes, test if outer is None else _call("_both", _load(outer), test)))
        made += self._side(node.body, yes)
        if node.orelse:
            no = self._new_mask()
            other = _call("_not", _load(yes))
            made.append(_set(no, other if outer is None else _call("_both", _load(outer), other)))
            made += self._side(node.orelse, no)
        self._bound = before | on_both_sides  # names of one side only do not outlive it
        self._mask = outer
        if outer is not None and outer != self._live and self._live is not None and _breaks(node):
            made.append(_set(outer, _call("_both", _load(outer), _load(self._live))))
        return made

    def _side(self, body: list[ast.stmt], mask: str) -> list[ast.stmt]:
        """One side of a branch; passed over where no lane takes it."""
        kept, self._mask = set(self._bound), mask
        made = self._block(body)
        self._bound = kept
        return [ast.If(_call("_any", _load(mask)), made, [])]

    def _loop(self, node: ast.For, name: str) -> list[ast.stmt]:
        over = self._expr(node.iter)
        self._bound.add(name)
        if not _breaks(node):
            return [ast.For(node.target, over, self._block(node.body), [], lineno=1)]
        outer, outer_live, before = self._mask, self._live, set(self._bound)
        live = self._mask = self._live = self._new_mask()
        body = self._block(node.body)
        body.append(ast.If(ast.UnaryOp(ast.Not(), _call("_any", _load(live))), [ast.Break()], []))
        self._mask, self._live = outer, outer_live
        self._bound = before  # of the others a lane that broke out early would have a later lane's turn
        start = ast.Constant(value=True) if outer is None else _load(outer)
        return [_set(live, start), ast.For(node.target, over, body, [], lineno=1)]

    def _new_mask(self) -> str:
        self._count += 1
        return f"_mask_{self._count}"

    # --- expressions --------------------------------------------------------------------------------------------------

    def _expr(self, node: ast.expr) -> ast.expr:
        made = self._node(node)
        assert isinstance(made, ast.expr)  # noqa: S101  (an expression stays one)
        return made

    def _node(self, node: ast.AST) -> ast.AST:
        match node:
            case ast.Name(name):
                self._known(node, name)
                return ast.Name(name, node.ctx)
            case ast.IfExp(test, yes, no):
                sides = (ast.Lambda(ast.arguments([], [], None, [], [], None, []), self._expr(x)) for x in (yes, no))
                return _call("_choose", self._expr(test), *sides)
            case ast.BoolOp(op, [first, *others]):
                made = self._expr(first)
                for other in others:
                    made = _call("_both" if isinstance(op, ast.And) else "_either", made, self._expr(other))
                return made
            case ast.UnaryOp(ast.Not(), value):
                return _call("_not", self._expr(value))
            case ast.Compare(left, ops, rights):
                return self._comparison(node, left, ops, rights)
            case ast.Call(ast.Name("min" | "max" as name), [first, second]) if name not in self._globals:
                return _call(f"_{name}", self._expr(first), self._expr(second))
            case ast.Call(ast.Name(name), args) if self._mask is not None and not node.keywords and self._is_ours(name):
                return _call("_only", _load(self._mask), ast.Name(name, ast.Load()), *map(self._expr, args))
            case ast.Call(func) if not isinstance(func, ast.Name):
                self._refuse(node, f"a call of {ast.unparse(func)}")
            case _ if isinstance(node, _PLAIN):
                for key, value in ast.iter_fields(node):
                    if isinstance(value, ast.AST):
                        setattr(node, key, self._node(value))
                    elif isinstance(value, list):
                        setattr(node, key, [self._node(x) for x in value])
                return node
            case _:
                self._refuse(node, type(node).__name__)

    def _comparison(self, node: ast.AST, left: ast.expr, ops: list[ast.cmpop], rights: list[ast.expr]) -> ast.expr:
        if any(isinstance(op, ast.In | ast.NotIn) for op in ops):
            self._refuse(node, "in")
        ends = [self._expr(end) for end in (left, *rights)]
        pairs = [ast.Compare(a, [op], [b]) for a, op, b in zip(ends[:-1], ops, ends[1:], strict=True)]
        made: ast.expr = pairs[0]
        for pair in pairs[1:]:
            made = _call("_both", made, pair)
        return made

    def _is_ours(self, name: str) -> bool:
        return name not in self._local and isinstance(self._globals.get(name), FunctionType)

    def _known(self, node: ast.AST, name: str) -> None:
        if name in self._local:
            if name not in self._bound:
                self._refuse(node, f"{name}, which some lanes have not set")
        elif name not in self._globals and name not in _BUILTINS:
            self._refuse(node, f"{name}, a builtin" if hasattr(builtins, name) else name)

    def _refuse(self, node: ast.AST, what: str) -> NoReturn:
        raise TypeError(f"{self._name}, line {getattr(node, 'lineno', '?')} of it: lanes do not understand {what}")


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


def _load(name: str | None) -> ast.Name:
    return ast.Name(name or "", ast.Load())


def _set(name: str, value: ast.expr) -> ast.Assign:
    return ast.Assign([ast.Name(name, ast.Store())], value, lineno=1)


def _is_stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _stored(body: Iterable[ast.stmt]) -> set[str]:
    return {n.id for one in body for n in ast.walk(one) if isinstance(n, ast.Name) and _is_stored(n)}


def _breaks(node: ast.AST) -> bool:
    """Whether a ``break`` below belongs to this loop or to the one around this branch."""
    inner = (child for child in ast.iter_child_nodes(node))
    return any(isinstance(child, ast.Break) or (not isinstance(child, ast.For) and _breaks(child)) for child in inner)
