"""The command gate: the only writer. Operator, loop, recipe and guard all submit Commands here and get Receipts.

A write is never repeated here; every receipt is journalled.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from linecontrol.core.clock import Clock
from linecontrol.core.errors import LinkError
from linecontrol.core.image import ProcessImage
from linecontrol.core.model import Command, Outcome, Receipt, Sample, Value
from linecontrol.core.rules import RULES, Rule, Situation, same_value


class Writer(Protocol):
    """What the gate needs of a station."""

    def why_not_write(self) -> str | None: ...

    async def write(self, name: str, value: Value) -> Sample: ...


Owner = Callable[[Command], tuple[str, str] | None]


class CommandGate:
    """Grants or refuses commands, one at a time per tag.

    Args:
        owner_of: who holds the tag of a command against its asker, and why, e.g. ``("loop:TIC-303", "TIC-303 is in
            AUTO")``; None = nobody.
        journal: takes every receipt, granted or not.
    """

    def __init__(
        self,
        image: ProcessImage,
        writers: Mapping[str, Writer],
        clock: Clock,
        journal: Callable[[Receipt], None],
        owner_of: Owner = lambda _command: None,
        rules: Sequence[Rule] = RULES,
    ) -> None:
        self._image = image
        self._writers = writers
        self._clock = clock
        self._journal = journal
        self._owner_of = owner_of
        self._rules = rules
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._under_way: set[asyncio.Future[Receipt]] = set()

    def objection(self, command: Command) -> str | None:
        """Why this command would be refused right now; None = it would be written."""
        tag = self._image.tags.get(command.tag)
        if tag is None:
            return f"there is no tag {command.tag!r} on this line"
        writer = self._writers.get(tag.station)
        situation = Situation(
            tag=tag,
            present=self._image.at(tag.name, self._clock.now()),
            owner=self._owner_of(command),
            station_objection="its station is not part of this line" if writer is None else writer.why_not_write(),
        )
        for rule in self._rules:
            if (reason := rule(command, situation)) is not None:
                return reason
        return None

    async def submit(self, command: Command) -> Receipt:
        """Judge, write, read back. Never raises for what the plant does; the receipt says it.

        An asker that goes away meanwhile changes nothing: the write under way is finished and journalled. Breaking it
        off would leave its outcome unknown, and cost the link.
        """
        task = asyncio.ensure_future(self._carry_out(command))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _carry_out(self, command: Command) -> Receipt:
        async with self._locks[command.tag]:
            receipt = await self._execute(command)
        self._journal(receipt)
        return receipt

    async def _execute(self, command: Command) -> Receipt:
        if (reason := self.objection(command)) is not None:
            return Receipt(command, Outcome.REFUSED, self._clock.now(), reason)
        tag = self._image.tags[command.tag]
        old = self._image.latest(command.tag).value
        try:
            found = await self._writers[tag.station].write(command.tag, command.value)
        except LinkError as error:
            return Receipt(command, Outcome.FAILED, self._clock.now(), str(error), old=old)
        now = self._clock.now()
        if same_value(command.value, found.value, tag.step):
            return Receipt(command, Outcome.CONFIRMED, now, readback=found.value, old=old)
        reason = f"{command.tag} was written as {command.value} but reads back {found.value} ({found.status.text})"
        return Receipt(command, Outcome.FAILED, now, reason, readback=found.value, old=old)
