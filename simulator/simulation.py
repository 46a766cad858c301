"""Joins the plant, the PLC programs and their protocol servers, and lets time pass. The only clock of the simulator."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from simulator.faults import Face
from simulator.floor import Cabinet, Floor, Plant
from simulator.gate import Gate
from simulator.plc import Plc
from simulator.profile import Line, Station
from simulator.sequence_log import SequenceLog

_log = logging.getLogger(__name__)
STEP_S = 0.5  # plant time of one step when simulated faster than real time [s]
SLOW_STEP_S = 0.25  # at real time, where a second is long [s]
LEAST_TICK_S = 0.004  # real time [s]; more often costs more than it shows
MOST_CATCH_UP_S = 0.25  # real time [s]; a process that was stopped does not live through what it missed
MOST_WATCHED_S = 1.0  # real time one tick can add to a watchdog [s]; a frozen PLC's watchdog is frozen too
PUBLISH_EVERY_S = 0.02  # real time between pushes to OPC UA subscribers [s]
TRUTH_EVERY_S = 1.0  # real time between writes of the truth file [s]
TELL_EVERY_S = 0.05  # real time between two tellings of the plant's time [s]
WAITS_AFTER_S = 0.15  # real time after which a paced plant that hears nothing of its controller stands still [s]
WAITS_UNTIL_S = 2.0  # real time after which it goes on alone [s]: that is no hiccup, and its watchdogs shall see it


class Server(Face, Protocol):
    """A protocol server in front of one PLC."""

    @property
    def gate(self) -> Gate: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def publish(self) -> None: ...
    def note_update(self, updated_at: datetime) -> None: ...


class Simulation:
    """A line of cabinets on one plant.

    Args:
        speed: plant seconds in one real second, > 0.
        ports: station name to TCP port, where it is not the line file's; 0 = a free one.
        faults: as written on the command line.
        tell_time: told the plant time [s] and the real time it belongs to [monotonic s], about 20 times a second; with
            it the plant is paced: it waits for a controller that is busy, see ``keep_pace``.
    Raises:
        FaultError: a fault does not fit this line.
    """

    def __init__(
        self,
        line: Line,
        plant: Plant,
        *,
        speed: float = 1.0,
        host: str = "127.0.0.1",
        ports: Mapping[str, int] | None = None,
        boot_id: int = 1,
        faults: Sequence[str] = (),
        sequence_log: Path | None = None,
        truth: Path | None = None,
        tell_time: Callable[[float, float], None] | None = None,
    ) -> None:
        self.speed = speed
        self._tell_time = tell_time
        self._paced_at: float | None = None
        self.step_s = STEP_S if speed >= 2.0 else SLOW_STEP_S
        self._sequence_log = sequence_log
        self._truth = truth
        chosen = ports or {}

        def face_for(station: Station, plc: Plc) -> Server:
            return _server(station, plc, host, chosen.get(station.name, station.endpoint.port))

        self.floor: Floor[Server] = Floor(line, plant, face_for, boot_id=boot_id, faults=faults)
        self.plant = plant
        self.cabinets = self.floor.cabinets
        self.faults = self.floor.faults

    @property
    def plant_time_s(self) -> float:
        """Plant time since the start [s]."""
        return self.floor.time_s

    def keep_pace(self, speed: float) -> None:
        """The controller is there, and goes at ``speed``. Until this is first called, the plant does not wait for it.

        A busy processor may keep the controller from its work for a moment. A plant that ran on at many times real
        time would meet no control meanwhile.
        """
        self.speed = speed
        self._paced_at = time.monotonic()

    def go_alone(self) -> None:
        """The controller takes its leave: wait for it no longer."""
        self._paced_at = None

    async def start(self) -> dict[str, str]:
        """Listen everywhere; returns station name to endpoint URL.

        Raises:
            OSError: a port is taken. What was opened before is closed again.
        """
        self.floor.scan(0.0, 0.0)
        started = []
        try:
            for cabinet in self.cabinets.values():
                started.append(cabinet)
                await cabinet.face.start()
        except BaseException:  # also when cancelled: no port stays taken
            for cabinet in started:
                await cabinet.face.stop()
            raise
        self.floor.scan(0.0, 0.0)
        self._note_update()
        return {name: url_of(cabinet) for name, cabinet in self.cabinets.items()}

    async def stop(self) -> None:
        await asyncio.gather(*(cabinet.face.stop() for cabinet in self.cabinets.values()))
        self._write_truth()

    async def run(self) -> None:
        """Let time pass until cancelled.

        A late tick catches up in plant time up to ``MOST_CATCH_UP_S``; what lies further back is dropped, so that a
        plant too heavy for the machine runs slower than asked instead of starving its own servers.
        """
        due_at = last = published = written = told = time.monotonic()
        with ExitStack() as files:
            log = files.enter_context(SequenceLog(self._sequence_log)) if self._sequence_log else None
            while True:
                per_step_s = self.step_s / self.speed
                most = max(1, round(MOST_CATCH_UP_S / per_step_s))
                await asyncio.sleep(max(0.0, due_at + max(per_step_s, LEAST_TICK_S) - time.monotonic()))
                now = time.monotonic()
                if self._paced_at is not None and WAITS_AFTER_S < now - self._paced_at <= WAITS_UNTIL_S:
                    due_at = last = now
                    continue
                steps = int((now - due_at) / per_step_s)
                due_at = now if steps > most else due_at + steps * per_step_s
                steps = min(steps, most)
                watched_s = min(now - last, MOST_WATCHED_S)
                last = now
                for _ in range(steps):
                    await self.faults.advance(self.plant_time_s)
                    moved = self.floor.step(self.step_s, watched_s / steps)
                    if log is not None and moved:
                        log.note(moved, self.plant_time_s, datetime.now(UTC))
                self._note_update()
                if self._tell_time is not None and now - told >= TELL_EVERY_S:
                    told = now
                    self._tell_time(self.plant_time_s, due_at)
                if now - published >= PUBLISH_EVERY_S:
                    published = now
                    for cabinet in self.cabinets.values():
                        await cabinet.face.publish()
                if now - written >= TRUTH_EVERY_S:
                    written = now
                    self._write_truth()

    def _note_update(self) -> None:
        stamp = datetime.now(UTC)
        for cabinet in self.cabinets.values():
            cabinet.face.note_update(stamp)

    def _write_truth(self) -> None:
        """Replace the truth file in one go, so that a reader never sees half of it."""
        if self._truth is None:
            return
        whole = {"plant_time_s": self.plant_time_s, **self.plant.truth()}
        part = self._truth.with_name(self._truth.name + ".part")
        part.write_text(json.dumps(whole), encoding="utf-8")
        part.replace(self._truth)


def url_of(cabinet: Cabinet[Server]) -> str:
    """Where it listens."""
    gate = cabinet.face.gate
    return replace(cabinet.station.endpoint, host=gate.host, port=gate.port).url


def _server(station: Station, plc: Plc, host: str, port: int) -> Server:
    """The server modules are imported here, so that a line of one protocol does not load the other's library."""
    if station.is_modbus:
        from simulator.modbus_server import ModbusServer

        return ModbusServer(station, plc, host, port)
    from simulator.opcua_server import OpcUaServer

    return OpcUaServer(station, plc, host, port)
