"""Friction and inertia of the dry side's valve and fan."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.actuation import ramped_drives
from simulator.machines.drives import Actuator
from simulator.machines.valves import CoastingMotor, StickyValve
from simulator.parameters import default_parameters


def _settled(valve: StickyValve, target: float) -> float:
    for _ in range(200):
        valve.drive(target, 0.5)
    return valve.position


def test_a_sticking_valve_ignores_small_changes_then_jumps() -> None:
    valve = StickyValve(0.0, 100.0, 8.0, stick=4.0, slide=1.0)
    assert _settled(valve, 50.0) == pytest.approx(49.0)
    assert _settled(valve, 52.0) == pytest.approx(49.0)
    assert _settled(valve, 53.1) == pytest.approx(52.1)  # broke loose: 3.1 at once
    assert _settled(valve, 49.0) == pytest.approx(52.1)
    assert _settled(valve, 48.0) == pytest.approx(49.0)


def test_a_slow_ramp_comes_out_as_a_staircase() -> None:
    smooth, sticky = StickyValve(0.0, 100.0, 8.0, 0.0), StickyValve(0.0, 100.0, 8.0, stick=5.0, slide=1.0)
    _settled(smooth, 40.0)
    _settled(sticky, 40.0)
    stems = [(smooth.drive(40.0 + 0.02 * k, 0.5), sticky.drive(40.0 + 0.02 * k, 0.5)) for k in range(1000)]
    assert len({round(a, 6) for a, _ in stems}) > 900
    rests = [k for k in range(1, 1000) if stems[k][1] == stems[k - 1][1]]
    assert len(rests) > 900
    assert max(abs(a - b) for a, b in stems) == pytest.approx(5.0, abs=0.1)


def test_both_ends_are_reached_and_nan_holds() -> None:
    valve = StickyValve(0.0, 100.0, 8.0, stick=10.0, slide=5.0)
    assert _settled(valve, 100.0) == 100.0
    assert _settled(valve, math.nan) == 100.0
    assert _settled(valve, -3.0) == 0.0
    valve.is_stuck = True
    assert _settled(valve, 80.0) == 0.0
    valve.is_stuck = False
    assert _settled(valve, 80.0) == pytest.approx(75.0)


@settings(deadline=None)
@given(targets=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20))
def test_it_moves_at_its_rate_and_without_friction_follows_like_a_plain_drive(targets: list[float]) -> None:
    sticky, plain, bare = StickyValve(0, 100, 8.0, 2.0, 0.5), Actuator(0, 100, 8.0), StickyValve(0, 100, 8.0, 0.0)
    for target in targets:
        before = sticky.position
        assert 0.0 <= sticky.drive(target, 0.5) <= 100.0
        assert abs(sticky.position - before) <= 4.0 + 1e-9
        assert bare.drive(target, 0.5) == plain.drive(target, 0.5)


def test_a_motor_ramps_with_power_and_coasts_without() -> None:
    motor = CoastingMotor(100.0, 8.0, 20.0)
    for _ in range(20):
        motor.drive(60.0, True, 1.0)
    assert motor.position == 60.0
    for _ in range(20):
        motor.drive(60.0, False, 1.0)
    assert motor.position == pytest.approx(60.0 * math.exp(-1.0))
    assert motor.drive(60.0, True, 1.0) == pytest.approx(60.0 * math.exp(-1.0) + 8.0)  # caught while turning
    for _ in range(400):
        motor.drive(60.0, False, 1.0)
    assert motor.position == 0.0


def test_every_valve_and_drive_of_the_plant_can_stick_and_have_a_dead_band() -> None:
    worn = default_parameters().with_values({"site.valve_stick_pct": 4.0, "site.drive_deadband_pct": 2.0})
    drives = ramped_drives(worn)
    for tag, drive in drives.items():
        full = {"SC-103": 30.0, "SC-201": 2000.0}.get(tag, 100.0)
        for _ in range(200):
            drive.drive(0.5 * full, 0.5)
        rest = drive.position
        for _ in range(200):
            drive.drive(0.515 * full, 0.5)
        assert drive.position == rest, f"{tag} follows a change smaller than its dead band"
        for _ in range(200):
            drive.drive(0.6 * full, 0.5)
        assert drive.position > rest + 0.08 * full, tag
    assert sum(isinstance(drive, StickyValve) for drive in drives.values()) == 3
