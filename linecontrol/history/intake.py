"""Between the event loop and the writer's thread: rows that wait, and the one book of what became of every row.

The identity ``accepted = stored + spooled + quarantined + dropped + pending`` holds at every instant: each move is made
under one lock, and ``pending`` is counted as rows come and go, not calculated from the others.

Policy when full (``most_rows`` waiting, because neither database nor spool takes anything): samples are dropped and
counted; events, commands, runs and recipes are always kept.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from linecontrol.history.rows import SAMPLE, Batch, Row
from linecontrol.history.scanrows import in_batches

_BATCH_ROWS = 5000


@dataclass(frozen=True, slots=True)
class Counters:
    """Running totals since the start, in rows.

    Attributes:
        offered: samples offered. unchanged: of these, not stored because nothing had changed.
        accepted: rows to keep (samples that passed, events, commands, runs, recipes), with those found in the spool.
        stored: in the database. spooled: in the spool file now. quarantined: set aside. dropped: given up.
        pending: still in memory.
        duplicates: of the stored, rows the database had already. spool_bytes: size of the spool now.
    """

    offered: int = 0
    unchanged: int = 0
    accepted: int = 0
    stored: int = 0
    spooled: int = 0
    quarantined: int = 0
    dropped: int = 0
    pending: int = 0
    duplicates: int = 0
    spool_bytes: int = 0

    @property
    def adds_up(self) -> bool:
        return self.accepted == self.stored + self.spooled + self.quarantined + self.dropped + self.pending


class Intake:
    """Thread-safe. ``add`` never blocks for longer than it takes to move a list."""

    def __init__(self, writer: str, most_rows: int) -> None:
        self._writer = writer
        self._most_rows = most_rows
        self._changed = threading.Condition()
        self._fresh: dict[str, list[Row]] = {}
        self._fresh_samples: list[Sequence[Row]] = []
        self._fresh_acks: list[Callable[[], None]] = []
        self._queue: deque[Batch] = deque()
        self._number = 0
        self._waiting = 0
        self._is_urgent = False
        self._is_closed = False
        self._count = dict.fromkeys(
            ("offered", "unchanged", "accepted", "stored", "spooled", "quarantined", "dropped", "duplicates"), 0
        )
        self._spool_bytes = 0

    # -- from the event loop
    def add(
        self, kind: str, rows: Sequence[Row], ack: Callable[[], None] | None = None, *, is_ours: bool = False
    ) -> None:
        """Take rows in. ``ack`` is called when these and all before them are durable; it makes the writer hurry.

        ``is_ours``: a row of the historian itself, taken also while it stops.
        """
        with self._changed:
            self._count["accepted"] += len(rows)
            if (self._is_closed and not is_ours) or (kind == SAMPLE and self._waiting + len(rows) > self._most_rows):
                self._count["dropped"] += len(rows)
                return
            if rows and kind == SAMPLE:
                self._fresh_samples.append(rows)
            elif rows:
                self._fresh.setdefault(kind, []).extend(rows)
            self._waiting += len(rows)
            if ack is not None:
                self._fresh_acks.append(ack)
                self._is_urgent = True
                self._changed.notify()

    def saw(self, offered: int, unchanged: int) -> None:
        with self._changed:
            self._count["offered"] += offered
            self._count["unchanged"] += unchanged

    def hurry(self) -> None:
        """Wake the writer now."""
        with self._changed:
            self._is_urgent = True
            self._changed.notify()

    def close(self) -> None:
        """Take nothing more: what comes later is dropped, and counted."""
        with self._changed:
            self._is_closed = True
            self._is_urgent = True
            self._changed.notify()

    @property
    def counters(self) -> Counters:
        with self._changed:
            return Counters(**self._count, pending=self._waiting, spool_bytes=self._spool_bytes)

    # -- from the writer's thread
    def wait(self, timeout_s: float) -> None:
        """Wait until somebody hurries, or the time is over."""
        with self._changed:
            if not self._is_urgent:
                self._changed.wait(timeout_s)
            self._is_urgent = False

    def gather(self) -> None:
        """Make batches of what came in."""
        with self._changed:
            samples, fresh, acks = self._fresh_samples, self._fresh, self._fresh_acks
            if not samples and not fresh and not acks:
                return
            self._fresh_samples, self._fresh, self._fresh_acks = [], {}, []
            batches: list[dict[str, Sequence[Row]]] = [{SAMPLE: rows} for rows in in_batches(samples, _BATCH_ROWS)]
            for rows in batches[:-1]:
                self._enqueue(rows, [])
            self._enqueue({**fresh, **(batches[-1] if batches else {})}, acks)

    def _enqueue(self, rows: dict[str, Sequence[Row]], acks: list[Callable[[], None]]) -> None:
        self._number += 1
        self._queue.append(Batch(self._writer, self._number, rows, acks))

    @property
    def is_empty(self) -> bool:
        with self._changed:
            return not self._fresh_samples and not self._fresh and not self._fresh_acks and not self._queue

    def head(self) -> Batch | None:
        """The oldest batch; it stays until it is settled."""
        return self._queue[0] if self._queue else None

    def settle(
        self, batch: Batch, *, stored: int = 0, spooled: int = 0, quarantined: int = 0, duplicates: int = 0
    ) -> None:
        """The oldest batch is durable, in these parts."""
        with self._changed:
            self._waiting -= self._queue.popleft().count
            self._count["stored"] += stored
            self._count["spooled"] += spooled
            self._count["quarantined"] += quarantined
            self._count["duplicates"] += duplicates
        for ack in batch.acks:
            ack()

    def give_up_samples(self, batch: Batch) -> int:
        """Drop the samples of a batch that waits. Returns how many."""
        with self._changed:
            samples = batch.rows.pop(SAMPLE, ())
            self._waiting -= len(samples)
            self._count["dropped"] += len(samples)
        return len(samples)

    def found_spooled(self, rows: int) -> None:
        """Rows an earlier run left in the spool."""
        with self._changed:
            self._count["accepted"] += rows
            self._count["spooled"] += rows

    def unspool(self, *, stored: int, quarantined: int = 0, duplicates: int = 0) -> None:
        """Rows went from the spool into the database, or were set aside."""
        with self._changed:
            self._count["spooled"] -= stored + quarantined
            self._count["stored"] += stored
            self._count["quarantined"] += quarantined
            self._count["duplicates"] += duplicates

    def note_spool_bytes(self, size: int) -> None:
        with self._changed:
            self._spool_bytes = size
