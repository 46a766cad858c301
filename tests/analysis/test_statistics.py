"""The statistics: against their definitions, other libraries, and thousands of synthetic experiments."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.regression.mixed_linear_model import MixedLM
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower, TTestPower

from linecontrol.analysis.statistics.groups import adjust_p, compare_groups, hedges_g, welch
from linecontrol.analysis.statistics.lots import compare_with_lots
from linecontrol.analysis.statistics.power import detectable, power_of, runs_needed
from linecontrol.analysis.statistics.spc import D2, D4, NELSON, control_charts
from linecontrol.analysis.statistics.surface import fit_surface

EXPERIMENTS = 2000
WIDE = 4.0 * math.sqrt(0.05 * 0.95 / EXPERIMENTS)  # four standard errors of a share of 5 %


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


# -- groups


def test_false_alarms_and_power_are_as_stated() -> None:
    """2,000 experiments of 12 and 15 runs with unequal spreads, without and with a difference."""
    a, b = rng().normal(88.0, 1.0, (EXPERIMENTS, 12)), rng(2).normal(88.0, 2.0, (EXPERIMENTS, 15))
    _, _, p, _ = welch(a, b)
    assert abs((p < 0.05).mean() - 0.05) < WIDE
    c, d = rng(3).normal(88.0, 1.3, (EXPERIMENTS, 20)), rng(4).normal(89.0, 1.3, (EXPERIMENTS, 20))
    difference, half, p, _ = welch(c, d)
    stated = power_of(1.0, 1.3, 20)
    assert abs((p < 0.05).mean() - stated) < 4.0 * math.sqrt(stated * (1.0 - stated) / EXPERIMENTS)
    assert abs((np.abs(difference - 1.0) <= half).mean() - 0.95) < WIDE


def test_welch_is_scipys() -> None:
    a, b = rng().normal(0, 1, 9), rng(2).normal(0.5, 3, 14)
    [row] = compare_groups({"a": a.tolist(), "b": [*b.tolist(), math.nan]})
    theirs = stats.ttest_ind(b, a, equal_var=False)
    low, high = theirs.confidence_interval(0.95)
    assert (row.p, row.low, row.high) == pytest.approx((theirs.pvalue, low, high))
    assert row.mean_a == pytest.approx(a.mean())
    assert row.relative == pytest.approx((b.mean() - a.mean()) / a.mean())


def test_bootstrap_agrees_where_all_is_normal_and_is_repeatable() -> None:
    a, b = rng().normal(0, 1, 40).tolist(), rng(2).normal(1, 1, 40).tolist()
    [by_t] = compare_groups({"a": a, "b": b})
    [drawn] = compare_groups({"a": a, "b": b}, method="bootstrap")
    assert (drawn.low, drawn.high) == pytest.approx((by_t.low, by_t.high), abs=0.06)
    assert drawn.is_found
    assert compare_groups({"a": a, "b": b}, method="bootstrap") == [drawn]


def test_effect_size_is_unbiased_and_its_interval_covers() -> None:
    found = [hedges_g(x, y) for x, y in zip(rng().normal(0, 2, (800, 8)), rng(2).normal(1.6, 2, (800, 8)), strict=True)]
    g, half = np.array(found).T
    assert g.mean() == pytest.approx(0.8, abs=4 * g.std() / math.sqrt(800))
    assert (np.abs(g - 0.8) <= half).mean() == pytest.approx(0.95, abs=0.03)


@settings(max_examples=20)
@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12), st.sampled_from(["holm", "bh", "none"]))
def test_adjusted_p_are_those_of_statsmodels(p: list[float], how: str) -> None:
    mine = adjust_p(np.array(p), how)  # type: ignore[arg-type]
    names = {"holm": "holm", "bh": "fdr_bh"}
    theirs = p if how == "none" else multipletests(p, method=names[how])[1]
    assert mine == pytest.approx(np.asarray(theirs))


def test_holm_keeps_false_findings_among_many_groups_rare() -> None:
    groups = rng().normal(0.0, 1.0, (200, 5, 6))
    any_found = [
        any(row.is_found for row in compare_groups({str(i): g.tolist() for i, g in enumerate(one)})) for one in groups
    ]
    assert np.mean(any_found) < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 200)


def test_groups_that_cannot_be_compared_are_told() -> None:
    with pytest.raises(ValueError, match="a: 3, b: 1"):
        compare_groups({"a": [1.0, 2.0, 3.0], "b": [4.0, math.nan]})


def test_groups_without_spread_differ_or_do_not() -> None:
    rows = compare_groups({"a": [1.0, 1.0], "b": [1.0, 1.0], "c": [2.0, 2.0]})
    assert [row.is_found for row in rows] == [False, True, True]


# -- lots


def lots_of(n: int, lot_sd: float, rest_sd: float, apart: float, seed: int) -> tuple[list[float], list[str], list[str]]:
    draw = rng(seed)
    lot = draw.normal(0.0, lot_sd, n)
    values = 88.0 + lot[:, None] + np.array([0.0, apart]) + draw.normal(0.0, rest_sd, (n, 2))
    return values.ravel().tolist(), ["a", "b"] * n, [f"L{i}" for i in range(n) for _ in range(2)]


def test_lots_run_both_ways_are_a_paired_test() -> None:
    """In a balanced experiment restricted maximum likelihood is the paired t test exactly."""
    values, groups, lots = lots_of(12, 2.0, 0.4, 0.5, 3)
    model = compare_with_lots(values, groups, lots)
    [row] = model.differences
    pairs = np.array(values).reshape(-1, 2)
    theirs = stats.ttest_rel(pairs[:, 1], pairs[:, 0])
    low, high = theirs.confidence_interval(0.95)
    assert (row.difference, row.low, row.high) == pytest.approx(
        ((pairs[:, 1] - pairs[:, 0]).mean(), low, high), rel=1e-3
    )
    assert row.p == pytest.approx(theirs.pvalue, rel=2e-2)
    assert model.is_within
    assert model.share_of_lots > 0.8


@pytest.mark.parametrize("seed", range(4))
def test_the_mixed_model_is_that_of_statsmodels(seed: int) -> None:
    """An unbalanced experiment of three recipes, where no simpler analysis is the same."""
    draw = rng(seed)
    lots = [f"L{i}" for i in draw.integers(0, 9, 40)]
    groups = [("a", "b", "c")[i] for i in draw.integers(0, 3, 40)]
    far = dict(zip(sorted(set(lots)), draw.normal(0.0, 1.5, 9), strict=False))
    values = [
        88.0 + far[lot] + 0.5 * (g == "b") + float(draw.normal(0, 0.7)) for lot, g in zip(lots, groups, strict=True)
    ]
    mine = compare_with_lots(values, groups, lots)
    names = list(mine.means)
    design = np.array([[float(g == name) for name in names] for g in groups])
    theirs = MixedLM(values, design, groups=lots).fit(reml=True)
    assert list(mine.means.values()) == pytest.approx(theirs.fe_params.tolist(), rel=1e-5)
    assert mine.sd_rest == pytest.approx(math.sqrt(theirs.scale), rel=1e-3)
    assert mine.sd_lot == pytest.approx(math.sqrt(theirs.cov_re[0, 0]), rel=1e-3)
    cov = theirs.cov_params()
    se = math.sqrt(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1])
    row = mine.differences[0]
    assert (row.high - row.low) / 2 == pytest.approx(stats.t.ppf(0.975, row.df) * se, rel=5e-3)


def test_lots_that_do_not_differ_are_an_answer_too() -> None:
    values, groups, lots = lots_of(6, 0.0, 0.4, 2.0, 8)
    model = compare_with_lots(values, groups, lots)
    assert model.sd_lot == pytest.approx(0.0, abs=0.4)
    assert model.differences[0].is_found


def test_lots_take_nothing_for_a_difference_that_is_theirs() -> None:
    """False alarms and coverage over experiments whose lots differ ten times as much as the recipes."""
    found, covered = 0, 0
    for seed in range(200):
        [row] = compare_with_lots(*lots_of(8, 3.0, 0.3, 0.0, seed)).differences
        found += row.is_found
        covered += row.low <= 0.0 <= row.high
    assert found <= 22  # 5 % of 200 is 10; 22 is four standard errors above
    assert found == 200 - covered


def test_each_recipe_on_lots_of_its_own_counts_lots_not_runs() -> None:
    """Ten runs of one lot are one lot: the model of runs alone would be certain of what is chance."""
    draw = rng(5)
    lot = draw.normal(0.0, 1.0, 8)
    values = (lot[:, None] + draw.normal(0.0, 0.1, (8, 10))).ravel().tolist()
    groups, lots = [g for g in "aaaabbbb" for _ in range(10)], [f"L{i}" for i in range(8) for _ in range(10)]
    [row] = compare_with_lots(values, groups, lots).differences
    means = np.array(values).reshape(8, 10).mean(axis=1)
    assert row.df == 6
    assert row.p == pytest.approx(stats.ttest_ind(means[4:], means[:4]).pvalue, rel=0.02)


def test_lots_that_say_nothing_are_told() -> None:
    with pytest.raises(ValueError, match="lots with more than one run"):
        compare_with_lots([1.0, 2.0, 3.0, 4.0], list("abab"), list("wxyz"))


# -- power


@pytest.mark.parametrize("paired", [False, True])
@settings(max_examples=20)
@given(st.floats(0.05, 3.0), st.integers(2, 200))
def test_power_is_that_of_statsmodels(paired: bool, effect: float, n: int) -> None:
    mine = power_of(effect * 0.7, 0.7, n, paired=paired)
    theirs = (
        TTestPower().power(effect, n, 0.05)
        if paired
        else TTestIndPower().power(effect, n, 0.05, alternative="two-sided")
    )
    if math.isfinite(theirs):  # theirs has no number where it is all but certain
        assert mine == pytest.approx(float(theirs), abs=1e-6)
    else:
        assert mine > 1.0 - 1e-9


@given(st.floats(0.1, 2.0), st.floats(0.5, 0.95), st.booleans())
def test_runs_needed_are_the_fewest(difference: float, power: float, paired: bool) -> None:
    found = runs_needed(difference, 1.0, power=power, paired=paired)
    assert found.power >= power
    assert found.each == 2 or power_of(difference, 1.0, found.each - 1, paired=paired) < power
    assert detectable(1.0, found.each, power=power, paired=paired) <= difference * (1 + 1e-6)


def test_a_spread_from_few_runs_leaves_the_number_open() -> None:
    found = runs_needed(0.88, 1.2, sd_df=5)
    assert found.low < found.each < found.high
    with pytest.raises(ValueError, match="more than"):
        runs_needed(1e-6, 1.0)


# -- control charts


def test_constants_are_those_of_the_tables() -> None:
    assert (round(D2, 3), round(D4, 3)) == (1.128, 3.267)


def test_a_shift_is_seen_by_the_charts_and_dated() -> None:
    values = rng(6).normal(88.0, 0.5, 60)
    values[40:] -= 0.75
    found = control_charts(values.tolist(), baseline=30)
    for kind in ("EWMA", "CUSUM"):
        late = [s for s in found.charts[kind].signals if s.index >= 40]
        assert late
        assert all(s.side == -1 for s in late)
        assert not [s for s in found.charts[kind].signals if s.index < 40]
    assert found.sigma == pytest.approx(0.5, rel=0.3)


def test_false_alarm_rates_are_as_stated() -> None:
    """Average runs to a false signal with known limits: some 370 (I), 500 (EWMA), 465 (CUSUM)."""
    z = rng(7).normal(0.0, 1.0, 40_000)
    steady = np.tile([0.0, 2.0 / math.sqrt(math.pi)], 15).tolist()  # a baseline with sigma 1
    centre = float(np.mean(steady))
    found = control_charts([*steady, *(z + centre).tolist()], baseline=30, rules=("1",))
    assert found.sigma == pytest.approx(1.0)
    assert len(found.charts["I"].signals) == pytest.approx(40_000 / 370, abs=4 * math.sqrt(40_000 / 370))
    for kind, arl in (("EWMA", 500.0), ("CUSUM", 465.0)):
        at = [s.index for s in found.charts[kind].signals]
        alarms = 1 + sum(b - a > 1 for a, b in itertools.pairwise(at))  # runs of signals are one alarm
        assert 0.4 * 40_000 / arl < alarms < 1.6 * 40_000 / arl


PATTERNS: dict[str, list[float]] = {
    "1": [0.5, 3.2],
    "2": [0.4, 0.2, 0.5, 0.1, 0.3, 0.6, 0.2, 0.1, 0.4],
    "3": [-1.0, -0.5, 0.1, 0.6, 0.9, 1.5],
    "4": [0.5, -0.5] * 7,
    "5": [2.2, 0.1, 2.3],
    "6": [1.2, 1.3, 0.2, 1.1, 1.4],
    "7": [0.3, -0.4] * 7 + [0.2],
    "8": [1.2, -1.3, 1.4, -1.2, 1.5, -1.1, 1.3, -1.6],
}


@pytest.mark.parametrize("rule", NELSON)
def test_each_rule_sees_its_pattern_at_its_end(rule: str) -> None:
    base = [0.0, 2.0 / math.sqrt(math.pi)] * 5
    centre = float(np.mean(base))
    gap = [math.nan]
    values = [*base, *gap, *(centre + z for z in PATTERNS[rule])]
    signals = control_charts(values, baseline=10, rules=(rule,)).charts["I"].signals
    assert [s.index for s in signals if s.index > 10] == [len(values) - 1]


def test_charts_that_cannot_be_drawn_are_told() -> None:
    with pytest.raises(ValueError, match="8 runs"):
        control_charts([1.0, 2.0, math.nan] * 3)
    with pytest.raises(ValueError, match="do not differ"):
        control_charts([1.0] * 9)
    with pytest.raises(ValueError, match="rule"):
        control_charts([1.0, 2.0] * 9, rules=("9",))


# -- response surface


def truth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 88.0 + 0.8 * x - 0.5 * y - 1.2 * x**2 - 0.4 * y**2 + 0.3 * x * y


def grid(levels: int = 3, repeats: int = 3) -> tuple[np.ndarray, np.ndarray]:
    at = np.tile(
        np.array([(a, b) for a in np.linspace(-1, 1, levels) for b in np.linspace(-1, 1, levels)]), (repeats, 1)
    )
    return at[:, 0], at[:, 1]


def test_a_surface_is_found_again_exactly_without_noise() -> None:
    x, y = grid()
    found = fit_surface(truth(x, y).tolist(), {"rpm": (1500 + 100 * x).tolist(), "water": (20 + 2 * y).tolist()})
    assert {t.name: round(t.value, 9) for t in found.terms} == {
        "1": 88.0, "rpm": 0.8, "water": -0.5, "rpm*water": 0.3, "rpm^2": -1.2, "water^2": -0.4,
    }  # fmt: skip
    value, low, high = found.predict({"rpm": 1550.0, "water": 19.0})
    assert value == pytest.approx(truth(np.array(0.5), np.array(-0.5)))
    assert low == pytest.approx(high)
    best = found.propose()
    assert best.at == pytest.approx({"rpm": 1500 + 100 * 0.267759, "water": 20 - 2 * 0.524590}, rel=1e-5)
    assert best.on_border == ()
    assert found.propose(goal="min").on_border


def test_coefficients_and_their_uncertainties_are_those_of_statsmodels() -> None:
    x, y = grid()
    z = truth(x, y) + rng().normal(0, 0.3, len(x))
    found = fit_surface(z.tolist(), {"x": x.tolist(), "y": y.tolist()})
    design = np.column_stack([np.ones_like(x), x, y, x * y, x**2, y**2])
    theirs = OLS(z, design).fit()
    assert [t.value for t in found.terms] == pytest.approx(theirs.params.tolist())
    assert [t.u for t in found.terms] == pytest.approx(theirs.bse.tolist())
    assert [t.p for t in found.terms] == pytest.approx(theirs.pvalues.tolist())
    assert found.r2_adjusted == pytest.approx(theirs.rsquared_adj)


def test_the_gain_of_a_setting_picked_for_its_gain_is_covered() -> None:
    """Without any effect the best of a surface always promises something: it must not be taken for better."""
    x, y = grid(repeats=2)
    better, covered = 0, 0
    draws = 80
    for seed in range(draws):
        noise = rng(seed).normal(0, 0.3, len(x))
        better += fit_surface(noise.tolist(), {"x": x.tolist(), "y": y.tolist()}).propose().is_better
        best = fit_surface((truth(x, y) + noise).tolist(), {"x": x.tolist(), "y": y.tolist()}).propose()
        true = truth(np.array(best.at["x"]), np.array(best.at["y"])) - truth(np.array(0.0), np.array(0.0))
        covered += best.gain_low <= true <= best.gain_high
    assert better <= draws * 0.05 + 4 * math.sqrt(draws * 0.05 * 0.95)
    assert covered >= draws * 0.95 - 4 * math.sqrt(draws * 0.05 * 0.95)


def test_lots_run_at_several_settings_are_compared_within() -> None:
    x, y = grid(repeats=6)
    lots = [f"L{i // 9}" for i in range(len(x))]
    far = dict(zip(sorted(set(lots)), rng(3).normal(0, 5, 6), strict=True))
    z = truth(x, y) + np.array([far[lot] for lot in lots]) + rng(4).normal(0, 0.1, len(x))
    factors = {"x": x.tolist(), "y": y.tolist()}
    within, without = fit_surface(z.tolist(), factors, lots), fit_surface(z.tolist(), factors)
    assert within.lots == 6
    assert within.sd < 0.2 < 2.0 < without.sd
    assert {t.name: t.value for t in within.terms}["x"] == pytest.approx(0.8, abs=0.1)


def test_a_surface_that_misfits_says_so() -> None:
    x, y = grid(levels=5, repeats=3)
    z = truth(x, y) + rng().normal(0, 0.05, len(x))
    factors = {"x": x.tolist(), "y": y.tolist()}
    assert fit_surface(z.tolist(), factors, model="linear").lack_p < 1e-6
    assert fit_surface(z.tolist(), factors).lack_p > 0.01


def test_runs_bear_the_fullest_model_they_can() -> None:
    x = [-1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0, -1.0]
    y = [-1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0]
    assert fit_surface(rng().normal(0, 1, 8).tolist(), {"x": x, "y": y}).model == "interactions"
    with pytest.raises(ValueError, match="cannot bear a linear"):
        fit_surface([1.0, 2.0, 3.0], {"x": [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match="nothing was varied"):
        fit_surface([1.0, 2.0], {"x": [1.0, 1.0]})
    with pytest.raises(ValueError, match="was not tried"):
        fit_surface(rng().normal(0, 1, 8).tolist(), {"x": x, "y": y}).predict({"x": 2.0, "y": 0.0})
