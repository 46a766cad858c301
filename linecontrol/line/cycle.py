"""The control cycle: guard, loops, tests on them, watch, alarms, run, in this order, on one look at the image.

It reads the image and submits commands; it waits for nothing, so a slow device never delays another's loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from linecontrol.core.model import Command, Event, Severity, Text
from linecontrol.core.ticker import ticker
from linecontrol.guard.divert import Verdict
from linecontrol.guard.interlocks import Act

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

LEAST_CYCLE_REAL_S = 0.02


class ControlCycle:
    """Beats once per ``control_period_s`` of line time. Its count is the heartbeat every PLC watches.

    Missed-tick policy: skip and resync; each cycle is told how much line time has really passed.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self.count = 0

    async def run(self) -> None:
        """Beat until cancelled."""
        line = self._line
        last = line.clock.now()
        with ticker(line.clock, line.config.line.control_period_s, LEAST_CYCLE_REAL_S) as beat:
            while True:
                await beat.next()
                now = line.clock.now()
                self.tick(now - last, now)
                last = now

    def tick(self, dt_s: float, now: float) -> None:
        """One cycle, ``dt_s`` line seconds after the one before."""
        line = self._line
        self.count += 1
        for station in line.stations.values():
            station.watch_silence(now)
        line.lab.tick(dt_s, now)
        line.checks.tick(now)
        line.quality.tick(dt_s, now)
        line.interlocks.tick(now)
        self._guard(now)
        line.bags.tick(now)
        line.tuning.before()
        for write in line.bank.tick(dt_s, now, line.is_available):
            if line.writes.would_change(write.tag, write.value):
                line.writes.submit(Command(write.tag, write.value, write.who))
        for name, out in line.bank.outputs.items():
            if out.events or out.refused:
                for text in (*out.events, *out.refused):
                    line.emit(Event(now, "loop.event", name, f"{name}: {text}", Severity.WARNING))
        line.tuning.after(now, dt_s)
        reason = line.watch.reason_to_hold(now, line.image, line.stations, line.bank, line.runs.state, dt_s)
        if reason is not None:
            line.runs.hold(reason.en, "plant", reason.zh)
        self._interlocked(now)
        line.rest.tick(now)
        line.alarms.tick(now)
        line.runs.tick(dt_s, now)
        self.show(now)

    def _interlocked(self, now: float) -> None:
        """What an interlock does to the run in hand."""
        found = self._line.interlocks.to_hold(now)
        if found is None:
            return
        act, why = found
        if act is Act.STOP:
            self._line.runs.stop(why.en, "interlock", why.zh)
        else:
            self._line.runs.hold(why.en, "interlock", why.zh)

    def _guard(self, now: float) -> None:
        guard, line = self._line.guard, self._line
        if guard is None:
            return
        image = line.image.as_of(now)
        samples = {name: image[name] for name in guard.tags}
        doubts = {name: said.en for name, said in line.bank.doubts(guard.limits).items()} | line.interlocks.doubts(now)
        verdict = guard.tick(now, samples, line.lab.for_guard(samples), doubts)
        line.haccp.tick(now, verdict)
        tag = guard.settings.tag
        if line.is_available(tag) and line.writes.would_change(tag, verdict.position):
            why = "; ".join([*verdict.deviations.values(), *verdict.near.values()])
            line.writes.submit(Command(tag, verdict.position, "guard", why))
        self._tell(verdict, now, tag, is_good=verdict.position == guard.settings.good)
        line.bags.note_guard(verdict, now)

    def _tell(self, verdict: Verdict, now: float, tag: str, *, is_good: bool) -> None:
        line = self._line
        if verdict.suspect_kg > 0.0 and line.runs.extraction is not None and line.runs.is_under_way:
            line.runs.extraction.suspect_kg += verdict.suspect_kg
        if verdict.began:
            why = f"Powder diverted to rework: {'; '.join(verdict.deviations.values())}"
            data = {"suspect_kg": verdict.suspect_kg}
            line.emit(Event(now, "guard.divert", tag, why, Severity.ALARM, True, data))
        elif verdict.ended:
            text = Text("No more powder comes: the gate stays on rework", "已无粉料，分流阀停在返工位")
            if is_good:
                text = Text("Powder is good again and goes to the good bag", "成品粉恢复合格，转回合格袋")
            line.emit(Event(now, "guard.divert", tag, text.en, Severity.ALARM, False, {"zh": text.zh}))

    def show(self, now: float) -> None:
        """Bring the soft tags up to date: with the cycle they are shown, and without it they grow stale."""
        engine = self._line.runs.engine
        values = self._line.bank.show()
        values |= self._line.lab.show(now)
        values |= self._line.quality.show()
        values["RUN.STATE"] = engine.state.value if engine is not None else "Idle"
        values["RUN.MODE"] = engine.mode.value if engine is not None else "Automatic"
        values["RUN.ID"] = engine.run_id if engine is not None else ""
        values["RUN.CYCLES"] = self.count % 2**32
        self._line.soft.show(values, now)
