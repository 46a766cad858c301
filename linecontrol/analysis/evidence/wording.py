"""How figures, times, limits and people are written in an evidence pack. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def moment(at: Any) -> str:
    """Line time as ``2026-01-12 10:40:05`` UTC; ISO text as well; nothing as a dash."""
    if at in (None, ""):
        return "–"
    if isinstance(at, str):
        return at[:19].replace("T", " ")
    return f"{datetime.fromtimestamp(float(at), UTC):%Y-%m-%d %H:%M:%S}"


def clock(at: Any, start: float) -> str:
    """As ``moment``, without the date where it is that of ``start``."""
    text, day = moment(at), moment(start)[:11]
    return text.removeprefix(day)


def person(who: str | None) -> str:
    """A person's name without the way they came in."""
    return (who or "–").partition(":")[2] or (who or "–")


def number(value: Any, digits: int = 2) -> str:
    """A figure, or a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def limits(row: Mapping[str, Any], w: Mapping[str, Any]) -> str:
    """``8.0 … 14.0 % wb``, or ``at most 100.0 %``."""
    low, high, unit = row["low"], row["high"], row["unit"]
    if low is None or high is None:
        side, value = ("at_most", high) if low is None else ("at_least", low)
        return f"{w[side]} {number(value, 1)} {unit}".rstrip()
    return f"{number(low, 1)} … {number(high, 1)} {unit}".rstrip()


def told(event: Mapping[str, Any], lang: str) -> str:
    """What an event says, in this language where it says it in both."""
    chinese = (event.get("data") or {}).get("zh")
    if lang != "zh" or not chinese:
        return f"no longer: {event['text']}" if event["kind"] == "interlock.cleared" else str(event["text"])
    return f"已解除：{chinese}" if event["kind"].endswith(".cleared") else str(chinese)
