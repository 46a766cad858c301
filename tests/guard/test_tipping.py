"""Roots that come into the hopper are told, with their mass; feeding, noise and slow drift of two scales are not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linecontrol.guard.genealogy import Tip, TipLimit, TipState, watch_hopper

LIMIT = TipLimit(least_kg=15.0)


def watched(
    seed: int, came: dict[int, float], seconds: int = 900, *, over_s: int = 1, scale_error: float = 0.0
) -> list[Tip]:
    """Tips found while the feeder takes from a hopper into which ``came`` [kg by s] falls, each in ``over_s``."""
    rng, state, level, feed, found = np.random.default_rng(seed), TipState(), 900.0, 0.0, []
    for now in range(seconds):
        if now % 60 == 0:
            feed = float(rng.uniform(0.0, 600.0))
        level += sum(kg / over_s for at, kg in came.items() if at <= now < at + over_s) - feed / 3600.0
        shown = level + float(rng.normal(0.0, 1.0))
        state, tip = watch_hopper(LIMIT, state, float(now), shown, feed * (1.0 + scale_error))
        if tip is not None:
            found.append(tip)
    return found


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.floats(-0.02, 0.02))
def test_feeding_noise_and_scales_that_differ_are_no_tip(seed: int, scale_error: float) -> None:
    assert watched(seed, {}, scale_error=scale_error) == []


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.floats(25.0, 800.0), st.integers(60, 400), st.sampled_from([1, 30, 120]))
def test_what_was_tipped_is_told_with_its_mass_and_time(seed: int, kg: float, at: int, over_s: int) -> None:
    (tip,) = watched(seed, {at: kg}, over_s=over_s)
    assert tip.kg == pytest.approx(kg, abs=4.0 + 0.02 * kg)
    assert at <= tip.since <= at + over_s + 25
    assert tip.since <= tip.until <= at + over_s + 25 + LIMIT.settle_s


def test_two_loads_apart_are_two_and_roots_taken_out_are_none() -> None:
    assert len(watched(1, {100: 60.0, 400: 60.0})) == 2
    (tip,) = watched(2, {100: -80.0, 400: 60.0})  # and what is tipped afterwards is not set against what was taken
    assert tip.kg == pytest.approx(60.0, abs=4.0)


def test_after_a_gap_and_a_bad_reading_it_starts_anew() -> None:
    state, _ = watch_hopper(LIMIT, TipState(), 0.0, 500.0, 0.0)
    for now, level, feed in ((1.0, math.nan, 0.0), (2.0, 700.0, 0.0), (3.0, 700.0, math.nan), (200.0, 900.0, 0.0)):
        state, tip = watch_hopper(LIMIT, state, now, level, feed)
        assert tip is None
    assert repr(state) == repr(TipState(at=200.0, came_kg=900.0, base_kg=900.0))  # some of it is NaN
    again, tip = watch_hopper(LIMIT, state, 100.0, 950.0, 0.0)  # a clock that was set back
    assert (again.at, again.base_kg, tip) == (100.0, 950.0, None)
