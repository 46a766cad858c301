"""The audit trail, as the API writes it: one row for every change that is asked for, durable before its answer.

Policy when it cannot be kept (neither database nor spool takes anything): it is told as an alarm, and nothing is
changed over the API any more but towards safety, until a row can be kept again.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from linecontrol.api.bridge import Bridge
from linecontrol.core.errors import StorageError
from linecontrol.core.model import Event, Severity
from linecontrol.history import AuditRow, Historian

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

log = logging.getLogger(__name__)

PATIENCE_S = 2.0
"""So long an answer waits for its row; a row that takes longer is kept all the same."""
STRANGERS_PER_MIN = 60
_SECRET = ("password", "token", "secret")
_SHOWN = 4000


class AuditTrail:
    """Writes rows into the history of a line. Belongs to the API's event loop."""

    def __init__(self, line: Line, bridge: Bridge) -> None:
        self._line, self._bridge = line, bridge
        self._historian = line.historian if isinstance(line.historian, Historian) else None
        self._strangers: deque[float] = deque()
        self._left_out = 0
        self._writing: set[asyncio.Task[None]] = set()
        self.is_failing = False

    async def write(self, row: AuditRow, *, is_stranger: bool = False) -> None:
        """Keep a row. Never raises. A flood of strangers' tries is counted, not listed one by one."""
        historian = self._historian
        if historian is None:
            return
        if is_stranger and not self._has_room():
            self._left_out += 1
            return
        if self._left_out:
            row = _with_detail(row, f"{self._left_out} more tries of strangers before this one are not listed")
            self._left_out = 0
        task = asyncio.ensure_future(self._keep(historian, row))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        await asyncio.wait({task}, timeout=PATIENCE_S)

    async def close(self) -> None:
        await asyncio.gather(*self._writing, return_exceptions=True)

    async def now(self) -> float:
        """Line time [s]."""
        return await self._bridge.ask(self._line.clock.now)

    def _has_room(self) -> bool:
        now = asyncio.get_running_loop().time()
        while self._strangers and self._strangers[0] < now - 60.0:
            self._strangers.popleft()
        if len(self._strangers) >= STRANGERS_PER_MIN:
            return False
        self._strangers.append(now)
        return True

    async def _keep(self, historian: Historian, row: AuditRow) -> None:
        try:
            await self._bridge.do(lambda: historian.save_audit(row))
        except StorageError as error:
            if not self.is_failing:
                self.is_failing = True
                text = f"The audit trail cannot be kept ({error}): nothing is changed but towards safety until it can."
                await self._tell(text, active=True)
            return
        if self.is_failing:
            self.is_failing = False
            await self._tell("The audit trail is kept again.", active=False)

    async def _tell(self, text: str, *, active: bool) -> None:
        log.warning(text)

        def tell() -> None:
            self._line.emit(Event(self._line.clock.now(), "audit.failed", "audit", text, Severity.ALARM, active=active))

        await self._bridge.ask(tell)


def shown(body: bytes) -> tuple[str | None, str]:
    """What was asked for, as JSON without secrets, and the reason in it."""
    if not body:
        return None, ""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None, ""
    if not isinstance(found, dict):
        return None, ""
    why = found.get("reason") or found.get("note") or ""
    return as_json(found), why[:500] if isinstance(why, str) else ""


def as_json(value: Any) -> str:
    """Compact JSON of at most 4000 characters, with secrets blotted out."""
    text = json.dumps(_blotted(value), ensure_ascii=False, separators=(",", ":"), default=str)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _blotted(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: "***" if any(word in str(key).lower() for word in _SECRET) else _blotted(one)
            for key, one in value.items()
        }
    return [_blotted(one) for one in value] if isinstance(value, list) else value


def _with_detail(row: AuditRow, more: str) -> AuditRow:
    return replace(row, detail=f"{row.detail}; {more}" if row.detail else more)
