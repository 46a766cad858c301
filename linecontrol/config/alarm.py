"""Alarms as data: rows beside the tags of a station or a line, and the file of those the controller itself can have.

ANSI/ISA-18.2 asks of every alarm what is wrong, what comes of it, what a person is to do, and how long that may take.
A row without these, in both languages, is refused.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from linecontrol.config.fields import Bilingual, Flag, Name, Note, Number, Row, Slug
from linecontrol.core.model import Text

KINDS = ("high", "low", "rate", "deviation", "stuck", "quality", "mismatch", "watchdog", "model", "on")
TagKind = Literal["high", "low", "rate", "stuck", "quality", "mismatch", "watchdog", "on"]
LoopKind = Literal["deviation", "model"]
PriorityWord = Literal["low", "medium", "high", "critical"]
RunStateWord = Literal[
    "Idle",
    "Running",
    "Complete",
    "Pausing",
    "Paused",
    "Holding",
    "Held",
    "Restarting",
    "Stopping",
    "Stopped",
    "Aborting",
    "Aborted",
]
Word = Annotated[str, Field(pattern=r"^[A-Za-z*][A-Za-z0-9_.-]{0,79}$")]
Delay = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=3600)]
Span = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=86_400)]
Sentence = Annotated[str, Field(min_length=1, max_length=400)]


class Said(Row):
    """What a person reads, in both languages of the house."""

    en: Sentence
    zh: Sentence

    def text(self) -> Text:
        return Text(self.en, self.zh)


class Rational(Row):
    """What rationalisation found: how urgent, what is wrong, what comes of it, what to do, in which time.

    ``latched`` stays until a person resets it. ``suppressed_in``: run states in which it means nothing.
    ``follows``: kinds or names of alarms that explain this one; while one of them stands, it tells of this.
    """

    priority: PriorityWord
    text: Said
    consequence: Said
    action: Said
    respond_s: Span
    latched: Flag = False
    suppressed_in: tuple[RunStateWord, ...] = ()
    follows: tuple[Word, ...] = ()


class NeedsTag(Row):
    """The alarm means something only while ``tag`` is at ``min`` or more [tag unit]."""

    tag: Name
    min: Number


class Watched(Rational):
    """What is looked for in samples; see docs/alarms.md for what each kind takes.

    ``limit`` [unit of the tag; per minute for rate; band for stuck], ``deadband`` [same], ``window_s`` for rate, stuck
    and watchdog [s]. ``on_delay_s`` and ``off_delay_s``: for how long it must be there, or gone, to count [s].
    ``name``: last part of the alarm's name; default: the kind. ``group``: alarms of one cause.
    """

    limit: Number | None = None
    deadband: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)] = 0.0
    window_s: Span | None = None
    on_delay_s: Delay = 5.0
    off_delay_s: Delay = 10.0
    name: Name | None = None
    group: Slug | None = None
    needs: tuple[NeedsTag, ...] = ()


class TagAlarm(Watched):
    """An alarm on a tag. ``command``: for a mismatch, the tag it must follow."""

    tag: Name
    kind: TagKind
    command: Name | None = None
    idle_below: Number | None = None


class LoopAlarm(Watched):
    """An alarm on a loop: its measurement away from its working set point, or from what its model says."""

    loop: Name
    kind: LoopKind


class EstimateAlarm(Watched):
    """An alarm on one of the line's own estimates, such as ``WET.GROWTH``, whether a run is under way or not."""

    tag: Word
    kind: Literal["high", "low"]


class EventAlarm(Rational):
    """Events of one kind as alarms, one for each source. ``{source}`` in a text is filled in.

    ``ends``: kinds of events that end it besides its own. ``source``: name in place of the event's source.
    ``leads_station``: alarms of this station's group are told by it while it stands.
    """

    event: Word
    name: Name
    ends: tuple[Word, ...] = ()
    source: Name | None = None
    leads_station: Flag = False


class DefaultAlarm(Rational):
    """An alarm every control-relevant tag has without being asked for. ``{tag}`` and ``{title}`` are filled in."""

    kind: Literal["quality", "stuck"]
    on_delay_s: Delay = 10.0
    off_delay_s: Delay = 10.0
    window_s: Span | None = None


class ControllerAlarms(Row):
    """The file ``alarms/controller.yaml``: alarms that come of the controller's own events, and defaults for tags."""

    kind: Literal["alarms"]
    name: Slug
    title: Bilingual
    events: Annotated[tuple[EventAlarm, ...], Field(min_length=1)]
    defaults: tuple[DefaultAlarm, ...] = ()
    notes: Note = ""
