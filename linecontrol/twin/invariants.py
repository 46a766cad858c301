"""What must hold at every step, whatever goes wrong: checked beside a trial, from both sides of the wire at once.

Each check is a sentence about safety or truth, not about good control. A breach names time, rule and numbers.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from linecontrol.core.model import DataType, Status, Tag
from linecontrol.recipe.states import ENDED, RunState
from simulator.plant import Plant

if TYPE_CHECKING:
    from linecontrol.twin.trial import Twin

SETTLE_S = 20.0  # a safe state is reached within this: writes one after the other, or the PLC's own watchdog
MEMORY = 8  # steps: how old what is shown as GOOD may be
LEDGER_EVERY = 60  # steps
LEDGER_MOST = 1e-9
GATE_S = 12.0  # from a bad reading to a turned gate: stale limit, one cycle, travel
MOST_BREACHES = 20
RESTING = frozenset({RunState.HELD, *ENDED})


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that did not hold."""

    at_s: float
    rule: str
    text: str


class _Row(NamedTuple):
    """A register that is watched: how to read it, and what it showed within the last steps."""

    tag: Tag
    read: Callable[[], float]
    shown: deque[float]
    half_step: float


class Watchman:
    """Checks a twin after every step; ``breaches`` says what it saw."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self.breaches: list[Breach] = []
        self._steps = 0
        self._unsafe_since: dict[str, float] = {}
        self._seen: set[tuple[str, str]] = set()
        config = twin.line.config
        safe = {name: dict(row.profile.safe_outputs.named())["held"] for name, row in config.stations.items()}
        self._safe = [
            (name, tag, float(value))
            for name, values in safe.items()
            for tag, value in values.items()
            if isinstance(value, (int, float)) and tag in twin.floor.cabinets[name].plc.registers
        ]
        self._rows: list[_Row] = []
        for name, row in config.stations.items():
            own = row.profile.roles.get("heartbeat")  # written so often that a step misses values
            for tag in row.tags:
                if tag.type is not DataType.STRING and tag.name != own:
                    shown = deque[float](maxlen=3 * MEMORY if tag.writable else MEMORY)
                    read = partial(twin.floor.cabinets[name].plc.value, tag.name)
                    self._rows.append(_Row(tag, read, shown, 0.5 * tag.step))
        self._writable = [row for row in self._rows if row.tag.writable]
        self._shown = {row.tag.name: row.shown for row in self._rows}
        self._note_shown()
        rows = config.line.guard
        self._limits = [] if rows is None else [limit for limit in rows.critical_limits if limit.diverts]
        self._guard = rows
        self._deviates_since: float | None = None

    def note_written(self) -> None:
        """Before every plant step: what commands have put into the registers since the last one."""
        for _, read, shown, _ in self._writable:
            shown.append(read())
        for cabinet in self._twin.floor.cabinets.values():
            for name, value in cabinet.plc.written:  # of two writes within a step, the first may have been read back
                self._shown[name].append(value)
            cabinet.plc.written.clear()

    def look(self, now_s: float) -> None:
        """After every plant step; ``now_s`` since the start."""
        self._steps += 1
        self._note_shown()
        if self._twin.line.is_running:
            self._check_values(now_s)
            self._check_rest(now_s)
            self._check_gate(now_s)
        if self._steps % LEDGER_EVERY == 0:
            self._check_ledgers(now_s)

    def end(self, now_s: float) -> None:
        """After the run."""
        self._check_ledgers(now_s)
        self._check_record(now_s)

    # -- rules
    def _note_shown(self) -> None:
        for _, read, shown, _ in self._rows:
            shown.append(read())

    def _check_values(self, now_s: float) -> None:
        """No wrong value GOOD: what the controller takes for good was shown by the PLC within the last steps."""
        line = self._twin.line
        now = line.clock.now()
        at, good = line.image.at, Status.GOOD
        for tag, _, shown, half_step in self._rows:
            sample = at(tag.name, now)
            if sample.status is not good and not sample.is_good:
                continue
            value = sample.number
            half = half_step + 1e-6 * abs(value)
            # Nearly always one of the last two, which takes a fifth of the time to see.
            if abs(value - shown[-1]) <= half or abs(value - shown[-2]) <= half:
                continue
            if not any(abs(value - one) <= half for one in shown):
                recent = ", ".join(f"{one:g}" for one in shown)
                text = f"{tag.name} = {value:g} is GOOD; the PLC showed {recent}"
                self._breach(now_s, "no wrong value GOOD", tag.name, text)

    def _check_rest(self, now_s: float) -> None:
        """Safe outputs in safe states: nothing that should be 0 reaches the plant for longer than ``SETTLE_S``."""
        state = self._twin.line.runs.state
        if state not in RESTING:
            self._unsafe_since.clear()
            return
        for station, tag, value in self._safe:
            cabinet = self._twin.floor.cabinets[station]
            plc = cabinet.plc
            is_out_of_reach = cabinet.held is not None or plc.ignore_writes or plc.is_overrunning(tag)
            if value != 0.0 or is_out_of_reach or plc.outputs().get(tag, 0.0) <= 0.0:
                self._unsafe_since.pop(tag, None)
            elif now_s - self._unsafe_since.setdefault(tag, now_s) > SETTLE_S:
                text = f"{tag} = {plc.outputs()[tag]:g} while the run is {state}"
                self._breach(now_s, "safe outputs in safe states", tag, text)

    def _check_gate(self, now_s: float) -> None:
        """No suspect powder in a good bag: with a deviation known for ``GATE_S``, nothing falls into the good bin."""
        guard, line, plant = self._guard, self._twin.line, self._twin.plant
        if guard is None:
            return
        good_kg = plant.packing.bin_kg[0]
        now = line.clock.now()
        deviates = False
        for limit in self._limits:
            sample = line.image.at(limit.tag, now)
            low = -math.inf if limit.low is None else limit.low
            high = math.inf if limit.high is None else limit.high
            deviates |= not sample.is_good or not low <= sample.number <= high
        if not deviates:
            self._deviates_since = None
            return
        self._deviates_since = now_s if self._deviates_since is None else self._deviates_since
        cabinet = self._twin.floor.cabinets[line.image.tags[guard.gate.tag].station]
        is_stuck = plant.packing.gate.is_stuck or cabinet.plc.ignore_writes
        if cabinet.held is not None:  # its program stands still: nothing turns the gate but what holds it
            self._deviates_since = None
            return
        if now_s - self._deviates_since > GATE_S and good_kg > 1e-9 and not is_stuck:
            lasts_s = now_s - self._deviates_since
            text = f"{good_kg * 1000:.1f} g fell into the good bin {lasts_s:.0f} s into a deviation"
            self._breach(now_s, "no suspect powder in a good bag", "gate", text)

    def _check_ledgers(self, now_s: float) -> None:
        plant: Plant = self._twin.plant
        for name, ledger in plant.ledgers.items():
            if not ledger.relative_error <= LEDGER_MOST:
                self._breach(now_s, "ledgers close", name, f"{name}: {ledger.relative_error:.2e} is missing")

    def _check_record(self, now_s: float) -> None:
        """Nothing lost: the books of the historian add up, and the run is on record."""
        twin = self._twin
        if twin.recording is None or twin.recording.kept.run is None:
            self._breach(now_s, "nothing lost", "run", "the run is not on record")
            return
        if not twin.recording.counters.adds_up:
            self._breach(now_s, "nothing lost", "history", f"{twin.recording.counters}")
        state = RunState(twin.recording.kept.run.state)
        if state not in RESTING:
            self._breach(now_s, "the run comes to rest", "run", f"its last state on record is {state}")

    def _breach(self, now_s: float, rule: str, about: str, text: str) -> None:
        """Once per rule and thing, so that one breach does not bury the others."""
        if (rule, about) in self._seen or len(self.breaches) >= MOST_BREACHES:
            return
        self._seen.add((rule, about))
        self.breaches.append(Breach(now_s, rule, text))
