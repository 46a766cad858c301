"""The hash chain over the evidence: what a link is made of. Pure.

Each row of evidence has a link; a link's hash covers its number, what it is of, the digest of the row's content and
the hash of the link before it. Whoever changes, removes or reorders a row breaks the chain from there on. The head (how
many links, and the last hash) is kept beside it and goes into every evidence pack: a cut-off tail shows as well.

A row that is written again and again while something is under way (a run, an open bag) is linked when what is fixed of
it changes, by that part alone, and whole once it is final.

Commands come by the second, and have no links of their own: one hash runs through all of them and stands in the head,
and each five hundred there is a link that says where it had come to. Of samples, each sealed block has a link; what is
not sealed yet (``tail``) carries a hash that runs through its rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from linecontrol.history import schema
from linecontrol.history.rows import (
    ACT,
    AUDIT,
    BAG,
    BYPASS,
    CALIBRATION,
    COLUMNS,
    COMMAND,
    DEVIATION,
    EVENT,
    LAB,
    LOT,
    LOT_USE,
    RECIPE,
    RECIPE_VERSION,
    RUN,
    TAG,
    VERSION,
)

GENESIS = "genesis"
FIRST = "0" * 64
OPEN = ".open"
"""What is added to the kind of a link that covers only the fixed part of a row under way."""
REMOVED = ".removed"
"""What is added to the kind of a link that says: this left the database as the line's retention asks."""
UP_TO = ".to"
"""What is added to the kind of a link that says where a running hash had come to."""
BLOCK, TAIL = "block", "tail"
UNREADABLE = "unreadable"
"""Digest of a row that holds what no program of ours writes, as words where a number belongs: no digest is like it."""
NOT_OURS = (TypeError, ValueError, OverflowError, AttributeError)
"""What such a row raises."""
EACH = 500
"""Rows of a journal between two links that say where its hash had come to."""


@dataclass(frozen=True, slots=True)
class Chained:
    """How rows of a kind are linked.

    Attributes:
        key: column that names a row for ever.
        fixed: columns covered while the row is under way; empty = it is final from the first.
        final: column that is filled when it is no longer.
        number: a second column of the name, where one is not enough.
    """

    key: str
    fixed: tuple[str, ...] = ()
    final: str = ""
    number: str = ""

    def name_of(self, record: Mapping[str, Any]) -> str:
        """The name of a row."""
        return f"{record[self.key]} {record[self.number]}" if self.number else str(record[self.key])


CHAINED: dict[str, Chained] = {
    AUDIT: Chained("id"),
    EVENT: Chained("id"),
    RUN: Chained("run_id", ("recipe", "recipe_hash", "state", "started_us"), "ended_us"),
    RECIPE: Chained("hash"),
    LAB: Chained("lab_id"),
    LOT: Chained("lot_id"),
    LOT_USE: Chained("use_id"),
    BAG: Chained("bag_id", ("run_id", "number", "status", "opened_us"), "closed_us"),
    ACT: Chained("act_id"),
    VERSION: Chained("run_id", number="version"),
    DEVIATION: Chained("deviation_id"),
    CALIBRATION: Chained("calibration_id"),
    BYPASS: Chained("bypass_id"),
    RECIPE_VERSION: Chained("id"),
    TAG: Chained("id"),
}
"""Every kind of evidence whose rows have links of their own. A new one is a row here; rows that lie there already are
linked at the next start, and that is stated."""

JOURNAL: dict[str, Chained] = {COMMAND: Chained("id")}
"""Kinds that are only ever added to, one hash running through all of them in the order of their key."""

KINDS = tuple(sorted((*CHAINED, *JOURNAL, BLOCK, TAIL)))
"""All that the chain covers."""


def how_linked(kind: str) -> Chained:
    """Raises KeyError for what is no evidence."""
    return CHAINED.get(kind) or JOURNAL[kind]


class Link(NamedTuple):
    """A row to be linked: kind (with ``.open`` for its fixed part), key and digest of its content."""

    kind: str
    key: str
    digest: str


def link_of(kind: str, record: Mapping[str, Any]) -> Link:
    """The link of a row as it stands. ``record``: all columns of the kind, and its key."""
    how = how_linked(kind)
    is_open = bool(how.fixed) and record[how.final] is None
    columns = how.fixed if is_open else COLUMNS[kind]
    key = how.name_of(record)
    types = schema.metadata.tables[kind].c
    cells = [_plain(types[name].type, record[name]) for name in columns]
    text = json.dumps([kind, key, *cells], separators=(",", ":"), ensure_ascii=True)
    return Link(kind + OPEN if is_open else kind, key, hashlib.sha256(text.encode("ascii")).hexdigest())


def _plain(column: Any, value: Any) -> Any:
    """The same for a value on its way into a database and on its way out of it."""
    if value is None:
        return None
    if isinstance(column, sa.Double):
        return float(value)
    return int(value) if isinstance(column, (sa.Integer, sa.BigInteger)) else str(value)


def hash_of(previous: str, number: int, link: Link) -> str:
    """The hash of a link, which covers the one before it."""
    text = json.dumps([previous, number, *link], separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def text_hash(text: str) -> str:
    """What databases reckon for a running hash: SHA-256 of a text, as hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def tail_digest(cells: Sequence[Any], samples: bytes) -> str:
    """Digest of a row of fresh samples. ``cells``: writer, number, start_us, end_us, rows and texts of it."""
    writer, number, start_us, end_us, rows, texts = cells
    if texts is None and writer.isalnum() and writer.isascii():  # the same JSON, in a tenth of the time
        text = f'["{writer}",{number},{start_us},{end_us},{rows},null]'
    else:
        text = json.dumps([*cells], separators=(",", ":"), ensure_ascii=True)
    content = hashlib.sha256(text.encode("ascii"))
    content.update(samples)
    return content.hexdigest()


@dataclass(frozen=True, slots=True)
class Run:
    """A hash that runs through rows: how many there were, and where it stands."""

    count: int = 0
    hash: str = FIRST

    def over(self, link: Link) -> Run:
        """After one more row."""
        return Run(self.count + 1, text_hash(f"{self.hash}{self.count + 1} {link.kind} {link.key} {link.digest}"))


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends: how many links it has, and the hash of the last."""

    count: int = 0
    hash: str = FIRST

    def extended(self, links: Sequence[Link]) -> tuple[list[dict[str, Any]], Head]:
        """Rows for these links, and the new head."""
        rows, number, last = [], self.count, self.hash
        for link in links:
            number += 1
            last = hash_of(last, number, link)
            rows.append({"number": number, "kind": link.kind, "row_key": link.key, "digest": link.digest, "hash": last})
        return rows, Head(number, last)
