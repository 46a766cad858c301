"""A loop's memory as plain values, and a loop made from it again. No files here: the line decides where they lie."""

from __future__ import annotations

import math
from collections.abc import Mapping
from math import isfinite
from typing import Any

from linecontrol.control.forms import IsaGains
from linecontrol.control.loop import Loop
from linecontrol.control.loop_settings import LoopSettings, Mode
from linecontrol.control.pid import PidState
from linecontrol.control.pv_watch import WatchState
from linecontrol.control.setpoint import clamp

_GAINS = ("k", "ti_s", "td_s", "n", "b", "c")


def save_loop(loop: Loop) -> dict[str, Any]:
    """Everything the loop remembers and was told while running, as plain values fit for strict JSON."""
    s = loop.settings
    return {
        "loop": s.name,
        "mode": loop.mode.name,
        "pid": loop.pid.to_dict(),
        "sp": loop.sp,
        "sp_local": loop.sp_local,
        "op_target": loop.op_target,
        "bad_s": loop.bad_s,
        "source_bad_s": loop.source_bad_s,
        "unwritten_s": loop.unwritten_s if isfinite(loop.unwritten_s) else None,
        "safe": loop.safe,
        "holding": loop.holding,
        "watch": [x if isfinite(x) else None for x in loop.watch],
        "gains": {name: x if isfinite(x := getattr(s.pid, name)) else None for name in _GAINS},
        "op_limits": [s.pid.op_low, s.pid.op_high],
        "sp_limits": [s.sp_low, s.sp_high],
    }


def restore_loop(settings: LoopSettings, plain: Mapping[str, Any], *, after_restart: bool = True) -> Loop:
    """The saved loop. Gains and limits changed while running come back with it.

    Args:
        after_restart: land in MAN with the output where it was, and write nothing until commanded (the read-back is
            followed meanwhile). False: go on exactly where it was (twins, tests).

    Raises:
        ValueError: not a saved state of this loop.
    """
    if plain.get("loop") != settings.name:
        raise ValueError(f"not a saved state of loop {settings.name}: it is of {plain.get('loop')!r}")
    try:
        loop = Loop(settings)
        _recall_settings(loop, plain)
        state = PidState.from_dict(plain["pid"])
        loop.sp, loop.sp_local = _finite(plain["sp"]), _finite(plain["sp_local"])
        if after_restart:
            loop.pid = PidState(out=clamp(state.out, loop.settings.pid.op_low, loop.settings.pid.op_high))
            loop.op_target = loop.pid.out
        else:
            loop.pid = state
            _recall_course(loop, plain)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"not a saved state of loop {settings.name}: {error!r}") from error
    return loop


def _recall_settings(loop: Loop, plain: Mapping[str, Any]) -> None:
    gains = {name: math.inf if plain["gains"][name] is None else float(plain["gains"][name]) for name in _GAINS}
    if any(getattr(loop.settings.pid, name) != value for name, value in gains.items()):
        loop.set_gains(IsaGains(**gains))
    loop.set_op_limits(*plain["op_limits"])
    loop.set_sp_limits(*plain["sp_limits"])


def _recall_course(loop: Loop, plain: Mapping[str, Any]) -> None:
    loop.mode, loop.op_target = Mode[plain["mode"]], _finite(plain["op_target"])
    loop.bad_s, loop.source_bad_s = _finite(plain["bad_s"]), _finite(plain["source_bad_s"])
    loop.unwritten_s = math.inf if plain["unwritten_s"] is None else float(plain["unwritten_s"])
    loop.safe, loop.holding = bool(plain["safe"]), bool(plain["holding"])
    last, since_s, rejected, low, high, flat_s = (math.nan if x is None else float(x) for x in plain["watch"])
    loop.watch = WatchState(last, since_s, int(rejected), low, high, flat_s)


def _finite(value: Any) -> float:
    number = float(value)
    if not isfinite(number):
        raise ValueError(f"{value!r} is not finite")
    return number
