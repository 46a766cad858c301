"""The latest of everything the line tells, as flat names and values; browsers are sent what has changed.

Pure: fed with what the API sends, asked by the broadcast for changes. ``mono`` is a monotonic time [s].

Names: ``t.TAG`` = [value, quality], ``age.TAG`` = seconds in steps, ``run.…``, ``loop.NAME.…``, ``station.NAME.…``,
``line.…``, ``alarms`` = rows for the banner, ``now`` = line time [s since 1970], ``link`` = up, down or wait. A name
that is gone is sent as null.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from linecontrol.hmi.alarm_verbs import UNACKNOWLEDGED
from linecontrol.hmi.well import concerns

SILENCE_S = 2.0
"""Longer than this without a word from the API (it speaks four times a second) and it counts as gone."""
_AGES = (2, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400)
_DIGITS = {
    "": 0, "kg": 1, "kg/h": 0, "% wb": 2, "%": 1, "°C": 1, "rpm": 0, "m3/h": 2, "m3": 2, "kW": 1, "kWh": 1,
    "kg/m3": 0, "Pa": 0, "s": 0, "1/cm2": 2, "g/m3": 2,
}  # fmt: skip
_QUALITY = {"GOOD": "good", "UNCERTAIN": "uncertain", "BAD": "bad"}
_RUN_SKIPS = frozenset({"loops", "legal", "values", "recipe_hash", "reads", "samples"})
EVENTS = 200
BANNER_ROWS = 3


def digits_of(unit: str) -> int:
    """Decimals a value of this unit is shown with."""
    return _DIGITS.get(unit, 2)


def instant(text: str | None) -> float | None:
    """ISO 8601 as seconds since 1970."""
    return None if not text else datetime.fromisoformat(text).timestamp()


class Live:
    """The line as last heard of."""

    def __init__(self, in_chinese: Callable[[str], str] = lambda sentence: sentence) -> None:
        self._in_chinese = in_chinese
        self.tags: dict[str, dict[str, Any]] = {}
        self.status: dict[str, Any] = {}
        self.run: dict[str, Any] | None = None
        self.alarms: list[dict[str, Any]] = []
        self.alarms_version = 0  # counts up whenever they change
        self.events: deque[dict[str, Any]] = deque(maxlen=EVENTS)
        self.values: dict[str, Any] = {"link": "wait"}
        self._changed: dict[str, Any] = {}
        self._aliases: dict[str, str] = {}
        self._times: dict[str, float] = {}
        self._line_now: tuple[float, float] | None = None  # line time, and the mono it was heard at
        self._speed = 1.0
        self._heard_at: float | None = None

    # -- what the API says
    def take_tags(self, rows: list[dict[str, Any]]) -> None:
        """The list of tags, with titles and units."""
        self.tags = {row["name"]: row for row in rows}
        self._aliases = {row["alias"]: row["name"] for row in rows}

    def take_status(self, status: Mapping[str, Any], mono: float) -> None:
        """GET /status: the line's name, stations and loops."""
        self.status = dict(status)
        self._speed = float(status.get("speed") or 1.0)
        self._hear(instant(status.get("time")), mono)
        for language, words in (status.get("title") or {}).items():
            self._put(f"line.title.{language}", words)
        self._put("line.simulated", bool(status.get("simulated")))
        self._put("line.speed", self._speed)
        for name, row in status.get("stations", {}).items():
            for key in ("is_up", "is_claimed", "objection"):
                self._put(f"station.{name}.{key}", row.get(key))
            if row.get("objection"):
                self._put(f"station.{name}.objection_zh", self._in_chinese(row["objection"]))
        self._put_loops(status.get("loops", {}))
        if "run" in status:
            self._put_run(status["run"])

    def take(self, message: Mapping[str, Any], mono: float) -> None:
        """A snapshot or update of the live feed."""
        self._heard_at = mono
        latest = 0.0
        for name, row in message.get("tags", {}).items():
            at = instant(row["time"])
            if at is not None:
                self._times[name] = at
                latest = max(latest, at + (row["age_s"] or 0.0))
            quality = _QUALITY.get(row["quality"], "bad")
            self._put(f"t.{name}", [self._rounded(name, row["value"]), quality])
            self._put(f"quality.{name}", quality)
        if latest:
            self._hear(latest, mono)
        self._put_run(message.get("run"))
        self.events.extendleft(message.get("events", ()))
        if "alarms" in message:
            self._put_alarms(merged(self.alarms if message.get("type") == "update" else [], message["alarms"]))

    def lose(self) -> None:
        """The feed broke."""
        self._heard_at = None

    # -- what is shown
    def is_up(self, mono: float) -> bool:
        return self._heard_at is not None and mono - self._heard_at <= SILENCE_S

    def line_now(self, mono: float) -> float | None:
        """Line time now, as far as is known [s since 1970]."""
        if self._line_now is None:
            return None
        at, heard = self._line_now
        return at + (min(mono - heard, SILENCE_S)) * self._speed

    def changes(self, mono: float) -> dict[str, Any]:
        """All that has changed since it was last asked; to be called by the one broadcast."""
        self._put("link", "up" if self.is_up(mono) else "down" if self.values["link"] != "wait" else "wait")
        now = self.line_now(mono)
        if now is not None:
            self._put("now", round(now, 1))
            for name, at in self._times.items():
                self._put(f"age.{name}", _step(now - at))
        self._put("well", concerns(self.values, self._aliases, list(self.status.get("stations", ()))))
        found, self._changed = self._changed, {}
        return found

    def sample(self, tag: str) -> tuple[Any, str]:
        """Value and quality of a tag; (None, "bad") when it was never heard of."""
        row = self.values.get(f"t.{tag}")
        return (None, "bad") if row is None else (row[0], row[1])

    def tag_of(self, alias: str) -> str | None:
        """Name of the tag with this alias or name; None when this line has none."""
        if alias in self.tags:
            return alias
        return self._aliases.get(alias)

    # -- inside
    def _hear(self, line_now: float | None, mono: float) -> None:
        if line_now is not None and (self._line_now is None or line_now >= (self.line_now(mono) or 0.0) - 5.0):
            self._line_now = (line_now, mono)

    def _rounded(self, tag: str, value: Any) -> Any:
        if not isinstance(value, float):
            return value
        return round(value, max(digits_of(self.tags.get(tag, {}).get("unit", "")), 2 if "." in tag else 0))

    def _put(self, name: str, value: Any) -> None:
        if name not in self.values or self.values[name] != value:
            self.values[name] = value
            self._changed[name] = value

    def _put_run(self, run: dict[str, Any] | None) -> None:
        self.run = run
        found = dict(_flat("run", run)) if run else {}
        for name, value in list(found.items()):
            if name.endswith((".text", ".reason")) and isinstance(value, str):
                found[f"{name}_zh"] = found.get(f"{name}_zh") or self._in_chinese(value)
            elif name.endswith(".fraction"):
                found[f"{name.removesuffix('fraction')}has_fraction"] = value is not None
        for name in [n for n in self.values if n.startswith("run.") and n not in found]:
            self._put(name, None)
        for name, value in found.items():
            self._put(name, value)
        self._put("run.is_on", run is not None)
        if run:
            self._put_loops(run.get("loops", {}))

    def _put_loops(self, loops: Mapping[str, Mapping[str, Any]]) -> None:
        for name, row in loops.items():
            digits = digits_of(str(row.get("unit", "")))
            for key in ("mode", "pv", "sp", "op", "holding", "estimate", "decides"):
                value = row.get(key)
                self._put(f"loop.{name}.{key}", round(value, max(digits, 1)) if isinstance(value, float) else value)

    def _put_alarms(self, rows: list[dict[str, Any]]) -> None:
        self.alarms = rows
        self.alarms_version += 1
        waiting = [
            row for row in rows if str(row.get("state", "")) in UNACKNOWLEDGED and row.get("annunciated") is not False
        ]
        waiting.sort(key=lambda row: str(row.get("since") or row.get("time") or ""), reverse=True)
        waiting.sort(key=lambda row: PRIORITIES.get(str(row.get("priority")), len(PRIORITIES)))
        self._put(
            "alarms", [{k: r.get(k) for k in ("name", "priority", "text", "state")} for r in waiting[:BANNER_ROWS]]
        )
        self._put("alarms.waiting", len(waiting))


def merged(known: list[dict[str, Any]], news: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The alarms after some of them have changed; the unacknowledged first, then by priority, the newest first."""
    rows = {row["name"]: row for row in known} | {row["name"]: row for row in news}
    found = [row for row in rows.values() if row.get("state") != "NORM"]
    found.sort(key=lambda row: str(row.get("raised_at") or ""), reverse=True)
    found.sort(key=lambda row: PRIORITIES.get(str(row.get("priority")), len(PRIORITIES)))
    found.sort(key=lambda row: row.get("state") not in UNACKNOWLEDGED)
    return found


PRIORITIES = {"critical": 0, "high": 1, "medium": 2, "low": 3}


def _step(age_s: float) -> int:
    """An age in coarse steps [s]: a clock that ticks for every tag would be sent for every tag."""
    found = 0
    for step in _AGES:
        if age_s < step:
            break
        found = step
    return found


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            if key not in _RUN_SKIPS:
                yield from _flat(f"{name}.{key}", part)
    elif isinstance(value, float):
        yield name, round(value, 0 if name.endswith("_s") else 3)
    else:
        yield name, value
