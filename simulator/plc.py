"""The program inside one simulated PLC: registers, watchdog, interlocks, trips. Pure: no clock, no sockets.

It decides by itself. Whatever the controller writes, an output reaches the plant only while the station runs, its
permits hold and the controller's heartbeat moves.

* A *trip* (heartbeat lost) forces every output register to its safe value, and keeps it there until the run command
  is written off and on again with the heartbeat moving. The fan keeps its speed for ``OVERRUN_S``, then stops.
* A *heater trip* (too hot) forces the heater to 0 until the heater command has been written 0 and it has cooled down.
* A *permit* (feed only onto a turning trommel) holds an output off while its register keeps what was written; the
  heater's permit (fan running) also puts its register to 0, so that the heater never comes on by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum

from simulator.profile import Point, Station

PROBE_CONSTANT = 1234.5
SAFE_VALUES: Mapping[str, float] = {"XV-312": 1.0}  # divert gate to rework; every other output: 0
OVERRUN_S: Mapping[str, float] = {"SC-307": 300.0}  # plant s the fan cools the duct after a trip
ALWAYS_LIVE = frozenset({"SC-307", "XV-312", "XC-321"})  # fan, gate and bagging work while the station does not run
MIN_FAN_PCT = 20.0
MIN_FEED_INLET_C = 60.0
MAX_PRODUCT_C = 60.0
MAX_INLET_C = 200.0
PRODUCT_ARMED_S = 180.0  # the product thermometer is looked at after this long with feed: an empty duct is hot
RESET_BELOW_K = 3.0  # a heater trip can be reset this far below its limit
MIN_TROMMEL_RPM = 1.0
_U32 = 2**32


class Answer(Enum):
    """What a PLC says to a write."""

    DONE = "done"
    READ_ONLY = "read only"
    OUT_OF_RANGE = "out of range"
    NOT_NOW = "not now"  # the run command is latched off; only a method call can say so


class Plc:
    """One PLC. Values are engineering values, bools 0.0 or 1.0, keyed by tag name.

    Args:
        boot_id: start number, 1..65535; another one means that the registers were reset.
        sensors: names the plant can measure.
        actuators: names the plant takes as inputs.
    """

    def __init__(self, station: Station, boot_id: int, sensors: Collection[str], actuators: Collection[str]) -> None:
        self.station = station
        self.points: dict[str, Point] = {point.name: point for point in station.points}
        self.boot_id = boot_id
        self.overrides: dict[str, Callable[[float], float]] = {}
        """Faults between the process and the register, by tag."""
        self.ignore_writes = False
        self.revision = 0
        """Goes up with every change a reader could see."""
        self.written: deque[tuple[str, float]] = deque(maxlen=64)
        """Outputs written lately and what they then showed: for whoever looks less often than clients write."""
        special = {station.heartbeat, station.owner, station.boot, station.alive}
        self._runs = tuple(name for name in self.points if _is(name, "XC-", "01"))
        self._outputs = tuple(
            point.name for point in station.points if point.writable and point.name not in (*special, *self._runs)
        )
        self._actuators = tuple(name for name in self._outputs if name in actuators)
        self._sensed: set[str] = set()  # names whose register shows what the plant measures
        self._read: dict[str, Callable[[], float]] = {name: self._source(name, sensors) for name in self.points}
        self.unknown = tuple(name for name in self.points if self._is_unknown(name, special, sensors, actuators))
        """Tags that neither this program nor the plant knows; they read 0 or what was written."""
        self._measured: Mapping[str, float] = {}
        self._reset()

    def _reset(self) -> None:
        self.registers = {name: SAFE_VALUES.get(name, 0.0) for name in self._outputs}
        for name in (self.station.heartbeat, self.station.owner):
            self.registers[name] = 0.0
        self.running = dict.fromkeys((name[3] for name in self._runs), False)
        self.tripped = self.watchdog_tripped = self.heater_tripped = False
        self._fed_s = 0.0
        self._off_seen = self._heater_off_seen = False
        self._beat_age_s = 0.0
        self._overrun_left_s: dict[str, float] = {}
        self._time_s = 0.0
        self.sequence = 0

    def reboot(self) -> None:
        """Power off and on: registers reset, start number one up, outputs safe."""
        self._reset()
        self.boot_id = self.boot_id % 65535 + 1
        self.revision += 1

    # Reading

    def value(self, name: str) -> float:
        """What the register of this tag shows [tag unit]; NaN when its sensor has no value."""
        value = self._read[name]()
        override = self.overrides.get(name)
        return value if override is None else override(value)

    def reader(self, names: Sequence[str]) -> Callable[[], list[float]]:
        """A function that returns what ``value`` would of each of these, for whoever reads often."""
        kept = self.registers.keys()
        rows = [
            (name, name in self._sensed, None if name in self._sensed or name in kept else self._read[name])
            for name in names
        ]
        overrides = self.overrides

        def shown() -> list[float]:
            if overrides:
                return [self.value(name) for name in names]
            measured, registers = self._measured, self.registers
            return [
                measured.get(name, 0.0) if is_sensed else registers[name] if read is None else read()
                for name, is_sensed, read in rows
            ]

        return shown

    @property
    def check(self) -> int:
        """Value that belongs to the sequence counter: a reader that sees another one read a torn pair."""
        return self.sequence * 2654435761 % _U32

    def outputs(self) -> dict[str, float]:
        """What reaches the plant, by actuator name [tag unit], and the running state as XS-x01."""
        live = {name: self._effective(name) for name in self._actuators}
        live.update({f"XS-{area}01": float(on and not self.tripped) for area, on in self.running.items()})
        return live

    def is_overrunning(self, name: str) -> bool:
        """Whether this output keeps its value for a while after a trip, as a fan does."""
        return self._overrun_left_s.get(name, 0.0) > 0.0

    # Writing

    def examine(self, name: str, value: float) -> Answer:
        """Whether a client may write this value; changes nothing."""
        point = self.points.get(name)
        if point is None or not point.writable:
            return Answer.READ_ONLY
        return Answer.DONE if point.accepts(value) else Answer.OUT_OF_RANGE

    def write(self, name: str, value: float) -> Answer:
        """A client writes a register. What the PLC makes of it shows in the register at once."""
        answer = self.examine(name, value)
        if answer is not Answer.DONE:
            return answer
        self.revision += 1
        if name == self.station.heartbeat:
            if value != self.registers[name]:
                self._beat_age_s = 0.0
            self.registers[name] = value
            return answer
        if name == self.station.owner:
            self.registers[name] = value
        elif self.ignore_writes:
            pass
        elif name in self._runs:
            return self._run(name[3], value > 0.5)
        elif not self.tripped:
            self.registers[name] = value
            self.written.append((name, self.value(name)))
            if name == "TV-303" and value == 0.0:
                self._heater_off_seen = self.heater_tripped
            self._force_heater()
        return answer

    def _run(self, area: str, on: bool) -> Answer:
        if not on:
            self._off_seen = True
            self.running[area] = False
            return Answer.DONE
        if self.tripped:
            if not (self._off_seen and self._is_beating()):
                return Answer.NOT_NOW
            self.tripped = self.watchdog_tripped = False
            self._overrun_left_s.clear()
        if not any(self.running.values()):
            self._beat_age_s = 0.0  # the controller gets one full time-out from the start
        self.running[area] = True
        return Answer.DONE

    def _is_beating(self) -> bool:
        if self.station.heartbeat not in self.points:
            return True
        return self._beat_age_s < self.station.heartbeat_timeout_s

    # Time

    def step(self, dt_s: float, real_s: float, measured: Mapping[str, float]) -> bool:
        """One scan.

        Args:
            dt_s: plant time since the last scan [s].
            real_s: time on the wall since the last scan [s]; the watchdog counts it.
            measured: the plant's sensors; NaN = no value.
        Returns:
            True when the sequence counter has gone up.
        """
        self._measured = measured
        self._time_s += dt_s
        self._beat_age_s += real_s
        if (
            any(self.running.values())
            and self.station.heartbeat in self.points
            and self._beat_age_s > self.station.heartbeat_timeout_s
        ):
            self._trip()
        self._count_overrun(dt_s)
        self._guard_heater(dt_s)
        self._force_heater()
        old, self.sequence = self.sequence, int(self._time_s) % _U32
        self.revision += 1
        return self.sequence != old

    def _trip(self) -> None:
        self.tripped = self.watchdog_tripped = True
        self._off_seen = False
        self.running = dict.fromkeys(self.running, False)
        self._overrun_left_s = {name: OVERRUN_S[name] for name in self._outputs if name in OVERRUN_S}
        for name in self._outputs:
            if name not in self._overrun_left_s:
                self.registers[name] = SAFE_VALUES.get(name, 0.0)

    def _count_overrun(self, dt_s: float) -> None:
        for name, left_s in self._overrun_left_s.items():
            self._overrun_left_s[name] = left_s - dt_s
            if left_s <= dt_s:
                self.registers[name] = 0.0

    # Interlocks

    def _effective(self, name: str) -> float:
        """What this output does to the plant now [tag unit]."""
        value = self.registers[name]
        if name in ALWAYS_LIVE:
            return value
        if self.tripped or not self.running.get(name[3], True):
            return 0.0
        permit = _PERMITS.get(name)
        return value if permit is None or permit(self) else 0.0

    def _guard_heater(self, dt_s: float) -> None:
        if "TV-303" not in self.registers:
            return
        fed_s = self._fed_s + (dt_s if self._effective("SC-302") > 0.0 else -dt_s)
        self._fed_s = min(max(fed_s, 0.0), 2 * PRODUCT_ARMED_S)  # a short break of the feed does not disarm it
        is_armed = "TT-305" in self.points and self._fed_s >= PRODUCT_ARMED_S
        product_c = self.value("TT-305") if is_armed else 0.0
        inlet_c = self.value("TT-303") if "TT-303" in self.points else 0.0
        if product_c > MAX_PRODUCT_C or inlet_c > MAX_INLET_C:
            self.heater_tripped, self._heater_off_seen = True, False
        elif (
            self._heater_off_seen
            and product_c <= MAX_PRODUCT_C - RESET_BELOW_K
            and inlet_c <= MAX_INLET_C - RESET_BELOW_K
        ):
            self.heater_tripped = self._heater_off_seen = False

    def _force_heater(self) -> None:
        if self.registers.get("TV-303") and (self.heater_tripped or not _fan_runs(self)):
            self.registers["TV-303"] = 0.0

    # Where each register's value comes from

    def _source(self, name: str, sensors: Collection[str]) -> Callable[[], float]:
        station = self.station
        if name == station.boot:
            return lambda: float(self.boot_id)
        if name == station.alive:
            return lambda: float(self.sequence)
        if name in (station.heartbeat, station.owner, *self._outputs):
            return lambda: self.registers[name]
        if name.startswith("CHK-"):
            return lambda: float(self.check)
        if name.startswith("QI-"):
            constant = self.points[name].constant
            return lambda: PROBE_CONSTANT if constant is None else constant
        if _is(name, "XC-", "01") or _is(name, "XS-", "01"):
            return lambda: float(self.running.get(name[3], False))
        if _is(name, "XA-", "01"):
            return lambda: float(self.tripped or self.heater_tripped)
        if _is(name, "XA-", "02"):
            return lambda: float(self.watchdog_tripped)
        if name in sensors:
            self._sensed.add(name)
            return lambda: self._measured.get(name, 0.0)
        return lambda: 0.0

    def _is_unknown(
        self, name: str, special: Collection[str], sensors: Collection[str], actuators: Collection[str]
    ) -> bool:
        if name in special or name in self._runs or name.startswith(("CHK-", "QI-")):
            return False
        if _is(name, "XS-", "01") or _is(name, "XA-", "01") or _is(name, "XA-", "02"):
            return False
        return name not in (actuators if name in self._outputs else sensors)


def _is(name: str, letters: str, number: str) -> bool:
    """Whether a tag name is the letters, one area digit and the number: XC-101, XA-302."""
    return len(name) == 6 and name.startswith(letters) and name[3].isdigit() and name.endswith(number)


def _fan_runs(plc: Plc) -> bool:
    return "SC-307" not in plc.registers or plc.registers["SC-307"] > MIN_FAN_PCT


def _feed_is_safe(plc: Plc) -> bool:
    return _fan_runs(plc) and ("TT-303" not in plc.points or plc.value("TT-303") > MIN_FEED_INLET_C)


def _trommel_turns(plc: Plc) -> bool:
    if "ST-103" in plc.points and "ST-103" not in plc.unknown:
        return plc.value("ST-103") > MIN_TROMMEL_RPM
    return plc.registers.get("SC-103", 1.0) > 0.0


_PERMITS: Mapping[str, Callable[[Plc], bool]] = {
    "SC-302": _feed_is_safe,
    "SC-101": _trommel_turns,
}
