"""Root lots of a line: registered, and tipped into the hopper from a time on."""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from linecontrol.core.errors import ConfigError, Problem, StateError
from linecontrol.core.model import Event, Severity, Text
from linecontrol.guard.genealogy import LotUse, Tip, TipLimit, TipState, watch_hopper
from linecontrol.history import LotRow, LotUseRow
from linecontrol.line.loading import Loading
from linecontrol.line.run_view import iso

if TYPE_CHECKING:
    from linecontrol.config.bags import MixingMachine
    from linecontrol.line.assembly import Line

_NAME = re.compile(r"[\w.-]{1,60}")
_SLACK_S = 2.0  # clocks of a person's screen and the controller
NAMED_WITHIN_S = 900.0  # a lot that was named so shortly before roots came is theirs


class LotBook:
    """The lots of one line and their uses in the run in hand."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.lots: dict[str, LotRow] = {}
        self.uses: list[LotUseRow] = []
        rows = line.config.line.bags
        self._hopper = rows.machines[0] if rows is not None and rows.machines[0].tip_kg is not None else None
        self._tips = TipState()
        self._loading = Loading(self._read)

    async def load(self) -> None:
        """What is on record. A history that is away is asked again later; lots can be added all the same."""
        await self._loading.load()

    async def _read(self) -> None:
        """A lot that was added meanwhile stays, unless its name was taken: the history keeps the first of a name."""
        kept = {lot.lot_id: lot for lot in (await self._line.historian.traced()).lots}
        added = self.lots
        self.lots = kept | {name: lot for name, lot in added.items() if name not in kept}
        for name, lot in added.items():
            if name in kept and replace(kept[name], received_at=lot.received_at) != lot:
                self._tell_taken(kept[name])

    def _tell_taken(self, lot: LotRow) -> None:
        now, of = self._line.clock.now(), f"{lot.species}, {iso(lot.received_at)}"
        text = f"There was a lot {lot.lot_id} already ({of}): it stands, the one that was added since does not."
        data = {"zh": f"批次 {lot.lot_id} 已存在（{of}）：以原有批次为准，新登记的无效。"}
        self._line.emit(Event(now, "lot.taken", lot.lot_id, text, Severity.WARNING, data=data))

    def close(self) -> None:
        """The line ends."""
        self._loading.close()

    # -- lots
    async def add(
        self,
        lot_id: str,
        species: str,
        received_kg: float,
        *,
        who: str,
        received_at: float | None = None,
        origin: str = "",
        grower: str = "",
        harvested: str = "",
        season: str = "",
        note: str = "",
    ) -> LotRow:
        """Register a lot. Raises ConfigError for a value that is none, StateError for a name that is taken."""
        now = self._line.clock.now()
        problems = []
        if not _NAME.fullmatch(lot_id):
            problems.append(Problem("", None, "lot_id", f"{lot_id!r} is no name of a lot", "letters, digits, - _ ."))
        if not (math.isfinite(received_kg) and 0.0 < received_kg <= 1e6):
            problems.append(Problem("", None, "received_kg", f"{received_kg:g} kg", "above 0, to 1000000"))
        if harvested and not _is_date(harvested):
            problems.append(Problem("", None, "harvested", f"{harvested!r} is no date", "as 2026-01-10"))
        if problems:
            raise ConfigError(problems)
        if lot_id in self.lots:
            raise StateError(f"there is a lot {lot_id!r} already; a lot is never changed")
        lot = LotRow(
            *(lot_id, species, float(received_kg), now if received_at is None else received_at, who),
            *(origin, grower, harvested, season, note),
        )
        await self._line.historian.save_trace(lot)
        self.lots[lot_id] = lot
        return lot

    def known(self, lot_id: str) -> LotRow:
        """Raises ConfigError naming the lots there are."""
        found = self.lots.get(lot_id)
        if found is None:
            names = ", ".join(list(self.lots)[-8:]) or "none yet: register it first"
            raise ConfigError([Problem("", None, "lot", f"there is no lot {lot_id!r}", names)])
        return found

    # -- uses
    def begin(self, uses: Sequence[LotUseRow] = ()) -> None:
        """A run is taken in hand, with the uses it has had."""
        self.uses = sorted(uses, key=lambda use: (use.from_at, use.entered_at))

    async def use(
        self, run_id: str, lot_id: str, *, who: str, from_at: float | None = None, note: str = ""
    ) -> LotUseRow:
        """From ``from_at`` [line s, default now] on, this lot is tipped in. Bags that are closed are told again.

        The first lot of a run is also what lay in the hopper when it began. Raises ConfigError for an unknown lot or a
        time outside the run, StateError when the run is not in hand.
        """
        lot, now = self.known(lot_id), self._line.clock.now()
        engine = self._line.runs.engine
        if engine is None or engine.run_id != run_id:
            raise StateError(f"run {run_id!r} is not in hand; its lots are on record and are not changed")
        at, started = now if from_at is None else from_at, engine.started_at or now
        if not started - _SLACK_S <= at <= now + _SLACK_S:
            span = f"{iso(started)} to {iso(now)}"
            raise ConfigError([Problem("", None, "from_at", f"{iso(at)} is not within the run so far", span)])
        row = LotUseRow(f"U{secrets.token_hex(6)}", run_id, lot.lot_id, min(at, now), now, who, note)
        await self._line.historian.save_trace(row)
        self.begin([*self.uses, row])
        self._line.bags.lots_changed()
        return row

    # -- roots that come, named or not
    def look(self, now: float, seen: Mapping[str, float]) -> None:
        """The control cycle's share: tells when roots were tipped in, and whether a lot was named for them.

        Args:
            seen: both scales of the hopper by tag; NaN = not known.
        """
        hopper = self._hopper
        if hopper is None or hopper.tip_kg is None or hopper.level is None:
            return
        level_kg = seen[hopper.level] * hopper.per_unit
        self._tips, tip = watch_hopper(TipLimit(hopper.tip_kg), self._tips, now, level_kg, seen[hopper.flow])
        if tip is not None:
            self._line.emit(self._tipped(hopper, tip, now))

    def _tipped(self, hopper: MixingMachine, tip: Tip, now: float) -> Event:
        runs = self._line.runs
        run_id = runs.engine.run_id if runs.engine is not None and runs.is_under_way else ""
        named = [use.lot_id for use in self.uses if tip.since - NAMED_WITHIN_S <= use.from_at <= now]
        en, zh = f"{tip.kg:.0f} kg came into the hopper ({hopper.level})", f"料斗（{hopper.level}）进料 {tip.kg:.0f} kg"
        text, severity = Text(en, zh), Severity.INFO
        if named:
            text = Text(f"{en}: roots of lot {named[-1]}", f"{zh}：批次 {named[-1]}")
        elif run_id:
            severity = Severity.WARNING
            text = Text(
                f"{en}, and no lot was named for it: name it if roots were tipped in, or else rain or mud weighs too",
                f"{zh}，未登记批次：如为新葛根请登记批次，否则为雨水或泥土增重",
            )
        data = {"run_id": run_id, "since": tip.since, "until": tip.until, "kg": round(tip.kg, 1), "zh": text.zh}
        return Event(
            now, "lot.tipped", hopper.name, text.en, severity, data={**data, "lot": named[-1] if named else ""}
        )

    def spans(self) -> list[LotUse]:
        """For the genealogy; the first use covers what was in the hopper before it."""
        return [LotUse(use.lot_id, use.from_at if n else -math.inf) for n, use in enumerate(self.uses)]


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def lot_view(lot: LotRow) -> dict[str, Any]:
    """A lot for people and programs."""
    return {
        "lot_id": lot.lot_id,
        "species": lot.species,
        "origin": lot.origin,
        "grower": lot.grower,
        "harvested": lot.harvested,
        "received_kg": lot.received_kg,
        "received_at": iso(lot.received_at),
        "season": lot.season,
        "note": lot.note,
        "who": lot.who,
    }


def use_view(use: LotUseRow) -> dict[str, Any]:
    return {
        "run_id": use.run_id,
        "lot_id": use.lot_id,
        "from_at": iso(use.from_at),
        "entered_at": iso(use.entered_at),
        "who": use.who,
        "note": use.note,
    }
