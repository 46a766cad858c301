"""Laboratory values of a run's samples: entered by sample point, kept, and handed to the run's balance.

A sample point is no meter: its value stands for what passed in a whole run. A value of a run that has ended makes a new
version of the run's record.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

from linecontrol.analysis.run_balance import LabValue
from linecontrol.config.balance import SHARE_OF, Sample
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.core.model import Event
from linecontrol.history import LabRow
from linecontrol.line.run_view import iso

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

MEMORY_S = 30 * 86_400.0
MOST_VALUES = 5000
_SLACK_S = 2.0  # clocks of a person's screen and the controller


class SampleBook:
    """The laboratory's values of one line's sample points."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.points: dict[str, Sample] = {row.name: row for row in line.config.line.samples}
        self._entries: dict[str, LabRow] = {}
        self._is_loaded = not self.points
        self._busy = asyncio.Lock()

    async def _load(self) -> None:
        """Take up what is in the history. Raises StorageError when it is away."""
        if not self._is_loaded:
            since = self._line.clock.now() - MEMORY_S
            for name in self.points:
                kept = await self._line.historian.lab(name, since, None, MOST_VALUES)
                self._entries = {row.lab_id: row for row in kept} | self._entries
            self._is_loaded = True

    async def add(
        self,
        name: str,
        value: float,
        *,
        who: str,
        sampled_at: float | None = None,
        u: float | None = None,
        note: str = "",
        run_id: str | None = None,
        lab_id: str | None = None,
        replaces: str | None = None,
    ) -> dict[str, Any]:
        """Take in a value; returns its row. When this returns it is durable, and the run's record is up to date.

        Args:
            sampled_at: line time of the sample [s since 1970]; None = the end of the run that is named.
            run_id: the run it is a sample of; None = the one that was under way then.
            lab_id: the asker's own name for it, which makes a retry safe. replaces: an earlier entry that was wrong.
        Raises:
            ConfigError: saying which value is wrong and what is accepted. StorageError: it could not be kept.
        """
        async with self._busy:
            await self._load()
            if lab_id is not None and lab_id in self._entries:
                return self._row(self._entries[lab_id])
            now, point = self._line.clock.now(), self.points[name]
            self._check(point, value, u, replaces)
            run_id, sampled_at = await self._run_of(run_id, sampled_at, now)
            row = LabRow(
                lab_id or f"L{secrets.token_hex(4)}",
                name,
                float(value),
                point.u if u is None else float(u),
                sampled_at,
                now,
                who,
                note,
                run_id,
                replaces,
            )
            await self._line.historian.save_lab(row)
            self._entries[row.lab_id] = row
        of = self._entries[replaces].run_id if replaces is not None else run_id
        why = f"{name} {row.value:g} ± {row.u:g} {point.unit} in the laboratory ({row.lab_id})"
        why += f", instead of {replaces}" if replaces is not None else ""
        text = f"{who}: {why}, sample of {run_id}"
        self._line.emit(Event(now, "lab.value", name, text, data={"lab_id": row.lab_id, "run_id": run_id}))
        for each in dict.fromkeys((run_id, of)):
            if each is not None:
                await self._line.balances.revise(each, who, why)
        return self._row(row)

    def _check(self, point: Sample, value: float, u: float | None, replaces: str | None) -> None:
        problems = []
        if not point.low <= value <= point.high:
            accepted = f"{point.low:g} to {point.high:g} {point.unit}"
            problems.append(Problem("", None, "value", f"{value:g} is outside the range of {point.name}", accepted))
        if u is not None and not 0.0 < u <= point.high - point.low:
            accepted = f"above 0, up to {point.high - point.low:g} {point.unit}"
            problems.append(Problem("", None, "u", f"{u:g} is not accepted", accepted))
        if replaces is not None and (replaces not in self._entries or self._entries[replaces].tag != point.name):
            mine = [row.lab_id for row in self._counted() if row.tag == point.name]
            accepted = ", ".join(mine[-5:]) or "nothing has been entered"
            problems.append(Problem("", None, "replaces", f"there is no value {replaces!r} of {point.name}", accepted))
        if problems:
            raise ConfigError(problems)

    async def _run_of(self, run_id: str | None, sampled_at: float | None, now: float) -> tuple[str, float]:
        """The run and the time of a sample. Raises ConfigError when they do not go together."""
        spans = await self._line.runs.spans()
        if run_id is None:
            if sampled_at is None:
                raise _problem("run_id", "neither the run nor the time of the sample is given", "one of them")
            for name, begun, ended in spans:
                if begun is not None and begun <= sampled_at <= (now if ended is None else ended):
                    return name, sampled_at
            raise _problem("run_id", f"no run was under way at {iso(sampled_at)}", "name the run it is a sample of")
        known = {name: (begun, ended) for name, begun, ended in spans}
        if run_id not in known:
            raise _problem("run_id", f"there is no run {run_id!r}", ", ".join(list(known)[:3]) or "none yet")
        begun, ended = known[run_id]
        if sampled_at is None:
            sampled_at = now if ended is None else ended
        if sampled_at > now + _SLACK_S:
            raise _problem("sampled_at", f"{iso(sampled_at)} is in the future", f"up to {iso(now)}")
        if begun is not None and sampled_at < begun:
            raise _problem("sampled_at", f"{iso(sampled_at)} is before the run began", f"from {iso(begun)}")
        return run_id, sampled_at

    # -- what others ask
    def _counted(self) -> list[LabRow]:
        """Values that no later entry replaces, by the time of their sample."""
        gone = {row.replaces for row in self._entries.values()}
        rows = [row for row in self._entries.values() if row.lab_id not in gone]
        return sorted(rows, key=lambda row: (row.sampled_at, row.entered_at))

    async def of_run(self, run_id: str) -> list[LabValue]:
        """The values of a run [kg or kg/kg]. Raises StorageError when the history is away."""
        await self._load()
        found = []
        for row in self._counted():
            if row.run_id == run_id and row.tag in self.points:
                point = self.points[row.tag]
                share = SHARE_OF[point.unit]
                found.append(LabValue(row.lab_id, row.tag, row.value * share, row.u * share, point.sampling_u * share))
        return found

    async def rows(self, name: str | None = None) -> list[dict[str, Any]]:
        """Values as the API gives them, newest sample first. Raises StorageError."""
        await self._load()
        mine = [row for row in self._entries.values() if name in (None, row.tag)]
        mine.sort(key=lambda row: (row.sampled_at, row.entered_at), reverse=True)
        return [self._row(row) for row in mine]

    def _row(self, row: LabRow) -> dict[str, Any]:
        replaced = any(other.replaces == row.lab_id for other in self._entries.values())
        return {
            "lab_id": row.lab_id,
            "tag": row.tag,
            "unit": self.points[row.tag].unit,
            "value": row.value,
            "u": row.u,
            "sampled_at": iso(row.sampled_at),
            "entered_at": iso(row.entered_at),
            "who": row.who,
            "note": row.note,
            "run_id": row.run_id,
            "replaces": row.replaces,
            "verdict": "replaced" if replaced else "used",
            "meter": None,
            "difference": None,
        }


def _problem(key: str, message: str, accepted: str) -> ConfigError:
    return ConfigError([Problem("", None, key, message, accepted)])
