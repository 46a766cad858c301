"""What the server says of a node, as Readings. Pure; knows the library's records by their fields only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from linecontrol.core.link import Reading
from linecontrol.core.model import Tag
from linecontrol.links.codec import Convert, converter
from linecontrol.links.nodes import kinds, odd_reading, unix_seconds

_INFO = 0x0C80  # of a status code: the kind of its info bits (0x0400: of a value), and the overflow bit
_OVERFLOW = 0x0480


class Row(NamedTuple):
    """What reading needs to know of a tag."""

    name: str
    accepted: tuple[type, ...]
    convert: Convert


def row_of(tag: Tag) -> Row:
    return Row(tag.name, kinds(tag), converter(tag))


def take_answers(rows: Sequence[Row], answers: Iterable[Any], out: dict[str, Reading]) -> None:
    """The readings of one answered Read, in the order of its rows."""
    stamp: Any = None
    seconds: float | None = None
    for (name, accepted, convert), answer in zip(rows, answers, strict=True):
        if answer.SourceTimestamp is not stamp:
            stamp = answer.SourceTimestamp
            seconds = unix_seconds(stamp)
        variant, status = answer.Value, answer.StatusCode
        raw = variant.Value if variant is not None else None
        if type(raw) in accepted and (status is None or status.value == 0):
            out[name] = convert(raw, seconds)
        else:
            out[name] = odd_reading(raw, accepted, convert, status.value if status else 0, seconds)


class Changes:
    """Reported changes on their way from the wire to the next read: the newest of each tag, and those before it.

    ``lost`` counts changes thrown away because nobody fetched ``most`` of them.
    """

    def __init__(self, newest: dict[str, Reading], most: int = 1_000_000) -> None:
        self.unconfirmed = set(newest)  # their first report repeats what has just been read
        self._newest = newest
        self.lost = 0
        self._most = most
        self._fresh: dict[str, Reading] = {}
        self._depths: dict[str, int] = {}
        self._layers: list[dict[str, Reading]] = []
        self._handed: list[dict[str, Reading]] = []
        self._kept = 0

    def add(self, name: str, reading: Reading) -> None:
        """The next change of this tag."""
        before = self._fresh.get(name)
        self._fresh[name] = reading
        if before is not None:
            depth = self._depths.get(name, 0)
            self._depths[name] = depth + 1
            if depth == len(self._layers):
                self._layers.append({})
            self._layers[depth][name] = before
            self._kept += 1
            if self._kept > self._most:
                self.lost += self._kept
                self._forget()

    def add_first(self, name: str, reading: Reading) -> None:
        """A change that may be the reading already known."""
        if reading != self._newest[name]:
            self.add(name, reading)

    def read(self) -> dict[str, Reading]:
        """The newest reading of every tag. What these have overtaken is for ``earlier``."""
        if self._fresh:
            self._newest |= self._fresh
            self._fresh = {}
            self._depths = {}
            self._handed += self._layers
            self._layers = []
        return dict(self._newest)

    def earlier(self) -> list[dict[str, Reading]]:
        """What the reads so far have overtaken: each once, oldest first for every tag."""
        handed, self._handed = self._handed, []
        self._kept = sum(map(len, self._layers))
        return handed

    def rest(self) -> list[dict[str, Reading]]:
        """``earlier``, and all that no read has fetched; for a connection that has ended."""
        last = self._fresh
        self.read()
        return [*self.earlier(), last] if last else self.earlier()

    def _forget(self) -> None:
        self._layers, self._handed, self._depths, self._kept = [], [], {}, 0


def take_changes(rows: Sequence[Row], items: Iterable[Any], changes: Changes) -> int:
    """The notifications of one report; their client handles count the rows.

    Returns how often the server said that values before one of these did not fit into its queue (OPC 10000-4, 7.39),
    with the changes that nobody fetched. Raises IndexError for a handle that is not ours.
    """
    lost = 0
    add, unconfirmed = changes.add, changes.unconfirmed
    for item in items:
        name, accepted, convert = rows[item.ClientHandle]
        answer = item.Value
        variant, status = answer.Value, answer.StatusCode
        raw = variant.Value if variant is not None else None
        seconds = unix_seconds(answer.SourceTimestamp)
        if type(raw) in accepted and (status is None or status.value == 0):
            reading = convert(raw, seconds)
        else:
            code = status.value if status is not None else 0
            reading = odd_reading(raw, accepted, convert, code, seconds)
            lost += code & _INFO == _OVERFLOW
        if name in unconfirmed:
            unconfirmed.discard(name)
            changes.add_first(name, reading)
        else:
            add(name, reading)
    forgotten, changes.lost = changes.lost, 0
    return lost + forgotten
