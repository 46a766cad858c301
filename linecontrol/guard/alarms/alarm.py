"""One alarm: its row, where it stands, and all that is shown and kept of it. No clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from linecontrol.core.model import Value
from linecontrol.guard.alarms.conditions import Condition, Delayed, condition_of
from linecontrol.guard.alarms.model import AlarmRow, Kind
from linecontrol.guard.alarms.nuisance import STALE_S, Habit
from linecontrol.guard.alarms.states import AlarmState, Standing

MOST_COMMENTS = 20


@dataclass(frozen=True, slots=True)
class Comment:
    """What a person wrote about an alarm."""

    time: float
    who: str
    text: str


@dataclass(slots=True)
class Alarm:
    """One alarm as it is now.

    Attributes:
        event: kind of the event it comes of; "" = it is looked for in the samples.
        since: when its state last changed; raised_at: when its condition last came [line s]; None = never.
        value: what the tag showed when the condition came.
        detail: the event's own sentence.
        is_said: by what events said last, its condition is there; an alarm of the samples is looked for instead.
        is_annunciated: a person was told of it, and it still stands.
        first_out: name of the alarm that tells of this one; None = it stands for itself.
        orphan_at: when its first-out was last seen standing.
        needs: tags without which it means nothing, and the least of each.
        is_conditional: it can be suppressed by design.
        doubted_until: after a restart, an event's alarm is taken for over if it is not told again until then.
    """

    row: AlarmRow
    event: str = ""
    standing: Standing = field(default_factory=Standing)
    since: float | None = None
    raised_at: float | None = None
    acked_by: str = ""
    acked_at: float | None = None
    value: Value | None = None
    detail: str = ""
    is_said: bool = False
    is_annunciated: bool = False
    is_silenced: bool = False
    first_out: str | None = None
    orphan_at: float | None = None
    shelved_until: float | None = None
    put_by: str = ""
    put_why: str = ""
    comments: list[Comment] = field(default_factory=list)
    habit: Habit = field(default_factory=Habit)
    delayed: Delayed = field(init=False)
    look: Condition | None = field(init=False)
    doubted_until: float | None = None
    version: int = 0
    needs: tuple[tuple[str, float], ...] = ()
    is_conditional: bool = False

    def __post_init__(self) -> None:
        self.standing.latches = self.row.latched
        self.needs = tuple((need.tag, need.least) for need in self.row.needs)
        self.is_conditional = bool(self.needs or self.row.suppressed_in)
        self.delayed = Delayed(self.row.on_delay_s, self.row.off_delay_s)
        self.look = None if self.row.kind is Kind.EVENT else condition_of(self.row)

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def state(self) -> AlarmState:
        return self.standing.state

    def is_stale(self, now: float) -> bool:
        """Standing in alarm for longer than a day."""
        is_up = self.state in (AlarmState.UNACK, AlarmState.ACKED)
        return is_up and self.raised_at is not None and now - self.raised_at > STALE_S

    def note(self, now: float, who: str, text: str) -> None:
        """Keep what a person wrote; the oldest of many goes (the journal has it)."""
        self.comments = [*self.comments, Comment(now, who, text)][-MOST_COMMENTS:]

    def to_dict(self) -> dict[str, Any]:
        """What must survive a restart, as JSON takes it."""
        standing = self.standing
        return {
            "event": self.event,
            "source": self.row.tag,
            "state": standing.state.value,
            "is_active": standing.is_active,
            "is_latched": standing.is_latched,
            "hidden": sorted(standing.hidden),
            "since": self.since,
            "raised_at": self.raised_at,
            "acked_by": self.acked_by,
            "acked_at": self.acked_at,
            "value": self.value,
            "detail": self.detail,
            "is_annunciated": self.is_annunciated,
            "is_silenced": self.is_silenced,
            "first_out": self.first_out,
            "shelved_until": self.shelved_until,
            "put_by": self.put_by,
            "put_why": self.put_why,
            "comments": [[c.time, c.who, c.text] for c in self.comments],
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Take up what ``to_dict`` gave. Raises KeyError, TypeError or ValueError when it is something else; nothing of
        it is taken then."""
        standing = self.standing
        hidden, state = frozenset(AlarmState(word) for word in kept["hidden"]), AlarmState(kept["state"])
        is_active, is_latched = bool(kept["is_active"]), bool(kept["is_latched"]) and self.row.latched
        is_annunciated, is_silenced = bool(kept["is_annunciated"]), bool(kept["is_silenced"])
        values: dict[str, Any] = {"value": kept["value"]}
        values |= {key: _time(kept[key]) for key in ("since", "raised_at", "acked_at", "shelved_until")}
        values |= {key: str(kept[key]) for key in ("acked_by", "detail", "put_by", "put_why")}
        values["first_out"] = None if kept["first_out"] is None else str(kept["first_out"])
        values["comments"] = [Comment(float(at), str(who), str(text)) for at, who, text in kept["comments"]]
        standing.is_active, standing.is_latched = is_active, is_latched
        standing.hidden, standing.state = hidden, state
        if not self.row.latched:  # it may have been latched when it was kept
            loose = {AlarmState.LUNAK: AlarmState.RTNUN, AlarmState.LACKD: AlarmState.NORM}
            standing.state = loose.get(standing.state, standing.state)
        self.delayed.is_on = self.is_said = standing.is_active
        self.is_annunciated, self.is_silenced = is_annunciated, is_silenced
        for key, value in values.items():
            setattr(self, key, value)


def _time(kept: Any) -> float | None:
    return None if kept is None else float(kept)
