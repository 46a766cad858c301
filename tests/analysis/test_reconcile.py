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


def test_the_error_that_a_test_would_see_is_found_four_times_in_five() -> None:
    sheets = Balance("m", parse_balance("a = b + c")), Balance("n", parse_balance("c = d"))
    true, u = {"a": 100.0, "b": 60.0, "c": 40.0, "d": 40.0}, {"a": 1.0, "b": 2.0, "c": 0.5, "d": 0.5}
    seen = reconcile(Flowsheet([Variable(n, true[n], u[n]) for n in true], sheets)).errors.seen_from
    draw, found = np.random.default_rng(5), 0
    for _ in range(400):
        read = {name: draw.normal(true[name], u[name]) for name in true}
        read["d"] += seen["d"]
        errors = reconcile(Flowsheet([Variable(n, read[n], u[n]) for n in true], sheets)).errors
        found += abs(errors.z["d"]) > errors.z_limit
    assert found / 400 == pytest.approx(0.8, abs=0.06)
    alone = reconcile(
        Flowsheet([Variable("a", 1.0, 0.1), Variable("b", None, None)], [Balance("m", parse_balance("a = b"))])
    )
    assert alone.errors.seen_from == {"a": math.inf}
    assert alone.to_dict()["streams"]["a"]["seen_from"] is None


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
    broken.write_text(EXAMPLE.read_text(encoding="utf-8").replace("  mass:", "  more: roots = roots + 5\n  mass:"))
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


def measured(rows: dict[str, tuple[float, float]], balances: dict[str, str], *loose: str, **wanted: str) -> Flowsheet:
    """Streams by name with value and u, those not measured, and what is wanted."""
    return Flowsheet(
        [*(Variable(name, value, u) for name, (value, u) in rows.items()), *map(Variable, loose)],
        [Balance(name, parse_balance(text)) for name, text in balances.items()],
        {name: parse(text) for name, text in wanted.items()},
    )


def told(tmp_path: Path, text: str) -> str:
    """What is said of a file that is refused."""
    path = tmp_path / "wrong.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        read_flowsheet(path)
    return str(raised.value)


def file_of(streams: str, balances: str = "{m: a = b + c}", more: str = "") -> str:
    return f"kind: flowsheet\nname: t\nstreams: {{{streams}}}\nbalances: {balances}\n{more}"


ABC = "a: {value: 100, u: 1}, b: {value: 60, u: 0.6}, c: {value: 39, u: 0.5}"


def test_what_is_sure_of_loose_streams_has_its_uncertainty() -> None:
    """Only the sum of two unmeasured streams is determined: by two scales, so that its u is 1 / sqrt 2."""
    found = reconcile(
        measured(
            {"feed": (101.91, 1.0), "out": (98.88, 1.0)},
            {"split": "feed = upper + lower", "join": "upper + lower = out"},
            "upper",
            "lower",
            both="upper + lower",
            ratio="(upper + lower) / out",
            product="upper * lower",
            apart="(upper - lower) * (upper - lower)",
        )
    )
    assert found.wanted["both"].value == pytest.approx(100.395)
    assert found.wanted["both"].u == pytest.approx(math.sqrt(0.5), rel=1e-9)
    assert found.wanted["ratio"].value == pytest.approx(1.0, rel=1e-12)
    assert found.wanted["ratio"].u == 0.0
    for name in ("product", "apart"):  # their slopes along what is loose are 0 where the search began, only there
        assert math.isnan(found.wanted[name].u)
    plain = found.to_dict()["wanted"]
    assert set(plain["product"]["if_wrong"]) == {"feed", "out"}
    assert plain["product"]["if_wrong"]["feed"] == {"value": None, "u": None}
    assert plain["both"]["if_wrong"]["feed"]["u"] == pytest.approx(1.0)


def test_a_product_that_a_balance_holds_is_determined_though_its_factors_are_not() -> None:
    found = reconcile(
        measured({"fed": (12.0, 0.3)}, {"m": "fed = p * p.s"}, "p", "p.s", product="p * p.s", sum="p + p.s")
    )
    assert found.wanted["product"].value == pytest.approx(12.0)
    assert found.wanted["product"].u == pytest.approx(0.3)
    assert math.isnan(found.wanted["sum"].u)
    assert math.isnan(found.solution.of("p").u)


@settings(deadline=None, max_examples=30)
@given(st.floats(0.1, 10.0), st.floats(0.1, 10.0))
def test_uncertainties_are_those_of_the_weighted_mean(u_feed: float, u_out: float) -> None:
    rows = {"feed": (100.0, u_feed), "out": (100.0, u_out)}
    found = reconcile(measured(rows, {"s": "feed = a + b", "j": "a + b = out"}, "a", "b", both="a + b"))
    right = 1.0 / math.hypot(1.0 / u_feed, 1.0 / u_out)
    assert found.wanted["both"].u == pytest.approx(right, rel=1e-9)
    assert found.solution.of("feed").u == pytest.approx(right, rel=1e-9)


def test_a_difference_of_two_readings_of_one_scale_is_exact() -> None:
    rows = [Variable("a", 10.0, 1.0), Variable("b", 7.0, 1.0), Variable("c", 5.0, 0.1), Variable("d", 5.1, 0.1)]
    sheet = Flowsheet(rows, [Balance("m", parse_balance("c = d"))], {"y": parse("a - b")}, {("a", "b"): 1.0})
    assert reconcile(sheet).wanted["y"].u == 0.0


@pytest.mark.parametrize("text", ["b * 1e999", "b + 1" + "0" * 400, "b - 1e16", "b + -1e300 * 2"])
def test_numbers_too_large_are_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"too large a number \(accepted: up to 1e\+15\)"):
        parse(text)


def test_what_grows_beyond_a_computer_is_refused_or_not_determined() -> None:
    huge = " * ".join(["1e15"] * 25)
    rows = {"a": (10.0, 1.0), "b": (10.0, 1.0)}
    with pytest.raises(CannotReconcile, match="more than a computer can hold"):
        reconcile(measured(rows, {"m": f"a = b * {huge}"}))
    found = reconcile(measured(rows, {"m": "a = b"}, y=f"a * {huge}", x="a"))
    assert math.isnan(found.wanted["y"].u)
    assert "computer can hold" in found.reasons["y"]
    assert found.wanted["x"].value == pytest.approx(10.0)
    with pytest.raises(ValueError, match=r"a: 1e\+300 is not accepted \(accepted: -1e\+15 to 1e\+15\)"):
        measured({"a": (1e300, 1.0)}, {"m": "a = a"})


def test_a_balance_that_divides_by_nothing_is_refused() -> None:
    with pytest.raises(CannotReconcile, match="divides by 0"):
        reconcile(measured({"a": (10.0, 1.0), "b": (0.0, 1.0)}, {"m": "a = 1 / b"}))


def test_a_quantity_that_divides_by_nothing_does_not_take_the_balance_along() -> None:
    found = reconcile(measured({"a": (10.0, 1.0), "b": (10.0, 1.0)}, {"m": "a = b"}, y="a / (a - a)", x="a"))
    assert found.wanted["x"].u == pytest.approx(math.sqrt(0.5))
    assert found.to_dict()["wanted"]["y"]["reconciled"] is None
    assert "divides by 0" in found.to_dict()["wanted"]["y"]["reason"]
    assert "y is not determined: a / (a - a): divides by 0" in found.statement()
    sheet = measured({"a": (10.0, 1.0)}, {"m": "a = b"}, "b", y="a / (a - b)")
    assert "divides by 0" in reconcile(sheet).reasons["y"]


@pytest.mark.parametrize("shift", [1.0, 1e-3])
def test_balances_of_very_unequal_precision_are_both_kept(shift: float) -> None:
    """1e-5 beside a half; with an unmeasured stream elsewhere, which may mix the two on the way."""
    rows = {"a": (100.0, 1e-3), "b": (100.002, 1e-3), "c": (10.0, 5.0), "d": (12.0, 5.0), "e": (7.0, shift)}
    found = reconcile(measured(rows, {"m": "a = b", "n": "c = d", "k": "e + a = f + c", "o": "f = g"}, "f", "g"))
    assert found.errors.dof == 2
    assert found.errors.chi2 == pytest.approx(2.0 + 0.08, rel=1e-6)
    assert found.solution.of("a").value == pytest.approx(100.001, abs=1e-9)
    assert found.solution.of("c").value == pytest.approx(11.0)


def test_a_balance_that_is_written_twice_counts_once() -> None:
    found = reconcile(measured({"a": (10.0, 1.0), "b": (11.0, 1.0)}, {"m": "a = b", "n": "2 * a = 2 * b"}))
    assert found.errors.dof == 1
    assert found.errors.chi2 == pytest.approx(0.5)
    rows = {"s0": (20.4, 0.1), "s1": (-30.3, 0.03), "s3": (-19.3, 0.01)}  # rounding is no balance, and tests nothing
    texts = ("s1 - s3 + s4 + s5 = 0", "s1 + s2 + s3 = 0", "s1 - s3 + s4 + s5 = 0")
    found = reconcile(measured(rows, dict(zip("abc", texts, strict=True)), "s2", "s4", "s5", both="s4 + s5"))
    assert found.errors.dof == 0
    assert found.solution.of("s1").value == pytest.approx(-30.3)
    assert found.wanted["both"].u == pytest.approx(math.hypot(0.03, 0.01))


@pytest.mark.parametrize(("chi2", "is_alarm"), [(3.80, False), (3.8414, False), (3.8416, True)])
def test_with_one_balance_the_limit_is_the_exact_one(chi2: float, is_alarm: bool) -> None:
    found = reconcile(measured({"a": (100.0 + math.sqrt(2.0 * chi2), 1.0), "b": (100.0, 1.0)}, {"m": "a = b"}))
    assert found.errors.is_alarm is is_alarm
    assert found.errors.p == pytest.approx(math.erfc(math.sqrt(chi2 / 2.0)))


def test_suspects_of_two_errors_are_each_named_once() -> None:
    """A steam network (Serth & Heenan 1986), two streams off: these data, not its balances, leave s6, s8, s2."""
    values = [28.06, 3.06, 5.28, 8.89, 11.39, 3.89, 4.17, 2.78, 5.83, 4.44, 3.89, 15.0, 13.33]
    us = [0.275, 0.05, 0.1725, 0.1452, 0.3721, 0.1271, 0.1362, 0.0454, 0.0952, 0.0725, 0.0635, 0.147, 0.1306]
    rows = {f"s{k}": (value, u) for k, (value, u) in enumerate(zip(values, us, strict=True), 1)}
    texts = ["s1 = s2 + s3 + s4 + s5", "s2 = s8", "s3 = s9", "s4 = s6 + s7", "s5 + s11 = s12", "s6 = s10", "s7 = s11"]
    balances = {text: text for text in [*texts, "s8 + s9 + s10 = s13"]}
    found = reconcile(measured(rows, balances))
    assert found.errors.alike == ()
    said = found.statement()
    assert "two of s6, s8, s2, which cannot be told apart by these data" in said
    assert "one of s4, s11, s10, which cannot be told apart by these data; and s3, off by -0.5" in said
    assert "these balances" not in said
    assert "one of feed, out, which cannot be told apart by these balances" in (
        reconcile(measured({"feed": (102.0, 1.0), "out": (98.0, 1.0)}, {"m": "feed = out"})).statement()
    )


def test_shares_beyond_the_whole_are_named() -> None:
    rows = {"p": (10.0, 0.1), "p.s": (0.9, 0.01), "f": (12.0, 0.1), "g": (4.0, 0.1), "g.s": (-0.1, 0.001)}
    found = reconcile(measured(rows, {"m": "p * p.s + f * f.s = 24", "n": "g * g.s = h"}, "f.s", "h"))
    assert found.above_whole == ("f.s",)
    assert set(found.below_nothing) == {"g.s", "h"}
    assert found.to_dict()["above_whole"] == ["f.s"]
    assert "More than the whole: f.s." in found.statement()


def test_that_all_is_known_exactly_is_said() -> None:
    found = reconcile(measured({"a": (100.0, 0.0), "b": (60.0, 0.0), "c": (40.0, 0.0)}, {"m": "a = b + c"}))
    assert found.statement() == "No test was possible: every value in the balances is known exactly, and they hold."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (file_of(ABC, more="correlations: [{of: [a, b], share: 0.9}, {of: [b, a], share: -0.5}]"), "each pair once"),
        (file_of(ABC, more="correlations: [{of: [a, b], share: 0.9}, {of: [a, b], share: 0.9}]"), "each pair once"),
        (file_of(ABC, more="correlations: [{of: [a, z], share: 0.9}]"), "of: 'z' is not measured (accepted: a, b, c)"),
        (file_of(ABC, more="correlations: [{of: [a, a], share: 0.9}]"), "accepted: two different measured values"),
        (file_of("a: {value: 0, u_pct: 5}, b: {}, c: {}"), "5 % of 0 is not accepted (accepted: u in the unit"),
        (file_of("a: {value: 1.0e+15, u_pct: 1000}, b: {}, c: {}"), "1000 % of 1e+15 is not accepted"),
        (file_of("a: {value: 1, u: 1.0e-200}, b: {}, c: {}"), "or u: 0 for known exactly"),
        (file_of("a: {value: 1.0e+300, u: 1}, b: {}, c: {}"), "a.value: 1e+300 is not accepted (accepted: -1e+15 to"),
        (file_of("a: {value: 1, u: 1.0e+308}, b: {}, c: {}"), "a.u: 1e+308 is not accepted (accepted: 0 to 1e+15)"),
        (file_of("a: {guess: -1.0e+99}, b: {}, c: {}"), "a.guess: -1e+99 is not accepted (accepted: -1e+15 to"),
        (file_of("a: {value: 1}, b: {}, c: {}"), "one of them (accepted: u in the unit of the value"),
        (file_of("a: {value: 1, u: 1, u_pct: 1}, b: {}, c: {}"), "one of them (accepted: u in the unit of the value"),
        (file_of(ABC, "{m: a = b + c * 1e999}"), "1e999 is too large a number (accepted: up to 1e+15)"),
        (file_of(ABC, "{m: {in: [a, a], out: [b, c]}}"), "m.in: a stands in this balance more than once"),
        (file_of(ABC, "{m: {in: [a, b], out: [b, c]}}"), "m.out: b stands in this balance more than once"),
        (file_of(ABC, "{m: {in: [], out: [b, c]}}"), "balances.m.in: holds 0 entries"),
        (file_of(ABC, "{m: 5}"), "m: is no balance (accepted: an equation as"),
        (file_of("2nd-stage: {}"), "'2nd-stage' is not accepted (accepted: a letter of any script"),
        (
            file_of("return: {value: 1, u: 1}, b: {}, c: {}"),
            "'return' cannot stand in an equation (accepted: any other",
        ),
        (file_of("a: {fractions: {as: {}}}, b: {}, c: {}"), "'as' cannot stand in an equation"),
        (file_of("㎏: {}"), "'㎏' is not accepted (accepted: a letter of any script"),
        (file_of("Ｃ: {}, C: {}"), "'Ｃ' and 'C' are one name in an equation"),
        (file_of(", ".join(f"s{k}: {{}}" for k in range(501))), "holds 501 entries (accepted: up to 500)"),
        (file_of("a: {fractions: {s: {value: 20.5, u: 1}}}"), "0 to 1; a percentage as a share, 20.5 % as 0.205"),
        (file_of("a: {fractions: {s: {value: -0.01, u: 1}}}"), "s.value: -0.01 is not accepted (accepted: 0 to 1;"),
    ],
)
def test_a_mistake_is_told_with_what_is_accepted(tmp_path: Path, text: str, said: str) -> None:
    assert said in told(tmp_path, text)


@pytest.mark.parametrize("name", ["Ｃ", "µ", "ﬁbre"])
def test_names_are_found_however_their_letters_are_written(tmp_path: Path, name: str) -> None:
    streams = (
        f"a: {{value: 100, u: 1}}, b: {{value: 60, u: 1, fractions: {{{name}: {{value: 0.5, u: 0.1}}}}}}, {name}: {{}}"
    )
    more = f"wanted: {{yield: {name} / a, x: b * b.{name}}}\ncorrelations: [{{of: [a, b.{name}], share: 0.5}}]"
    path = tmp_path / "names.yaml"
    path.write_text(file_of(streams, f"{{m: {{in: [a], out: [b, {name}]}}}}", more), encoding="utf-8")
    assert reconcile(read_flowsheet(path)).wanted["yield"].value == pytest.approx(0.4)


def test_a_stream_measured_below_nothing_is_told(tmp_path: Path) -> None:
    path = tmp_path / "held.yaml"
    path.write_text(
        file_of("a: {value: 100, u: 1}, b: {value: 104, u: 1}, c: {value: -4, u: 1}"), encoding="utf-8"
    )  # c: what the vessel held less at the end
    found = reconcile(read_flowsheet(path))
    assert "Measured below nothing: c. A change of what is held may be" in " ".join(found.to_dict()["remarks"])
    assert "below nothing" not in found.statement()  # said once
    assert found.below_nothing == ()
