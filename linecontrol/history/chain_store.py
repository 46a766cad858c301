"""The hash chain in the database: begun once for each line, and longer with every transaction that writes evidence."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from linecontrol.history import schema
from linecontrol.history.chain import (
    BLOCK,
    CHAINED,
    EACH,
    GENESIS,
    JOURNAL,
    KINDS,
    NOT_OURS,
    TAIL,
    UNREADABLE,
    UP_TO,
    Head,
    Link,
    Run,
    how_linked,
    link_of,
)
from linecontrol.history.chain_samples import block_links, chain_tail, tail_end
from linecontrol.history.rows import COLUMNS

_AT_ONCE = 5000
_HEAD = schema.chain_head


def head_of(connection: sa.Connection, line_id: int) -> Head | None:
    """Where the chain of a line ends; None = it was not begun."""
    query = sa.select(_HEAD.c.count, _HEAD.c.hash).where(_HEAD.c.line_id == line_id)  # all that an older schema has
    row = connection.execute(query).first()
    return None if row is None else Head(int(row[0]), row[1])


def head_row(connection: sa.Connection, line_id: int, *, to_write: bool = False) -> Any:
    """All that is kept of where the chain ends. ``to_write``: nobody else may make it longer before this is done."""
    query = sa.select(_HEAD).where(_HEAD.c.line_id == line_id)
    return connection.execute(query.with_for_update() if to_write else query).mappings().first()


def hold(connection: sa.Connection, line_id: int) -> None:
    """Keep everybody else from adding to the chain until this transaction is over: rows of a journal are counted."""
    head_row(connection, line_id, to_write=True)


def append(connection: sa.Connection, line_id: int, links: Sequence[Link]) -> None:
    """Link rows, in the transaction that writes them. The chain is begun if it was not."""
    if not links:
        return
    if head_row(connection, line_id) is None:
        begin(connection, line_id)  # links the rows as well: they lie there already
        return
    _append(connection, line_id, links)


def _append(connection: sa.Connection, line_id: int, links: Iterable[Link], kinds: Sequence[str] = ()) -> None:
    row = head_row(connection, line_id, to_write=True)
    head = Head() if row is None else Head(int(row["count"]), row["hash"])
    run = Run() if row is None else Run(int(row["journal_count"]), row["journal_hash"])
    own: list[Link] = []
    for link in links:
        if link.kind not in JOURNAL:
            own.append(link)
            continue
        run = run.over(link)
        if run.count % EACH == 0:
            own.append(Link(link.kind + UP_TO, link.key, run.hash))
    rows, after = head.extended(own)
    if rows:
        connection.execute(schema.chain.insert(), [{"line_id": line_id, **one} for one in rows])
    tail_id, tail_hash = tail_end(connection, line_id)
    place = {
        "count": after.count,
        "hash": after.hash,
        "journal_count": run.count,
        "journal_hash": run.hash,
        "tail_id": tail_id,
        "tail_hash": tail_hash,
        **({"kinds": " ".join(sorted(kinds))} if kinds else {}),
    }
    if row is None:
        connection.execute(_HEAD.insert(), {"line_id": line_id, **place})
    else:
        connection.execute(_HEAD.update().where(_HEAD.c.line_id == line_id), place)


def begin(connection: sa.Connection, line_id: int) -> str | None:
    """Begin the chain of a line where it has none, and for kinds that it did not cover until now.

    Returns what is stated of the rows that were there before; None when there were none. Those are linked as they lie
    there: what happened to them earlier, no chain can say.
    """
    row = head_row(connection, line_id, to_write=True)
    covered = [] if row is None else row["kinds"].split()
    new = [kind for kind in KINDS if kind not in covered]
    if not new:
        return None
    if row is not None and connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")  # a large history is counted and read once
    if TAIL in new:
        chain_tail(connection, line_id)
    count = sum(_count_there(connection, line_id, kind) for kind in new)
    told = f"{count} records were there before it: they are linked as they were found; "
    unknown = "whether they had been changed earlier, this chain cannot say."
    if row is None:
        statement = f"The chain begins here. {told}{unknown}"
        _append(connection, line_id, [Link(GENESIS, statement, "")], KINDS)
    else:
        statement = f"From here on the chain also covers {', '.join(new)}. {told}{unknown}"
        _append(connection, line_id, [Link(f"{GENESIS}.{kind}", statement, "") for kind in new], [*covered, *new])
    for kind in new:
        links = _links_there(connection, line_id, kind)
        while some := list(itertools.islice(links, _AT_ONCE)):
            _append(connection, line_id, some)
    return statement if count else None


def _count_there(connection: sa.Connection, line_id: int, kind: str) -> int:
    if kind == TAIL:
        return 0  # is told by its samples' own hash
    table = schema.metadata.tables[kind]
    query = sa.select(sa.func.count()).select_from(table).where(table.c.line_id == line_id)
    return int(connection.execute(query).scalar_one())


def _links_there(connection: sa.Connection, line_id: int, kind: str) -> Iterator[Link]:
    if kind == BLOCK:
        return block_links(connection, line_id)
    return iter(()) if kind == TAIL else _of_kind(connection, line_id, kind)


def rows_there(connection: sa.Connection, line_id: int, kinds: Iterable[str] = CHAINED) -> Iterator[tuple[str, Link]]:
    """Kind and link of every row of evidence as it stands now, journals in their order."""
    tables = set(sa.inspect(connection).get_table_names())
    for kind in kinds:
        if kind in tables:
            for link in _of_kind(connection, line_id, kind):
                yield kind, link


def _of_kind(connection: sa.Connection, line_id: int, kind: str) -> Iterator[Link]:
    table, how = schema.metadata.tables[kind], how_linked(kind)
    names = tuple(dict.fromkeys((how.key, *COLUMNS[kind])))
    order = [table.c[name] for name in (how.key, how.number) if name]
    query = sa.select(*(table.c[name] for name in names)).where(table.c.line_id == line_id).order_by(*order)
    for row in connection.execute(query.execution_options(yield_per=_AT_ONCE)):
        record = dict(zip(names, row, strict=True))
        try:
            link = link_of(kind, record)
        except NOT_OURS:
            link = Link(kind, how.name_of(record), UNREADABLE)
        yield link
