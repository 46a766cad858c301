"""What is set on a loop: its tags, set-point and output limits, ratio, and what a bad PV does. Only values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from math import isfinite

from linecontrol.control.forms import gains_from_row, number
from linecontrol.control.pid import GAP_PERIODS
from linecontrol.control.pid_settings import Action, PidSettings
from linecontrol.control.pv_watch import PvWatch

INF = math.inf


class Mode(IntEnum):
    """Who sets what. Values are those of the loop's MODE tag."""

    MAN = 0  # a person (or phase) sets the output
    AUTO = 1  # a person (or phase) sets the set point
    CAS = 2  # the outer loop sets the set point
    REMOTE = 3  # a ratio to another tag, or a program, sets the set point


class OnBadPv(StrEnum):
    """What follows when the PV has been bad for longer than ``hold_s``. Until then the output is held."""

    SAFE = "safe"  # demand safe outputs and a held run; the loop falls to MAN and stops writing
    MANUAL = "manual"  # fall to MAN with the output where it is
    FALLBACK = "fallback"  # move the output to ``fallback_op`` at its rate limit, and stay there


@dataclass(frozen=True, slots=True)
class Ratio:
    """Set point = factor * tag, kept between low and high [PV unit]."""

    tag: str
    factor: float
    low: float
    high: float

    def __post_init__(self) -> None:
        _accept("ratio.factor", self.factor, isfinite(self.factor) and self.factor != 0.0, "finite, not 0")
        _accept("ratio.low", self.low, isfinite(self.low), "finite")
        _accept("ratio.high", self.high, self.low <= self.high < INF, f"finite, at least ratio.low {self.low:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """One loop. Raises ValueError naming field and accepted range.

    Attributes:
        name: loop, e.g. ``TIC-303``; pv, op: tags it reads and writes. ``op`` = ``<loop>.SP`` makes it an outer loop.
        sp_low, sp_high, sp_initial: limits and first value of the set point [PV unit].
        sp_rate_per_s: set-point ramp, both ways [PV unit/s], > 0; inf = none. Leaving MAN starts the ramp at the PV.
        sp_tracks_pv: in MAN the set point itself follows the PV, so that AUTO keeps the process where it is.
        hold_s: how long the output may be held on a bad PV or set-point source [s], >= 0.
        fallback_op: where ``OnBadPv.FALLBACK`` moves the output [output unit].
        watch: plausibility checks of the PV; None = only its quality counts.
        op_resolution, op_resolution_s: see ``Resolution``; 0 = every move is written [output unit; s].
        period_s: time between ticks [s], > 0. Five of them without a tick restart the loop from its held output.
        inner: name of the loop whose set point this one moves; None when it moves an actuator.
    """

    name: str
    pv: str
    op: str
    pid: PidSettings
    sp_low: float
    sp_high: float
    sp_initial: float
    sp_rate_per_s: float = INF
    sp_tracks_pv: bool = False
    ratio: Ratio | None = None
    hold_s: float = 30.0
    on_bad_pv: OnBadPv = OnBadPv.SAFE
    fallback_op: float | None = None
    watch: PvWatch | None = None
    op_resolution: float = 0.0
    op_resolution_s: float = 10.0
    period_s: float = 1.0
    inner: str | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "inner", self.op.removesuffix(".SP") if self.op.endswith(".SP") else None)
        _accept("sp.low", self.sp_low, isfinite(self.sp_low), "finite")
        _accept("sp.high", self.sp_high, self.sp_low < self.sp_high < INF, f"finite, above sp.low {self.sp_low:g}")
        ok = self.sp_low <= self.sp_initial <= self.sp_high
        _accept("sp.initial", self.sp_initial, ok, f"{self.sp_low:g} to {self.sp_high:g}")
        _accept("sp.rate_per_s", self.sp_rate_per_s, self.sp_rate_per_s > 0.0, "above 0, or inf")
        _accept("bad_pv.hold_s", self.hold_s, 0.0 <= self.hold_s < INF, "0 s or more, finite")
        if self.on_bad_pv is OnBadPv.FALLBACK:
            low, high = self.pid.op_low, self.pid.op_high
            ok = self.fallback_op is not None and low <= self.fallback_op <= high
            _accept("bad_pv.fallback_op", self.fallback_op, ok, f"{low:g} to {high:g}")
        _accept("op_limits.resolution", self.op_resolution, 0.0 <= self.op_resolution < INF, "0 or more, finite")
        _accept("op_limits.resolution_s", self.op_resolution_s, 0.0 < self.op_resolution_s < INF, "above 0 s, finite")
        _accept("period_s", self.period_s, 0.0 < self.period_s < INF, "above 0 s")

    @classmethod
    def from_row(cls, row: Mapping[str, object], period_s: float = 1.0) -> LoopSettings:
        """A loop as a line file writes it. Raises ValueError naming loop, key and what is accepted."""
        name = _text(row, "name")
        try:
            return cls._from_row(name, row, period_s)
        except ValueError as error:
            raise ValueError(f"loop {name}: {error}") from None

    @classmethod
    def _from_row(cls, name: str, row: Mapping[str, object], period_s: float) -> LoopSettings:
        sp, op, bad = _part(row, "sp"), _part(row, "op_limits"), _part(row, "bad_pv", {})
        gains = gains_from_row(_part(row, "gains"))
        rate = _number(op, "op_limits", "rate_per_s", INF)
        action = bad.get("action", "safe")
        if action not in tuple(OnBadPv):
            raise ValueError(f"bad_pv.action {action!r} is not accepted (accepted: {', '.join(OnBadPv)})")
        try:
            pid = PidSettings(
                k=gains.k,
                ti_s=gains.ti_s,
                td_s=gains.td_s,
                n=gains.n,
                b=gains.b,
                c=gains.c,
                action=_action(row.get("action", "reverse")),
                op_low=_number(op, "op_limits", "low"),
                op_high=_number(op, "op_limits", "high"),
                op_rate_up_per_s=_number(op, "op_limits", "rate_up_per_s", rate),
                op_rate_down_per_s=_number(op, "op_limits", "rate_down_per_s", rate),
                deadband=_number(row, "", "deadband", 0.0),
                gap_s=GAP_PERIODS * period_s,
            )
        except ValueError as error:
            field, _, rest = str(error).partition(" ")
            raise ValueError(f"{_KEYS.get(field, field)} {rest}") from None
        return cls(
            name=name,
            pv=_text(row, "pv"),
            op=_text(row, "op"),
            pid=pid,
            sp_low=_number(sp, "sp", "low"),
            sp_high=_number(sp, "sp", "high"),
            sp_initial=_number(sp, "sp", "initial"),
            sp_rate_per_s=_number(sp, "sp", "rate_per_s", INF),
            sp_tracks_pv=bool(sp.get("tracks_pv", False)),
            ratio=_ratio(row),
            hold_s=_number(bad, "bad_pv", "hold_s", 30.0),
            on_bad_pv=OnBadPv(str(action)),
            fallback_op=_number(bad, "bad_pv", "fallback_op") if bad.get("fallback_op") is not None else None,
            watch=PvWatch.from_row(_part(row, "watch")) if row.get("watch") is not None else None,
            op_resolution=_number(op, "op_limits", "resolution", 0.0),
            op_resolution_s=_number(op, "op_limits", "resolution_s", 10.0),
            period_s=period_s,
        )


_KEYS = {
    "op_low": "op_limits.low",
    "op_high": "op_limits.high",
    "op_rate_up_per_s": "op_limits.rate_up_per_s",
    "op_rate_down_per_s": "op_limits.rate_down_per_s",
}


def _accept(name: str, value: object, ok: bool, accepted: str) -> None:
    if not ok:
        raise ValueError(f"{name} {value!r} is not accepted (accepted: {accepted})")


def _text(row: Mapping[str, object], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} {value!r} is not accepted (accepted: a name)")
    return value


def _part(row: Mapping[str, object], key: str, default: Mapping[str, object] | None = None) -> Mapping[str, object]:
    value = row.get(key, default)
    if isinstance(value, Mapping):
        return value
    raise ValueError(f"{key} {value!r} is not accepted (accepted: a table of values)")


def _number(row: Mapping[str, object], part: str, key: str, default: float | None = None) -> float:
    name = f"{part}.{key}" if part else key
    value = row.get(key, default)
    if value is None:
        raise ValueError(f"{name} is missing (accepted: a number)")
    return number(name, value)


def _action(value: object) -> Action:
    if value == "direct":
        return "direct"
    if value == "reverse":
        return "reverse"
    raise ValueError(f"action {value!r} is not accepted (accepted: direct, reverse)")


def _ratio(row: Mapping[str, object]) -> Ratio | None:
    if row.get("ratio") is None:
        return None
    part = _part(row, "ratio")
    factor, low, high = (_number(part, "ratio", key) for key in ("factor", "low", "high"))
    return Ratio(_text(part, "tag"), factor, low, high)
