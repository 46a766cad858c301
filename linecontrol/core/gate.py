"""The command gate: the only writer. Operator, loop, recipe and guard all submit Commands here and get Receipts.

A write is never repeated here; every receipt is journalled.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from linecontrol.core.clock import Clock
from linecontrol.core.errors import LinkError
from linecontrol.core.image import ProcessImage
from linecontrol.core.model import Command, Outcome, Receipt, Sample, Text, Value
from linecontrol.core.rules import RULES, Rule, Situation, is_not_interlocked, same_value


class Writer(Protocol):
    """What the gate needs of a station."""

    def why_not_write(self) -> str | None: ...

    async def write(self, name: str, value: Value) -> Sample: ...


Owner = Callable[[Command], tuple[str, str] | None]
Interlocks = Callable[[Command], Text | None]


class CommandGate:
    """Grants or refuses commands, one at a time per tag.

    Args:
        owner_of: who holds the tag of a command against its asker, and why, e.g. ``("loop:TIC-303", "TIC-303 is in
            AUTO")``; None = nobody.
        journal: takes every receipt, granted or not.
        interlock_of: which interlock is against a command, with what clears it; None = none.
    """

    def __init__(
        self,
        image: ProcessImage,
        writers: Mapping[str, Writer],
        clock: Clock,
        journal: Callable[[Receipt], None],
        owner_of: Owner = lambda _command: None,
        rules: Sequence[Rule] = RULES,
        interlock_of: Interlocks = lambda _command: None,
    ) -> None:
        self._image = image
        self._writers = writers
        self._clock = clock
        self._journal = journal
        self._owner_of = owner_of
        self._rules = rules
        self._interlock_of = interlock_of
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._under_way: set[asyncio.Task[Any] | None] = set()

    def objection(self, command: Command) -> str | None:
        """Why this command would be refused right now; None = it would be written."""
        found = self._objection(command)
        return None if found is None else found.en

    def _objection(self, command: Command) -> Text | None:
        """The same in both languages; the Chinese is empty where only the English is known."""
        tag = self._image.tags.get(command.tag)
        if tag is None:
            return Text(f"there is no tag {command.tag!r} on this line", f"本线没有位号 {command.tag!r}")
        writer = self._writers.get(tag.station)
        situation = Situation(
            tag=tag,
            present=self._image.at(tag.name, self._clock.now()),
            owner=self._owner_of(command),
            station_objection="its station is not part of this line" if writer is None else writer.why_not_write(),
            interlock=self._interlock_of(command),
        )
        for rule in self._rules:
            if (reason := rule(command, situation)) is not None:
                lock = situation.interlock if rule is is_not_interlocked else None
                return Text(reason, "" if lock is None else f"{command.tag} 被联锁：{lock.zh}")
        return None

    async def submit(self, command: Command) -> Receipt:
        """Judge, write, read back. Never raises for what the plant does; the receipt says it.

        An asker that goes away meanwhile changes nothing: the write under way is finished and journalled. Breaking it
        off would leave its outcome unknown, and cost the link.
        """
        return await asyncio.shield(self.begin(command))

    def begin(self, command: Command) -> asyncio.Task[Receipt]:
        """``submit`` for an asker that does not wait. The task is not to be cancelled."""
        task = asyncio.create_task(self._carry_out(command))
        self._under_way.add(task)  # an event loop keeps no task alive
        return task

    async def _carry_out(self, command: Command) -> Receipt:
        try:
            if command.tag not in self._image.tags:  # anybody may ask for any name: it gets no lock of its own
                receipt = await self._execute(command)
            else:
                async with self._locks[command.tag]:
                    receipt = await self._execute(command)
            self._journal(receipt)
            return receipt
        finally:
            self._under_way.discard(asyncio.current_task())

    async def _execute(self, command: Command) -> Receipt:
        if (why := self._objection(command)) is not None:
            return Receipt(command, Outcome.REFUSED, self._clock.now(), why.en, reason_zh=why.zh)
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
