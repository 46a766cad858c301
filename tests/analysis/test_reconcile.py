"""Balances: reconciled, tested, and told apart as far as they can be."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from linecontrol.analysis.reconcile import (
    Balance,
    CannotReconcile,
    ExpressionError,
    Flowsheet,
    Variable,
    reconcile,
)
from linecontrol.analysis.reconcile.expression import parse, parse_balance
from linecontrol.analysis.reconcile.file import read_flowsheet
from linecontrol.cli.commands import app
from linecontrol.core.errors import ConfigError

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "flowsheet.yaml"
YIELD = "powder * powder.starch / (roots * roots.starch)"
TRUE = {
    "roots": 300.0,
    "water": 900.0,
    "powder": 42.0,
    "fibre": 160.0,
    "waste": 998.0,
    "roots.starch": 0.2,
    "powder.starch": 0.86,
    "fibre.starch": 0.1,
    "waste.starch": (300.0 * 0.2 - 42.0 * 0.86 - 160.0 * 0.1) / 998.0,
}
U = {
    "roots": 1.5,
    "water": 6.0,
    "powder": 0.15,
    "fibre": 2.5,
    "waste": 9.0,
    "roots.starch": 0.006,
    "powder.starch": 0.006,
    "fibre.starch": 0.005,
    "waste.starch": 0.0008,
}
BALANCES = {
    "mass": "roots + water = powder + fibre + waste",
    "starch": "roots * roots.starch = powder * powder.starch + fibre * fibre.starch + waste * waste.starch",
}


def sheet(values: dict[str, float], *, unmeasured: tuple[str, ...] = (), u: dict[str, float] = U) -> Flowsheet:
    rows = [Variable(k) if k in unmeasured else Variable(k, v, u[k]) for k, v in values.items()]
    balances = [Balance(name, parse_balance(text)) for name, text in BALANCES.items()]
    return Flowsheet(rows, balances, {"extraction_yield": parse(YIELD)})


def drawn(rng: np.random.Generator) -> dict[str, float]:
    return {name: value + U[name] * float(rng.standard_normal()) for name, value in TRUE.items()}


def test_two_scales_on_one_stream_give_their_weighted_mean() -> None:
    found = reconcile(
        Flowsheet([Variable("a", 10.0, 1.0), Variable("b", 13.0, 2.0)], [Balance("same", parse_balance("a = b"))])
    )
    mean = (10.0 / 1.0 + 13.0 / 4.0) / (1.0 + 1.0 / 4.0)
    for name in "ab":
        assert found.solution.of(name).value == pytest.approx(mean, rel=1e-12)
        assert found.solution.of(name).u == pytest.approx(math.sqrt(1.0 / (1.0 + 0.25)), rel=1e-9)
    assert found.errors.chi2 == pytest.approx(3.0**2 / 5.0)
    assert found.errors.dof == 1
    assert found.errors.alike == (("a", "b"),)


def test_a_textbook_network_comes_out_as_published() -> None:
    """Splitter, heat exchanger, valve and mixer: Narasimhan & Jordache (2000), Example 3-1, all flows measured."""
    measured = {"f1": 101.91, "f2": 64.45, "f3": 34.65, "f4": 64.20, "f5": 36.44, "f6": 98.88}
    balances = {"splitter": "f1 = f2 + f3", "exchanger": "f2 = f4", "valve": "f3 = f5", "mixer": "f4 + f5 = f6"}
    found = reconcile(
        Flowsheet(
            [Variable(name, value, 1.0) for name, value in measured.items()],
            [Balance(name, parse_balance(text)) for name, text in balances.items()],
        )
    )
    published = {"f1": 100.22, "f2": 64.50, "f3": 35.72, "f4": 64.50, "f5": 35.72, "f6": 100.22}
    for name, value in published.items():
        assert found.solution.of(name).value == pytest.approx(value, abs=0.006)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_reconciled_values_balance_and_are_no_less_certain(seed: int) -> None:
    found = reconcile(sheet(drawn(np.random.default_rng(seed))))
    at = found.solution.at()
    for balance in found.flowsheet.balances:
        assert abs(balance.expression.at({k: complex(v) for k, v in at.items()})) < 1e-6
    for variable in found.flowsheet.variables:
        assert found.solution.of(variable.name).u <= (variable.u or 0.0) * (1.0 + 1e-9)
    raw = found.raw["extraction_yield"]
    assert raw is not None
    assert found.wanted["extraction_yield"].u < raw.u


def test_an_unmeasured_stream_is_what_is_missing() -> None:
    found = reconcile(sheet(TRUE, unmeasured=("water",)))
    assert found.solution.of("water").value == pytest.approx(900.0, rel=1e-9)
    assert found.errors.dof == 1
    found = reconcile(sheet(TRUE, unmeasured=("water", "waste.starch")))
    assert found.solution.of("waste.starch").value == pytest.approx(TRUE["waste.starch"], rel=1e-6)
    assert found.errors.dof == 0
    assert "No test was possible" in found.statement()


def test_what_no_balance_determines_is_said_to_be_so() -> None:
    found = reconcile(sheet(TRUE, unmeasured=("water", "waste", "powder", "powder.starch")))
    assert math.isnan(found.solution.of("powder").u)
    assert math.isnan(found.wanted["extraction_yield"].u)
    assert found.raw["extraction_yield"] is None
    plain = found.to_dict()
    assert plain["streams"]["powder"]["reconciled"] is None
    assert plain["wanted"]["extraction_yield"]["reconciled"] is None
    json.dumps(plain, allow_nan=False)


def test_a_gross_error_is_found_and_its_size_told() -> None:
    wrong = TRUE | {"water": TRUE["water"] + 60.0}
    found = reconcile(sheet(wrong, u=U | {"waste": 1.0}))
    assert found.errors.is_alarm
    (suspect,) = found.errors.found
    assert set(suspect.names) == {"water", "waste"}  # the same balance sees both: no test tells them apart
    sign = 1.0 if suspect.names[0] == "water" else -1.0
    assert suspect.error == pytest.approx(sign * 60.0, abs=3.0 * suspect.u)
    assert "cannot be told apart" in found.statement()
    assert set(found.if_wrong) == set(suspect.names)


def test_three_scales_on_one_stream_tell_which_is_wrong() -> None:
    rows = [Variable("a", 10.0, 0.1), Variable("b", 10.1, 0.1), Variable("c", 12.0, 0.1)]
    balances = [Balance("ab", parse_balance("a = b")), Balance("bc", parse_balance("b = c"))]
    found = reconcile(Flowsheet(rows, balances, {"flow": parse("a")}))
    (suspect,) = found.errors.found
    assert suspect.names == ("c",)
    assert suspect.error == pytest.approx(1.95)
    assert found.if_wrong["c"]["flow"].value == pytest.approx(10.05)
    assert "c, off by +1.95" in found.statement()


def test_values_from_one_scale_share_its_error() -> None:
    rows = [Variable("a", 10.0, 1.0), Variable("b", 10.4, 1.0), Variable("loss", 0.0, 0.1)]
    balances = [Balance("mass", parse_balance("a = b + loss"))]
    apart = reconcile(Flowsheet(rows, balances))
    together = reconcile(Flowsheet(rows, balances, correlations={("a", "b"): 0.99}))
    assert together.errors.chi2 > 10.0 * apart.errors.chi2
    with pytest.raises(ValueError, match="contradict"):
        Flowsheet(rows, balances, correlations={("a", "b"): 1.0, ("b", "loss"): 1.0, ("a", "loss"): -1.0}).covariance()


def test_balances_that_contradict_each_other_are_refused() -> None:
    rows = [Variable("a", 10.0, 1.0), Variable("b", 5.0, 1.0)]
    with pytest.raises(CannotReconcile):
        reconcile(Flowsheet(rows, [Balance("x", parse_balance("a = b")), Balance("y", parse_balance("a = b + 3"))]))
    with pytest.raises(CannotReconcile):
        reconcile(Flowsheet([Variable("a", 10.0, 0.0)], [Balance("x", parse_balance("a = 11"))]))


def test_false_alarms_and_coverage_are_what_they_claim() -> None:
    """Two hundred and fifty here, two thousand in tests/benchmarks/balance.py. Bounds: 4 standard deviations."""
    rng, n = np.random.default_rng(5), 250
    true = TRUE["powder"] * TRUE["powder.starch"] / (TRUE["roots"] * TRUE["roots.starch"])
    covered = alarms = 0
    for _ in range(n):
        found = reconcile(sheet(drawn(rng)))
        low, high = found.wanted["extraction_yield"].interval
        covered += low <= true <= high
        alarms += found.errors.is_alarm
    spread = 4.0 * math.sqrt(0.05 * 0.95 / n)
    assert abs(covered / n - 0.95) < spread
    assert abs(alarms / n - 0.05) < spread


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "a.b.c",
        "a ** 9",
        "f(a)",
        "a if b else c",
        "[a]",
        "a @ b",
        "1j",
        "'a'",
        "a ==",
        "",
        "x" * 3000,
    ],
)
def test_only_arithmetic_is_read(text: str) -> None:
    with pytest.raises(ExpressionError, match="accepted"):
        parse(text)


@pytest.mark.parametrize("text", ["a + b", "a = b = c", "a = ", "a == b"])
def test_a_balance_has_two_sides(text: str) -> None:
    with pytest.raises(ExpressionError, match="accepted"):
        parse_balance(text)


@given(st.floats(-50, 50), st.floats(0.5, 50))
def test_derivatives_are_exact(a: float, b: float) -> None:
    found = parse("(a * b + 3) / b - -a").gradient({"a": a, "b": b})
    assert found["a"] == pytest.approx(2.0, rel=1e-12)
    assert found["b"] == pytest.approx(-3.0 / b**2, rel=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("powder * powder.starch / ", "powdr * powder.starch / ", "no stream or fraction 'powdr'"),
        ("{value: 42.1, u: 0.15,", "{value: 42.1,", "needs u or u_pct"),
        ("value: 300.0", "value: .nan", "finite"),
        ("u: 1.5", "u: -1.5", "0"),
        ("out: [powder", "out: [powder, pulp", "no stream or fraction 'pulp'"),
        ("name: kudzu", "nmae: kudzu", "nmae"),
        ("value: 161.0, u: 2.5, unit: kg", "value: 161.0, u: 2.5, unit: g", "kg and g are added"),
    ],
)
def test_a_wrong_file_is_told_of_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "wrong.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=said) as raised:
        read_flowsheet(path)
    assert raised.value.problems[0].line


def test_the_command_prints_people_and_programs_what_they_need(tmp_path: Path) -> None:
    chart = tmp_path / "tests.svg"
    result = CliRunner().invoke(app, ["reconcile", str(EXAMPLE), "--plot", str(chart)])
    assert result.exit_code == 0, result.output
    assert "extraction_yield" in result.output
    assert chart.stat().st_size > 1000
    result = CliRunner().invoke(app, ["reconcile", str(EXAMPLE), "--json"])
    found = json.loads(result.output)
    assert found["wanted"]["extraction_yield"]["u"] < found["wanted"]["extraction_yield"]["raw_u"]
    assert found["gross_error"]["found"] is False
    assert found["streams"]["powder"]["tested"] is True
    broken = tmp_path / "broken.yaml"
    broken.write_text(EXAMPLE.read_text(encoding="utf-8").replace("  mass:", "  twice: roots = 2 * roots\n  mass:"))
    result = CliRunner().invoke(app, ["reconcile", str(broken), "--json"])
    assert result.exit_code == 4
    assert "refused" in json.loads(result.output)


@pytest.mark.parametrize(
    ("text", "mixed"),
    [
        ("a + g", ("kg", "g")),
        ("a - (b + g * x)", ("kg", "g")),
        ("a * x + g * x", ("kg", "g")),
        ("a + g / 1000", None),
        ("a + 0.001 * g", None),
        ("a * b + g", None),
        ("a / b + x", None),
        ("a + plain", None),
        ("(a + g) / a", ("kg", "g")),
    ],
)
def test_units_are_not_mixed_unless_they_are_converted(text: str, mixed: tuple[str, str] | None) -> None:
    assert parse(text).mixed_units({"a": "kg", "b": "kg", "g": "g", "plain": "", "x": ""}) == mixed


def test_a_stream_below_nothing_is_told() -> None:
    streams = [Variable("a", 10.0, 1.0), Variable("b", 12.0, 0.1), Variable("c"), Variable("d", -1.0, 0.1)]
    found = reconcile(Flowsheet(streams, [Balance("m", parse_balance("a = b + c"))], {}))
    assert found.below_nothing == ("c",)
    assert found.to_dict()["below_nothing"] == ["c"]


def test_names_in_any_script() -> None:
    balances = [Balance("质量", parse_balance("葛根 = 粉 + 渣"))]
    found = reconcile(Flowsheet([Variable("葛根", 10.0, 0.1), Variable("粉", 2.0, 0.1), Variable("渣")], balances))
    assert found.solution.of("渣").value == pytest.approx(8.0)
