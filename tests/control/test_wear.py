"""Wear: what an hour's movement of an output is, and what is only noise."""

import random

from hypothesis import given
from hypothesis import strategies as st

from linecontrol.control.wear import Wear


def seen(values: list[float], least: float = 0.5, dt_s: float = 1.0) -> Wear:
    wear = Wear(least)
    for value in values:
        wear.see(value, dt_s)
    return wear


def test_a_ramp_travels_and_does_not_turn() -> None:
    wear = seen([0.1 * n for n in range(601)])
    assert abs(wear.travel - 60.0) < 0.2
    assert wear.reversals == 0


def test_a_triangle_turns_at_its_corners() -> None:
    wear = seen([abs((n % 120) - 60.0) for n in range(1200)])
    assert wear.reversals == 19


def test_noise_below_the_least_turn_is_no_reversal() -> None:
    rng = random.Random(1)
    wear = seen([50.0 + rng.uniform(-0.2, 0.2) for _ in range(3600)])
    assert wear.reversals == 0
    assert wear.travel > 100.0


def test_an_hour_later_it_is_forgotten() -> None:
    wear = seen([float(n % 2) * 10 for n in range(600)])
    assert wear.travel > 1000.0
    for _ in range(3700):
        wear.see(10.0, 1.0)
    assert (wear.travel, wear.reversals) == (0.0, 0)


@given(st.lists(st.floats(-1e3, 1e3) | st.just(float("nan")), min_size=1, max_size=300))
def test_travel_is_at_least_the_way_from_first_to_last(values: list[float]) -> None:
    wear = seen([*values, *[values[-1]] * 60], least=0.0)
    good = [v for v in values if v == v]
    if good:
        assert wear.travel >= abs(good[-1] - good[0]) - 1e-6
    assert wear.reversals <= max(0, len(good) - 2)
