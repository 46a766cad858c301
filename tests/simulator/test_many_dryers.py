"""Many dryers at once are the one dryer in every lane: each function, each branch, and minutes of a moving plant."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from math import exp, gamma, log
from random import Random
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import material as m
from simulator.lanes import over_lanes
from simulator.ledger import Books
from simulator.machines.dryer import FlashDryer
from simulator.machines.duct import DuctEnd, dry_through_duct
from simulator.machines.heater import Heater
from simulator.machines.many_dryers import Floats, ManyDryers
from simulator.parameters import default_parameters
from simulator.psychrometrics import Isotherm, humidity_kg_kg, wet_bulb_c

P = default_parameters()
CONSTANTS = P.dryer.duct(P.isotherm)
SOLIDS_CP = 1.25
SHOWN = ("outlet_c", "outlet_humidity", "product_c", "moisture_db", "wet_bulb_c", "equilibrium_db", "evaporation_kg_s",
         "gelatinised_share", "gel_margin_k")  # fmt: skip
# far beyond what a dryer is run at, so that every branch of the duct is taken somewhere
WIDE = ((0.01, 1.5), (1.0, 60.0), (3.0, 60.0), (0.05, 1.0), (0.5, 6.0), (40.0, 220.0), (0.0005, 0.3), (-10.0, 200.0))


def flat(end: DuctEnd) -> list[Any]:
    return [x for part in end for x in (part if isinstance(part, tuple) else (part,))]


def through(dry: Callable[..., DuctEnd], at: Any) -> DuctEnd:
    cake_db, cake_c, air_per_solid, air_kg_s, contact_s, inlet_c, humidity, wall_c = at
    heat = (SOLIDS_CP + 4.18 * cake_db) * cake_c
    walls, guess = (wall_c, 0.5 * wall_c, 0.2 * wall_c), (40.0, 40.0, 40.0, 40.0)
    return dry(cake_db, heat, SOLIDS_CP, air_per_solid, air_kg_s, contact_s, inlet_c, humidity, walls, guess, CONSTANTS)


def wide_points(seed: int, count: int) -> Floats:
    rng = np.random.default_rng(seed)
    return np.array([rng.uniform(low, high, count) for low, high in WIDE])


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_each_lane_is_the_scalar_duct(seed: int) -> None:
    points = wide_points(seed, 40)
    many = np.array([np.broadcast_to(x, (40,)) for x in flat(through(over_lanes(dry_through_duct), points))])
    one_by_one = np.array([flat(through(dry_through_duct, at)) for at in points.T.tolist()]).T
    assert many == pytest.approx(one_by_one, rel=1e-9, abs=1e-9)


def lines_run(function: Callable[..., Any], work: Callable[[], object]) -> set[int]:
    """Line numbers of a function that some work went through."""
    code, seen = function.__code__, set[int]()

    def trace(frame: FrameType, event: str, _arg: object) -> Any:
        if frame.f_code is not code:
            return None
        seen.add(frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return seen


def test_the_points_compared_take_every_branch_of_the_duct_and_of_the_wet_bulb() -> None:
    def work() -> None:
        for at in wide_points(1, 120).T.tolist():
            through(dry_through_duct, at)
        for temp_c in (-60.0, 400.0):  # beyond what is air of a dryer
            wet_bulb_c(temp_c, 0.0)

    for function in (dry_through_duct, wet_bulb_c):
        code = function.__code__
        written = {line for _, _, line in code.co_lines() if line is not None and line > code.co_firstlineno}
        left_out = written - lines_run(function, work)
        assert not left_out, f"{function.__name__}: no point has come to lines {sorted(left_out)}"


@given(
    temps_c=st.lists(st.floats(-60.0, 400.0), min_size=1, max_size=20),
    share=st.floats(0.0, 1.5),
    start_c=st.none() | st.floats(-50.0, 120.0),
)
def test_wet_bulbs_of_many_airs_are_those_of_each(temps_c: list[float], share: float, start_c: float | None) -> None:
    humidities = [share * humidity_kg_kg(temp_c, 1.0) for temp_c in temps_c]
    many = over_lanes(wet_bulb_c)(np.array(temps_c), np.array(humidities), start_c)
    assert many == pytest.approx([wet_bulb_c(t, h, start_c) for t, h in zip(temps_c, humidities, strict=True)])


# --- dryers and exchangers over time ----------------------------------------------------------------------------------


def test_many_dryers_run_for_minutes_as_each_would_alone() -> None:
    """Cold starts, feed that comes and goes, burners that go out: each lane has its own day."""
    rng, count = Random(7), 6
    rooms_c = np.array([rng.uniform(0.0, 35.0) for _ in range(count)])
    many = ManyDryers(P.dryer, P.isotherm, P.heater, rooms_c)
    isotherm = Isotherm(P.isotherm)
    dryers = [FlashDryer(P.dryer, isotherm, room_c, Books()) for room_c in rooms_c.tolist()]
    heaters = [Heater(P.heater, room_c, Books()) for room_c in rooms_c.tolist()]
    at = np.zeros((5, count))
    for second in range(240):
        if second % 40 == 0:  # solids kg/s, cake kg/kg and degC, air kg/s, humidity
            drawn = [(rng.choice((0.0, 0.02, 0.06)), rng.uniform(0.3, 0.9), rng.uniform(5, 30), rng.uniform(0.2, 0.9),
                      rng.uniform(0.003, 0.02)) for _ in range(count)]  # fmt: skip
            at, valves_pct = np.array(drawn).T, [rng.choice((0.0, 50.0, 100.0)) for _ in range(count)]
        solids, cake_db, cake_c, air, humidity = at
        for n, heater in enumerate(heaters):
            heater.step(float(air[n]), valves_pct[n], True, float(rooms_c[n]), float(humidity[n]), 1.0)
        useful_kw = np.array([P.heater.efficiency * heater.fuel_kw for heater in heaters])
        inlet_c = many.heat(useful_kw, air, rooms_c, humidity, 1.0)
        assert inlet_c == pytest.approx([heater.inlet_c for heater in heaters], rel=1e-12)
        many.step(solids, cake_db, cake_c, air, inlet_c, humidity, rooms_c, 1.0)
        for n, dryer in enumerate(dryers):
            cake = m.empty()
            cake[m.FREE], cake[m.WATER] = float(solids[n]), float(solids[n] * cake_db[n])
            cake[m.HEAT] = m.heat_capacity_kj_k(cake) * float(cake_c[n])
            dryer.step(cake, float(air[n]), float(inlet_c[n]), float(humidity[n]), float(rooms_c[n]), 1.0)
        for name in SHOWN:
            found, alone = getattr(many, name), [getattr(dryer, name) for dryer in dryers]
            assert found == pytest.approx(alone, rel=1e-9, abs=1e-12), (second, name)
        walls_c = np.array([dryer.walls_c for dryer in dryers]).T
        assert np.array(many.walls_c) == pytest.approx(walls_c, rel=1e-9), second
    assert max(dryer.evaporated_kg for dryer in dryers) > 1.0


def test_a_settled_dryer_is_where_its_steps_lead() -> None:
    room_c = np.array([18.0, 5.0, 30.0])
    at = (np.array([0.034, 0.05, 0.0]), np.array([0.61, 0.7, 0.6]), np.full(3, 17.0), np.array([0.6, 0.5, 0.9]),
          np.array([126.0, 170.0, 150.0]), np.full(3, 0.008), room_c)  # fmt: skip
    settled = ManyDryers(P.dryer, P.isotherm, P.heater, room_c)
    settled.settle(*at)
    stepped = ManyDryers(replace(P.dryer, wall_kj_k=P.dryer.wall_kj_k / 60.0), P.isotherm, P.heater, room_c)
    for _ in range(200):
        stepped.step(*at, 1.0)
    assert np.array(settled.walls_c) == pytest.approx(np.array(stepped.walls_c), abs=1e-3)
    assert settled.moisture_db == pytest.approx(stepped.moisture_db, abs=1e-6)


# --- what lanes understand --------------------------------------------------------------------------------------------


def _every_kind(x: float, y: float, limit: float | None = None) -> tuple[float, float, float]:
    """Each construct that lanes understand, once."""
    top = 3.0 if limit is None else limit
    total, is_marked = 0.0, False
    for n in range(6):
        total += x * n
        if total > top:
            total = top - y
            if is_marked:
                break
            is_marked = True
            total -= 0.25
        elif total < -top and not is_marked:
            total = -total
        if total == 0.0:
            break
    if x > y:
        side = exp(-abs(x))
    elif 0.0 < x < 1.0 or y < -1.0:
        part = max(x, min(y, 0.5))
        side = part * 2.0
    else:
        side = log(2.0 + y * y) if y > 0.0 else -1.0
    a, b = side, total
    b **= 2
    return a, b, total


NUMBER = st.floats(-5.0, 5.0)


@given(pairs=st.lists(st.tuples(NUMBER, NUMBER), min_size=1, max_size=30), limit=st.none() | st.floats(0.5, 4.0))
def test_branches_loops_and_breaks_do_in_each_lane_what_they_do_alone(
    pairs: list[tuple[float, float]], limit: float | None
) -> None:
    x, y = np.array(pairs).T
    many = np.array([np.broadcast_to(part, x.shape) for part in over_lanes(_every_kind)(x, y, limit)])
    alone = np.array([_every_kind(a, b, limit) for a, b in pairs]).T
    assert many == pytest.approx(alone, rel=1e-12)


def test_what_a_scalar_refuses_is_infinite_or_no_number_in_its_lane() -> None:
    found = over_lanes(_inverse)(np.array([2.0, 0.0]))
    assert found.tolist() == [0.5, np.inf]


def _inverse(x: float) -> float:
    return 1.0 / x


def _returns_early(x: float) -> float:
    if x > 0.0:
        return x
    return -x


def _half_set(x: float) -> float:
    if x > 0.0:
        y = x
    return y


def _used_after_break(x: float) -> float:
    last = 0.0
    for n in range(3):
        step = x * n
        if step > 1.0:
            break
    return step + last


def _while(x: float) -> float:
    while x > 1.0:
        x /= 2.0
    return x


def _listed(x: float) -> float:
    parts = [x for _ in range(3)]
    return parts[0]


def _called_by_method(x: float) -> float:
    return x.conjugate()


def _gamma_of(x: float) -> float:
    return gamma(x)


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (_called_by_method, "a call of x.conjugate"),
        (_gamma_of, "gamma"),
        (_returns_early, "line 3 of it: lanes do not understand Return"),
        (_half_set, "line 4 of it: lanes do not understand y, which some lanes have not set"),
        (_used_after_break, "step, which some lanes have not set"),
        (_while, "line 2 of it: lanes do not understand While"),
        (_listed, "ListComp"),
        (len, "no plain function"),
    ],
)
def test_what_lanes_do_not_understand_is_refused_by_name(function: Callable[..., Any], named: str) -> None:
    with pytest.raises(TypeError, match=named):
        over_lanes(function)
