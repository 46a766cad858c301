"""How long samples are kept. No I/O here, and no database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Policy:
    """How long samples are kept.

    Attributes:
        keep_days: older samples leave the database; None = never. With an archive only those that lie there.
        archive: folder of the Parquet files; None = no archive.
        archive_after_days: whole days that ended longer ago than this are copied.
    """

    keep_days: float | None = None
    archive: Path | None = None
    archive_after_days: float = 30.0

    @property
    def asks_for_something(self) -> bool:
        return self.keep_days is not None or self.archive is not None
