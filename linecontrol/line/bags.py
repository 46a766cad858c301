"""Bags of powder, followed from the open spout to their place in the store: weight, moisture, water activity, where
their roots came from and which suspect powder is in them.

A bag remembers when its powder was in every machine (``guard.genealogy``), so what is learnt later, another lot or an
earlier deviation, is told of bags that have long been closed as well.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from linecontrol.analysis.extraction import Counter
from linecontrol.config.bags import Bags
from linecontrol.core.errors import LineError
from linecontrol.core.model import Command, Event, Severity, numbers
from linecontrol.guard.divert import Verdict
from linecontrol.guard.genealogy import Machine, Passage, Suspect, lots_in, passage_of, touching
from linecontrol.guard.isotherm import bag_activity
from linecontrol.history import BagRow
from linecontrol.line.open_bag import OpenBag
from linecontrol.line.suspects import SuspectLog, suspect_of
from linecontrol.line.throughput import ThroughputLog

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

CHANGE_WITHIN_S = (
    10.0  # the bagging machine changes a bag at the end of a run within this [real s], or is not waited for
)
LEAST_BAG_KG = 0.05
MOST_EARLIER_RUNS = 50
OPEN, SUSPECT, GOOD, HELD, RELEASED, REJECTED = "open", "suspect", "good", "held", "released", "rejected"


class BagBook:
    """The bags of the run in hand. ``tick`` once per control cycle; does nothing on a line without a ``bags`` section.

    Attributes:
        bags: closed bags of this run by id, as they are on record.
        deciding: held by whoever reads bags to change what they are: one after another, each from what the one before
            made of them.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self.rows: Bags | None = line.config.line.bags
        guard = line.config.line.guard
        self._total_tag = "" if guard is None else guard.good_total
        self.run_id = ""
        self.open: OpenBag | None = None
        self.bags: dict[str, BagRow] = {}
        self.suspects = SuspectLog()
        self._number = 0
        self._total, self._count = Counter(), -1.0
        self._was_away = False
        self._seen_deviations = -1
        self.deciding = asyncio.Lock()
        self._to_tell: dict[str, Suspect] = {}  # deviations that reach back to earlier runs
        self._telling: asyncio.Task[None] | None = None
        self._changing_until = -math.inf
        if self.rows is not None:
            self._machines = [_machine(row) for row in self.rows.machines]
            self._places = _places(self.rows)
            tags = [tag for row in self.rows.machines for tag in (row.flow, row.level) if tag]
            steps = round(self.rows.memory_h * 3600.0 / self.rows.step_s)
            self._log = ThroughputLog(tags, self.rows.step_s, steps)
            self._looked_at = tuple({*tags, self._total_tag, self.rows.moisture, self.rows.temperature})

    def close(self) -> None:
        """The line ends."""
        if self._telling is not None:
            self._telling.cancel()

    # -- a run begins, or is taken up
    def begin(self, run_id: str) -> None:
        """A new run: numbers of bags begin at 1."""
        self.run_id, self._number, self.open, self.bags = run_id, 0, None, {}
        self._total, self._count = Counter(), -1.0
        self.suspects.begin(run_id)
        self._line.lots.begin()

    async def take_up(self, run_id: str, state: Mapping[str, Any] | None) -> None:
        """Go on with the bags of a run that a stopped controller left, from its snapshot and the history."""
        self.begin(run_id)
        if self.rows is None:
            return
        now = self._line.clock.now()
        try:
            traced = await self._line.historian.traced(run_id)
            since = now - self.rows.memory_h * 3600.0
            tags = [tag for row in self.rows.machines for tag in (row.flow, row.level) if tag]
            self._log.fill(await self._line.historian.samples(list(dict.fromkeys(tags)), since, now), since, now)
        except LineError as error:
            text = f"The bags of {run_id} so far cannot be read ({error}): what follows is told without them."
            self._line.emit(Event(now, "bags.unread", run_id, text, Severity.WARNING))
        else:
            self._line.lots.begin(traced.uses)
            self.bags = {bag.bag_id: bag for bag in traced.bags if bag.closed_at is not None}
            self._number = max((bag.number for bag in traced.bags), default=0)
            last = traced.bags[-1] if traced.bags else None
            if last is not None and last.closed_at is None:
                self.open = self._reopened(last)
        if state is not None:
            self._restore(run_id, state)
        self._was_away = True

    def _reopened(self, row: BagRow) -> OpenBag:
        """An open bag from its row, where no snapshot knows it."""
        bag = OpenBag(row.number, row.opened_at, suspect_kg=row.suspect_kg)
        moisture = math.nan if row.moisture_mean is None else row.moisture_mean
        bag.fill(
            row.weight_kg, self._log.index(row.updated_at), moisture, math.nan if row.temp_c is None else row.temp_c
        )
        return bag

    def _restore(self, run_id: str, state: Mapping[str, Any]) -> None:
        self.suspects.restore(run_id, state["suspects"])
        self._total = Counter(**state["total"])
        self._count = state["count"]
        self._number = max(self._number, state["number"])
        bag = None if state["open"] is None else OpenBag.from_dict(state["open"])
        if bag is not None and self._id(bag.number) not in self.bags:  # closed since that snapshot: it is on record
            self.open = bag

    def to_dict(self) -> dict[str, Any] | None:
        """For the run snapshot."""
        if self.rows is None:
            return None
        return {
            "number": self._number,
            "count": self._count,
            "total": {"last": self._total.last, "total": self._total.total, "resets": self._total.resets},
            "open": None if self.open is None else self.open.to_dict(),
            "suspects": self.suspects.to_dict(),
        }

    # -- the control cycle's share
    def note_guard(self, verdict: Verdict, now: float) -> None:
        """What the divert guard says on this tick."""
        if not self.run_id or self.rows is None:
            return
        since = self.suspects.last_good
        self.suspects.note(verdict, now, is_told=self._line.haccp.tells(now if since is None else since, now))
        if verdict.suspect_kg > 0.0 and self._line.runs.is_under_way:
            self._opened(now).suspect_kg += verdict.suspect_kg

    def tick(self, now: float) -> None:
        """One look: what fell into the open bag, whether it was changed, whether somebody suspects one."""
        rows = self.rows
        if rows is None:
            return
        samples = self._line.image.as_of(now)
        seen = numbers(samples, self._looked_at)
        self._log.note(now, seen)
        self._line.lots.look(now, seen)
        if not self.run_id:
            self._look()
            return
        total = samples[self._total_tag]
        kg = self._total.advance(total)
        if self._was_away and total.is_good:  # only what this first reading is ahead by fell in unseen
            self._was_away = False
            if kg > 0.0:
                self._opened(now).unseen_kg += kg
                self.suspects.was_away(now)
        changed = self._changed(now)
        if changed:
            self._change(changed, kg, seen, now)
        elif kg > 0.0 and self._line.runs.is_under_way:
            bag = self._opened(now)
            bag.fill(kg, self._log.index(now), seen[rows.moisture], seen[rows.temperature])
            if rows.count is None and bag.weight_kg >= rows.nominal_kg:
                self._close(now)
        self._release_button(now)
        if self.open is not None and not self._line.runs.is_under_way:
            self._end_of_run(now)
        self._look()

    def _changed(self, now: float) -> int:
        """How many bags the bagging machine has closed since the last look."""
        if self.rows is None or self.rows.count is None:
            return 0
        count = self._line.image.at(self.rows.count, now).number
        if math.isnan(count):
            return 0
        before, self._count = self._count, count
        return 0 if before < 0.0 else int(max(0.0, count - before))

    def _change(self, closed: int, kg: float, seen: Mapping[str, float], now: float) -> None:
        """Bags were changed between two looks: the scale says what of the powder since then is in the new one."""
        if self.rows is None:
            return
        weight = self._line.image.at(self.rows.weight, now).number if self.rows.weight is not None else math.nan
        new_kg = min(kg, weight) if weight == weight else 0.0
        step, moisture, temp_c = self._log.index(now), seen[self.rows.moisture], seen[self.rows.temperature]
        for _ in range(closed):
            if self.open is None and not self._line.runs.is_under_way:
                continue  # a bag that was there before this run
            self._opened(now).fill((kg - new_kg) / closed, step, moisture, temp_c)
            note = f"{closed} bags were closed between two looks; their weights are shared out" if closed > 1 else ""
            self._close(now, note)
        if new_kg > 0.0 and self._line.runs.is_under_way:
            self._opened(now).fill(new_kg, step, moisture, temp_c)
        self._changing_until = -math.inf

    def _release_button(self, now: float) -> None:
        """The request for a new bag, whoever made it, is taken back once it has been seen."""
        tag, line = self.rows.change if self.rows is not None else None, self._line
        is_asking = self._changing_until > -math.inf
        if tag is not None and not is_asking and line.image.at(tag, now).number == 1.0 and line.is_available(tag):
            line.writes.submit(Command(tag, False, "system", "the bag was changed"))

    def _end_of_run(self, now: float) -> None:
        """No bag holds powder of two runs: the open one is changed though it is not full."""
        rows, line = self.rows, self._line
        if rows is None or self.open is None:
            return
        if self.open.weight_kg < LEAST_BAG_KG:
            bag, self.open = self.open, None
            self._throw_away(bag, now, "a rest at the spout when the run ended: no bag, thrown away")
            return
        real = line.clock.real()
        if self._changing_until == -math.inf:
            self._changing_until = real + CHANGE_WITHIN_S
        can_ask = rows.change is not None and rows.count is not None and line.is_available(rows.change)
        if can_ask and real < self._changing_until and rows.change is not None:
            line.writes.submit(Command(rows.change, True, "system", f"run {self.run_id} has ended"))
        else:
            self._changing_until = -math.inf
            self._close(now, "closed by the end of the run; take it off by hand")

    def _opened(self, now: float) -> OpenBag:
        if self.open is None:
            self._number += 1
            self.open = OpenBag(self._number, now)
            self._line.historian.trace(self._row(self.open, now))
        return self.open

    def _id(self, number: int) -> str:
        return f"{self.run_id}-B{number:03d}"

    def _row(self, bag: OpenBag, now: float) -> BagRow:
        """The bag as it stands, not yet told where it came from."""
        temp_c, mean = bag.temp_c, bag.moisture_mean
        activity = None
        spoilage, isotherm = self._line.quality.spoilage, self._line.quality.isotherm
        if mean is not None and temp_c is not None and spoilage is not None and isotherm is not None:
            activity = bag_activity(isotherm, mean, temp_c, moisture_u=spoilage.moisture_u, temp_u=spoilage.temp_u)
        note = f"{bag.unseen_kg:.2f} kg fell in while the controller was away" if bag.unseen_kg > 0.0 else ""
        return BagRow(
            bag_id=self._id(bag.number),
            run_id=self.run_id,
            number=bag.number,
            status=SUSPECT if bag.suspect_kg > 0.0 else OPEN,
            opened_at=bag.opened_at,
            updated_at=now,
            weight_kg=round(bag.weight_kg, 3),
            moisture_mean=_rounded(mean, 2),
            moisture_max=_rounded(bag.moisture_max, 2),
            temp_c=_rounded(temp_c, 1),
            aw=None if activity is None else round(activity.value, 3),
            aw_low=None if activity is None else round(activity.low, 3),
            aw_high=None if activity is None else round(activity.high, 3),
            suspect_kg=round(bag.suspect_kg, 3),
            note=note,
        )

    def save(self) -> None:
        """The open bag as it stands, for the record; with every snapshot of the run."""
        if self.open is not None:
            self._line.historian.trace(self._row(self.open, self._line.clock.now()))

    def _close(self, now: float, note: str = "") -> None:
        """Close the open bag and tell where it came from."""
        bag, self.open = self.open, None
        if bag is None or self.rows is None:
            return
        if bag.weight_kg < LEAST_BAG_KG:
            self._throw_away(bag, now, "hardly any powder was in it when it was changed: no bag, thrown away")
            return
        passage = passage_of(self._machines, *self._log.seen(bag.weights))
        row = self._row(bag, now)
        notes = "; ".join(text for text in (row.note, note) if text)
        row = replace(row, status=GOOD, closed_at=now, passage=passage.as_json(), note=notes)
        row = self._told(row)
        self.bags[row.bag_id] = row
        self._line.historian.trace(row)
        aw = "not known" if row.aw is None else f"{row.aw:.2f} ({row.aw_low:.2f} to {row.aw_high:.2f})"
        made = ", ".join(f"{lot} {100.0 * share:.0f} %" for lot, share, _ in row.lots)
        text = f"Bag {row.bag_id} closed: {row.weight_kg:.2f} kg, {row.status}; water activity {aw}; roots {made}"
        facts = {"run_id": row.run_id, "status": row.status, "weight_kg": row.weight_kg}
        self._line.emit(Event(now, "bag.closed", row.bag_id, text, Severity.INFO, data=facts))

    def _throw_away(self, bag: OpenBag, now: float, note: str) -> None:
        """Too little for a bag: on record with its end, for an open one stands there already."""
        rest = replace(self._row(bag, now), status=REJECTED, closed_at=now, note=note)
        self.bags[rest.bag_id] = rest
        self._line.historian.trace(rest)

    # -- what is told of a closed bag
    def _told(self, row: BagRow) -> BagRow:
        """The same bag with its lots and suspect intervals as they are known now."""
        if self.rows is None:
            return row
        passage = Passage.from_json(row.passage)
        lots = lots_in(passage, self._line.lots.spans(), self._machines[0].name, self.rows.least_lot_share)
        suspects = self._touching(passage, self.suspects.all)
        if row.suspect_kg > 0.0 and not suspects:
            last = sorted(self.suspects.all, key=lambda one: one.since)[-1:]
            share = min(1.0, row.suspect_kg / max(row.weight_kg, 1e-9))
            suspects = [(one.id, round(share, 4), one.why) for one in last]
        kept = [(lot, round(share, 4), round(share * row.weight_kg, 3)) for lot, share in lots]
        return replace(row, status=_status(row, suspects), lots=kept, suspects=suspects)

    def _touching(self, passage: Passage, suspects: Sequence[Suspect]) -> list[tuple[str, float, str]]:
        if self.rows is None:
            return []
        found = touching(passage, suspects, self._places, self.rows.least_suspect_share, self.rows.margin_s)
        return [(one.id, round(share, 4), one.why) for one, share in found]

    def told_of(self, row: BagRow, deviations: Sequence[Suspect]) -> BagRow:
        """A closed bag of any run with these deviations as well as what it knew of; held when one is new to it."""
        found = self._touching(Passage.from_json(row.passage), deviations) if row.passage else []
        names = {name for name, _, _ in found}
        suspects = [*(one for one in row.suspects if one[0] not in names), *found]
        return replace(row, status=_status(row, suspects), suspects=sorted(suspects))

    def lots_changed(self) -> None:
        """Uses of lots or suspect intervals are others than before: closed bags are told again."""
        now = self._line.clock.now()
        for row in list(self.bags.values()):
            told = self._told(row)
            if (told.lots, told.suspects, told.status) == (list(row.lots), list(row.suspects), row.status):
                continue
            told = replace(told, updated_at=now)
            self.bags[row.bag_id] = told
            self._line.historian.trace(told)
            self._tell_held(row, told, now)

    def _tell_held(self, row: BagRow, told: BagRow, now: float) -> None:
        if told.status != row.status:
            why = "; ".join(why for _, _, why in told.suspects)
            text = f"Bag {row.bag_id} is {told.status} now: {why}"
            data = {"run_id": row.run_id, "zh": f"袋 {row.bag_id} 现已扣留：{why}"}
            self._line.emit(Event(now, "bag.held", row.bag_id, text, Severity.WARNING, data=data))

    # -- deviations of the HACCP plan
    def _look(self) -> None:
        """When a deviation has opened, ended, reached farther back or been acted on, bags are told again."""
        desk = self._line.haccp
        if desk.changes == self._seen_deviations:
            return
        self._seen_deviations = desk.changes
        known = {one.id: one for one in self.suspects.others}
        self.suspects.others = [suspect_of(row) for row in desk.known()]
        if self.run_id:
            self.lots_changed()
        began = min((row.opened_at for row in self.bags.values()), default=self._line.clock.now())
        self._to_tell |= {
            one.id: one
            for one in self.suspects.others
            if one.since < began
            and ((old := known.get(one.id)) is None or (old.since, old.until) != (one.since, one.until))
        }
        if self._to_tell and (self._telling is None or self._telling.done()):
            self._telling = asyncio.ensure_future(self._tell_earlier())

    async def _tell_earlier(self) -> None:
        """Bags of earlier runs that deviations reach back to."""
        history = self._line.historian
        while self._to_tell:
            deviations, self._to_tell = list(self._to_tell.values()), {}
            since, now = min(one.since for one in deviations), self._line.clock.now()
            try:
                for run in await history.runs(limit=MOST_EARLIER_RUNS):
                    if run.run_id != self.run_id and (run.ended_at or run.updated_at) >= since:
                        async with self.deciding:
                            await self._tell_bags_of(run.run_id, deviations, now)
            except LineError as error:
                text = f"Bags of earlier runs cannot be told of a deviation ({error}): look at them by hand."
                self._line.emit(Event(now, "bags.unread", self.run_id, text, Severity.WARNING))

    async def _tell_bags_of(self, run_id: str, deviations: Sequence[Suspect], now: float) -> None:
        history = self._line.historian
        for row in (await history.traced(run_id)).bags:
            told = self.told_of(row, deviations) if row.closed_at is not None else row
            if (told.status, sorted(row.suspects)) != (row.status, told.suspects):
                await history.save_trace(replace(told, updated_at=now))
                self._tell_held(row, told, now)

    async def deviations(self, since: float, until: float) -> list[Suspect]:
        """Suspect intervals of the HACCP plan that touch this time, whatever run they were found in."""
        return [suspect_of(row) for row in await self._line.haccp.between(since, until)]


def _machine(row: Any) -> Machine:
    return Machine(
        *(row.name, row.station, row.flow, row.tanks, row.mean_s, row.holdup),
        *(row.level or "", row.per_unit, row.plug_s, row.is_queue),
    )


def _places(rows: Bags) -> dict[str, list[str]]:
    """Machines by what a deviation may call its stage: a station, or a measuring point at a machine's inlet."""
    found: dict[str, list[str]] = {}
    for row in rows.machines:
        for place in (row.station, *row.points):
            found.setdefault(place, []).append(row.name)
    return found


def _status(row: BagRow, suspects: Sequence[tuple[str, float, str]]) -> str:
    """A bag is held as soon as something is new to it."""
    known = {name for name, _, _ in row.suspects}
    is_new = any(name not in known for name, _, _ in suspects)
    return HELD if is_new and row.status in (GOOD, RELEASED) else row.status


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
