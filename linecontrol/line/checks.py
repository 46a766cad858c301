"""The register of calibrations, verifications and cleanings: what was done when, and what is due. Pure but for its
record in the history.

An item that is overdue, or whose last result was a failure, blocks the next start; a failed verification also makes
everything since the last passed one suspect. An item that nobody has done yet is due one interval after the controller
first ran, unless its row says that it must be proven first.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from linecontrol.config.haccp import Check
from linecontrol.core.errors import ConfigError, LineError, Problem
from linecontrol.core.model import Event, Severity, Text, Value
from linecontrol.history import CalibrationRow
from linecontrol.line.loading import Loading
from linecontrol.line.run_view import iso
from linecontrol.recipe.states import RunState

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

HOUR_S = 3600.0
SLACK_S = 2.0
IN_DAYS_FROM_H = 48.0
RESULTS = ("passed", "failed")
BEGUN = "begun"


class UnknownCheck(LineError):
    """There is no check of that name."""


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a check is against a start, and what clears it."""

    name: str
    title: Text
    why: Text
    clears: Text


class CheckRegister:
    """``tick`` once per control cycle."""

    def __init__(self, line: Line) -> None:
        self._line = line
        guard = line.config.line.guard
        self.items: dict[str, Check] = {row.name: row for row in guard.checks} if guard is not None else {}
        self._shown = {name: f"{name}.DUE_H" for name in self.items}
        self._last: dict[str, CalibrationRow] = {}
        self._passed: dict[str, CalibrationRow] = {}
        self._loading = Loading(self._read, is_done=not self.items)
        self._saving: set[asyncio.Task[None]] = set()
        self._overdue: set[str] = set()
        self._run: tuple[str, RunState] | None = None

    # -- the line's share
    async def load(self) -> None:
        """Take up the register; open it for items that are not in it. A history that is away is asked again later."""
        await self._loading.load()

    async def _read(self) -> None:
        found = {name: await self._line.historian.calibrations(name, 100) for name in self.items}
        now = self._line.clock.now()
        for name, rows in found.items():
            for row in reversed(rows):
                self._take(row)
            if name not in self._last:
                row = self._row(name, now, now, "controller", BEGUN, "", "")
                self._take(row)
                self._keep(row)

    @property
    def _is_loaded(self) -> bool:
        return self._loading.is_done

    def tick(self, now: float) -> None:
        """Tell what has become due; note a cleaning that a run has done."""
        engine = self._line.runs.engine
        run = None if engine is None else (engine.run_id, engine.state)
        if run != self._run:
            self._run = run
            if engine is not None and engine.state is RunState.COMPLETE:
                self._done_by(engine.recipe.name, engine.run_id, now)
        is_loaded = self._is_loaded
        for name in self.items:
            is_due = is_loaded and self._hours(name, now) < 0.0
            if is_due != (name in self._overdue):
                (self._overdue.add if is_due else self._overdue.discard)(name)
                why = self._why(name, now)
                data = {"zh": why.zh}
                self._line.emit(Event(now, "check.due", name, why.en, Severity.ALARM, is_due, data))

    def close(self) -> None:
        """The line ends."""
        self._loading.close()

    def _done_by(self, recipe: str, run_id: str, now: float) -> None:
        for item in self.items.values():
            if recipe in item.done_by:
                row = self._row(item.name, now, now, "recipe", "passed", f"run {run_id} is Complete", "")
                self._take(row)
                self._keep(row)

    # -- what others ask
    def last_passed(self, names: tuple[str, ...]) -> float | None:
        """When the latest of these checks was passed [line s]; None when none ever was."""
        done = [self._passed[name].done for name in names if name in self._passed]
        return max(done, default=None)

    def due_h(self, name: str, now: float) -> float:
        """Hours until it is due; below zero it is overdue, or has failed; NaN while the register is not read."""
        return self._hours(name, now) if self._is_loaded else math.nan

    def _hours(self, name: str, now: float) -> float:
        """``due_h`` once the register is read."""
        last = self._last[name]
        if last.result == "failed" or (last.result == BEGUN and self.items[name].proven):
            return min(-1e-6, (last.due - now) / HOUR_S)
        return (last.due - now) / HOUR_S

    def against_start(self, recipe: str, now: float) -> list[Objection]:
        """What forbids the start of this recipe."""
        found = []
        for name, item in self.items.items():
            if not item.blocks_start or recipe in item.except_recipes:
                continue
            if not self._is_loaded or self._is_against(name, now):
                found.append(Objection(name, item.title.text(), self._why(name, now), item.how.text()))
        return found

    def show(self, now: float) -> Mapping[str, Value | None]:
        """Soft tags: hours until each item is due."""
        if not self._is_loaded:
            return dict.fromkeys(self._shown.values())
        return {shown: self._hours(name, now) for name, shown in self._shown.items()}

    def _is_against(self, name: str, now: float) -> bool:
        return self.due_h(name, now) < 0.0

    def _why(self, name: str, now: float) -> Text:
        item = self.items[name]
        title = item.title
        if not self._is_loaded:
            return Text(f"{name} {title.en}: the register cannot be read", f"{name} {title.zh}：无法读取登记簿")
        last = self._last[name]
        if last.result == "failed":
            return Text(
                f"{name} {title.en}: failed on {iso(last.done)}: {last.found or 'no reason given'}",
                f"{name} {title.zh}：{iso(last.done)} 不合格：{last.found or '未注明原因'}",
            )
        hours = self.due_h(name, now)
        if last.result == BEGUN:
            due = f"due in {_long(hours).en}" if hours > 0.0 else "due now"
            return Text(
                f"{name} {title.en}: nobody has done it yet, {due}",
                f"{name} {title.zh}：尚未执行过，{f'{_long(hours).zh}后到期' if hours > 0.0 else '已到期'}",
            )
        limit = _long(item.every_h)
        if hours < 0.0:
            return Text(
                f"{name} {title.en}: overdue by {_long(-hours).en}, must be done every {limit.en}",
                f"{name} {title.zh}：已超期 {_long(-hours).zh}，应每 {limit.zh}一次",
            )
        left = _long(hours)
        return Text(f"{name} {title.en}: due in {left.en}", f"{name} {title.zh}：{left.zh}后到期")

    # -- what people do
    async def enter(
        self,
        name: str,
        who: str,
        *,
        result: str,
        done: float | None = None,
        found: str = "",
        certificate: str = "",
    ) -> dict[str, Any]:
        """Enter that a check was done; durable when this returns. Raises UnknownCheck, ConfigError, StorageError.

        Args:
            done: when [line s]; default: now. result: passed or failed. found: what was found; needed for a failure.
        """
        if name not in self.items:
            raise UnknownCheck(f"there is no check {name!r} on this line")
        now = self._line.clock.now()
        at = now if done is None else min(done, now) if done <= now + SLACK_S else done
        problems = []
        if result not in RESULTS:
            problems.append(Problem("", None, "result", f"{result!r} is not a result", ", ".join(RESULTS)))
        if result == "failed" and not found.strip():
            problems.append(Problem("", None, "found", "is empty", "what was found"))
        if at > now:
            problems.append(Problem("", None, "done_at", "lies in the future", f"up to {iso(now)}"))
        if problems:
            raise ConfigError(problems)
        row = self._row(name, at, now, who, result, found.strip(), certificate.strip())
        before = self.last_passed((name,))
        await self._line.historian.save_calibration(row)
        self._take(row)
        text = f"{name} {result} by {who}{f': {row.found}' if row.found else ''}"
        self._line.emit(Event(now, "check.entered", name, text, Severity.INFO, data={"result": result, "done": at}))
        if result == "failed":
            self._line.haccp.check_failed(self.items[name], row.found, before, now)
        self.tick(now)
        return self.row(name)

    def rows(self) -> list[dict[str, Any]]:
        """Every item, what is due first."""
        now = self._line.clock.now()
        order = sorted(self.items, key=lambda name: (self.due_h(name, now), name) if self._is_loaded else (0.0, name))
        return [self.row(name) for name in order]

    def standing(self, name: str) -> dict[str, Any]:
        """What was entered last. Raises UnknownCheck."""
        row = self.row(name)
        return {key: row[key] for key in ("result", "done_at", "who")}

    def row(self, name: str) -> dict[str, Any]:
        """One item. Raises UnknownCheck."""
        item = self.items.get(name)
        if item is None:
            raise UnknownCheck(f"there is no check {name!r} on this line")
        now, last = self._line.clock.now(), self._last.get(name)
        hours, why = self.due_h(name, now), self._why(name, now)
        is_done = last is not None and last.result != BEGUN
        return {
            "name": name,
            "kind": item.kind,
            "title": {"en": item.title.en, "zh": item.title.zh},
            "tag": item.tag,
            "every_h": item.every_h,
            "how": {"en": item.how.en, "zh": item.how.zh},
            "responsible": item.responsible,
            "blocks_start": item.blocks_start,
            "due_at": iso(last.due) if last is not None else None,
            "due_h": None if math.isnan(hours) else round(hours, 3),
            "is_overdue": not hours >= 0.0,
            "why": {"en": why.en, "zh": why.zh},
            "done_at": iso(last.done) if last is not None and is_done else None,
            "who": last.who if last is not None and is_done else None,
            "result": last.result if last is not None else None,
            "found": last.found if last is not None else "",
            "certificate": last.certificate if last is not None else "",
        }

    def _row(
        self, name: str, done: float, now: float, who: str, result: str, found: str, certificate: str
    ) -> CalibrationRow:
        item = self.items[name]
        return CalibrationRow(
            f"{name}-{round(now * 1000.0)}",
            name,
            item.kind,
            item.tag or "",
            done,
            done + item.every_h * HOUR_S,
            now,
            who,
            result,
            found,
            certificate,
        )

    def _take(self, row: CalibrationRow) -> None:
        last = self._last.get(row.item)
        if last is None or last.result == BEGUN or (row.done, row.entered) >= (last.done, last.entered):
            self._last[row.item] = row
        if row.result == "passed" and (row.item not in self._passed or row.done >= self._passed[row.item].done):
            self._passed[row.item] = row

    def _keep(self, row: CalibrationRow) -> None:
        """In the background: the controller's own entries hold nobody up, and are made again if they are lost."""

        async def keep() -> None:
            try:
                await self._line.historian.save_calibration(row)
            except LineError as error:
                text = f"{row.item}: its entry in the register could not be kept: {error}"
                self._line.emit(Event(self._line.clock.now(), "check.lost", row.item, text, Severity.WARNING))

        task = asyncio.ensure_future(keep())
        self._saving.add(task)
        task.add_done_callback(self._saving.discard)


def _long(hours: float) -> Text:
    """A time as people say it: in hours, or in days when there are many."""
    if hours < IN_DAYS_FROM_H:
        return Text(f"{hours:.3g} h", f"{hours:.3g} 小时")
    return Text(f"{hours / 24.0:.3g} days", f"{hours / 24.0:.3g} 天")
