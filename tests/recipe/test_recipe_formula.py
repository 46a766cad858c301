"""Expressions: right arithmetic, sound bounds, and nothing else gets in."""

import ast
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linecontrol.recipe.formula import ExpressionError, bounds, evaluate, names, parse, unit_of

HOSTILE = [
    "=__import__('os').system('id')",
    "=root_kg.__class__",
    "=(lambda: 1)()",
    "=root_kg[0]",
    "=9**9**9",
    "=1 if 1 else 2",
    "=root_kg; 1",
    "='a' * 9",
    "=1e999",
    "=1e308 * 10",
    "=0x10",
    "=1j",
    "=1_000",
    "=nan",
    "=inf",
    "=root_kg // 2",
    "=root_kg % 2",
    "=~1",
    "=" + "(" * 150 + "1" + ")" * 150,
    "=" + "-" * 150 + "1",
    "=" + "1+" * 5000 + "1",
    "=ｒoot_kg",
    "=root_kg\n+1",
    "=root_kg\x00",
    "=２",
    "=",
    "= ",
    "=()",
    "=1 2",
    "=2 root_kg",
    "=1 +",
    "=(1",
    "=1)",
    "=*1",
    "=root_kg / 0",
    "=root_kg / (1 - 1)",
    "==1",
    "=walrus := 1",
    "=a" * 30,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(parse(text), {"root_kg": 300.0})


@given(st.text(max_size=60))
def test_any_text_gives_a_number_or_a_plain_refusal(text: str) -> None:
    try:
        value = evaluate(parse("=" + text), {"a": 2.0, "b": 3.0})
    except ExpressionError:
        return
    assert math.isfinite(value)


numbers = st.floats(0, 1e6, allow_nan=False).map(lambda x: f"{x:.3f}")
trees = st.recursive(
    st.one_of(numbers, st.sampled_from(["a", "b"])),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda t: f"-{t}"),
    ),
    max_leaves=8,
)


@given(trees, st.floats(-50, 50), st.floats(1, 50))
def test_agrees_with_python(text: str, a: float, b: float) -> None:
    """The oracle is Python's own arithmetic on the same text (made of numbers, names and operators only)."""
    try:
        found = evaluate(parse("=" + text), {"a": a, "b": b})
    except ExpressionError:
        return
    code = compile(ast.parse(text, mode="eval"), "oracle", "eval")
    assert found == pytest.approx(eval(code, {"__builtins__": {}}, {"a": a, "b": b}), rel=1e-12, abs=1e-12)  # noqa: S307


@given(trees, st.floats(-9, 9), st.floats(0, 9), st.floats(0, 1), st.floats(0, 1))
def test_bounds_hold_every_value_in_between(text: str, low: float, width: float, x: float, y: float) -> None:
    tree = parse("=" + text)
    ranges = {"a": (low, low + width), "b": (1.0, 1.0 + width)}
    try:
        found = bounds(tree, ranges)
    except ExpressionError:
        return
    value = evaluate(tree, {"a": min(low + x * width, low + width), "b": 1.0 + y * width})
    slack = 1e-9 * max(1.0, abs(found[0]), abs(found[1]))
    assert found[0] - slack <= value <= found[1] + slack


def test_precedence_names_and_minus_zero() -> None:
    assert evaluate(parse("=1 + 2*3 - 4/2"), {}) == 5.0
    assert evaluate(parse("=-a * 2"), {"a": 3.0}) == -6.0
    assert evaluate(parse("=2*-a"), {"a": 3.0}) == -6.0
    assert math.copysign(1.0, evaluate(parse("=-a"), {"a": 0.0})) == 1.0
    assert names(parse("=a*(b+1)")) == {"a", "b"}
    with pytest.raises(ExpressionError, match="unknown formula name c"):
        evaluate(parse("=c"), {"a": 1.0})


def test_units_are_followed_where_they_are_sure() -> None:
    units = {"t": "°C", "kg": "kg"}
    assert unit_of(parse("=t"), units) == "°C"
    assert unit_of(parse("=t - 5"), units) == "°C"
    assert unit_of(parse("=kg * 0.5"), units) is None
    with pytest.raises(ExpressionError, match="adds or subtracts"):
        unit_of(parse("=t + kg"), units)


def test_nothing_anywhere_runs_what_somebody_has_written() -> None:
    """S17: expressions have their own parser; no code, object or shell is made of text.

    Questions to the history cross to a process of this program as pickles: both ends are its own. The simulator's lanes
    are made of the source of its own functions; the controller knows none of it.
    """
    forbidden = {"eval", "exec", "compile", "__import__", "execfile", "system", "popen", "load_module"}
    of_own_source = {"simulator/lanes.py exec", "simulator/lanes.py compile"}
    own_pickles = {"history/aside.py", "line/aside.py"}
    root = Path(__file__).parents[2]
    found = []
    for path in sorted([*(root / "linecontrol").rglob("*.py"), *(root / "simulator").rglob("*.py")]):
        name = path.relative_to(root).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            plain = isinstance(node.func, ast.Name) or called.startswith(("os.", "builtins.", "importlib."))
            if plain and called.rpartition(".")[2] in forbidden:
                found += [] if f"{name} {called}" in of_own_source else [f"{name}:{node.lineno} {called}"]
            if called in ("pickle.loads", "pickle.load", "marshal.loads", "shelve.open", "joblib.load"):
                found += [] if name.partition("/")[2] in own_pickles else [f"{name}:{node.lineno} {called}"]
            is_safe = called == "yaml.load" and name == "simulator/yaml_text.py"  # with a SafeLoader
            if called in ("yaml.load", "yaml.unsafe_load", "yaml.full_load") and not is_safe:
                found.append(f"{name}:{node.lineno} {called}")
            if any(k.arg == "shell" and getattr(k.value, "value", None) is True for k in node.keywords):
                found.append(f"{name}:{node.lineno} shell=True")
    assert found == []
