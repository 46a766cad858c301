"""The mixing model loses no mass, looks at no future, and agrees with the model run forwards."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linecontrol.guard.genealogy import (
    UNKNOWN,
    LotUse,
    Machine,
    Passage,
    Suspect,
    Throughput,
    lots_in,
    passage_of,
    touching,
)
from linecontrol.guard.genealogy.mixing import through

STEP_S, STEPS = 10.0, 240

_FLOW = st.one_of(st.just(0.0), st.floats(1.0, 2000.0), st.just(math.nan))
_MACHINE = st.builds(
    Machine,
    name=st.just(""),
    equipment=st.sampled_from(["screening", "drying"]),
    flow=st.sampled_from(["q1", "q2"]),
    tanks=st.integers(0, 4),
    mean_s=st.sampled_from([0.0, 0.0, 40.0]),
    holdup=st.sampled_from([0.0, 3.0, 60.0, 400.0]),
    level=st.sampled_from(["", "level"]),
    plug_s=st.sampled_from([0.0, 7.0, 45.0, 300.0]),
    is_queue=st.booleans(),
)


@st.composite
def lines(draw: st.DrawFn) -> tuple[list[Machine], Throughput, Any]:
    machines = [replace(one, name=f"m{n}") for n, one in enumerate(draw(st.lists(_MACHINE, min_size=1, max_size=5)))]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def series() -> Any:
        parts = [np.full(rng.integers(1, 60), draw(_FLOW)) for _ in range(6)]
        return np.resize(np.concatenate(parts), STEPS)

    level = np.abs(np.cumsum(rng.normal(0.0, 2.0, STEPS))) + 5.0
    weights = np.zeros(STEPS)
    weights[STEPS - draw(st.integers(1, 40)) :] = 1.0
    return machines, Throughput(0.0, STEP_S, {"q1": series(), "q2": series(), "level": level}), weights * 25.0


@settings(max_examples=120, deadline=None)
@given(lines())
def test_nothing_is_lost_and_nothing_comes_from_the_future(drawn: tuple[list[Machine], Throughput, Any]) -> None:
    machines, seen, weights = drawn
    passage = passage_of(machines, seen, weights)
    end = seen.start + STEPS * STEP_S
    for spread in passage.spreads.values():
        assert spread.shares.sum() + spread.older == pytest.approx(1.0, abs=1e-9)
        assert (spread.shares >= -1e-12).all()
        assert spread.older >= -1e-12
        assert spread.share_between(end, math.inf) == 0.0
        assert spread.share_between(-math.inf, math.inf) == pytest.approx(1.0, abs=1e-9)
    after, older = np.cumsum(weights / weights.sum()), 0.0
    for machine in reversed(machines):  # upstream is earlier: at any time, no less has come in there than further down
        share, lost = through(machine, seen, np.diff(after, prepend=0.0))
        before, older = lost + np.cumsum(share), older + lost
        assert (before >= after - 1e-9).all()
        after = before
    again = Passage.from_json(passage.as_json())
    for name, spread in passage.spreads.items():
        assert again.spreads[name].shares == pytest.approx(spread.shares, abs=1e-6)


@settings(deadline=None)
@given(lines(), st.lists(st.floats(-500.0, 2600.0), max_size=4), st.floats(0.0, 0.2))
def test_shares_of_lots_add_up_to_one(drawn: Any, times: list[float], least: float) -> None:
    passage = passage_of(*drawn)
    uses = [LotUse(f"lot-{n % 3}", at) for n, at in enumerate(times)]
    found = lots_in(passage, uses, "m0", least)
    assert sum(share for _, share in found) == pytest.approx(1.0)
    assert all(share >= least * 0.999 for _, share in found) or len(found) == 1
    assert [share for _, share in found] == sorted((share for _, share in found), reverse=True)


def forwards(machines: list[Machine], seen: Throughput, inlet: Any) -> Any:
    """The same machines run forwards, in steps of a tenth: what share of the powder is the tracer."""
    fine, share = 10, np.repeat(inlet, 10)
    dt = seen.step_s / fine
    for machine in machines:
        flow = np.repeat(seen.series[machine.flow], fine) / 3600.0
        if machine.is_queue:
            level = np.repeat(seen.series[machine.level], fine)
            out = np.cumsum(flow * dt)
            came = out + level
            share = np.interp(out, came, share)
            continue
        if machine.plug_s:
            lag = round(machine.plug_s / dt)
            share = np.concatenate((np.zeros(lag), share[: len(share) - lag]))
        for _ in range(machine.tanks):
            kept, held = 0.0, np.empty(len(share))
            for k in range(len(share)):
                kept += (share[k] - kept) * (1.0 - math.exp(-dt * flow[k] * machine.tanks / machine.holdup))
                held[k] = kept
            share = held
    return share.reshape(-1, fine).mean(axis=1)


def test_it_agrees_with_the_machines_run_forwards() -> None:
    steps = 360
    flow = 900.0 + 300.0 * np.sin(np.arange(steps) / 40.0)
    level = 150.0 + 20.0 * np.cos(np.arange(steps) / 60.0)
    seen = Throughput(0.0, STEP_S, {"roots": flow, "cake": flow * 0.4, "hopper": level})
    machines = [
        Machine("hopper", "screening", "roots", level="hopper", is_queue=True),
        Machine("rasp", "grinding", "roots", tanks=1, holdup=15.0),
        Machine("sieves", "grinding", "roots", tanks=3, holdup=60.0),
        Machine("cake", "drying", "cake", tanks=1, holdup=40.0),
        Machine("transport", "drying", "cake", tanks=0, plug_s=50.0),
    ]
    inlet = np.where(np.arange(steps) * STEP_S >= 900.0, 1.0, 0.0)  # another lot from 900 s on
    outlet = forwards(machines, seen, inlet)
    for first in (150, 170, 190, 230, 300):
        weights = np.zeros(steps)
        weights[first : first + 25] = 1.0
        found = dict(lots_in(passage_of(machines, seen, weights), [LotUse("new", 900.0)], "hopper"))
        assert found.get("new", 0.0) == pytest.approx(outlet[first : first + 25].mean(), abs=0.015)
        assert found.get(UNKNOWN, 0.0) == pytest.approx(1.0 - found.get("new", 0.0))


def test_a_standstill_is_nobodys_residence() -> None:
    """Whatever lies still for an hour has come in before it."""
    flow = np.concatenate((np.full(100, 600.0), np.zeros(360), np.full(20, 600.0)))
    seen = Throughput(0.0, STEP_S, {"q": flow})
    weights = np.zeros(len(flow))
    weights[461:463] = 1.0
    machines = [Machine("tank", "drying", "q", tanks=2, holdup=30.0), Machine("pipe", "drying", "q", 0, plug_s=60.0)]
    passage = passage_of(machines, seen, weights)
    assert passage.spreads["tank"].share_between(1000.0, 4600.0) == pytest.approx(0.0, abs=1e-9)
    assert passage.spreads["tank"].share_between(0.0, 1000.0) > 0.9


def test_suspect_intervals_touch_by_machine_by_station_and_by_a_name_nobody_knows() -> None:
    seen = Throughput(0.0, STEP_S, {"q": np.full(STEPS, 600.0)})
    machines = [Machine("cyclone", "drying", "q", 1, holdup=10.0), Machine("pipe", "drying", "q", 0, plug_s=100.0)]
    weights = np.zeros(STEPS)
    weights[100:130] = 1.0  # bagged from 1000 to 1300 s
    passage = passage_of(machines, seen, weights)
    stations = {"drying": ["cyclone", "pipe"]}

    def shares(stage: str, since: float, until: float | None) -> list[float]:
        return [s for _, s in touching(passage, [Suspect(stage, since, until, "wet", "d1")], stations, 0.01)]

    assert shares("pipe", 900.0, 1050.0) == [pytest.approx(0.5, abs=0.02)]
    assert shares("pipe", 1210.0, None) == []  # came into the pipe after this bag's last powder had left it
    assert shares("bag", 1210.0, None) == [pytest.approx(0.3, abs=0.01)]
    assert shares("drying", 900.0, 1050.0)[0] >= shares("pipe", 900.0, 1050.0)[0]
    assert shares("no such place", 1210.0, None)[0] == pytest.approx(0.3, abs=0.01)
    assert not Suspect("pipe", 0.0, None, "wet", "d1", "dried again").has_action  # without a name it is none
    assert Suspect("pipe", 0.0, None, "wet", "d1", "dried again", "li").has_action
