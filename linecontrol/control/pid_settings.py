"""What a process engineer sets on a PID, checked once. Only values: no behaviour, no state."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from math import isfinite
from typing import Literal

INF = math.inf
ABSURD_SPANS = 1e6  # a sum of terms beyond so many output spans comes from a broken input, not from a process
Action = Literal["direct", "reverse"]
AntiWindup = Literal["back-calculation", "conditional"]


def _accept(name: str, value: object, ok: bool, accepted: str) -> None:
    if not ok:
        raise ValueError(f"{name} {value!r} is not accepted (accepted: {accepted})")


@dataclass(frozen=True, slots=True, kw_only=True)
class PidSettings:
    """Everything a process engineer sets. Raises ValueError naming field and accepted range.

    Attributes:
        k: proportional gain [output unit / PV unit], not 0; a negative value reverses the action once more.
        ti_s: integral time [s], > 0; ``inf`` = no integral action (the bias stays where it is).
        td_s: derivative time [s], >= 0.
        n: derivative filter ratio Td/Tf, > 0 (5..20 is usual); not used when ``tf_s`` is given.
        tf_s: derivative filter time [s], >= 0; None = td_s/n.
        b, c: set-point weights of P and D, 0..1; c = 0 is derivative on PV.
        action: "reverse" = output falls when the PV rises (heating); "direct" = it rises (cooling).
        op_low, op_high: output limits [output unit].
        op_rate_up_per_s, op_rate_down_per_s: output rate limits [output unit/s], > 0; ``inf`` = none. They outrank
            the absolute limits when those are moved past the present output: it then walks into the range.
        tt_s: tracking time of the back-calculation [s], >= 0 (0 = at once);
            None = max(sqrt(Ti Td), Ti/2), never above Ti. Not used when ti_s is inf.
        deadband: errors up to this size [PV unit] count as none in P and I (continuous beyond it); D is not touched.
        gap_s: a sample after a longer pause than this [s] restarts from the held output;
            None = five times the usual sample time, which is learned.
    """

    k: float = 1.0
    ti_s: float = INF
    td_s: float = 0.0
    n: float = 8.0
    tf_s: float | None = None
    b: float = 1.0
    c: float = 0.0
    action: Action = "reverse"
    op_low: float = 0.0
    op_high: float = 100.0
    op_rate_up_per_s: float = INF
    op_rate_down_per_s: float = INF
    tt_s: float | None = None
    deadband: float = 0.0
    anti_windup: AntiWindup = "back-calculation"
    gap_s: float | None = None
    # Worked out once, so that a step is only arithmetic.
    gain: float = field(init=False, repr=False, compare=False)
    ki: float = field(init=False, repr=False, compare=False)
    kd: float = field(init=False, repr=False, compare=False)
    filter_s: float = field(init=False, repr=False, compare=False)
    tracking_s: float = field(init=False, repr=False, compare=False)
    absurd: float = field(init=False, repr=False, compare=False)
    rated: bool = field(init=False, repr=False, compare=False)
    limits: tuple[float, float, float, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _accept("k", self.k, isfinite(self.k) and self.k != 0.0, "finite, not 0")
        _accept("ti_s", self.ti_s, self.ti_s > 0.0, "above 0 s, or inf for no integral action")
        _accept("td_s", self.td_s, 0.0 <= self.td_s < INF, "0 s or more, finite")
        _accept("n", self.n, self.n > 0.0, "above 0")
        tf_s = (self.td_s / self.n) if self.tf_s is None else self.tf_s
        _accept("tf_s", tf_s, 0.0 <= tf_s < INF, "0 s or more, finite")
        _accept("b", self.b, 0.0 <= self.b <= 1.0, "0 to 1")
        _accept("c", self.c, 0.0 <= self.c <= 1.0, "0 to 1")
        _accept("action", self.action, self.action in ("direct", "reverse"), "direct or reverse")
        _accept("op_low", self.op_low, isfinite(self.op_low), "finite")
        _accept("op_high", self.op_high, self.op_low < self.op_high < INF, f"finite, above {self.op_low}")
        _accept("op_rate_up_per_s", self.op_rate_up_per_s, self.op_rate_up_per_s > 0.0, "above 0, or inf")
        _accept("op_rate_down_per_s", self.op_rate_down_per_s, self.op_rate_down_per_s > 0.0, "above 0, or inf")
        if self.tt_s is not None:
            _accept("tt_s", self.tt_s, self.tt_s >= 0.0, "0 s or more")
        _accept("deadband", self.deadband, 0.0 <= self.deadband < INF, "0 or more, finite")
        modes = ("back-calculation", "conditional")
        _accept("anti_windup", self.anti_windup, self.anti_windup in modes, " or ".join(modes))
        if self.gap_s is not None:
            _accept("gap_s", self.gap_s, self.gap_s > 0.0, "above 0 s")
        gain = self.k if self.action == "reverse" else -self.k
        up, down = self.op_rate_up_per_s, self.op_rate_down_per_s
        for name, value in (
            ("gain", gain),
            ("ki", gain / self.ti_s),
            ("kd", gain * self.td_s),
            ("filter_s", tf_s),
            ("tracking_s", self._tracking_s()),
            ("absurd", ABSURD_SPANS * (self.op_high - self.op_low)),
            ("rated", min(up, down) < INF),
            ("limits", (self.op_low, self.op_high, up, down)),
        ):
            object.__setattr__(self, name, value)

    def _tracking_s(self) -> float:
        if self.ti_s == INF:
            return INF  # the bias of a P controller is a setting, not an integral: limits must not move it
        if self.tt_s is not None:
            return self.tt_s
        return min(max(math.sqrt(self.ti_s * self.td_s), self.ti_s / 2.0), self.ti_s)

    @property
    def hf_gain(self) -> float:
        """Largest gain from PV noise to output [output unit / PV unit]: |K| (1 + Td/Tf). Infinite when Tf = 0."""
        if self.td_s == 0.0:
            return abs(self.k)
        return abs(self.k) * (1.0 + self.td_s / self.filter_s) if self.filter_s > 0.0 else INF
