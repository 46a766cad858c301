"""Looks whether the evidence is as it was written: every changed, removed, added, reordered or cut-off record is found.

Samples are looked at as well: each sealed block against its link, and what is not sealed yet by the hash that runs
through it. What left the database by the line's own retention is told by links of their own, and is no finding.

What a person with the database in hand could not hide from is told by three things: the rows against their links, the
links against each other and the counted head, and the head against one that lies elsewhere (in an evidence pack, or in
an anchor file). Without the third, who rewrites rows, links and head together is not found.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from linecontrol.history import schema
from linecontrol.history.chain import (
    BLOCK,
    CHAINED,
    EACH,
    FIRST,
    GENESIS,
    JOURNAL,
    KINDS,
    NOT_OURS,
    OPEN,
    REMOVED,
    UP_TO,
    Head,
    Link,
    Run,
    hash_of,
)
from linecontrol.history.chain_samples import block_links, tail_hashes
from linecontrol.history.chain_store import head_of, head_row, rows_there
from linecontrol.history.damaged import Damage, damage_of
from linecontrol.history.reader import HistoryReader

MOST_FINDINGS = 1000
_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was written. ``what`` is changed, removed, added, chain or head."""

    what: str
    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found; nothing = the evidence is as it was written.

    Attributes:
        head: where the chain ends now. records: rows of evidence that were compared.
        statement: what was said when the chain was begun.
        known: damage that an event on record told of when it was found, in sentences; it is no finding.
    """

    findings: Sequence[Finding]
    head: Head
    records: int
    statement: str
    anchors: int = 0
    known: Sequence[str] = ()

    @property
    def is_sound(self) -> bool:
        return not self.findings


@dataclass
class _Chain:
    """The chain as it was read."""

    head: Head = field(default_factory=Head)
    statement: str = ""
    newest: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    hashes: dict[int, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def chain_head(reader: HistoryReader) -> Head | None:
    """Where the chain ends; None for a history that has none yet."""
    with reader.opened() as (connection, line_id):
        if not sa.inspect(connection).has_table(schema.chain_head.name):
            return None
        return head_of(connection, line_id)


def verify(reader: HistoryReader, anchors: Iterable[Head] = ()) -> Verification:
    """Look through all evidence of the line.

    Args:
        anchors: heads that were kept elsewhere; the chain must run through each.
    """
    with reader.opened() as (connection, line_id):
        if not _has_chain(connection):
            text = "this history has no chain of this program yet; open it once with this program"
            return Verification([Finding("chain", "chain", text)], Head(), 0, "")
        wanted = list(anchors)
        chain = _read_chain(connection, line_id, {anchor.count for anchor in wanted})
        findings = chain.findings
        row, records, known = head_row(connection, line_id), 0, list[str]()
        try:
            findings += _head_findings(head_of(connection, line_id), chain.head)
            Run(int(row["journal_count"]) if row is not None else 0)
        except NOT_OURS:
            findings.append(Finding("head", "head", "the head of the chain holds what this program never writes"))
            row = None
        for kind, link in _rows_and_blocks(connection, line_id):
            records += 1
            findings += _row_findings(kind, link, chain.newest.pop((kind, link.key), None))
        if row is not None:
            findings += _kinds_findings(row["kinds"])
            for kind in JOURNAL:
                found, count = _journal_findings(connection, line_id, kind, chain, row)
                findings, records = findings + found, records + count
            damage = damage_of(connection, line_id)
            findings += _damage_findings(damage)
            known = [*damage.texts.values()] if damage.is_known else []
            try:
                found, count = _tail_findings(connection, line_id, row, damage)
            except NOT_OURS:
                text = "the fresh samples hold what this program never writes"
                found, count = [Finding("changed", "tail", text)], 0
            findings, records = findings + found, records + count
        findings += [
            Finding("removed", f"{kind} {key}", f"the record {kind} {key} is gone")
            for (kind, key), (linked, _) in chain.newest.items()
            if not linked.endswith(REMOVED)
        ]
        findings += _index_findings(connection, line_id)
        findings += [found for anchor in wanted for found in _anchor_findings(anchor, chain)]
    return Verification(findings[:MOST_FINDINGS], chain.head, records, chain.statement, len(wanted), known)


def _has_chain(connection: sa.Connection) -> bool:
    """Whether the chain is of this schema: a reader does not migrate."""
    inspector, table = sa.inspect(connection), schema.chain_head
    return inspector.has_table(table.name) and {column["name"] for column in inspector.get_columns(table.name)} >= set(
        table.c.keys()
    )


def _read_chain(connection: sa.Connection, line_id: int, marks: set[int]) -> _Chain:
    """Follow the chain from its first link; ``marks``: numbers whose hash is asked for later."""
    chain, table = _Chain(hashes={0: FIRST}), schema.chain
    columns = (table.c.number, table.c.kind, table.c.row_key, table.c.digest, table.c.hash)
    query = sa.select(*columns).where(table.c.line_id == line_id).order_by(table.c.number)
    last, expected, seen = FIRST, 1, set[str]()
    for number, kind, key, digest, found in connection.execute(query.execution_options(yield_per=_AT_ONCE)):
        if not (isinstance(number, int) and all(isinstance(one, str) for one in (kind, key, digest, found))):
            text = f"link {number} holds what this program never writes"
            chain.findings.append(Finding("chain", f"link {number}", text))
            continue
        if number != expected:
            text = (
                f"links {expected} to {number - 1} are gone" if number > expected else f"link {number} is there twice"
            )
            chain.findings.append(Finding("chain", f"link {expected}", text))
        elif hash_of(last, number, Link(kind, key, digest)) != found:
            text = f"link {number} ({kind} {key[:60]}) does not follow from what is before it"
            chain.findings.append(Finding("chain", f"link {number}", text))
        if number == 1:
            if kind == GENESIS:
                chain.statement = key
            else:
                chain.findings.append(Finding("chain", "link 1", "the first link is not the chain's beginning"))
        beginning, _, also = kind.partition(".")
        if beginning != GENESIS:
            chain.newest[kind.removesuffix(OPEN).removesuffix(REMOVED), key] = (kind, digest)
            seen.add(beginning)
        elif also:
            chain.statement += f" {key}" if key not in chain.statement else ""
            if also in seen:
                text = f"link {number} begins the chain of {also} a second time"
                chain.findings.append(Finding("chain", f"link {number}", text))
        if number in marks:
            chain.hashes[number] = found
        last, expected = found, number + 1
    chain.head = Head(expected - 1, last)
    return chain


def _head_findings(kept: Head | None, found: Head) -> list[Finding]:
    if kept is None:
        return [Finding("head", "head", "the head of the chain is gone")]
    if kept == found:
        return []
    text = f"the head says {kept.count} links, the chain has {found.count}"
    if kept.count == found.count:
        text = "the head is not the hash of the last link"
    return [Finding("head", "head", text)]


def _rows_and_blocks(connection: sa.Connection, line_id: int) -> Iterator[tuple[str, Link]]:
    yield from rows_there(connection, line_id)
    for link in block_links(connection, line_id):
        yield BLOCK, link


def _kinds_findings(kinds: str) -> list[Finding]:
    """A kind that is not named would be begun anew at the next start, whatever its rows say then."""
    if kinds == " ".join(KINDS):
        return []
    missing = sorted(set(KINDS) - set(kinds.split())) or ["what it says"]
    return [Finding("head", "head", f"the chain does not cover {', '.join(missing)}; open it once with this program")]


def _journal_findings(
    connection: sa.Connection, line_id: int, kind: str, chain: _Chain, head: Mapping[str, Any]
) -> tuple[list[Finding], int]:
    """Rows with one hash running through them, between the links that say where it had come to."""
    name = kind + UP_TO
    mine = [key for found, key in chain.newest if found == name]
    told = [(key, chain.newest.pop((name, key))[1]) for key in mine]
    marks = sorted((int(key), digest) for key, digest in told if key.isdecimal())  # another is told by its link
    findings: list[Finding] = []
    run, since, at, records = Run(), 0, 0, 0

    def tell(until: str) -> None:
        where = f"{kind} {since + 1} to {until}"
        text = f"of the records {where}, at least one was changed, removed or added"
        findings.append(Finding("changed", where, text))

    for _, link in rows_there(connection, line_id, (kind,)):
        number, records = int(link.key), records + 1
        while at < len(marks) and marks[at][0] < number:  # the row where it was noted is gone, or the hash went astray
            if run.hash != marks[at][1]:
                tell(str(marks[at][0]))
            run, since, at = Run((at + 1) * EACH, marks[at][1]), marks[at][0], at + 1
        run = run.over(link)
    for mark, digest in marks[at:]:
        if run.hash != digest:
            tell(str(mark))
        run, since, at = Run((at + 1) * EACH, digest), mark, at + 1
    if run != Run(int(head["journal_count"]), head["journal_hash"]):
        tell("the last")
    return findings, records


def _tail_findings(
    connection: sa.Connection, line_id: int, head: Mapping[str, Any], damage: Damage
) -> tuple[list[Finding], int]:
    """Fresh samples: each row follows from the one before it, and the one the head names is there."""
    findings: list[Finding] = []
    named, records = {0: "", **damage.hashes}, 0
    for number, expected, kept in tail_hashes(connection, line_id, damage.hashes):
        records += 1
        if kept != expected:
            where = f"tail {number}"
            findings.append(Finding("changed", where, f"the fresh samples of {where}, or the row before, were changed"))
        if number == head["tail_id"]:
            named[number] = kept or ""
    if named.get(head["tail_id"]) != head["tail_hash"]:
        findings.append(
            Finding("removed", f"tail {head['tail_id']}", "fresh samples are gone from the end of the tail")
        )
    return findings, records


def _damage_findings(damage: Damage) -> list[Finding]:
    """Samples that were set aside, where that is not what the events say."""
    if damage.is_known:
        return []
    told = f"; the events of it tell of {damage.told} samples in all, and {damage.samples} lie there"
    gone = [Finding("removed", "quarantine", f"damaged samples that were set aside are gone{told}")]
    return [Finding("removed", where, text + told) for where, text in damage.texts.items()] or gone


def _row_findings(kind: str, link: Link, linked: tuple[str, str] | None) -> list[Finding]:
    where = f"{kind} {link.key}"
    if linked is None or linked[0].endswith(REMOVED):
        return [Finding("added", where, f"the record {where} was not written by this program")]
    if linked != (link.kind, link.digest):
        return [Finding("changed", where, f"the record {where} was changed after it was written")]
    return []


def _index_findings(connection: sa.Connection, line_id: int) -> list[Finding]:
    """The index of bags by lot must say what the bags say: recall goes by it."""
    bag, index = schema.bag, schema.bag_lot
    said = {
        (bag_id, lot): (share, kg)
        for bag_id, lots in connection.execute(
            sa.select(bag.c.bag_id, bag.c.lots).where(bag.c.line_id == line_id, bag.c.closed_us.is_not(None))
        )
        for lot, share, kg in _lots(lots)
    }
    columns = (index.c.bag_id, index.c.lot_id, index.c.share, index.c.kg)
    rows = connection.execute(sa.select(*columns).where(index.c.line_id == line_id))
    found = {(bag_id, lot): (share, kg) for bag_id, lot, share, kg in rows}
    return [
        Finding(
            "changed", f"bag_lot {bag_id} {lot}", f"the index of bags by lot is not what bag {bag_id} says of {lot}"
        )
        for bag_id, lot in sorted(said.keys() | found.keys(), key=str)
        if said.get((bag_id, lot)) != found.get((bag_id, lot))
    ]


def _lots(text: str) -> list[tuple[str, float, float]]:
    try:
        return [(str(lot), float(share), float(kg)) for lot, share, kg in json.loads(text)]
    except (ValueError, TypeError):  # was changed; the bag's own link tells
        return []


def _anchor_findings(anchor: Head, chain: _Chain) -> list[Finding]:
    if chain.hashes.get(anchor.count) == anchor.hash:
        return []
    if anchor.count > chain.head.count:
        text = f"the chain has {chain.head.count} links but had {anchor.count} once: its tail was cut off"
    else:
        text = f"link {anchor.count} is not the one that was kept elsewhere: the chain was written anew"
    return [Finding("head", f"link {anchor.count}", text)]


def digests(reader: HistoryReader, kinds: Sequence[str]) -> Mapping[tuple[str, str], str]:
    """Digest of every row of these kinds as it stands, by kind and key."""
    with reader.opened() as (connection, line_id):
        wanted = sorted({kind for kind in kinds if kind in CHAINED})
        return {(kind, link.key): link.digest for kind, link in rows_there(connection, line_id, wanted)}


def were_linked(reader: HistoryReader, wanted: Iterable[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Those of these records (kind, key, digest) that stood so at some time: the chain has a link for each."""
    left, found, table = set(wanted), set[tuple[str, str, str]](), schema.chain
    if not left:
        return found
    with reader.opened() as (connection, line_id):
        query = sa.select(table.c.kind, table.c.row_key, table.c.digest).where(table.c.line_id == line_id)
        for kind, key, digest in connection.execute(query.execution_options(yield_per=_AT_ONCE)):
            if (one := (kind.removesuffix(OPEN), key, digest)) in left:
                found.add(one)
    return found


def as_json(found: Verification) -> dict[str, Any]:
    """For programs."""
    return {
        "is_sound": found.is_sound,
        "links": found.head.count,
        "head": found.head.hash,
        "records": found.records,
        "anchors": found.anchors,
        "statement": found.statement,
        "known": list(found.known),
        "findings": [{"what": one.what, "where": one.where, "text": one.text} for one in found.findings],
    }
