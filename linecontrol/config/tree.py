"""YAML events turned into plain values and the lines they stand on, counting as it goes. Opens no file.

The caps are what keep a hostile file cheap: reading ends at the first event beyond one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from linecontrol.core.errors import ConfigError, Problem

MAX_DEPTH = 20
MAX_NODES = 50_000  # counted with every alias written out, so aliases cannot multiply
MAX_ALIASES = 20
MAX_TEXT = 10_000  # characters of one scalar
_MAX_NOTES = 100

_INT = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_MAX_DIGITS = 25
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LINE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")


@dataclass(slots=True)
class Mark:
    """Where one value stands, how it was written, and its children."""

    line: int
    text: str | None = None
    keys: dict[str, Mark] | None = None
    items: list[Mark] | None = None
    nodes: int = 1
    depth: int = 1

    def child(self, part: str | int) -> Mark | None:
        if self.keys is not None:
            return self.keys.get(str(part))
        if self.items is not None and isinstance(part, int) and 0 <= part < len(self.items):
            return self.items[part]
        return None


class Builder:
    """Makes values and marks from YAML events, counting as it goes. Never recurses."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._anchors: dict[str, tuple[Any, Mark]] = {}
        self._aliases = 0
        self._nodes = 0
        self.problems: list[Problem] = []

    def document(self, events: Iterator[Any]) -> tuple[Any, Mark]:
        """The one document of the stream."""
        root: tuple[Any, Mark] = (None, Mark(1))
        documents = 0
        open_rows: list[_Open] = []
        for event in events:
            line = event.start_mark.line + 1
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._refused(line, "holds more than one document", "one document, without a second '---'")
            elif isinstance(event, CollectionEndEvent):
                done = open_rows.pop()
                self._count_up(done.mark, open_rows)
            elif isinstance(event, NodeEvent):
                value, mark, is_open = self._node(event, line, open_rows)
                if open_rows:
                    self._put(open_rows, event, value, mark)
                else:
                    root = (value, mark)
                if is_open:
                    open_rows.append(_Open(value, mark))
        return root

    def _node(self, event: NodeEvent, line: int, open_rows: list[_Open]) -> tuple[Any, Mark, bool]:
        if isinstance(event, AliasEvent):
            return *self._alias(event, line, open_rows), False
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise self._refused(line, f"the tag {short(str(tag))} is not accepted", "plain values without a !tag")
        self._count(1, line)
        if isinstance(event, ScalarEvent):
            value: Any = self._scalar(event, line, open_rows)
            mark = Mark(line, text=event.value)
        else:
            if len(open_rows) >= MAX_DEPTH:
                raise self._refused(line, "is nested too deep", f"up to {MAX_DEPTH} levels")
            is_map = isinstance(event, MappingStartEvent)
            value = {} if is_map else []
            mark = Mark(line, keys={}) if is_map else Mark(line, items=[])
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, mark)
        return value, mark, not isinstance(event, ScalarEvent)

    def _alias(self, event: AliasEvent, line: int, open_rows: list[_Open]) -> tuple[Any, Mark]:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise self._refused(line, "uses too many aliases", f"up to {MAX_ALIASES} '*alias'")
        if event.anchor not in self._anchors:
            raise self._refused(line, f"the alias *{short(str(event.anchor))} has no anchor before it")
        value, mark = self._anchors[event.anchor]
        if any(row.mark is mark for row in open_rows):
            raise self._refused(line, f"the alias *{short(str(event.anchor))} stands inside its own anchor")
        self._count(mark.nodes, line)
        if len(open_rows) + mark.depth > MAX_DEPTH:
            raise self._refused(line, "is nested too deep", f"up to {MAX_DEPTH} levels")
        return value, Mark(line, mark.text, mark.keys, mark.items, mark.nodes, mark.depth)

    def _put(self, open_rows: list[_Open], event: NodeEvent, value: Any, mark: Mark) -> None:
        """Place a value in the open collection; in a mapping the first of a pair is the key."""
        row = open_rows[-1]
        if row.mark.items is not None:
            row.value.append(value)
            row.mark.items.append(mark)
        elif row.key is None:
            if not isinstance(event, ScalarEvent):
                raise self._refused(mark.line, "a key is not a plain text", "key: value")
            key = event.value
            if key == "<<" and event.implicit[0]:
                raise self._refused(mark.line, "the merge key << is not accepted", "each key written out")
            if row.mark.keys is not None and key in row.mark.keys:
                first = row.mark.keys[key].line
                where = place(open_rows, short(key))
                self._note(mark.line, where, f"the key is given twice (first on line {first})")
            row.key, row.key_line = key, mark.line
        else:
            mark.line = row.key_line
            row.value[row.key] = value
            if row.mark.keys is not None:
                row.mark.keys[row.key] = mark
            row.last_key, row.key = row.key, None
        if not isinstance(event, (MappingStartEvent, SequenceStartEvent)):
            row.mark.nodes += mark.nodes
            row.mark.depth = max(row.mark.depth, mark.depth + 1)

    def _count_up(self, done: Mark, open_rows: list[_Open]) -> None:
        if open_rows:
            outer = open_rows[-1].mark
            outer.nodes += done.nodes
            outer.depth = max(outer.depth, done.depth + 1)

    def _count(self, nodes: int, line: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise self._refused(line, "holds too many values", f"up to {MAX_NODES}, aliases written out")

    def _scalar(self, event: ScalarEvent, line: int, open_rows: list[_Open]) -> str | int | float | bool | None:
        text: str = event.value
        if len(text) > MAX_TEXT:
            raise self._refused(line, "holds a text that is too long", f"up to {MAX_TEXT} characters")
        if not event.implicit[0]:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INT.fullmatch(text) or _FLOAT.fullmatch(text):
            if _LEADING_ZERO.fullmatch(text):
                quoted = f'as a text "{text}", or the number without the zeros'
                self._note(
                    line, place(open_rows), f"{short(text)} has leading zeros: is it a number or a text?", quoted
                )
                return text
            if len(text) > _MAX_DIGITS:
                message = f"the number {short(text)} is too long"
                self._note(line, place(open_rows), message, f"up to {_MAX_DIGITS} digits")
                return text
            return int(text, 0) if _INT.fullmatch(text) else float(text)
        return float(text.replace(".", "")) if _SPECIAL.fullmatch(text) else text

    def _note(self, line: int, key: str, message: str, accepted: str = "") -> None:
        """A problem that does not end the reading."""
        if len(self.problems) < _MAX_NOTES:
            self.problems.append(Problem(self._file, line, key, message, accepted))

    def _refused(self, line: int, message: str, accepted: str = "") -> ConfigError:
        problem = Problem(self._file, line, "", message, accepted)
        return ConfigError([*self.problems, problem])


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet."""

    value: Any
    mark: Mark
    key: str | None = None
    last_key: str | None = None
    key_line: int = 0


def short(text: str, most: int = 60) -> str:
    """A text from a file, safe and short enough for a message."""
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= most else text[: most - 1] + "…"


def place(open_rows: list[_Open], key: str | None = None) -> str:
    """The key path of what is being read now, in the form of ``Document.key``."""
    words = ""
    for at, row in enumerate(open_rows):
        if row.mark.items is not None:
            inner = open_rows[at + 1].mark if at + 1 < len(open_rows) else Mark(0)
            number = len(row.mark.items) - (1 if at + 1 < len(open_rows) else 0)
            words += f"[{row_name(number, inner)}]"
        elif key is not None and at == len(open_rows) - 1:
            words += f".{key}"
        elif row.key is not None or at + 1 < len(open_rows):
            words += f".{short(row.key or row.last_key or '')}"
    return words.removeprefix(".")


def row_name(part: int, mark: Mark | None) -> str:
    name = mark.keys.get("name") if mark is not None and mark.keys is not None else None
    text = name.text if name is not None else None
    return text if text and _LINE_NAME.fullmatch(text) else str(part)
