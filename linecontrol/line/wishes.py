"""What a person asks of a test, when one may begin on a line's loop, and the plan it then has."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from linecontrol.control.loop import Mode
from linecontrol.control.tuning.moves import Kind
from linecontrol.control.tuning.optimum import Structure
from linecontrol.control.tuning.plan import TestPlan
from linecontrol.recipe.states import RunMode, RunState

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

SIZE_OF_SPAN = 0.05  # of the output's range: the move, unless a person says otherwise
LIMIT_OF_SPAN, WIDEST_OF_SPAN = 0.1, 0.25  # of the set point's range: how far the PV may go; so far if it is noisy
REST_S, PATIENCE_S, LONGEST_S = 60.0, 240.0, 1800.0
_NO_TIME_FOR_TESTS = frozenset(
    {RunState.HOLDING, RunState.HELD, RunState.RESTARTING, RunState.STOPPING, RunState.ABORTING}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestWish:
    """What a person asks for; None = worked out from the loop's ranges. Units as the loop has them."""

    __test__ = False  # not a test of pytest's

    kind: Kind = Kind.DOUBLET
    size: float | None = None
    pv_limit: float | None = None
    pv_low: float | None = None
    pv_high: float | None = None
    op_low: float | None = None
    op_high: float | None = None
    op_rate_per_s: float | None = None
    rest_s: float = REST_S
    longest_s: float = LONGEST_S
    periods: int | None = None
    structure: Structure | None = None
    lease_s: float | None = None


def why_no_test(line: Line, loop: str) -> str:
    """Why no test can begin on this loop now; "" = it can."""
    row, mode = line.bank.settings[loop], line.bank.mode_of(loop)
    now = line.clock.now()
    out = line.bank.outputs.get(loop)
    if loop in line.bank.tests.running:
        return "it is under test already"
    state = line.runs.state
    if state in _NO_TIME_FOR_TESTS and not _is_by_hand(line):
        return f"the run is {state}: its outputs are kept safe"
    if loop in line.tuning.gains.trials:
        return "gains are on trial; accept them, or revert"
    if out is None:
        return "the loop has not run yet"
    if not line.image.at(row.pv, now).is_good:
        return f"its PV {row.pv} is not GOOD"
    for tag in (row.pv, row.op):
        station = line.stations.get(line.image.tags[tag].station)
        objection = None if station is None else station.why_not_write()
        if objection is not None:
            return objection
    if tripped := trips_of(line, loop):
        return "; ".join(tripped)
    if row.inner is not None and line.bank.mode_of(row.inner) is not Mode.CAS:
        return f"its inner loop {row.inner} is in {line.bank.mode_of(row.inner).name} (accepted: CAS)"
    if row.inner is not None and row.inner in line.bank.tests.running:
        return f"its inner loop {row.inner} is under test"
    if mode is not Mode.MAN and (out.following or out.holding):
        return "it is not in control now: its actuator, inner loop or measurement is away"
    return ""


def _is_by_hand(line: Line) -> bool:
    engine = line.runs.engine
    return engine is not None and engine.mode is RunMode.MANUAL


def trips_of(line: Line, loop: str) -> list[str]:
    """Trips of the stations this loop measures at and moves, inner loops included."""
    stations, name = set(), loop
    while True:
        row = line.bank.settings[name]
        stations |= {line.image.tags[tag].station for tag in (row.pv, row.op)}
        if row.inner is None:
            break
        name = row.inner
    tripped = line.watch.trips(line.clock.now(), line.image)
    return [text.en for station, text in tripped.items() if station in stations]


def plan_of(line: Line, loop: str, wish: TestWish) -> TestPlan:
    """The plan of a test. Raises ValueError for a value that is not accepted."""
    bank = line.bank
    row = bank.settings[loop]
    pid = row.pid
    rate = min(pid.op_rate_up_per_s, pid.op_rate_down_per_s)
    if row.inner is not None:
        rate = min(rate, bank.settings[row.inner].sp_rate_per_s)
    low, high = _critical(line, row.pv)
    sp_span = row.sp_high - row.sp_low
    return TestPlan(
        kind=wish.kind,
        size=SIZE_OF_SPAN * (pid.op_high - pid.op_low) if wish.size is None else wish.size,
        pv_limit=LIMIT_OF_SPAN * sp_span if wish.pv_limit is None else wish.pv_limit,
        widest_pv_limit=WIDEST_OF_SPAN * sp_span if wish.pv_limit is None else 0.0,
        smallest_move=row.op_resolution if row.inner is None else 0.0,
        in_control=bank.mode_of(loop) is not Mode.MAN,
        pv_low=low if wish.pv_low is None else max(low, wish.pv_low),
        pv_high=high if wish.pv_high is None else min(high, wish.pv_high),
        op_low=pid.op_low if wish.op_low is None else max(pid.op_low, wish.op_low),
        op_high=pid.op_high if wish.op_high is None else min(pid.op_high, wish.op_high),
        op_rate_per_s=rate if wish.op_rate_per_s is None else min(rate, wish.op_rate_per_s),
        sign=1 if pid.gain > 0.0 else -1,
        rest_s=wish.rest_s,
        patience_s=max(PATIENCE_S, 2.0 * wish.rest_s),
        longest_s=wish.longest_s,
        periods=(3 if wish.kind is Kind.RELAY else 1) if wish.periods is None else wish.periods,
    )


def _critical(line: Line, pv: str) -> tuple[float, float]:
    """Critical limits of a PV, which no test may reach for."""
    guard = line.config.line.guard
    rows = [] if guard is None else [row for row in guard.critical_limits if row.tag == pv]
    lows = [row.low for row in rows if row.low is not None]
    highs = [row.high for row in rows if row.high is not None]
    return max(lows, default=-math.inf), min(highs, default=math.inf)
