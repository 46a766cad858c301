"""A small line to record, and a way to look into its database without the program under test."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from linecontrol.core.image import Scan
from linecontrol.core.model import DataType, Sample, Status, Tag, Text
from linecontrol.history import Historian, writer

T0 = 1_750_000_000.0


def tag(name: str, unit: str = "°C", kind: DataType = DataType.FLOAT64) -> Tag:
    return Tag(name, "drying", Text(name, name), unit, kind, f"s={name}", alias=f"drying.{name.lower()}")


@pytest.fixture
def tags() -> list[Tag]:
    return [tag("SEQ", ""), tag("TT-1"), tag("TT-2"), tag("XS-1", "", DataType.BOOL), tag("ZT-1", "", DataType.STRING)]


@pytest.fixture
def scan() -> Callable[[int], Scan]:
    """The n-th scan of the line: a counter, a value that changes, one that does not, a switch and a text."""

    def make(n: int) -> Scan:
        now = T0 + n
        values: dict[str, Any] = {
            "SEQ": float(n),
            "TT-1": 20.0 + n / 7.0,
            "TT-2": 55.5,
            "XS-1": n % 10 < 5,
            "ZT-1": "相 A" if n % 20 < 10 else "",
        }
        return Scan("drying", now, {name: Sample(value, Status.GOOD, now) for name, value in values.items()})

    return make


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def historian(db: Path, tmp_path: Path, tags: Sequence[Tag]) -> Callable[..., Historian]:
    def make(**options: Any) -> Historian:
        options.setdefault("flush_s", 0.02)
        line = options.pop("line", "demo")
        return Historian(f"sqlite:///{db}", tmp_path / "spool", line, options.pop("tags", tags), **options)

    return make


@pytest.fixture
def ask(db: Path) -> Callable[..., list[tuple[Any, ...]]]:
    """Ask the file with plain sqlite3."""

    def run(query: str, *values: object) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(db)) as connection:
            return connection.execute(query, values).fetchall()

    return run


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask an away database again soon, so that a test need not wait."""
    monkeypatch.setattr(writer, "_RETRY_FIRST_S", 0.02)
    monkeypatch.setattr(writer, "_RETRY_MOST_S", 0.05)
