"""The meter's bias from late laboratory values: honest uncertainty, no outliers, steps when confirmed."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linecontrol.control.meter_bias import (
    BiasSettings,
    MeterReading,
    Pair,
    Verdict,
    estimate_bias,
    reading_around,
)
from linecontrol.core.model import Sample, Status

SETTINGS = BiasSettings(sampling_u=0.0)
HOUR = 3600.0


def pair(at_h: float, difference: float, lab: float = 12.8, u: float = 0.1) -> Pair:
    return Pair(at_h * HOUR, lab, u, MeterReading(lab + difference, 0.03))


def test_without_laboratory_values_the_bias_is_nothing_but_uncertain() -> None:
    bias, judged = estimate_bias(SETTINGS, [], 0.0)
    assert (bias.value, bias.u, bias.used, judged) == (0.0, 0.5, 0, [])


def test_a_value_pulls_the_bias_and_time_makes_it_uncertain_again() -> None:
    soon, _ = estimate_bias(SETTINGS, [pair(1.0, 0.4)], 1.0 * HOUR)
    assert 0.36 < soon.value < 0.4
    assert soon.u < 0.12
    later, _ = estimate_bias(SETTINGS, [pair(1.0, 0.4)], 25.0 * HOUR)
    assert later.value == soon.value
    assert later.u > 2.0 * soon.u
    assert later.last_at_s == 1.0 * HOUR


pairs = st.lists(
    st.builds(pair, st.floats(0, 48), st.floats(-1.5, 1.5), st.floats(8, 15), st.floats(0.03, 0.5)), max_size=12
)


@given(pairs, st.randoms())
def test_the_order_of_arrival_does_not_matter(found: list[Pair], rng: random.Random) -> None:
    found = list({one.at_s: one for one in found}.values())
    shuffled = found[:]
    rng.shuffle(shuffled)
    one, first = estimate_bias(SETTINGS, found, 50 * HOUR)
    two, second = estimate_bias(SETTINGS, shuffled, 50 * HOUR)
    assert one == two
    assert {p.at_s: j for p, j in zip(found, first, strict=True)} == {
        p.at_s: j for p, j in zip(shuffled, second, strict=True)
    }


@given(pairs)
def test_the_bias_stays_among_what_was_seen_and_its_uncertainty_is_never_nothing(found: list[Pair]) -> None:
    bias, judged = estimate_bias(SETTINGS, found, 50 * HOUR)
    seen = [0.0, *(j.difference for j in judged if j.verdict is Verdict.USED)]
    assert min(seen) - 1e-9 <= bias.value <= max(seen) + 1e-9
    assert bias.u > 0.0
    assert bias.used == sum(j.verdict is Verdict.USED for j in judged)


@given(st.floats(3.01, 50) | st.floats(-50, -3.01))
def test_an_absurd_value_changes_nothing(difference: float) -> None:
    good = [pair(0.0, 0.2), pair(2.0, 0.25)]
    without, _ = estimate_bias(SETTINGS, good, 5 * HOUR)
    bias, judged = estimate_bias(SETTINGS, [*good, pair(3.0, difference)], 5 * HOUR)
    assert judged[-1].verdict is Verdict.ABSURD
    assert bias.value == without.value
    assert bias.used == 2


def test_one_outlier_is_not_believed_two_that_agree_are() -> None:
    settled = [pair(n, 0.1) for n in range(4)]
    one, judged = estimate_bias(SETTINGS, [*settled, pair(4.0, 1.3)], 4 * HOUR)
    assert judged[-1].verdict is Verdict.OUTLIER
    assert one.value == pytest.approx(0.1, abs=0.02)
    two, judged = estimate_bias(SETTINGS, [*settled, pair(4.0, 1.3), pair(5.0, 1.2)], 5 * HOUR)
    assert [j.verdict for j in judged] == [Verdict.USED] * 6
    assert two.value == pytest.approx(1.25, abs=0.05)
    apart, judged = estimate_bias(SETTINGS, [*settled, pair(4.0, 1.3), pair(5.0, -1.2)], 5 * HOUR)
    assert [j.verdict for j in judged[-2:]] == [Verdict.OUTLIER] * 2
    assert apart.value == pytest.approx(0.1, abs=0.02)


def test_a_value_without_a_reading_is_kept_and_not_used() -> None:
    bias, judged = estimate_bias(SETTINGS, [Pair(0.0, 12.9, 0.1, None)], HOUR)
    assert judged[0].verdict is Verdict.NO_READING
    assert bias.used == 0


def test_the_stated_uncertainty_covers_the_truth() -> None:
    """Over 400 simulated weeks of a drifting meter, 95 % intervals hold the true bias as often as they say."""
    rng = random.Random(3)
    inside = 0
    for _ in range(400):
        true, found = rng.gauss(0.0, SETTINGS.prior_u), []
        for _shift in range(8):
            true += rng.gauss(0.0, SETTINGS.drift_u * math.sqrt(4.0))
            lab, reading = 12.8 + rng.gauss(0, 0.1), 12.8 + true + rng.gauss(0, 0.03)
            found.append(Pair(len(found) * 4 * HOUR, lab, 0.1, MeterReading(reading, 0.03)))
        bias, _ = estimate_bias(SETTINGS, found, found[-1].at_s)
        inside += abs(bias.value - true) <= 1.96 * bias.u
    assert 0.92 <= inside / 400 <= 0.98


@pytest.mark.parametrize(("field", "value"), [("prior_u", 0.0), ("drift_u", -1.0), ("gate", math.nan), ("most", 0.0)])
def test_settings_say_what_they_take(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        BiasSettings(**{field: value})


def recorded(*rows: tuple[float, float | None]) -> list[Sample]:
    return [Sample(v, Status.GOOD if v is not None else Status.BAD_SENSOR_FAILURE, t) for t, v in rows]


def test_the_reading_is_the_mean_over_time_of_what_held() -> None:
    found = reading_around(recorded((-50.0, 12.0), (10.0, 14.0)), 0.0, 30.0, 30.0)
    assert found is not None
    assert found.mean == pytest.approx((40 * 12.0 + 20 * 14.0) / 60.0)
    assert found.u > 0.5  # it moved by 2 % within a minute: nobody knows where the sample belongs


def test_a_steady_reading_is_certain_and_a_hole_is_none() -> None:
    rng = random.Random(1)
    steady = reading_around(recorded(*((float(t), 12.8 + rng.gauss(0, 0.2)) for t in range(-60, 61))), 0.0, 60.0, 60.0)
    assert steady is not None
    assert steady.mean == pytest.approx(12.8, abs=0.1)
    assert 0.03 < steady.u < 0.12
    assert reading_around(recorded((-60.0, 12.8), (-10.0, None)), 0.0, 60.0, 60.0) is None
    assert reading_around([], 0.0, 60.0, 60.0) is None
