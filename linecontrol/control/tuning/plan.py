"""What a test on a running loop is asked for, its stages, and what it records. Only values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite

from linecontrol.control.tuning.grain import least_size
from linecontrol.control.tuning.moves import Kind


class Stage(StrEnum):
    """Where a test stands."""

    REST = "rest"
    STILL = "still"
    MOVING = "moving"
    SETTLING = "settling"
    RETURNING = "returning"
    ENDED = "ended"


class End(StrEnum):
    """How it ended; ``NOT_YET`` until then."""

    NOT_YET = ""
    DONE = "done"
    REFUSED = "refused"  # nothing was moved
    ABORTED = "aborted"


def _accept(name: str, value: object, ok: bool, accepted: str) -> None:
    if not ok:
        raise ValueError(f"{name} {value!r} is not accepted (accepted: {accepted})")


@dataclass(frozen=True, slots=True, kw_only=True)
class TestPlan:
    """What a person asks for. Raises ValueError naming field and accepted range.

    Attributes:
        kind: of test. size: of the output's move [output unit], not 0; a step's or doublet's sign is its first way.
        pv_limit: how far the PV may go from where it rests [PV unit], > 0. pv_low, pv_high: absolute limits as well.
        widest_pv_limit: as far as ``pv_limit`` may be widened when the PV's noise needs it [PV unit]; 0 = not at all.
        in_control: the loop holds its PV until the test takes its output; else a drift is the process's own.
        op_low, op_high: the output stays within [output unit]. op_rate_per_s: and moves no faster [1/s], > 0.
        sign: +1 when a larger output raises the PV, -1 when it lowers it.
        smallest_move: that the actuator makes [output unit]; ``size`` is several times as large.
        rest_s: how long the PV must have been at rest [s], > 0. patience_s: how long that is waited for, >= rest_s.
        longest_s: time limit from the first move on [s], > 0. periods: of a relay, 2 to 20, or doublets, 1 to 20.
    """

    __test__ = False  # not a test of pytest's

    kind: Kind
    size: float
    pv_limit: float
    op_low: float
    op_high: float
    sign: int
    pv_low: float = -math.inf
    pv_high: float = math.inf
    widest_pv_limit: float = 0.0
    in_control: bool = False
    smallest_move: float = 0.0
    op_rate_per_s: float = math.inf
    rest_s: float = 60.0
    patience_s: float = 180.0
    longest_s: float = 1800.0
    periods: int = 3

    def __post_init__(self) -> None:
        span = self.op_high - self.op_low
        _accept("op_high", self.op_high, isfinite(span) and span > 0.0, "finite, above op_low")
        _accept("size", self.size, 0.0 < abs(self.size) <= span, f"not 0, up to {span:g}")
        least = least_size(self.smallest_move)
        _accept("size", self.size, abs(self.size) >= least, f"{least:g} or more: the actuator moves in such steps")
        _accept("pv_limit", self.pv_limit, 0.0 < self.pv_limit < math.inf, "above 0, finite")
        _accept("pv_high", self.pv_high, self.pv_high > self.pv_low, "above pv_low")
        _accept("op_rate_per_s", self.op_rate_per_s, self.op_rate_per_s > 0.0, "above 0")
        _accept("sign", self.sign, self.sign in (1, -1), "1 or -1")
        _accept("rest_s", self.rest_s, 0.0 < self.rest_s < math.inf, "above 0 s, finite")
        _accept("patience_s", self.patience_s, self.rest_s <= self.patience_s < math.inf, "at least rest_s, finite")
        _accept("longest_s", self.longest_s, 0.0 < self.longest_s < math.inf, "above 0 s, finite")
        fewest = 2 if self.kind is Kind.RELAY else 1
        _accept("periods", self.periods, fewest <= self.periods <= 20, f"{fewest} to 20")


@dataclass(slots=True)
class TestRecord:
    """What was seen, one entry a tick; ``op`` held from each time on.

    Attributes:
        t_s: times [s]. op: output [output unit]. pv: PV [PV unit], NaN = bad. limited: something held the output, or
            an inner loop's, at a limit.
    """

    __test__ = False

    t_s: list[float] = field(default_factory=list)
    op: list[float] = field(default_factory=list)
    pv: list[float] = field(default_factory=list)
    limited: list[bool] = field(default_factory=list)
