"""Alarms and what happened to them, as people and programs are shown them. Pure."""

from __future__ import annotations

import math
from typing import Any

from linecontrol.core.model import Event, Severity, Text, Value
from linecontrol.guard.alarms import PROPOSALS, Alarm, AlarmState, Change, Kind
from linecontrol.line.run_view import iso

_WORDS = {
    "raised": "",
    "cleared": "no longer: ",
    "annunciated": "told: ",
}


def alarm_view(alarm: Alarm, now: float) -> dict[str, Any]:
    """One alarm as it is now. ``now`` is line time [s]."""
    row, nuisance = alarm.row, alarm.habit.nuisance
    return {
        "name": row.name,
        "tag": row.tag,
        "station": row.station,
        "kind": row.kind.value,
        "state": alarm.state.value,
        "active": alarm.standing.is_active,
        "priority": row.priority.word,
        "latched": row.latched,
        "since": iso(alarm.since),
        "raised_at": iso(alarm.raised_at),
        "acked_by": alarm.acked_by or None,
        "acked_at": iso(alarm.acked_at),
        "value": shown(alarm.value),
        "set_point": row.limit if math.isfinite(row.limit) else None,
        "unit": row.unit,
        "text": both(row.text),
        "consequence": both(row.consequence),
        "action": both(row.action),
        "detail": alarm.detail,
        "respond_s": row.respond_s,
        "group": row.group or None,
        "first_out": alarm.first_out,
        "annunciated": alarm.is_annunciated,
        "silenced": alarm.is_silenced,
        "shelved_until": iso(alarm.shelved_until),
        "put_by": alarm.put_by or None,
        "put_why": alarm.put_why or None,
        "shelve_proposed": None if nuisance is None else PROPOSALS[nuisance],
        "nuisance": None if nuisance is None else nuisance.value,
        "stale": alarm.is_stale(now),
        "comments": [{"time": iso(c.time), "who": c.who, "text": c.text} for c in alarm.comments],
    }


def change_event(change: Change, *, is_told: bool) -> Event:
    """What happened to an alarm, as an event of the record.

    An alarm seen in the samples is itself of severity alarm; one that comes of an event has that event already.
    """
    alarm, row = change.alarm, change.alarm.row
    comes_or_goes = change.verb in ("raised", "cleared")
    is_alarm = comes_or_goes and row.kind is not Kind.EVENT
    data: dict[str, Any] = {
        "who": change.who,
        "why": change.why,
        "was": change.was.value,
        "state": change.state.value,
        "priority": row.priority.word,
        "value": shown(alarm.value),
        "zh": row.text.zh,
        **change.more,
    }
    if comes_or_goes or change.verb == "annunciated":
        data |= {"annunciated": is_told, "first_out": alarm.first_out}
        data["counts"] = change.verb == "raised" and change.state is AlarmState.UNACK
    return Event(
        change.time,
        f"alarm.{change.verb}",
        row.name,
        _sentence(change),
        Severity.ALARM if is_alarm else Severity.INFO,
        change.verb == "raised" if comes_or_goes else None,
        data,
    )


def journal_view(event: Event) -> dict[str, Any]:
    """One line of the alarm journal."""
    data = event.data
    return {
        "time": iso(event.time),
        "name": event.source,
        "verb": event.kind.removeprefix("alarm."),
        "was": data.get("was"),
        "state": data.get("state"),
        "priority": data.get("priority"),
        "who": data.get("who"),
        "why": data.get("why"),
        "value": data.get("value"),
        "annunciated": data.get("annunciated"),
        "first_out": data.get("first_out"),
        "text": {"en": event.text, "zh": f"{event.source} {data.get('zh', '')}"},
    }


def both(text: Text) -> dict[str, str]:
    return {"en": text.en, "zh": text.zh}


def shown(value: Value | None) -> Value | None:
    """JSON has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _sentence(change: Change) -> str:
    alarm, row = change.alarm, change.alarm.row
    if change.verb in _WORDS:
        figures = ""
        if change.verb == "raised" and isinstance(alarm.value, (int, float)) and math.isfinite(row.limit):
            figures = f" ({alarm.value:.4g} {row.unit}, set point {row.limit:g})".replace(" ,", ",")
        return f"{row.name}: {_WORDS[change.verb]}{row.text.en}{figures}"
    by = f" by {change.who}" if change.who != "controller" else ""
    why = f": {change.why}" if change.why else ""
    if change.verb == "proposed":
        return f"{row.name}: shelving is proposed: {change.why}"
    return f"{row.name}: {change.verb}{by}{why}"
