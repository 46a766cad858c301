"""Set-point advice: never above the ceiling, stricter with every doubt, and keeping the risk it promises."""

import math
import random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from linecontrol.control.sp_advice import Advice, Ceiling, NoAdvice, _chi2, advise_set_point, independent_count

CEILING = Ceiling(14.0, 0.3, 9.0, 13.5)


def record(seed: int, n: int = 1500, sd: float = 0.3, rho: float = 0.9, mean: float = 0.0) -> list[float]:
    """Deviations like a loop's: an AR(1) of this standard deviation."""
    rng, x, found = random.Random(seed), 0.0, []
    for _ in range(n):
        x = rho * x + math.sqrt(1.0 - rho * rho) * rng.gauss(0.0, sd)
        found.append(mean + x)
    return found


def advised(deviations: list[float], unseen: float = 0.1, risk: float = 1e-3, ceiling: Ceiling = CEILING) -> Advice:
    found = advise_set_point(deviations, unseen, risk, ceiling)
    assert isinstance(found, Advice)
    return found


def test_a_quiet_loop_may_go_up_to_the_loops_limit_and_a_restless_one_may_not() -> None:
    quiet, restless = advised(record(1, sd=0.05), 0.02), advised(record(1, sd=0.5))
    assert (quiet.set_point, quiet.bound_by) == (13.5, "loop")
    assert restless.bound_by == "risk"
    assert 11.0 < restless.set_point < 12.6
    margin = advised(record(1, sd=0.02), 0.0, 1e-3, Ceiling(14.0, 0.3, 9.0, 14.5))
    assert (margin.set_point, margin.bound_by) == (pytest.approx(13.7), "margin")
    low = advised(record(1, sd=3.0), 0.0)
    assert (low.set_point, low.bound_by) == (9.0, "loop-low")


@given(
    st.integers(0, 50),
    st.floats(0.01, 1.5),
    st.floats(-1, 1),
    st.floats(0, 1),
    st.floats(1e-6, 0.05),
    st.floats(0.05, 2),
    st.floats(10, 16),
)
def test_it_is_never_above_what_safety_or_the_loop_allows(
    seed: int, sd: float, mean: float, unseen: float, risk: float, margin: float, sp_high: float
) -> None:
    ceiling = Ceiling(14.0, margin, 9.0, sp_high)
    found = advised(record(seed, 800, sd, 0.6, mean), unseen, risk, ceiling)
    assert found.set_point <= min(14.0 - margin, sp_high) + 1e-12
    assert found.set_point >= 9.0
    if found.bound_by == "risk":
        assert found.set_point + found.back_off <= 14.0 + 1e-9


@given(st.integers(0, 30), st.floats(0, 0.5), st.floats(0, 0.5), st.floats(1e-6, 0.05), st.floats(1e-6, 0.05))
def test_more_doubt_or_less_risk_never_raises_it(seed: int, a: float, b: float, c: float, d: float) -> None:
    x = record(seed, 900)
    assert advised(x, max(a, b)).set_point <= advised(x, min(a, b)).set_point
    assert advised(x, risk=min(c, d)).set_point <= advised(x, risk=max(c, d)).set_point
    wider = [1.0 + 1.3 * value for value in x]  # wetter and more restless
    assert advised(wider).set_point <= advised(x).set_point


def test_it_keeps_the_risk_it_promises() -> None:
    """200 records of a known loop with a known unseen bias: the set point proposed exceeds the asked risk rarely."""
    risk, over = 1e-3, 0
    for seed in range(200):
        found = advised(record(seed, 1000, 0.3, 0.8), 0.1, risk, Ceiling(14.0, 0.01, 5.0, 14.0))
        assert found.bound_by == "risk"
        true_sd = math.hypot(0.3, 0.1)
        over += 1.0 - NormalDist(found.set_point, true_sd).cdf(14.0) > risk
    assert over <= 0.1 * 200


def test_heavy_tails_lower_it() -> None:
    rng = random.Random(2)
    heavy = [rng.gauss(0, 0.2) * (4.0 if rng.random() < 0.05 else 1.0) for _ in range(3000)]
    found = advised(heavy)
    assert found.tail > 1.1
    assert advised([rng.gauss(0, 0.2) for _ in range(3000)]).tail < 1.12


def test_alike_neighbours_are_worth_less() -> None:
    assert independent_count(record(3, 2000, rho=0.0)) > 1500
    assert independent_count(record(3, 2000, rho=0.95)) < 150
    assert independent_count([1.0] * 100) == 0.0


def test_what_cannot_be_judged_is_refused() -> None:
    few = advise_set_point(record(1, 60, rho=0.95), 0.1, 1e-3, CEILING)
    assert isinstance(few, NoAdvice)
    assert not few
    assert (few.code, "longer run" in few.reason) == ("few", True)
    for risk in (0.0, 0.5, math.nan):
        refused = advise_set_point(record(1), 0.1, risk, CEILING)
        assert isinstance(refused, NoAdvice)
        assert refused.code == "risk"
    unknown = advise_set_point(record(1), math.nan, 1e-3, CEILING)
    assert isinstance(unknown, NoAdvice)
    with pytest.raises(ValueError, match="margin"):
        Ceiling(14.0, 0.0, 9.0, 13.5)


def test_the_chi_square_quantile_agrees_with_scipy() -> None:
    for degrees in (14.0, 30.0, 200.0):
        assert _chi2(0.05, degrees) == pytest.approx(float(chi2.ppf(0.05, degrees)), rel=0.01)
