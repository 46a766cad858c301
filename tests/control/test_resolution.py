"""Which moves of an output are worth a write."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from linecontrol.control.resolution import Resolution

LOW, HIGH = 0.0, 100.0


@given(st.lists(st.floats(LOW, HIGH), min_size=1, max_size=60))
def test_actuator_is_never_further_off_than_the_resolution_and_never_for_longer_than_its_time(
    wanted: list[float],
) -> None:
    fine, shown, off_s = Resolution(0.5, 4.0), 50.0, 0
    for value in wanted:
        if fine.passes(value, shown, 1.0, low=LOW, high=HIGH):
            shown = value
        off_s = 0 if shown == value else off_s + 1
        assert abs(shown - value) < 0.5
        assert off_s < 4
        assert value not in (LOW, HIGH) or shown == value


def test_what_is_shown_already_is_not_written_and_what_is_not_known_is() -> None:
    fine = Resolution(0.5, 4.0)
    assert not fine.passes(50.0, 50.0, 1.0, low=LOW, high=HIGH)
    assert fine.passes(50.0, float("nan"), 1.0, low=LOW, high=HIGH)
