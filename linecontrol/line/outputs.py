"""Writing for the program: safe outputs in their order, and background writes that never hold up a control cycle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from linecontrol.core.gate import CommandGate
from linecontrol.core.image import ProcessImage
from linecontrol.core.model import Command, Receipt, Value
from linecontrol.core.rules import same_value
from linecontrol.line.loops import LoopBank

SafeOutputs = Mapping[str, Mapping[str, Value]]
"""kind (held, stopped, aborted) -> tag -> value, in the order in which they are written."""


class Writes:
    """One write per tag at a time; of what is wished meanwhile the newest follows it. Nothing is queued beyond that, so
    nothing is late; and a last wish, after which no other comes, is never left out."""

    def __init__(self, gate: CommandGate, image: ProcessImage) -> None:
        self._gate = gate
        self._image = image
        self._under_way: dict[str, asyncio.Task[Receipt]] = {}
        self._newest: dict[str, Command] = {}

    def submit(self, command: Command) -> None:
        """Start the write, unless the device shows this value already; after the one for this tag that is under way."""
        if command.tag in self._under_way:
            self._newest[command.tag] = command
            return
        if self.would_change(command.tag, command.value):
            self._start(command)

    def would_change(self, tag: str, value: Value) -> bool:
        """Whether ``submit`` of this value would do anything: a write is under way, or the device shows another one."""
        if tag in self._under_way:
            return True
        present = self._image.latest(tag)
        return not (present.is_good and same_value(value, present.value, self._image.tags[tag].step))

    def _start(self, command: Command) -> None:
        task = self._gate.begin(command)
        self._under_way[command.tag] = task
        task.add_done_callback(lambda _done: self._follow_up(command.tag, command.value))

    def _follow_up(self, tag: str, written: Value) -> None:
        self._under_way.pop(tag, None)
        newest = self._newest.pop(tag, None)
        # Held against what was just written, which the image does not know yet.
        if newest is not None and newest.value != written:
            self._start(newest)

    def forget(self, tags: Iterable[str]) -> None:
        """What is still wished for these tags is not wished any more: something else moves them now."""
        for tag in tags:
            self._newest.pop(tag, None)

    async def settle(self) -> None:
        """Wait for the writes under way."""
        while self._under_way:
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)


async def drive_safe(
    kind: str,
    outputs: Mapping[str, SafeOutputs],
    gate: CommandGate,
    writes: Writes,
    bank: LoopBank,
    reason: str,
    is_reachable: Callable[[str], bool],
) -> list[Receipt]:
    """Write the safe outputs of every reachable station: stations side by side, each in its own order.

    A loop that moves one of these actuators is put in MAN first. What cannot be written is in the receipts; the PLC's
    own watchdog takes an unreachable station to its safe state.
    """

    async def one(station: str, values: Mapping[str, Value]) -> list[Receipt]:
        if not is_reachable(station):
            return []
        return [await gate.submit(Command(tag, value, "system", reason)) for tag, value in values.items()]

    wanted = {station: rows[kind] for station, rows in outputs.items() if kind in rows}
    moved = [tag for values in wanted.values() for tag in values]
    bank.release(bank.moving(moved))
    writes.forget(moved)
    work: list[Awaitable[Any]] = [one(station, values) for station, values in wanted.items()]
    return [receipt for receipts in await asyncio.gather(*work) for receipt in receipts]
