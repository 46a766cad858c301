"""Tuning over HTTP: tests on running loops, their results, gains applied and taken back. Each command is signed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request

from linecontrol.api.callers import noted, signed
from linecontrol.api.problems import PROBLEM_RESPONSES
from linecontrol.api.tuning_wire import ApplyIn, ResultView, Signed, TestIn, TuningView, Written, result_row
from linecontrol.control.tuning.moves import Kind
from linecontrol.line.gains_kept import gains_from_plain
from linecontrol.line.wishes import TestWish

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

Loop = Annotated[str, Path(examples=["TIC-303"], description="Name of the loop")]


def tuning_routes(line: Line) -> APIRouter:
    """The routes under ``/tuning``."""
    routes = APIRouter(
        prefix="/tuning",
        tags=["tuning"],
        responses={k: v for k, v in PROBLEM_RESPONSES.items() if k in (404, 409, 422)},
    )
    desk = line.tuning

    def known(loop: str) -> str:
        if loop not in line.bank.settings:
            raise HTTPException(404, f"there is no loop {loop!r} on this line (it has {', '.join(line.bank.settings)})")
        return loop

    def of_gains(loop: str) -> dict[str, Any]:
        """What the audit trail keeps of a loop before and after."""
        view = desk.view(loop)
        return {"gains": view["gains"], "on_trial": view["trial"] is not None}

    @routes.get("", response_model=list[TuningView])
    async def overview() -> Any:
        """Every loop with its gains, what the line file says, what is on trial, and its last test."""
        return [desk.view(name) for name in line.bank.settings]

    @routes.get("/{loop}", response_model=TuningView)
    async def one(loop: Loop) -> Any:
        """One loop: gains, trial, and its test as it stands. Asking keeps a leased test alive."""
        desk.touch(known(loop))
        return desk.view(loop)

    @routes.get("/{loop}/result", response_model=ResultView)
    async def result(loop: Loop) -> Any:
        """What the last test has shown; 404 while there is nothing. A refusal of the data is an answer, not an error.

        With it: the record, the model with 95 % intervals, candidates and the present gains judged alike (Ms, Mt, gain
        and phase margin, noise into the actuator), and predicted answers to a set-point and a load step with their
        band over all that agrees with the test.
        """
        found = desk.evaluation(known(loop))
        if found is None:
            raise HTTPException(404, f"no test of {loop} has been evaluated")
        session, evaluation = found
        row = line.bank.settings[loop]
        tag = line.image.tags.get(f"{loop}.OP")
        unit = str(line.bank.view(line.clock.now())[loop]["unit"])
        span = row.pid.op_high - row.pid.op_low
        written = Written(unit, "" if tag is None else tag.unit, row.pid.action, span)
        return await asyncio.to_thread(result_row, session, evaluation, written, desk.sign_of_k(loop))

    @routes.post("/{loop}/test", response_model=TuningView, status_code=201)
    async def start(request: Request, loop: Loop, wish: TestIn) -> Any:
        """Start a test on the running loop. 409 says why there can be none now.

        It watches the loop at rest before it moves anything, keeps within its limits, and gives the loop back in its
        mode, set point and gains, however it ends.
        """
        asked = wish.model_dump(exclude={"who", "reason", "kind"})
        wanted = TestWish(kind=Kind(wish.kind), **asked)
        return desk.start(known(loop), wanted, who=signed(request, wish.who), reason=wish.reason)

    @routes.post("/{loop}/abort", response_model=TuningView)
    async def abort(request: Request, loop: Loop, wish: Signed) -> Any:
        """End the test; the output goes back to where it was, then the loop goes on. 409 when there is none."""
        return desk.abort(known(loop), who=signed(request, wish.who), reason=wish.reason)

    @routes.post("/{loop}/apply", response_model=TuningView)
    async def apply(request: Request, loop: Loop, wish: ApplyIn) -> Any:
        """Put gains on trial, without a bump. If the loop then behaves worse, the old ones come back by themselves."""
        own = None if wish.gains is None else wish.gains.gains(gains_from_plain(desk.view(known(loop))["gains"]))
        who = signed(request, wish.who)
        was = of_gains(known(loop))
        noted(request, old=was)
        view = desk.apply(loop, who=who, reason=wish.reason, candidate=wish.candidate, gains=own)
        noted(request, new={"candidate": wish.candidate, **of_gains(loop)})
        return view

    @routes.post("/{loop}/accept", response_model=TuningView)
    async def accept(request: Request, loop: Loop, wish: Signed) -> Any:
        """End the trial: the gains stay. 409 when none are on trial."""
        noted(request, old=of_gains(known(loop)))
        view = desk.accept(loop, who=signed(request, wish.who), reason=wish.reason)
        noted(request, new=of_gains(loop))
        return view

    @routes.post("/{loop}/revert", response_model=TuningView)
    async def revert(request: Request, loop: Loop, wish: Signed) -> Any:
        """One step back, to the gains before the last ones applied. 409 when there are none."""
        noted(request, old=of_gains(known(loop)))
        view = desk.revert(loop, who=signed(request, wish.who), reason=wish.reason)
        noted(request, new=of_gains(loop))
        return view

    return routes
