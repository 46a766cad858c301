"""What a line is connected to: its wires, its record and its time.

The defaults are the real ones. The twin joins the very same line to a plant in its own process by another wiring, so
that nothing above this seam can tell the two apart.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from linecontrol.config import LineConfig, StationConfig
from linecontrol.config.line import Keeping, Loop
from linecontrol.core.image import Scan
from linecontrol.core.link import Link
from linecontrol.core.model import Event, Receipt, Sample, Tag
from linecontrol.history import (
    AlarmStateRow,
    BypassRow,
    CalibrationRow,
    DeviationRow,
    Historian,
    LabRow,
    Policy,
    RecipeRow,
    RunRow,
    Traced,
    TraceRow,
    VersionRow,
)
from linecontrol.history.intake import Counters
from linecontrol.line.gains_kept import FileKeeper, Keeper
from linecontrol.line.links import link_for, load_libraries
from linecontrol.line.lock import LineLock
from linecontrol.line.moisture import Brain
from linecontrol.line.moisture_model import load_brain


class Recording(Protocol):
    """What a line needs of a historian; see ``linecontrol.history.Historian``."""

    @property
    def counters(self) -> Counters: ...

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def flush(self) -> None: ...
    def latest_time(self) -> float | None: ...

    def offer(self, scan: Scan) -> None: ...
    def event(self, event: Event) -> None: ...
    def command(self, receipt: Receipt) -> None: ...
    def alarm(self, alarm: AlarmStateRow) -> None: ...
    def deviation(self, deviation: DeviationRow) -> None: ...
    async def save_deviation(self, deviation: DeviationRow) -> None: ...
    async def save_calibration(self, calibration: CalibrationRow) -> None: ...
    async def save_bypass(self, bypass: BypassRow) -> None: ...
    async def save_run(self, run: RunRow) -> None: ...
    async def save_version(self, version: VersionRow) -> None: ...
    async def versions(self, run_id: str) -> list[VersionRow]: ...
    async def save_recipe(self, recipe: RecipeRow) -> None: ...
    async def save_lab(self, lab: LabRow) -> None: ...
    async def save_trace(self, *rows: TraceRow) -> None: ...
    def trace(self, row: TraceRow) -> None: ...

    async def alarms(self) -> list[AlarmStateRow]: ...
    async def deviations(
        self,
        since: float | None = None,
        until: float | None = None,
        limit: int = 1000,
        run_id: str | None = None,
        state: str | None = None,
    ) -> list[DeviationRow]: ...
    async def calibrations(self, item: str | None = None, limit: int = 1000) -> list[CalibrationRow]: ...
    async def bypasses(
        self, since: float | None = None, until: float | None = None, limit: int = 1000
    ) -> list[BypassRow]: ...
    async def traced(self, run_id: str | None = None) -> Traced: ...
    async def run(self, run_id: str) -> RunRow | None: ...
    async def runs(self, limit: int = 50, state: str | None = None, recipe: str | None = None) -> list[RunRow]: ...
    async def last_run(self) -> RunRow | None: ...
    async def recipe(self, recipe_hash: str) -> RecipeRow | None: ...
    async def lab(
        self, tag: str | None = None, since: float | None = None, until: float | None = None, limit: int = 1000
    ) -> list[LabRow]: ...
    async def samples(
        self, tags: Sequence[str], start: float, end: float | None = None, limit: int = 100_000, *, hold: bool = True
    ) -> dict[str, list[Sample]]: ...
    async def events(
        self,
        since: float | None = None,
        until: float | None = None,
        limit: int = 1000,
        kinds: Sequence[str] | None = None,
        source: str | None = None,
    ) -> list[Event]: ...
    async def commands(
        self, since: float | None = None, until: float | None = None, limit: int = 1000, tag: str | None = None
    ) -> list[Receipt]: ...


class Lock(Protocol):
    """Keeps a second controller away."""

    def take(self) -> None: ...
    def release(self) -> None: ...
    def describe(self, details: dict[str, str]) -> None: ...


def line_lock(config: LineConfig, data: Path) -> LineLock:
    """The lock of a line on this machine, whose device addresses are its identity, and of its data folder."""
    urls = [station.endpoint.url for station in config.stations.values()]
    return LineLock(config.line.name, urls, {"data": str(data), "line": config.line.name}, data=data)


def line_historian(config: LineConfig, data: Path, tags: Sequence[Tag], tell: Callable[[Event], None]) -> Historian:
    """The historian of the line file's database, or of a SQLite file in the data folder."""
    data.mkdir(parents=True, exist_ok=True)
    url = config.line.database or f"sqlite:///{data / 'history.sqlite3'}"
    policy = history_policy(config.line.history, data)
    return Historian(url, data / "spool", config.line.name, tags, on_event=tell, policy=policy)


def history_policy(asked: Keeping, data: Path) -> Policy:
    """What the line file says about how long samples are kept."""
    return Policy(asked.keep_days, None if asked.archive is None else data / asked.archive, asked.archive_after_days)


def gains_keeper(_config: LineConfig, data: Path) -> Keeper:
    """Applied gains lie beside the history."""
    return FileKeeper(data)


def random_token() -> int:
    """An ownership token nobody else has."""
    return secrets.randbelow(2**32 - 1) + 1


@dataclass(frozen=True, slots=True)
class Wiring:
    """Makers of what a line is connected to.

    Attributes:
        epoch: line time at the start [s since 1970]; None = now, or after what is recorded.
        retry_seed: of the jitter of attempts to connect; None = by chance.
        save_period_s: how often the run under way is saved [real s]; what a crash can cost.
    """

    link_for: Callable[[StationConfig], Link] = link_for
    load: Callable[[Iterable[StationConfig]], Awaitable[None]] = load_libraries
    historian: Callable[[LineConfig, Path, Sequence[Tag], Callable[[Event], None]], Recording] = line_historian
    brain: Callable[[LineConfig, Loop], Brain] = load_brain
    lock: Callable[[LineConfig, Path], Lock] = line_lock
    token: Callable[[], int] = random_token
    gains: Callable[[LineConfig, Path], Keeper] = gains_keeper
    epoch: float | None = None
    retry_seed: int | None = None
    save_period_s: float = 2.0
