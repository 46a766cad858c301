"""The historian's own events: each state told once when it begins and once when it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from linecontrol.core.model import Event, Severity
from linecontrol.history.intake import Intake
from linecontrol.history.rows import EVENT, QUARANTINE, Batch, event_row, seconds

log = logging.getLogger(__name__)

_FILLING, _ROOM_AGAIN = 0.8, 0.5
_QUARANTINE_TOLD_EVERY_S = 60.0


class Notices:
    """Journals an event through the intake like any other, and passes it on to whoever shows events.

    Args:
        pass_on: takes the event; called from the writer's thread.
        last_seen: newest line time offered so far [s]; None = nothing yet.
    """

    def __init__(
        self,
        line: str,
        intake: Intake,
        pass_on: Callable[[Event], None],
        last_seen: Callable[[], float | None],
    ) -> None:
        self._line = line
        self._intake = intake
        self.pass_on = pass_on
        self.last_seen = last_seen
        self.latest_us: int | None = None
        self._is_filling = self._is_full = self._is_stuck = False
        self._quarantined = 0
        self._quarantine_told_at = -_QUARANTINE_TOLD_EVERY_S

    def tell(self, kind: str, text: str, severity: Severity, active: bool | None = None) -> None:
        """Journal under the newest line time known; before anything was offered, that of the history, or the wall's."""
        now = self.last_seen()
        if now is None:
            now = time.time() if self.latest_us is None else seconds(self.latest_us)
        event = Event(now, kind, self._line, text, severity, active)
        log.info("%s: %s", kind, text)
        self._intake.add(EVENT, [event_row(event)], is_ours=True)
        self.pass_on(event)

    def watch_spool(self, size: int, most: int) -> None:
        """Call after each change of the spool's size [bytes]."""
        if size >= _FILLING * most and not self._is_filling:
            self._is_filling = True
            text = f"The spool holds {size / 2**20:.1f} of {most / 2**20:.1f} MiB while the database is away."
            self.tell("historian.spool_filling", text, Severity.WARNING, active=True)
        elif size < _ROOM_AGAIN * most and self._is_filling:
            self._is_filling = self._is_full = False
            self.tell("historian.spool_filling", "The spool has room again.", Severity.WARNING, active=False)

    def spool_is_full(self, lost: int) -> None:
        if self._is_full:
            return
        self._is_full = True
        text = f"The spool is full: samples are lost ({lost} so far); events, commands and runs are still kept."
        self.tell("historian.dropped", text, Severity.ALARM)

    def stuck(self, reason: str) -> None:
        if self._is_stuck:
            return
        self._is_stuck = True
        text = f"Neither the history database nor the spool takes anything ({reason}); rows wait in memory."
        self.tell("historian.stuck", text, Severity.ALARM, active=True)

    def no_longer_stuck(self) -> None:
        if not self._is_stuck:
            return
        self._is_stuck = False
        self.tell("historian.stuck", "The history takes rows again.", Severity.ALARM, active=False)

    def spool_damaged(self, where: str) -> None:
        text = f"Part of the spool file was damaged and set aside: {where}."
        self.tell("historian.spool_damaged", text, Severity.ALARM)

    def quarantined(self, rows: int, batches: Sequence[Batch]) -> None:
        """At most once a minute: a tag that is wrong is wrong in each scan."""
        self._quarantined += rows
        now = time.monotonic()
        if now - self._quarantine_told_at < _QUARANTINE_TOLD_EVERY_S:
            return
        self._quarantine_told_at = now
        reasons = [row[3] for batch in batches for row in batch.rows.get(QUARANTINE, ())]
        why = f": {reasons[0]}" if reasons else ""
        text = f"{self._quarantined} rows could not be stored and were set aside in the table quarantine{why}."
        self._quarantined = 0
        self.tell("historian.quarantined", text, Severity.WARNING)
