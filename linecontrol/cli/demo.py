"""`linecontrol demo`: simulator, controller and API together, one run of a recipe, then the batch record."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linecontrol.cli.child import end, ready
from linecontrol.cli.client import data_folder
from linecontrol.cli.display import Shown, displayed
from linecontrol.cli.output import (
    BAD_INPUT,
    DONE,
    FAILED,
    INTERRUPTED,
    paper,
    people,
    print_json,
    record_table,
    told_error,
)
from linecontrol.cli.pace import paced
from linecontrol.cli.progress import Progress
from linecontrol.cli.serve import told
from linecontrol.cli.serving import driven, run_event_loop, serving, stop_on_signals
from linecontrol.config import LineConfig, read_line
from linecontrol.core.errors import ConfigError, LineError, StateError
from linecontrol.line.links import at_endpoints, with_time_outs
from linecontrol.twin.trial import TRUCK_KG, plant_parameters

if TYPE_CHECKING:
    from linecontrol.line.assembly import Line

READY_WITHIN_S = 30.0
BUSY_ANSWER_S = 3.0
"""So long a simulated PLC may take to answer [real s]: faster than real time, time is waited for, not kept."""
LATE_READING_S = 15.0
"""So long a start is tried again: at 120 times real time, a reading that a busy machine brings late is no good one."""


def run_demo(
    speed: float,
    recipe: str,
    values: dict[str, float | bool],
    seed: int,
    data: Path | None,
    port: int,
    *,
    stay: bool,
    as_json: bool,
    display: int | None = None,
    plant: Mapping[str, float] | None = None,
    species: str = "",
    line_type: str = "",
) -> int:
    """The whole demo; returns the exit code.

    ``display``: its port, None for no display. ``plant``, ``species`` and ``line_type`` as of ``twin.trial.Trial``.
    """
    folder = data_folder(data) if data else data_folder(None) / "demo"
    try:
        kind = plant_parameters(
            plant or {}, species, line_type
        ).default_species  # what is wrong is refused before anything is started
        more = ["--species", species] if species else []
        more += ["--line-type", line_type] if line_type else []
        more += [word for name, value in (plant or {}).items() for word in ("--plant", f"{name}={value!r}")]
        return run_event_loop(
            _demo(speed, recipe, values, seed, kind, folder, port, more, stay=stay, as_json=as_json, display=display)
        )
    except ConfigError as error:
        people.print(str(error), markup=False, soft_wrap=True)
        return BAD_INPUT
    except (LineError, OSError) as error:
        people.print(told_error(error), markup=False, soft_wrap=True)
        return FAILED


async def _demo(
    speed: float,
    recipe: str,
    values: dict[str, float | bool],
    seed: int,
    species: str,
    folder: Path,
    port: int,
    more: Sequence[str],
    *,
    stay: bool,
    as_json: bool,
    display: int | None,
) -> int:
    import linecontrol.api.app  # noqa: F401 - slow to import: while the simulator starts, not beside a fast plant
    from linecontrol.line.assembly import assemble
    from linecontrol.line.recipes import prepare

    config = read_line("demo")
    prepare(config, recipe, values)  # a wrong value is refused before anything is started
    with stop_on_signals() as stop:
        async with simulator(config, speed, seed, more) as (plant, simulated):
            if stop.is_set():  # while nothing is driven yet there is nothing to take to its safe state
                return INTERRUPTED
            if speed > 1.0:
                simulated = with_time_outs(simulated, BUSY_ANSWER_S)
            line = assemble(simulated, data=folder, speed=speed, fresh_plant=True)
            async with (
                driven(line),
                paced(plant, line.clock, line.stations.values(), people.print)
                if speed > 1.0
                else contextlib.nullcontext(),
                serving(line, "127.0.0.1", port, is_demo=True) as served,
                contextlib.AsyncExitStack() as stack,
            ):
                url = served.url
                if display is not None:
                    shown = Shown(url, folder, display, access=served.door.folder)
                    address = await stack.enter_async_context(displayed(shown, told(line)))
                    if address is not None:
                        people.print(f"Display: {address}", style="bold", soft_wrap=True)
                people.print(f"Simulated kudzu line at {speed:g} x real time.  API and OpenAPI page: {url}/docs")
                people.print(f"Ctrl-C is safe at any time.  Data: {folder}")
                if not await _or_stop(line.ready(), stop):
                    return INTERRUPTED
                if due := await pass_checks(line):
                    people.print(f"Due, and entered as passed on the simulated plant: {', '.join(due)}", soft_wrap=True)
                lot = await _lot(line, f"{species}-seed{seed}", species)
                run_id = await _started(line, recipe, values, lot, stop)
                with Progress(quiet=as_json) as progress:
                    line.runs.on_view = progress.show
                    finished = await _or_stop(line.runs.finished(run_id), stop)
                    line.runs.on_view = None
                if not finished:
                    people.print("Stopping: the line goes to its safe state.")
                    await line.runs.command(run_id, "abort", who="operator:demo", reason="Ctrl-C")
                    await line.runs.settled()
                elif (view := line.runs.view_of_current())["state"] == "Held":
                    people.print(f"The run is Held: {view['reason']}", style="bold", markup=False, soft_wrap=True)
                record = await line.runs.record(run_id, patience_s=60.0)
                if finished and stay:
                    people.print(f"The line stays up at {url} until Ctrl-C.")
                    await stop.wait()
    if record is None:
        return FAILED
    if as_json:
        print_json(record, one_line=True)
    else:
        paper.print(record_table(record))
        _what_next(folder, run_id)
    return INTERRUPTED if not finished else DONE if record["state"] == "Complete" else FAILED


def _what_next(folder: Path, run_id: str) -> None:
    paper.print(f"\nThe record, every sample, event and command lie in {folder / 'history.sqlite3'}", soft_wrap=True)
    paper.print("Try next:")
    program = "python3 run.py" if Path("run.py").is_file() else "linecontrol"
    for command, what in (
        (f"show {run_id} --data {folder} --json", "this record for a program"),
        (f"runs --data {folder}", "all runs"),
        ("demo --set moisture_sp=12.2 --seed 2", "another lot, a drier powder"),
        ("demo --speed 1 --stay", "in real time; open the API page and send commands"),
    ):
        paper.print(f"  {program} {command}", style="bold", soft_wrap=True)
        paper.print(f"      {what}", style="dim")


async def pass_checks(line: Line) -> list[str]:
    """Enter what is due as passed, by name of the demo: nobody stands at the simulated plant, and what is overdue bars
    a start. Without it every few demos in one data folder would end there."""
    due = [row["name"] for row in line.checks.rows() if row["is_overdue"]]
    for name in due:
        await line.checks.enter(name, "demo", result="passed", found="simulated plant")
    return due


async def _lot(line: Line, name: str, species: str) -> str:
    """The simulated truck's lot, registered once in a data folder, so that bags and evidence name their roots."""
    if name not in line.lots.lots:
        await line.lots.add(name, species, TRUCK_KG, who="operator:demo", origin="simulated plant")
    return name


async def _started(line: Line, recipe: str, values: Mapping[str, float | bool], lot: str, stop: asyncio.Event) -> str:
    """Start the run; returns its id. Raises StateError with what has not been ready for ``LATE_READING_S``.

    An interlock that a late reading has latched is reset once its condition holds: nobody else is there to do it.
    """
    until = line.clock.real() + LATE_READING_S
    while True:
        try:
            view = await line.runs.start(recipe, values, lot=lot, who="operator:demo", roots={"lot": lot})
            return str(view["run_id"])
        except StateError:
            if stop.is_set() or line.clock.real() > until:
                raise
        for row in line.interlocks.rows():
            if row["can_reset"]:
                await line.interlocks.reset(row["name"], "operator:demo", "simulated plant")
        await asyncio.sleep(0.2)


async def _or_stop(work: Any, stop: asyncio.Event) -> bool:
    """Wait for ``work``; False when told to stop before it ended. Its error is raised."""
    task = asyncio.ensure_future(work)
    stopper = asyncio.ensure_future(stop.wait())
    await asyncio.wait({task, stopper}, return_when=asyncio.FIRST_COMPLETED)
    stopper.cancel()
    if task.done():
        task.result()
        return True
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return False


@contextlib.asynccontextmanager
async def simulator(
    config: LineConfig, speed: float, seed: int, more: Sequence[str] = ()
) -> AsyncIterator[tuple[asyncio.subprocess.Process, LineConfig]]:
    """The simulator as a child process; yields it, and the line with the endpoints it really listens on.

    ``more``: further options of its command line.

    The child ends when this process does, however that happens: it watches its standard input.
    """
    command = [sys.executable, "-m", "simulator", "--line", str(config.path), "--exit-with-parent"]
    command += ["--speed", f"{speed:g}", "--seed", str(seed), *more]
    command += ["--paced"] if speed > 1.0 else []
    for name, station in config.stations.items():
        if not _is_free(station.endpoint.host, station.endpoint.port):
            command += ["--endpoint", f"{name}=0"]
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # Ctrl-C is for the controller; it ends its child in order
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            yield process, at_endpoints(config, json.loads(await ready(process, errors, "simulator", READY_WITHIN_S)))
        finally:
            await end(process)


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
