"""The HACCP plan of a running line: limits as they stand, deviations with what was done about them, spoilage of a run.

A deviation is opened on the cycle on which the gate turns, and kept at once. Everything made from its last good check
until it was back inside is suspect; it cannot be closed before somebody has recorded a corrective action by name.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from linecontrol.config.haccp import Check
from linecontrol.core.errors import ConfigError, LineError, Problem, StateError, StorageError
from linecontrol.core.model import Event, Severity, Text
from linecontrol.guard.deviations import Deviation, DeviationBook
from linecontrol.guard.divert import Verdict
from linecontrol.guard.spoilage import SpoilageSums
from linecontrol.history import DeviationRow, LabRow
from linecontrol.line.haccp_look import HaccpLook
from linecontrol.line.haccp_views import deviation_view, limit_view, limits_of
from linecontrol.line.loading import Loading
from linecontrol.line.signing import Signer, act_row

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

MOST_SHOWN = 1000
SLACK_S = 5.0  # line time: scans of two stations are not at one moment
_NO_ACTION = Text("Hold what is suspect; find the cause; decide.", "隔离可疑产品；查明原因；作出处置。")


class UnknownDeviation(LineError):
    """There is no deviation of that id."""


class HaccpDesk:
    """``tick`` once per control cycle, with what the gate's guard has found."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.book = DeviationBook()
        self.look = HaccpLook(line, self.book)
        self._watched = tuple(dict.fromkeys((*self.look.rows, *self.look.oprp)))
        self._open: dict[str, DeviationRow] = {}  # by name of the limit, while it is broken
        self._all: dict[str, DeviationRow] = {}  # by id, of this process and those that were on record before it
        self.changes = 0  # goes up when a deviation has opened, ended, reached farther back or been acted on
        self._good_kg = math.nan
        self.spoilage = SpoilageSums()
        self._began = line.clock.now()
        self._loading = Loading(self._read)
        self._acting = asyncio.Lock()  # one person's act after another's: each is judged by what the one before did
        self._saving = ""  # the deviation whose act is on its way to the history

    # -- the line's share
    async def load(self) -> None:
        """Take up the deviations on record. A history that is away is asked again later."""
        await self._loading.load()

    async def _read(self) -> None:
        """What was broken when the controller ended is suspect until this one began: what is broken since then has a
        deviation of its own."""
        away = "the controller was away; its end is not known"
        for row in await self._line.historian.deviations(limit=MOST_SHOWN):
            if row.deviation_id in self._all:
                continue
            if row.until is None:
                row = replace(row, until=max(row.since, self._began), note=_joined(row.note, away))
                self._line.historian.deviation(row)
            self._all[row.deviation_id] = row
        self.changes += 1

    def close(self) -> None:
        """The line ends: what is broken stays open in the history."""
        self._loading.close()

    def begin(self) -> None:
        """A run begins."""
        self.spoilage = SpoilageSums()
        self._good_kg = math.nan

    def to_dict(self) -> dict[str, Any]:
        """For the run snapshot."""
        sums = self.spoilage
        return {
            "wet": self._line.quality.to_dict(),
            "at": self._line.clock.now(),
            "spoilage": {key: getattr(sums, key) for key in SpoilageSums.__dataclass_fields__},
        }

    def take_up(self, saved: Mapping[str, Any] | None) -> None:
        """Go on after a restart."""
        if saved:
            self.spoilage = SpoilageSums(**saved["spoilage"])
            away_h = (self._line.clock.now() - float(saved["at"])) / 3600.0
            self._line.quality.take_up(saved["wet"], away_h)

    def tick(self, now: float, verdict: Verdict) -> None:
        """Open, follow and end deviations; add up what the good powder was like."""
        guard = self._line.guard
        if guard is None:
            return
        self._bagged(now, guard.settings.good_total)
        if not guard.reasons and not verdict.deviations:
            self.look.all_good = now
        breaches = self.look.breaches(now, verdict, is_diverting=guard.is_deviating, is_good=guard.is_on_good)
        if not (breaches or self.book.current or verdict.suspect_kg > 0.0):
            self.book.note_good(now, self._watched)
            self.look.follow(now)
            return
        may_end = not guard.is_deviating
        watched = {name: may_end for name in (*self.look.rows, *self.book.current) if name not in self.look.oprp}
        watched |= dict.fromkeys(self.look.oprp, True)
        for found in self.book.tick(now, breaches, watched, self.look.since(now, breaches), verdict.suspect_kg):
            self._note(found, now)
        self.look.follow(now)

    def lab_value(self, lab: LabRow) -> None:
        """A laboratory has found powder outside a limit: what was made since it last found it inside is suspect."""
        now = self._line.clock.now()
        for name, row in self.look.rows.items():
            low, high = limits_of(row)
            if row.tag != lab.tag or low <= lab.value <= high:
                continue
            side, words = (low, ("below", "低于")) if lab.value < low else (high, ("above", "高于"))
            unit = self.look.units.get(row.tag, "")
            text = Text(
                f"laboratory: {row.title.en} = {lab.value:.2f} {unit} is {words[0]} {side:g}",
                f"化验：{row.title.zh} = {lab.value:.2f} {unit}，{words[1]} {side:g}",
            )
            found = Deviation(name, self.look.vouched(row, now), now, lab.value, side, text, until=now)
            self._keep(replace(self._new(found), deviation_id=f"D{round(now * 1000.0)}-{lab.lab_id}-{name}"[:60]), now)

    def _keep(self, row: DeviationRow, now: float) -> None:
        """A deviation that was over when it was found."""
        self._all[row.deviation_id] = row
        self.changes += 1
        self._line.historian.deviation(row)
        self._tell(row, now, is_new=True)

    def _note(self, found: Deviation, now: float) -> None:
        """Keep a deviation as it stands, and tell when it opens and ends."""
        old = self._open.get(found.ccp)
        row = self._new(found) if old is None else self._all[old.deviation_id]  # with what people did meanwhile
        row = replace(
            row,
            since=found.since,
            until=found.until,
            value=found.value,
            limit=found.limit,
            text=found.text.en,
            text_zh=found.text.zh,
            suspect_kg=found.suspect_kg,
        )
        self._all[row.deviation_id] = row
        if old is None or (old.since, old.until) != (row.since, row.until):
            self.changes += 1
        if found.until is None:
            self._open[found.ccp] = row
        else:
            self._open.pop(found.ccp, None)
        if row.deviation_id != self._saving:  # else it follows the act, and carries it
            self._line.historian.deviation(row)
        if old is None or found.until is not None:
            self._tell(row, now, is_new=old is None)

    def _tell(self, row: DeviationRow, now: float, *, is_new: bool) -> None:
        verb = "deviation" if is_new else "back inside"
        text = f"{row.ccp} {verb}: {row.text}"
        data = {"deviation_id": row.deviation_id, "zh": row.text_zh, "run_id": row.run_id, "since": row.since}
        severity = Severity.WARNING  # the alarm is the gate's or the interlock's; one cause is told once
        self._line.emit(Event(now, "haccp.deviation", row.ccp, text, severity, is_new, data))

    def _new(self, found: Deviation) -> DeviationRow:
        engine = self._line.runs.engine
        row, standing = self.look.rows.get(found.ccp), self._line.interlocks.system.standings.get(found.ccp)
        kind, stage, responsible, unit = "interlock", "line", "operator", ""
        action = _NO_ACTION
        if row is not None:
            kind, stage, responsible = row.kind, row.stage, row.responsible
            unit = self.look.units.get(row.tag, "")
            action = row.corrective_action.text() if row.corrective_action is not None else _NO_ACTION
        elif standing is not None:
            kind = "oprp" if found.ccp in self.look.oprp else "interlock"
            stage, unit = standing.row.stage or standing.row.station, standing.row.unit
            action = standing.row.clears
        else:
            doubted = self.look.meter_of(found.ccp)
            kind, stage = "ccp", "line" if doubted is None else doubted.stage
        return DeviationRow(
            deviation_id=f"D{round(found.opened * 1000.0)}-{found.ccp}"[:60],
            run_id=engine.run_id if engine is not None and self._line.runs.is_under_way else "",
            ccp=found.ccp,
            kind=kind,
            stage=stage,
            since=found.since,
            opened=found.opened,
            until=found.until,
            value=found.value,
            limit=found.limit,
            unit=unit,
            text=found.text.en,
            text_zh=found.text.zh,
            corrective_action=action.en,
            corrective_action_zh=action.zh,
            responsible=responsible,
        )

    def check_failed(self, item: Check, found: str, passed: float | None, now: float) -> None:
        """A verification has failed: what its limits vouched for since it was last passed is suspect."""
        started = self.look.started()
        since = passed if passed is not None else started if started is not None else now
        for name, row in self.look.rows.items():
            if item.name not in row.checked_by:
                continue
            text = Text(f"{item.title.en} failed: {found}", f"{item.title.zh}不合格：{found}")
            deviation = Deviation(name, since, now, math.nan, limits_of(row)[1], text, until=now)
            new = self._new(deviation)
            new = replace(new, deviation_id=f"D{round(now * 1000.0)}-{item.name}-{name}"[:60])
            self._keep(new, now)

    def _bagged(self, now: float, good_total: str) -> None:
        spoilage = self._line.quality.spoilage
        if spoilage is None:
            return
        total_kg = self._line.image.at(good_total, now).number
        if math.isnan(total_kg):
            return
        if total_kg >= self._good_kg and self._line.runs.is_under_way:
            self.spoilage.add(self._line.quality.activity, spoilage.limit, total_kg - self._good_kg)
        self._good_kg = total_kg

    # -- what people do
    def _named(self, deviation_id: str) -> DeviationRow:
        row = self._all.get(deviation_id)
        if row is None and not self._loading.is_done:
            raise StorageError("the deviations on record cannot be read now: the database is away")
        if row is None:
            raise UnknownDeviation(f"there is no deviation {deviation_id!r}, or it is an old one that is closed")
        return row

    def standing(self, deviation_id: str) -> dict[str, str]:
        """What has become of a deviation so far. Raises UnknownDeviation, StorageError while it is not known."""
        row = self._named(deviation_id)
        return {"state": row.state, "action": row.action}

    async def act(self, deviation_id: str, who: str, action: str) -> dict[str, Any]:
        """Record the corrective action that was taken; durable when this returns.

        Args:
            who: a person's name, without what kind of caller it is.
        Raises:
            ConfigError: without words. StateError: it is closed. StorageError: it cannot be kept; then nothing is done.
        """
        if not action.strip():
            raise ConfigError([Problem("", None, "action", "is empty", "what was done, in your words")])
        async with self._acting:
            row, now = self._named(deviation_id), self._line.clock.now()
            if row.state == "closed":
                raise StateError(f"{deviation_id} was closed by {row.closed_by}")
            added = _joined(row.action, action.strip())
            done = {"state": "acted", "action": added, "acted_by": who, "acted": now}
            return await self._changed(deviation_id, done, f"corrective action by {who}: {action}")

    async def verify(self, deviation_id: str, by: Signer, why: str) -> dict[str, Any]:
        """Close a deviation under a signature: its action was enough. Raises StateError with what is missing."""
        async with self._acting:
            row, now = self._named(deviation_id), self._line.clock.now()
            if row.state == "closed":
                raise StateError(f"{deviation_id} was closed by {row.closed_by}")
            if row.state == "open":
                asked = row.corrective_action
                raise StateError(f"{deviation_id} has no corrective action yet: record it first ({asked})")
            if row.until is None:
                raise StateError(f"{deviation_id} is still going on: {row.text}")
            await self._line.historian.save_trace(act_row(row.run_id, deviation_id, "close", now, why, by))
            done = {"state": "closed", "closed_by": by.name, "closed": now, "note": _joined(row.note, why.strip())}
            return await self._changed(deviation_id, done, f"closed by {by.name}{f': {why}' if why else ''}")

    async def _changed(self, deviation_id: str, done: Mapping[str, Any], what: str) -> dict[str, Any]:
        """Keep what a person did. Until it is durable nothing says that it was done; what the cycle finds out meanwhile
        is kept behind it, so that the last row of the history is always the one in memory."""
        saved, self._saving = replace(self._all[deviation_id], **done), deviation_id
        try:
            await self._line.historian.save_deviation(saved)
            self._all[deviation_id] = replace(self._all[deviation_id], **done)
        finally:
            self._saving = ""
            if (row := self._all[deviation_id]) != saved:
                self._line.historian.deviation(row)
        self.changes += 1
        now = self._line.clock.now()
        data = {"deviation_id": row.deviation_id, "run_id": row.run_id}
        self._line.emit(Event(now, f"haccp.{row.state}", row.ccp, f"{row.deviation_id}: {what}", data=data))
        return deviation_view(row)

    # -- what others ask
    def has(self, deviation_id: str) -> bool:
        return deviation_id in self._all

    def tells(self, since: float, now: float) -> bool:
        """Whether a deviation covers what was made from ``since`` until now."""
        return any(
            row.since <= since + SLACK_S and (row.until is None or row.until >= now - SLACK_S)
            for row in self._all.values()
        )

    def known(self) -> list[DeviationRow]:
        """Those of this process and those that were on record before it, in the order they were opened."""
        return sorted(self._all.values(), key=lambda row: (row.opened, row.deviation_id))

    async def between(self, since: float, until: float) -> list[DeviationRow]:
        """Those whose suspect interval touches [since, until), of whatever run; raises LineError when unread."""
        stored = await self._line.historian.deviations(since, until, MOST_SHOWN)
        merged = {row.deviation_id: row for row in stored} | self._all
        found = [row for row in merged.values() if row.since < until and (row.until is None or row.until >= since)]
        return sorted(found, key=lambda row: (row.opened, row.deviation_id))

    def unresolved(self, run_id: str | None = None) -> list[DeviationRow]:
        """Deviations nobody has recorded an action for, of one run or of all: nothing of theirs may be released."""
        return [row for row in self._all.values() if row.state == "open" and run_id in (None, row.run_id)]

    async def deviations(
        self, run_id: str | None = None, state: str | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """Newest first; those of this process as they stand, older ones from the history."""
        stored = await self._line.historian.deviations(limit=MOST_SHOWN, run_id=run_id)
        merged = {row.deviation_id: row for row in stored} | self._all
        rows = [row for row in merged.values() if run_id in (None, row.run_id) and state in (None, row.state)]
        rows.sort(key=lambda row: (row.opened, row.deviation_id), reverse=True)
        return [deviation_view(row) for row in rows[:limit]]

    def plan(self) -> list[dict[str, Any]]:
        """Every limit of the plan as it stands: what is measured, the limits, the state, what is done."""
        now = self._line.clock.now()
        found = []
        for row in self.look.rows.values():
            value = self.look.worse(row, self._line.image.at(row.tag, now))
            found.append(limit_view(self._line, row, value, self._open.get(row.name), self.look.units.get(row.tag, "")))
        return found

    def record(self) -> dict[str, Any]:
        """What the run record says: spoilage and how many deviations."""
        spoilage, engine = self._line.quality.spoilage, self._line.runs.engine
        run_id = "" if engine is None else engine.run_id
        mine = [row for row in self._all.values() if row.run_id == run_id]
        found: dict[str, Any] = {
            "deviations": len(mine),
            "deviations_open": sum(row.state == "open" for row in mine),
        }
        if spoilage is not None:
            found["spoilage"] = self.spoilage.record(spoilage.limit)
        return found


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
