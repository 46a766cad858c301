"""What a historian is asked: of the database, in a thread, and of what still waits to get there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from linecontrol.core.errors import StorageError
from linecontrol.core.model import Event, Receipt, Sample
from linecontrol.history.alarms import AlarmStateRow
from linecontrol.history.audit import AuditRow
from linecontrol.history.guarded import (
    BypassRow,
    CalibrationRow,
    DeviationRow,
)
from linecontrol.history.lab import LabRow
from linecontrol.history.lots import Traced
from linecontrol.history.rows import (
    RecipeRow,
    RunRow,
)
from linecontrol.history.versions import VersionRow
from linecontrol.history.writer import Writer

if TYPE_CHECKING:
    from linecontrol.history.access import AccessStore
    from linecontrol.history.aside import Aside
    from linecontrol.history.reader import HistoryReader
    from linecontrol.history.recipe_versions import RecipeVersionStore

T = TypeVar("T")


class Answers:
    """Asks a reader of the database; needs a writer, which knows what waits in the spool."""

    _url: str
    _line: str
    _writer: Writer
    _reader: HistoryReader | None = None

    async def _ask(self, question: Callable[[HistoryReader], T]) -> T:
        from linecontrol.history.reader import HistoryReader

        if self._reader is None:
            self._reader = HistoryReader(self._url, self._line)
        return await asyncio.to_thread(question, self._reader)

    def access(self) -> AccessStore:
        """Where users, sessions and tokens of this line are kept; blocking."""
        from linecontrol.history.access import AccessStore

        return AccessStore(self._url, self._line)

    def recipe_versions(self) -> RecipeVersionStore:
        """Where this site's versions of recipes are kept; blocking."""
        from linecontrol.history.recipe_versions import RecipeVersionStore

        return RecipeVersionStore(self._url, self._line)

    def aside(self) -> Aside:
        """Somebody to ask long questions, in a process of its own, which the caller closes; see ``aside``."""
        from linecontrol.history.aside import Aside

        return Aside(self._url, self._line)

    async def samples(
        self,
        tags: Sequence[str],
        start: float,
        end: float | None = None,
        limit: int = 100_000,
        *,
        hold: bool = True,
    ) -> dict[str, list[Sample]]:
        """See HistoryReader.samples. What was offered in the last flush time may still be missing: ``flush`` first."""
        return await self._ask(lambda reader: reader.samples(tags, start, end, limit, hold=hold))

    async def events(
        self,
        since: float | None = None,
        until: float | None = None,
        limit: int = 1000,
        kinds: Sequence[str] | None = None,
        source: str | None = None,
    ) -> list[Event]:
        """See HistoryReader.events."""
        return await self._ask(lambda reader: reader.events(since, until, limit, kinds, source))

    async def commands(
        self,
        since: float | None = None,
        until: float | None = None,
        limit: int = 1000,
        tag: str | None = None,
    ) -> list[Receipt]:
        """See HistoryReader.commands."""
        return await self._ask(lambda reader: reader.commands(since, until, limit, tag))

    async def lab(
        self, tag: str | None = None, since: float | None = None, until: float | None = None, limit: int = 1000
    ) -> list[LabRow]:
        """See HistoryReader.lab. What only the spool has is missing."""
        return await self._ask(lambda reader: reader.lab(tag, since, until, limit))

    async def traced(self, run_id: str | None = None) -> Traced:
        """See ``linecontrol.history.trace.traced``. What only the spool has is missing."""
        from linecontrol.history.trace import traced

        return await self._ask(lambda reader: traced(reader, run_id))

    async def alarms(self) -> list[AlarmStateRow]:
        """See HistoryReader.alarms. What only the spool has is missing."""
        return await self._ask(lambda reader: reader.alarms())

    async def deviations(
        self,
        since: float | None = None,
        until: float | None = None,
        limit: int = 1000,
        run_id: str | None = None,
        state: str | None = None,
    ) -> list[DeviationRow]:
        """See HistoryReader.deviations. What only the spool has is missing."""
        return await self._ask(lambda reader: reader.deviations(since, until, limit, run_id, state))

    async def calibrations(self, item: str | None = None, limit: int = 1000) -> list[CalibrationRow]:
        """See HistoryReader.calibrations. What only the spool has is missing."""
        return await self._ask(lambda reader: reader.calibrations(item, limit))

    async def bypasses(
        self, since: float | None = None, until: float | None = None, limit: int = 1000
    ) -> list[BypassRow]:
        """See HistoryReader.bypasses. What only the spool has is missing."""
        return await self._ask(lambda reader: reader.bypasses(since, until, limit))

    async def audit(
        self,
        since: float | None = None,
        until: float | None = None,
        limit: int = 1000,
        who: str | None = None,
        action: str | None = None,
        outcome: str | None = None,
        before: int | None = None,
    ) -> list[AuditRow]:
        """See HistoryReader.audit."""
        return await self._ask(lambda reader: reader.audit(since, until, limit, who, action, outcome, before))

    async def recipe(self, recipe_hash: str) -> RecipeRow | None:
        """See HistoryReader.recipe."""
        return await self._ask(lambda reader: reader.recipe(recipe_hash))

    async def runs(self, limit: int = 50, state: str | None = None, recipe: str | None = None) -> list[RunRow]:
        """Newest runs first, those still in the spool included."""
        waiting = self._writer.unstored_runs
        none: list[RunRow] = []
        stored = await self._ask_runs(lambda reader: reader.runs(limit + len(waiting), state, recipe), none)
        merged = {run.run_id: run for run in stored if run.run_id not in waiting}
        for run in waiting.values():
            if state in (None, run.state) and recipe in (None, run.recipe):
                merged[run.run_id] = run
        order = sorted(merged.values(), key=lambda run: (run.started_at or run.updated_at, run.run_id), reverse=True)
        return order[:limit]

    async def run(self, run_id: str) -> RunRow | None:
        """One run as it was saved last; None when there is none of that name."""
        waiting = self._writer.unstored_runs.get(run_id)
        return waiting or await self._ask(lambda reader: reader.run(run_id))

    async def versions(self, run_id: str) -> list[VersionRow]:
        """See HistoryReader.versions. What only the spool has is missing."""
        return await self._ask(lambda reader: reader.versions(run_id))

    async def last_run(self) -> RunRow | None:
        """The run saved last; None when there has been none."""
        waiting = max(self._writer.unstored_runs.values(), key=lambda run: run.updated_at, default=None)
        stored = await self._ask_runs(lambda reader: reader.last_run(), None)
        if waiting is None or (stored is not None and stored.updated_at > waiting.updated_at):
            return stored
        return waiting

    async def _ask_runs(self, question: Callable[[HistoryReader], T], otherwise: T) -> T:
        """Ask the database, which may be away while the spool holds runs."""
        try:
            return await self._ask(question)
        except StorageError:
            if not self._writer.unstored_runs:
                raise
            return otherwise
