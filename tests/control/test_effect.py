"""Whether an output has an effect."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linecontrol.control.effect import EffectLimit, EffectState, watch_effect

LIMIT = EffectLimit(beyond=15.0, within_s=60.0)


def judge(distances: list[float], *, is_at_limit: bool = True) -> list[bool]:
    state, found = EffectState(), []
    for distance in distances:
        state, is_without = watch_effect(LIMIT, state, distance, 1.0, is_at_limit=is_at_limit)
        found.append(is_without)
    return found


def test_a_burner_that_is_out_is_found_in_its_time() -> None:
    found = judge([20.0 + 0.5 * n for n in range(80)])  # it gets colder
    assert found.index(True) == 60


def test_a_heater_that_warms_up_slowly_has_an_effect() -> None:
    assert not any(judge([90.0 - 0.05 * n for n in range(1400)]))  # 3 K in a minute


@given(st.lists(st.floats(0.0, 15.0) | st.just(math.nan), max_size=200))
def test_near_its_set_point_or_unknown_nothing_is_said(distances: list[float]) -> None:
    assert not any(judge(distances))


@given(st.lists(st.floats(0.0, 1e6), max_size=200))
def test_an_output_that_has_room_left_is_never_without_effect(distances: list[float]) -> None:
    assert not any(judge(distances, is_at_limit=False))


@given(st.lists(st.floats(15.1, 1e6), min_size=60, max_size=200))
def test_it_never_speaks_before_its_time(distances: list[float]) -> None:
    assert not any(judge(distances)[: int(LIMIT.within_s) - 1])


@pytest.mark.parametrize("row", [(0.0, 60.0), (15.0, 0.0), (math.inf, 60.0), (15.0, math.nan)])
def test_limits_that_make_no_sense_are_refused(row: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="accepted"):
        EffectLimit(*row)
