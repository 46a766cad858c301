"""``python -m simulator``: starts the simulated line and prints one READY line when all sockets listen.

On stdout: ``READY {"station": "endpoint url", ...}``, with ``--paced`` also ``TIME plant_s monotonic_s`` about 20 times
a second, nothing else; with ``--list-faults`` the catalogue of faults.
Everything for people goes to stderr.
Exit code 0 after SIGTERM, SIGINT or (with ``--exit-with-parent``) the end of stdin; 2 bad input; 3 a port is taken.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import ipaddress
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from simulator.faults import FaultError, listing, read_fault, read_schedule
from simulator.floor import Plant
from simulator.profile import ProfileError, read_line, shipped_folder
from simulator.simulation import Simulation

_log = logging.getLogger("simulator")
COMMANDS = "fault SPEC, clear SPEC, clear all, pace SPEED, alone"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulator as the command line says; returns the exit code."""
    options = _parser().parse_args(arguments)
    if options.list_faults:
        try:
            print(listing(), flush=True)
        except BrokenPipeError:  # its reader, as ``head``, has seen enough; Python has nothing left to say at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    logging.basicConfig(level=logging.INFO, format="simulator: %(message)s", stream=sys.stderr)
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    if not _is_loopback(options.host):
        _log.warning("WARNING: listening on %s: anyone on that network can drive the simulated plant", options.host)
    try:
        line = read_line(options.line)
        ports = dict(_port(text, [station.name for station in line.stations]) for text in options.endpoint)
        plant = _make_plant(options)
        simulation = Simulation(
            line,
            plant,
            speed=options.speed,
            host=options.host,
            ports=ports,
            boot_id=options.boot_id or int(time.time()) % 65535 + 1,
            faults=[*options.fault, *(fault for path in options.schedule for fault in read_schedule(path))],
            sequence_log=options.sequence_log,
            truth=options.truth,
            tell_time=_tell_time if options.paced else None,
        )
        obeys = options.interactive or options.paced
        return asyncio.run(_serve(simulation, obeys, options.exit_with_parent))
    except (ProfileError, FaultError) as error:
        _log.error("%s", error)
        return 2
    except OSError as error:
        advice = " (another simulator? end it, or choose --endpoint)" if error.errno == errno.EADDRINUSE else ""
        _log.error("cannot start: %s%s", error, advice)
        return 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulator", description="A simulated kudzu line on real wires.")
    add = parser.add_argument
    add("--line", type=Path, default=shipped_folder() / "lines" / "demo.yaml", help="line file (default: the demo)")
    add("--speed", type=_positive, default=1.0, help="plant seconds in one real second (default 1)")
    add("--seed", type=int, default=1, help="of lots, noise and sensors (default 1)")
    add("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    add("--endpoint", action="append", default=[], metavar="STATION=PORT", help="another port; 0 = a free one")
    add("--fault", action="append", default=[], metavar="SPEC", help="NAME:PLACE[:ARGUMENT][@START[+DURATION]]")
    add("--schedule", action="append", default=[], type=Path, metavar="FILE", help="faults from a file; repeatable")
    add("--list-faults", action="store_true", help="tell all faults, their forms and their stories, and end")
    add("--sequence-log", type=Path, help="write every value of the sequence counters here")
    add("--root-kg", type=_mass_kg, help="roots in the hopper at the start [kg]")
    add("--species", help="of the roots, a name in data/parameters.yaml (default lobata_cultivated)")
    add("--month", type=int, choices=range(1, 13), metavar="1..12", help="month of digging (default 1)")
    add("--storage-days", type=_days, help="days between digging and tipping, 0..60 (default 2)")
    add("--line-type", default="mechanised", help="a name in data/line_types.yaml (default mechanised)")
    add("--plant", action="append", default=[], metavar="NAME=VALUE", help="a plant parameter, as rasp.size_um=160")
    add("--truth", type=Path, help="write the plant's inner state here, as JSON, each second")
    add("--boot-id", type=_boot_id, help="start number the PLCs show, 1..65535 (default: from the clock)")
    add("--interactive", action="store_true", help=f"read from stdin: {COMMANDS}")
    paced = (
        "tell the plant's time on stdout, and wait for a controller that tells 'pace SPEED' on stdin while it is busy"
    )
    add("--paced", action="store_true", help=paced)
    add("--exit-with-parent", action="store_true", help="end when stdin ends")
    return parser


def _make_plant(options: argparse.Namespace) -> Plant:
    from simulator.line_types import with_line_type
    from simulator.parameters import default_parameters
    from simulator.plant import Plant as RealPlant

    wanted = {"hopper.start_kg": options.root_kg, "site.month": options.month, "lot.stored_days": options.storage_days}
    try:
        parameters = with_line_type(default_parameters(), options.line_type)
        if options.species is not None:
            parameters = parameters.with_species(options.species)
        named = {name: value for name, value in wanted.items() if value is not None}
        parameters = parameters.with_values({**named, **dict(_named_value(text) for text in options.plant)})
    except (KeyError, ValueError) as error:
        raise ProfileError(str(error.args[0])) from None
    return RealPlant(seed=options.seed, parameters=parameters)


def _tell_time(plant_s: float, real_s: float) -> None:
    print(f"TIME {plant_s!r} {real_s!r}", flush=True)


async def _serve(simulation: Simulation, interactive: bool, exit_with_parent: bool) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    urls = await simulation.start()
    try:
        running = asyncio.create_task(simulation.run(), name="plant")
        running.add_done_callback(lambda _task: stop.set())
        if interactive or exit_with_parent:
            _watch_stdin(simulation, stop, loop, interactive, exit_with_parent)
        print("READY " + json.dumps(urls), flush=True)
        await stop.wait()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    finally:
        await simulation.stop()
    return 0


def _watch_stdin(
    simulation: Simulation,
    stop: asyncio.Event,
    loop: asyncio.AbstractEventLoop,
    interactive: bool,
    exit_with_parent: bool,
) -> None:
    """Read stdin in a thread: it may be a pipe, a terminal or a file, and the loop can wait only for the first two."""
    tasks: set[asyncio.Task[None]] = set()

    def obey(text: str) -> None:
        task = loop.create_task(_obey(simulation, text))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def read() -> None:
        rest = b""
        # os.read and not sys.stdin: a daemon thread that holds the buffer's lock would hang the interpreter's end.
        with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: the loop has ended before us
            while chunk := os.read(0, 4096):
                *lines, rest = (rest + chunk).split(b"\n")
                for raw in lines if interactive else ():
                    loop.call_soon_threadsafe(obey, raw.decode(errors="replace").strip())
            if exit_with_parent:
                loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=read, name="stdin", daemon=True).start()


async def _obey(simulation: Simulation, text: str) -> None:
    verb, _, rest = text.partition(" ")
    rest = rest.strip()
    try:
        if verb == "fault":
            fault = read_fault(rest, simulation.cabinets)
            if fault.start_s > simulation.plant_time_s:
                simulation.faults.plan([fault])
            else:
                await simulation.faults.begin(fault)
        elif verb == "clear":
            if not await simulation.faults.clear(rest):
                _log.warning("no fault lasts" if rest == "all" else f"no such fault: {rest}")
        elif verb == "pace":
            simulation.keep_pace(_positive(rest))
        elif text == "alone":
            simulation.go_alone()
        elif text:
            _log.warning("not understood: %s (accepted: %s)", text, COMMANDS)
    except (FaultError, argparse.ArgumentTypeError) as error:
        _log.warning("%s", error)


def _port(text: str, stations: Sequence[str]) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if name not in stations or not number.isdigit() or int(number) > 65535:
        raise ProfileError(f"--endpoint {text!r} is not accepted (accepted: STATION=PORT, of {', '.join(stations)})")
    return name, int(number)


def _named_value(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise ValueError(f"--plant {text!r} is not accepted (accepted: NAME=NUMBER, as rasp.size_um=160)") from None


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 10_000.0:
        raise argparse.ArgumentTypeError(f"{text} is not accepted (accepted: above 0, up to 10000)")
    return value


def _days(text: str) -> float:
    days = float(text)
    if not 0.0 <= days <= 60.0:
        raise argparse.ArgumentTypeError("0..60 days")
    return days


def _mass_kg(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 100_000.0:
        raise argparse.ArgumentTypeError(f"{text} is not accepted (accepted: 0..100000)")
    return value


def _boot_id(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not accepted (accepted: 1..65535)")
    return value


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
