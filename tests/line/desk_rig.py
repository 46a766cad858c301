"""A line of the demo, with nothing but its desks and what they ask of it, beside a history that can be held up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from linecontrol.config import read_line
from linecontrol.core.errors import StorageError
from linecontrol.core.image import ProcessImage
from linecontrol.core.model import Event
from linecontrol.history import BypassRow, CalibrationRow, DeviationRow, LotRow, Traced, TraceRow
from linecontrol.line import loading
from linecontrol.line.bag_acts import BagActs
from linecontrol.line.bags import BagBook
from linecontrol.line.checks import CheckRegister
from linecontrol.line.haccp import HaccpDesk
from linecontrol.line.interlocks import InterlockDesk
from linecontrol.line.lots import LotBook
from linecontrol.line.quality_tags import quality_tags
from linecontrol.twin.recording import MemoryRecording

T0 = 1_750_000_000.0
RUN = "r1"


class Slow(MemoryRecording):
    """Keeps a row where ``takes`` says: as it is handed over, or only when the answer is let go; may fail or be away.

    Attributes:
        saving: a row is on its way. go: lets it go on.
    """

    def __init__(self, takes: str = "at once") -> None:
        super().__init__([], 1.0)
        self.takes = takes
        self.is_away = self.fails = False
        self.saving, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()

    async def _held_up(self, *rows: DeviationRow | TraceRow) -> None:
        if self.takes == "at once":
            self._take(rows)
        self.saving.set()
        await self.go.wait()
        if self.fails:
            raise StorageError("not durable after 5 s")
        if self.takes != "at once":
            self._take(rows)

    def _take(self, rows: Sequence[DeviationRow | TraceRow]) -> None:
        for row in rows:
            if isinstance(row, DeviationRow):
                self.deviation(row)
            else:
                self.trace(row)

    def trace(self, row: TraceRow) -> None:
        """As a database does: of the lots of one name the first is kept."""
        if not (isinstance(row, LotRow) and row.lot_id in {lot.lot_id for lot in self._lots()}):
            super().trace(row)

    def _lots(self) -> list[LotRow]:
        return [row for row in self.kept.traces if isinstance(row, LotRow)]

    async def save_deviation(self, deviation: DeviationRow) -> None:
        await self._held_up(deviation)

    async def save_trace(self, *rows: TraceRow) -> None:
        await self._held_up(*rows)

    async def deviations(self, *args: Any, **wish: Any) -> list[DeviationRow]:
        self._answer()
        return await super().deviations(*args, **wish)

    async def traced(self, run_id: str | None = None) -> Traced:
        self._answer()
        return await super().traced(run_id)

    async def bypasses(self, *args: Any, **wish: Any) -> list[BypassRow]:
        self._answer()
        return await super().bypasses(*args, **wish)

    async def calibrations(self, *args: Any, **wish: Any) -> list[CalibrationRow]:
        self._answer()
        return await super().calibrations(*args, **wish)

    def _answer(self) -> None:
        if self.is_away:
            raise StorageError("away")


@dataclass
class Desks:
    """The desks of one line; its clock stands where the test puts it."""

    historian: Slow = field(default_factory=Slow)
    now: float = T0
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        line = cast(Any, self)
        self.config = read_line("demo")
        self.image = ProcessImage([*self.config.tags, *quality_tags(self.config)])
        self.clock = SimpleNamespace(now=lambda: self.now, real=lambda: self.now)
        self.guard = None
        self.runs = SimpleNamespace(engine=None, state=None, is_under_way=False)
        self.lab = SimpleNamespace(for_guard=lambda _samples: {}, is_checked=lambda _tag: False)
        self.quality = SimpleNamespace(spoilage=None, isotherm=None)
        self.interlocks, self.checks, self.haccp = InterlockDesk(line), CheckRegister(line), HaccpDesk(line)
        self.lots, self.bags, self.bag_acts = LotBook(line), BagBook(line), BagActs(line)

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def told(self, kind: str) -> list[str]:
        return [event.text for event in self.events if event.kind == kind]


@contextlib.asynccontextmanager
async def desks(historian: Slow | None = None) -> AsyncIterator[Desks]:
    found = Desks(historian or Slow())
    try:
        yield found
    finally:
        for desk in (found.interlocks, found.checks, found.haccp, found.lots, found.bags):
            desk.close()


async def read_again(desk: HaccpDesk | LotBook | InterlockDesk | CheckRegister) -> None:
    """Wait for the attempt that follows one that failed."""
    async with asyncio.timeout(5.0):
        while not desk._loading.is_done:
            await asyncio.sleep(loading.AGAIN_S / 2.0)
