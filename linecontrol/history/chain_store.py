"""The hash chain in the database: begun once for each line, and longer with every transaction that writes evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from linecontrol.history import schema
from linecontrol.history.chain import CHAINED, GENESIS, Head, Link, link_of
from linecontrol.history.rows import COLUMNS

_AT_ONCE = 5000


def head_of(connection: sa.Connection, line_id: int, *, to_write: bool = False) -> Head | None:
    """Where the chain of a line ends; None = it was not begun."""
    table = schema.chain_head
    query = sa.select(table.c.count, table.c.hash).where(table.c.line_id == line_id)
    row = connection.execute(query.with_for_update() if to_write else query).first()
    return None if row is None else Head(int(row[0]), row[1])


def append(connection: sa.Connection, line_id: int, links: Sequence[Link]) -> None:
    """Link rows, in the transaction that writes them."""
    if not links:
        return
    head = head_of(connection, line_id, to_write=True)
    rows, after = (head or Head()).extended(links)
    connection.execute(schema.chain.insert(), [{"line_id": line_id, **row} for row in rows])
    table, place = schema.chain_head, {"count": after.count, "hash": after.hash}
    if head is None:
        connection.execute(table.insert(), {"line_id": line_id, **place})
    else:
        connection.execute(table.update().where(table.c.line_id == line_id), place)


def begin(connection: sa.Connection, line_id: int) -> str | None:
    """Begin the chain of a line if it has none. Returns what is stated of the rows that were there before it.

    Those are linked as they lie there: what happened to them earlier, no chain can say.
    """
    if head_of(connection, line_id) is not None:
        return None
    links = [link for _, link in rows_there(connection, line_id)]
    statement = (
        f"The chain begins here. {len(links)} records were there before it: they are linked as they were found; "
        "whether they had been changed earlier, this chain cannot say."
    )
    append(connection, line_id, [Link(GENESIS, statement, "")])
    for start in range(0, len(links), _AT_ONCE):
        append(connection, line_id, links[start : start + _AT_ONCE])
    return statement if links else None


def rows_there(connection: sa.Connection, line_id: int) -> Iterator[tuple[str, Link]]:
    """Kind and link of every row of evidence as it stands now."""
    tables = set(sa.inspect(connection).get_table_names())
    for kind, how in CHAINED.items():
        if kind not in tables:
            continue
        table = schema.metadata.tables[kind]
        names = tuple(dict.fromkeys((how.key, *COLUMNS[kind])))
        query = sa.select(*(table.c[name] for name in names)).where(table.c.line_id == line_id)
        for row in connection.execute(query.order_by(*(table.c[name] for name in (how.key, how.number) if name))):
            yield kind, link_of(kind, dict(zip(names, row, strict=True)))
