"""What an interlock says, in both languages: condition, value, limit, what clears it. Pure."""

from __future__ import annotations

import math

from linecontrol.core.model import Text
from linecontrol.guard.interlocks.interlock import Interlock


def number(value: float, unit: str) -> str:
    """A value for people: as many digits as it is worth, with its unit; a dash where there is none."""
    if math.isnan(value):
        return "-"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    shown = unit.replace("m2", "m²").replace("m3", "m³")
    return f"{value:.{digits}f}{f' {shown}' if unit else ''}"


def sentence(row: Interlock, value: float) -> Text:
    """Why it is not met, as ``IL-301 not met (Fan runs): SC-307 = 12.0 %, must be at least 20.0 %``."""
    measured = row.measured
    if math.isnan(value):
        return Text(
            f"{row.name} not met ({row.title.en}): {measured.en} is not measured well",
            f"{row.name} 未满足（{row.title.zh}）：{measured.zh} 测量值无效",
        )
    is_low = value < row.low + row.deadband and not value > row.high - row.deadband
    is_inside = row.low <= value <= row.high  # but not yet so far that it is met again: say how far that is
    inner = row.deadband if is_inside else 0.0
    limit = number(row.low + inner if is_low else row.high - inner, row.unit)
    must, must_zh = ("at least", "应不低于") if is_low else ("at most", "应不高于")
    shown = number(value, row.unit)
    return Text(
        f"{row.name} not met ({row.title.en}): {measured.en} = {shown}, must be {must} {limit}",
        f"{row.name} 未满足（{row.title.zh}）：{measured.zh} = {shown}，{must_zh} {limit}",
    )


def refusal_text(row: Interlock, value: float) -> Text:
    """The sentence with what clears it: what a refused command and a held run are told."""
    why = sentence(row, value)
    return Text(f"{why.en}. {row.clears.en}", f"{why.zh}。{row.clears.zh}")
