"""Retention: old samples are copied to Parquet files, and leave the database. Journals and runs are never touched.

Each copy and each removal is linked in the hash chain and told as an event: what has left, left lawfully.

Runs in a process of its own, beside the controller: what it writes to the database are marks and deletions of whole
blocks, a few milliseconds each. Age is counted in line time from the newest sample, so a simulated line ages by itself.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from linecontrol.core.errors import StorageError
from linecontrol.core.model import Severity
from linecontrol.history import chain_store, chunks, parquet, schema
from linecontrol.history.chain import Link
from linecontrol.history.chain_samples import block_link
from linecontrol.history.chain_samples import removed as gone
from linecontrol.history.inserts import insert
from linecontrol.history.migrate import revision_of
from linecontrol.history.policy import Policy
from linecontrol.history.rows import EVENT
from linecontrol.history.sql import DATABASE_ERRORS, engine_for, parse_url, reason_of, sqlite_path

_DAY_US = 86_400_000_000
ARCHIVED, REMOVED = "historian.archived", "historian.removed"


@dataclass(frozen=True, slots=True)
class Done:
    """What was done: files written, rows in them, rows that left the database."""

    files: tuple[str, ...]
    archived_rows: int
    removed_rows: int


def keep(url: str, line: str, policy: Policy) -> Done:
    """Apply the policy once. May be ended at any instant: a day is archived or it is not.

    Raises StorageError, also when an archive is asked for and pyarrow is missing.
    """
    parsed = parse_url(url)
    path = sqlite_path(parsed)
    if path is not None and not path.exists():
        raise StorageError(f"there is no history at {path}")
    engine = engine_for(parsed)
    try:
        with engine.connect() as connection:
            with connection.begin():
                if revision_of(connection) != schema.REVISIONS[-1]:
                    raise StorageError("the history is not of this program's schema; start the controller once")
                query = sa.select(schema.line.c.id).where(schema.line.c.name == line)
                line_id = connection.execute(query).scalar()
            if line_id is None:
                raise StorageError(f"there is no line {line!r} in this history")
            return _keep(connection, line_id, line, policy)
    except DATABASE_ERRORS as error:
        raise StorageError(f"the history cannot be kept as asked: {reason_of(error)}") from error
    finally:
        engine.dispose()


def _keep(connection: sa.Connection, line_id: int, line: str, policy: Policy) -> Done:
    block = schema.block
    with connection.begin():
        query = sa.select(sa.func.max(block.c.end_us)).where(block.c.line_id == line_id)
        newest_us = connection.execute(query).scalar()
    if newest_us is None:
        return Done((), 0, 0)
    files: list[str] = []
    archived = 0
    if policy.archive is not None:
        before_us = newest_us - round(policy.archive_after_days * _DAY_US)
        while (day := _next_day(connection, line_id, before_us)) is not None:
            name, rows = _archive(connection, line_id, line, day, policy.archive)
            files.append(name)
            archived += rows
    removed = 0
    if policy.keep_days is not None:
        before_us = newest_us - round(policy.keep_days * _DAY_US)
        removed = _remove(connection, line_id, before_us, only_archived=policy.archive is not None)
    return Done(tuple(files), archived, removed)


def _next_day(connection: sa.Connection, line_id: int, before_us: int) -> list[int] | None:
    """Blocks of the oldest day not archived, if it ended before ``before_us``. A block is of the day it begins."""
    block = schema.block
    mine = (block.c.line_id == line_id, block.c.archive.is_(None))
    with connection.begin():
        first = connection.execute(sa.select(sa.func.min(block.c.start_us)).where(*mine)).scalar()
        if first is None:
            return None
        end_us = (first // _DAY_US + 1) * _DAY_US
        inside = connection.execute(
            sa.select(block.c.id, block.c.end_us).where(*mine, block.c.start_us < end_us).order_by(block.c.start_us)
        ).all()
    if end_us > before_us or any(row.end_us >= before_us for row in inside):
        return None
    return [row.id for row in inside]


def _archive(connection: sa.Connection, line_id: int, line: str, blocks: list[int], folder: Path) -> tuple[str, int]:
    """One day into one file, then the mark. A file without its mark is written again."""
    tag = schema.tag
    with connection.begin():
        names = {row.id: row for row in connection.execute(sa.select(tag).where(tag.c.line_id == line_id))}
    writer = parquet.DayFile(folder, line, blocks)
    rows = 0
    with writer:
        for block_id in blocks:
            with connection.begin():
                found = chunks.series_of(connection, chunks.of_block(connection, line_id, block_id))
            for tag_id, series in sorted(found.items()):
                writer.add(names[tag_id].name, names[tag_id].unit, series)
                rows += len(series)
    block = schema.block
    with writer.path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    with connection.begin():
        connection.execute(block.update().where(block.c.id.in_(blocks)), {"archive": writer.path.name})
        chain_store.append(connection, line_id, [block_link(connection, line_id, one) for one in blocks])
        _tell(connection, line_id, ARCHIVED, f"{rows} samples were copied to {writer.path.name} (sha256 {content})")
    return str(writer.path), rows


def _remove(connection: sa.Connection, line_id: int, before_us: int, *, only_archived: bool) -> int:
    """Block by block, so that the recording never waits long for its turn."""
    block, chunk, axis = schema.block, schema.chunk, schema.axis
    query = sa.select(block.c.id, block.c.rows).where(block.c.line_id == line_id, block.c.end_us < before_us)
    if only_archived:
        query = query.where(block.c.archive.is_not(None))
    with connection.begin():
        found = connection.execute(query.order_by(block.c.start_us)).all()
    removed = 0
    for row in found:
        with connection.begin():
            connection.execute(chunk.delete().where(chunk.c.line_id == line_id, chunk.c.block_id == row.id))
            connection.execute(axis.delete().where(axis.c.block_id == row.id))
            connection.execute(block.delete().where(block.c.id == row.id))
            chain_store.append(connection, line_id, [gone(row.id)])
            if row is found[-1]:
                until = f"{datetime.fromtimestamp(before_us / 1e6, UTC):%Y-%m-%d %H:%M} UTC"
                _tell(connection, line_id, REMOVED, f"{len(found)} blocks of samples from before {until} were removed")
        removed += row.rows
    return removed


def _tell(connection: sa.Connection, line_id: int, kind: str, text: str) -> None:
    """An event for the record, at the newest line time; the caller's transaction."""
    newest_us = connection.execute(
        sa.select(sa.func.max(schema.block.c.end_us)).where(schema.block.c.line_id == line_id)
    ).scalar()
    links: list[Link] = []
    row = (newest_us or 0, kind, "history", Severity.INFO.value, None, f"{text}, as the retention asks.", None)
    insert(connection, line_id, EVENT, [row], links)
    chain_store.append(connection, line_id, links)
