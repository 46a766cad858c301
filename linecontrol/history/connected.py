"""A history that is open to be read: its file or server, its line, its tags."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from linecontrol.core.errors import StorageError
from linecontrol.core.model import DataType
from linecontrol.history import before_chunks, schema
from linecontrol.history.held import HeldBlocks
from linecontrol.history.migrate import check_known, revision_of
from linecontrol.history.sql import DATABASE_ERRORS, connect_to_read, engine_for, parse_url, reason_of, sqlite_path
from linecontrol.history.statements import Connection


class _Connections:
    """Those that wait for the next question. Apart from the reader, so that one that is just dropped closes them."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.waiting: list[sqlite3.Connection] = []

    def let_go(self) -> None:
        """Of all; one that answers somebody just now is closed when it has."""
        waiting, self.waiting = self.waiting, []
        for base in waiting:
            base.close()
        self.engine.dispose()


class ConnectedReader:
    """Blocking: call it from a thread, or from a program without an event loop. All times are line time [s]."""

    def __init__(self, url: str, line: str | None = None) -> None:
        self._url = parse_url(url)
        self._path = sqlite_path(self._url)
        self._folder = None if self._path is None else str(self._path.parent)
        self._engine = engine_for(self._url, is_read_only=True)
        self._connections = _Connections(self._engine)
        weakref.finalize(self, self._connections.let_go)
        self._line = line
        self._revision: str | None = None
        self._known_line: int | None = None
        self._known_tags: dict[str, tuple[int, bool]] = {}
        self._file_id: tuple[int, int] | None = None
        self._held = HeldBlocks()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connections.let_go()

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        self._look_at_file()
        try:
            with self._engine.connect() as connection:
                if self._revision is None:
                    self._revision = self._known_revision(connection)
                yield connection
        except DATABASE_ERRORS as error:
            self._forget()
            raise StorageError(f"the history cannot be read: {reason_of(error)}") from error

    @contextlib.contextmanager
    def _asking(self) -> Iterator[Connection]:
        """As ``_connected``, for questions of ``statements``: with SQLite past all that SQLAlchemy does around them."""
        self._look_at_file()
        try:
            if self._path is None:
                with self._engine.connect() as connection:
                    yield connection
                return
            waiting = self._connections.waiting
            try:
                base = waiting.pop()
            except IndexError:
                base = connect_to_read(self._path)
            is_done = False
            try:
                base.execute("BEGIN")
                yield base
                base.execute("COMMIT")
                is_done = True
            finally:
                if is_done and waiting is self._connections.waiting:
                    waiting.append(base)
                else:  # something is wrong with it, or the file is another one by now
                    base.close()
        except DATABASE_ERRORS as error:
            self._forget()
            raise StorageError(f"the history cannot be read: {reason_of(error)}") from error

    def _known(self, names: Sequence[str]) -> tuple[int, dict[str, tuple[int, bool]]]:
        """The line's id; id of each tag, and whether it is a bool. None of it changes while a history is open."""
        self._look_at_file()
        line_id, tags = self._known_line, self._known_tags
        if line_id is None or self._revision is None or any(name not in tags for name in names):
            with self._connected() as connection:
                return self._line_id(connection), self._tag_ids(connection, names)
        return line_id, {name: tags[name] for name in names}

    def _known_revision(self, connection: sa.Connection) -> str:
        revision = revision_of(connection)
        if revision is None:
            raise StorageError(f"{self._url.render_as_string()} holds no history yet")
        check_known(revision)
        return revision

    def _look_at_file(self) -> None:
        """A file that was replaced, or that nobody can write to, is opened anew for every question."""
        if self._path is None or self._folder is None:
            return
        try:
            stat = os.stat(self._path)  # noqa: PTH116 - before each question, and so in the quickest way
        except FileNotFoundError:
            self._forget()
            raise StorageError(f"there is no history at {self._path}") from None
        found = (stat.st_dev, stat.st_ino)
        if found != self._file_id or not os.access(self._folder, os.W_OK):
            self._forget()
            self._file_id = found

    def _forget(self) -> None:
        self._connections.let_go()
        self._revision = None
        self._known_line, self._known_tags = None, {}
        self._held.clear()

    def _line_id(self, connection: sa.Connection) -> int:
        if self._known_line is None:
            self._known_line = self._look_up_line(connection)
        return self._known_line

    def _look_up_line(self, connection: sa.Connection) -> int:
        rows = connection.execute(sa.select(schema.line.c.id, schema.line.c.name).order_by(schema.line.c.id))
        lines = {row.name: row.id for row in rows}
        if self._line is None and len(lines) == 1:
            return int(next(iter(lines.values())))
        if self._line is None or self._line not in lines:
            asked = "name one" if self._line is None else f"{self._line!r} is not in it"
            raise StorageError(f"this history holds the lines {', '.join(lines) or '(none)'}: {asked}")
        return int(lines[self._line])

    @contextlib.contextmanager
    def opened(self) -> Iterator[tuple[sa.Connection, int]]:
        """A connection to read by, and the line's id; for questions of other files of this room."""
        with self._connected() as connection:
            yield connection, self._line_id(connection)

    def lines(self) -> list[str]:
        """Names of the lines in this history."""
        with self._connected() as connection:
            return list(connection.execute(sa.select(schema.line.c.name).order_by(schema.line.c.name)).scalars())

    def line_name(self) -> str:
        """The line this reader reads."""
        with self._connected() as connection:
            query = sa.select(schema.line.c.name).where(schema.line.c.id == self._line_id(connection))
            return str(connection.execute(query).scalar_one())

    def tags(self) -> dict[str, str]:
        """Recorded tags of the line, and the unit of each."""
        with self._connected() as connection:
            tag = schema.tag
            query = sa.select(tag.c.name, tag.c.unit).where(tag.c.line_id == self._line_id(connection))
            return {row.name: row.unit for row in connection.execute(query.order_by(tag.c.id))}

    def tags_by_name(self) -> dict[str, dict[str, str]]:
        """Recorded tags of the line: ``alias``, ``station``, ``unit`` and ``type`` of each."""
        with self._connected() as connection:
            tag = schema.tag
            query = sa.select(tag).where(tag.c.line_id == self._line_id(connection)).order_by(tag.c.id)
            keys = ("alias", "station", "unit", "type")
            return {row.name: {key: str(getattr(row, key)) for key in keys} for row in connection.execute(query)}

    @property
    def _has_chunks(self) -> bool:
        if self._revision is None:
            with self._connected():
                pass
        return str(self._revision) >= before_chunks.FIRST_WITH_CHUNKS

    def _tag_ids(self, connection: sa.Connection, names: Sequence[str]) -> dict[str, tuple[int, bool]]:
        """Id of each tag, and whether it is a bool. Neither changes while a history is open, so both are remembered."""
        if any(name not in self._known_tags for name in names):
            tag = schema.tag
            query = sa.select(tag.c.name, tag.c.id, tag.c.type).where(tag.c.line_id == self._line_id(connection))
            rows = connection.execute(query)
            self._known_tags = {row.name: (row.id, row.type == DataType.BOOL.value) for row in rows}
        missing = [name for name in names if name not in self._known_tags]
        if missing:
            raise StorageError(f"not recorded on this line: {', '.join(missing)}")
        return {name: self._known_tags[name] for name in names}
