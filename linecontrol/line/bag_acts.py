"""What people decide about bags: hold, release, reject; and the corrective action for suspect powder. Nothing is
released that nobody has done anything about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from linecontrol.core.errors import ConfigError, LineError, Problem, StateError
from linecontrol.core.model import Event, Severity
from linecontrol.guard.genealogy import Suspect
from linecontrol.history import ActRow, BagRow, Traced
from linecontrol.line.bags import GOOD, HELD, OPEN, REJECTED, RELEASED, SUSPECT
from linecontrol.line.lots import lot_view
from linecontrol.line.run_view import iso
from linecontrol.line.signing import Signer, act_row, name_of
from linecontrol.line.suspects import suspect_of

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

_BECOMES = {"hold": HELD, "release": RELEASED, "reject": REJECTED}
_FROM = {
    "hold": (GOOD, RELEASED),
    "release": (HELD,),
    "reject": (GOOD, HELD, RELEASED),
}
_REASON_LEAST = 3
MEMORY_S = 2 * 86_400.0  # powder is never followed farther back


_CHINESE = {"hold": "扣留", "release": "放行", "reject": "拒收"}


class BagActs:
    """Decisions about bags of any run of this line."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def decide(self, bag_id: str, kind: str, reason: str, by: Signer) -> dict[str, Any]:
        """Hold, release or reject a bag; returns its view.

        Raises ConfigError for an unknown bag or no reason, StateError when it is not possible now and why, StorageError
        when it cannot be kept: then the bag is what it was.
        """
        _check_reason(reason)
        async with self._line.bags.deciding:
            run_id, bag, traced, suspects = await self._judged(bag_id, kind)
            if bag.closed_at is None:
                raise StateError(f"bag {bag_id} is still being filled")
            if bag.status not in _FROM[kind]:
                raise StateError(f"bag {bag_id} is {bag.status}; to {kind} one it must be {' or '.join(_FROM[kind])}")
            now, decided = self._line.clock.now(), bag
            if kind == "release":
                decided = self._line.bags.told_of(bag, suspects)  # what was found since it was told last
                self._check_release(decided, suspects)
            decided = replace(decided, status=_BECOMES[kind], updated_at=now)
            act = act_row(run_id, bag_id, kind, now, reason, by)
            kept = await self._kept(act, bag, decided)
        if kept.status != decided.status:
            raise StateError(self._tell_held(kept, now))
        text = f"Bag {bag_id} is {kept.status}: {reason} ({by.name})"
        zh = f"袋 {bag_id} 已{_CHINESE[kind]}：{reason}（{by.name}）"
        severity = Severity.WARNING if kind != "release" else Severity.INFO
        self._line.emit(Event(now, f"bag.{kept.status}", bag_id, text, severity, data={"run_id": run_id, "zh": zh}))
        return bag_view(kept, traced, [*traced.acts, act])

    async def _judged(self, bag_id: str, kind: str) -> tuple[str, BagRow, Traced, list[Suspect]]:
        """A bag and, for a release, its suspect intervals; read again when the cycle has told it something since."""
        while True:
            run_id, bag, traced = await self._found(bag_id)
            suspects = await self._suspects(run_id, traced) if kind == "release" else []
            if self._line.bags.bags.get(bag_id, bag) is bag:
                return run_id, bag, traced, suspects

    async def _kept(self, act: ActRow, bag: BagRow, decided: BagRow) -> BagRow:
        """Keep a decision; answers the bag as it is on record then, with what was found out meanwhile.

        Raises StorageError; the bag is what it was then.
        """
        book, history, seen, kept = self._line.bags, self._line.historian, bag, decided
        try:
            await history.save_trace(act, kept)
            while (told := book.bags.get(bag.bag_id, seen)) is not seen:  # its row lies behind the decision now
                seen, kept = told, _merged(decided, told)
                await history.save_trace(kept)
            if bag.bag_id not in book.bags and (told := self._told_since(kept)).status != kept.status:
                kept = told
                await history.save_trace(kept)
        except LineError:
            history.trace(book.bags.get(bag.bag_id, bag))  # a decision that comes late after all is none
            raise
        if bag.bag_id in book.bags:
            book.bags[bag.bag_id] = kept
        return kept

    def _told_since(self, bag: BagRow) -> BagRow:
        """A bag of an earlier run, with deviations that opened or reached farther back while it was decided about."""
        return self._line.bags.told_of(bag, [suspect_of(row) for row in self._line.haccp.known()])

    def _tell_held(self, bag: BagRow, now: float) -> str:
        why = "; ".join(why for _, _, why in bag.suspects)
        text, zh = f"Bag {bag.bag_id} is held now: {why}", f"袋 {bag.bag_id} 现已扣留：{why}"
        data = {"run_id": bag.run_id, "zh": zh}
        self._line.emit(Event(now, "bag.held", bag.bag_id, text, Severity.WARNING, data=data))
        return text

    async def act_on(self, run_id: str, suspect_id: str, action: str, by: Signer) -> dict[str, Any]:
        """Write down the corrective action for a suspect interval. Raises ConfigError for an unknown one."""
        _check_reason(action)
        traced = await self._traced(run_id)
        known = {one.id for one in await self._suspects(run_id, traced)}
        if suspect_id not in known:
            names = ", ".join(sorted(known)) or "none in this run"
            raise ConfigError([Problem("", None, "suspect", f"there is no suspect interval {suspect_id!r}", names)])
        act = act_row(run_id, suspect_id, "action", self._line.clock.now(), action, by)
        if self._line.haccp.has(suspect_id):  # one record of it: the deviation's own
            await self._line.haccp.act(suspect_id, by.name, action)
        else:
            await self._line.historian.save_trace(act)
        return act_view(act)

    async def bags(self, run_id: str) -> dict[str, Any]:
        """Bags, lots, suspect intervals and decisions of a run."""
        traced = await self._traced(run_id)
        suspects = await self._suspects(run_id, traced)
        return {
            "run_id": run_id,
            "lots": [lot_view(lot) for lot in traced.lots],
            "uses": [{"lot_id": use.lot_id, "from_at": iso(use.from_at), "who": use.who} for use in traced.uses],
            "bags": [bag_view(bag, traced, traced.acts) for bag in traced.bags],
            "suspects": [suspect_view(one) for one in suspects],
            "acts": [act_view(act) for act in traced.acts],
        }

    async def bag(self, bag_id: str) -> dict[str, Any]:
        """One bag: its lots, suspect intervals and decisions. Raises ConfigError for an unknown one."""
        run_id, bag, traced = await self._found(bag_id)
        suspects = [
            one for one in await self._suspects(run_id, traced) if one.id in {name for name, _, _ in bag.suspects}
        ]
        lots = [lot_view(lot) for lot in traced.lots if lot.lot_id in {name for name, _, _ in bag.lots}]
        return {
            **bag_view(bag, traced, traced.acts),
            "roots": lots,
            "intervals": [suspect_view(one) for one in suspects],
        }

    # -- finding out
    async def _traced(self, run_id: str) -> Traced:
        """What is on record of a run, with what this controller knows and the database may not yet hold."""
        traced, book = await self._line.historian.traced(run_id), self._line.bags
        if book.run_id != run_id:
            return traced
        bags = {bag.bag_id: bag for bag in traced.bags} | book.bags
        lots = {lot.lot_id: lot for lot in traced.lots}
        lots |= {
            use.lot_id: self._line.lots.lots[use.lot_id]
            for use in self._line.lots.uses
            if use.lot_id in self._line.lots.lots
        }
        order = sorted(bags.values(), key=lambda bag: bag.number)
        return Traced(list(lots.values()), self._line.lots.uses, order, traced.acts)

    async def _found(self, bag_id: str) -> tuple[str, BagRow, Traced]:
        run_id = bag_id.rpartition("-B")[0]
        traced = await self._traced(run_id) if run_id else Traced()
        for bag in traced.bags:
            if bag.bag_id == bag_id:
                return run_id, bag, traced
        raise ConfigError([Problem("", None, "bag", f"there is no bag {bag_id!r}", "see the bags of its run")])

    async def _suspects(self, run_id: str, traced: Traced) -> list[Suspect]:
        """Suspect intervals of a run, each with its corrective action if one was written down."""
        book, found = self._line.bags, dict[str, Suspect]()
        if book.run_id == run_id:
            found = {one.id: one for one in book.suspects.own}
        if traced.bags:
            since = min(bag.opened_at for bag in traced.bags) - MEMORY_S
            until = max(bag.closed_at or bag.updated_at for bag in traced.bags) + 1.0
            touched = {name for bag in traced.bags for name, _, _ in bag.suspects}
            deviations = await book.deviations(since, until)
            for bag in traced.bags:
                touched |= {name for name, _, _ in book.told_of(bag, deviations).suspects}
            found |= {one.id: one for one in deviations if one.id in touched}
        for bag in traced.bags:
            for name, _, why in bag.suspects:
                found.setdefault(name, Suspect("bag", bag.opened_at, bag.closed_at or bag.updated_at, why, name))
        for act in traced.acts:
            if act.kind == "action" and act.target in found:
                found[act.target] = replace(found[act.target], action=act.reason, acted_by=act.who)
        return list(found.values())

    @staticmethod
    def _check_release(bag: BagRow, suspects: Iterable[Suspect]) -> None:
        """Raises StateError naming every suspect interval nobody has acted on."""
        touching = {name for name, _, _ in bag.suspects}
        missing = [one for one in suspects if one.id in touching and not one.has_action]
        if missing:
            told = "; ".join(f"{one.id} ({one.why})" for one in missing)
            raise StateError(
                f"bag {bag.bag_id} is not released: no corrective action with a name is on record for {told}"
            )


def _merged(decided: BagRow, told: BagRow) -> BagRow:
    """A bag as it was decided, and as the cycle has told it meanwhile: what is new to a released bag holds it."""
    known = {name for name, _, _ in decided.suspects}
    is_new = any(name not in known for name, _, _ in told.suspects)
    status = HELD if is_new and decided.status == RELEASED else decided.status
    return replace(told, status=status, updated_at=max(told.updated_at, decided.updated_at))


def _check_reason(reason: str) -> None:
    if len(reason.strip()) < _REASON_LEAST:
        raise ConfigError([Problem("", None, "reason", "a decision needs its reason", "a sentence")])


def bag_view(bag: BagRow, traced: Traced, acts: Sequence[ActRow]) -> dict[str, Any]:
    """A bag for people and programs."""
    species = {lot.lot_id: lot.species for lot in traced.lots}
    return {
        "bag_id": bag.bag_id,
        "run_id": bag.run_id,
        "number": bag.number,
        "status": bag.status,
        "opened_at": iso(bag.opened_at),
        "closed_at": iso(bag.closed_at),
        "weight_kg": bag.weight_kg,
        "moisture_mean_pct_wb": bag.moisture_mean,
        "moisture_max_pct_wb": bag.moisture_max,
        "temp_c": bag.temp_c,
        "water_activity": bag.aw,
        "water_activity_low": bag.aw_low,
        "water_activity_high": bag.aw_high,
        "suspect_kg": bag.suspect_kg,
        "lots": [{"lot_id": lot, "species": species.get(lot), "share": share, "kg": kg} for lot, share, kg in bag.lots],
        "suspects": [{"id": name, "share": share, "why": why} for name, share, why in bag.suspects],
        "acts": [act_view(act) for act in acts if act.target == bag.bag_id],
        "is_open": bag.status in (OPEN, SUSPECT),
        "note": bag.note,
    }


def suspect_view(one: Suspect) -> dict[str, Any]:
    return {
        "id": one.id,
        "stage": one.stage,
        "since": iso(one.since),
        "until": iso(one.until),
        "why": one.why,
        "action": one.action,
        "acted_by": name_of(one.acted_by),
    }


def act_view(act: ActRow) -> dict[str, Any]:
    return {
        "act_id": act.act_id,
        "target": act.target,
        "kind": act.kind,
        "time": iso(act.time),
        "who": name_of(act.who),
        "role": act.role,
        "reason": act.reason,
        "meaning": act.meaning,
    }
