"""What a recipe is given of the line: samples, the gate, the loops and line time. All else stays out of reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from linecontrol.control.loop import Mode
from linecontrol.core.model import Command, Outcome, Sample, Value
from linecontrol.recipe.equipment import LoopMode, PhaseFailed, poll_until

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

LEAST_POLL_REAL_S = 0.05


class LinePlant:
    """The line as one unit procedure sees it (recipe.equipment.Plant)."""

    def __init__(self, line: Line, unit: str) -> None:
        self._line = line
        self._who = f"recipe:{unit}"

    def now(self) -> float:
        return self._line.clock.now()

    def sample(self, tag: str) -> Sample:
        return self._line.image.at(tag, self._line.clock.now())

    async def sleep(self, line_s: float) -> None:
        await self._line.clock.sleep(line_s)

    async def wait_until(self, predicate: Callable[[], bool], timeout_s: float | None = None) -> bool:
        period_s = max(1.0, LEAST_POLL_REAL_S * self._line.clock.speed)
        return await poll_until(self, predicate, timeout_s, period_s)

    async def set(self, tag: str, value: Value) -> None:
        receipt = await self._line.gate.submit(Command(tag, value, self._who, "recipe"))
        if receipt.outcome is Outcome.FAILED and value is True:
            # a PLC that has tripped takes its run command only when it sees it go off and on again
            await self._line.gate.submit(Command(tag, False, self._who, "reset after a trip"))
            receipt = await self._line.gate.submit(Command(tag, True, self._who, "recipe"))
        if not receipt.ok:
            raise PhaseFailed(f"{tag} = {value}: {receipt.outcome.value}: {receipt.reason}")

    async def set_loop(
        self, loop: str, *, mode: LoopMode | None = None, sp: float | None = None, op: float | None = None
    ) -> None:
        if mode is not None:
            await self.set(f"{loop}.MODE", int(Mode[mode]))
        if sp is not None:
            await self.set(f"{loop}.SP", sp)
        if op is not None:
            await self.set(f"{loop}.OP", op)
