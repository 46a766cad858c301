"""A run as it goes: phase, loops, kilograms so far, time left. Live on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from linecontrol.cli.output import INTERRUPTED, people, stop

PLAIN_PERIOD_S = 10.0


class Progress:
    """Shows run views as they come. ``quiet`` shows nothing (for --json)."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live: Live | None = None
        self._last_plain = float("-inf")
        self._last_phases = ""
        self._asked: set[str] = set()

    def __enter__(self) -> Self:
        if not self._quiet and people.is_terminal:
            self._live = Live(console=people, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, view: Mapping[str, Any]) -> None:
        """Take in the run's present view. A question is asked even when quiet: somebody must answer it."""
        if self._quiet:
            self._ask(view)
            return
        if self._live is not None:
            self._live.update(run_view(view))
            return
        now = time.monotonic()
        self._ask(view)
        phases = " | ".join(f"{name}: {unit['phase'] or '-'}" for name, unit in view["units"].items())
        if (phases != self._last_phases and now - self._last_plain > 1.0) or now - self._last_plain > PLAIN_PERIOD_S:
            self._last_phases, self._last_plain = phases, now
            record = view["record"]
            people.print(
                f"{view['state']} {_clock(view['elapsed_s'])}, about {_clock(view['remaining_s'])} left | "
                f"roots {record['root_kg'] or 0:.0f} kg, powder {record['powder_kg'] or 0:.1f} kg | {phases}",
                markup=False,
                soft_wrap=True,
            )

    def _ask(self, view: Mapping[str, Any]) -> None:
        for prompt in view.get("prompts", ()):
            if prompt["id"] not in self._asked:
                self._asked.add(prompt["id"])
                people.print(prompt_text(prompt), markup=False, soft_wrap=True)


def run_view(view: Mapping[str, Any]) -> Group:
    """The run as a panel of tables."""
    record = view["record"]
    left = "" if view.get("is_ended") else f", about {_clock(view['remaining_s'])} left"
    head = Text.assemble(
        (f"{view['run_id']}  {view['state']}", "bold"), f"   elapsed {_clock(view['elapsed_s'])}{left}"
    )
    parts: list[Any] = [head]
    if view.get("reason"):
        parts.append(Text(f"Why: {view['reason']}", style="bold yellow"))
    parts += [Text(prompt_text(prompt), style="bold yellow") for prompt in view.get("prompts", ())]
    parts.append(ProgressBar(total=1.0, completed=view["fraction"] or 0.0, width=70))
    units = Table(show_header=True, header_style="dim", box=None, pad_edge=False)
    for title in ("Unit", "Operation", "Phase", ""):
        units.add_column(title)
    for name, unit in view["units"].items():
        units.add_row(name, str(unit["operation"] or "-"), str(unit["title"] or "-"), str(unit["text"] or ""))
    loops = Table(show_header=True, header_style="dim", box=None, pad_edge=False)
    for title, justify in (("Loop", "left"), ("", "left"), ("Mode", "left"), ("PV", "right"), ("SP", "right")):
        loops.add_column(title, justify=justify)  # type: ignore[arg-type]
    loops.add_column("", justify="left")
    loops.add_column("OP", justify="right")
    for name, loop in view["loops"].items():
        figures = (_figure(loop["pv"]), _figure(loop["sp"]), loop["unit"], _figure(loop["op"]))
        mode = loop["mode"] if loop.get("test") is None else f"{loop['mode']} under test"
        loops.add_row(name, loop["title"], mode, *figures)
    found = record["extraction_yield"]
    so_far = "-" if found is None else f"{100 * found:.1f} %"
    totals = (
        f"roots {record['root_kg'] or 0:.1f} kg   good powder {record['powder_kg'] or 0:.1f} kg   "
        f"diverted {record['diverted_kg'] or 0:.1f} kg   yield so far {so_far}"
    )
    strategies = [Text(strategy_text(name, loop)) for name, loop in view["loops"].items() if "strategy" in loop]
    return Group(*parts, "", units, "", loops, *strategies, "", Text(totals))


def strategy_text(name: str, loop: Mapping[str, Any]) -> str:
    """Who decides a moisture loop's output, what is estimated, and how much the inlet air has been moved."""
    estimate, u = loop["estimate"], loop["estimate_u"]
    words = [f"{name}: {loop['decides']} decides"]
    if loop["fallback"]:
        words.append(f"fallen back from {loop['strategy']}: {loop['fallback']}")
    if estimate is not None:
        words.append(f"estimate {estimate:.2f} ± {u or 0.0:.2f} {loop['unit']}")
    if loop["is_bridging"]:
        words.append("the estimate stands in for the meter")
    words.append(f"inlet moved {loop['travel_per_h']:.0f} K in the last hour, {loop['turns_per_h']} turns")
    return "; ".join([*words, *loop["flags"]])


def prompt_text(prompt: Mapping[str, Any]) -> str:
    """A question of the recipe, in both languages, and how to answer it."""
    words = prompt["text"]
    return f"{prompt['unit']} asks: {words['en']} / {words['zh']}   (answer: linecontrol proceed --who YOUR-NAME)"


def status_view(found: Mapping[str, Any]) -> Group:
    """`linecontrol status` for a person."""
    stations = Table(title=f"Line {found['line']}", title_justify="left", box=None, pad_edge=False)
    for title in ("Station", "Link", "Scans", "Missed", "May be written"):
        stations.add_column(title)
    for name, station in found["stations"].items():
        stations.add_row(
            name,
            "up" if station["is_up"] else "[bold]DOWN[/bold]",
            str(station["scans"]),
            str(station["missed"]),
            "yes" if station["objection"] is None else station["objection"],
        )
    run = found["run"]
    return Group(stations, "", run_view(run) if run else "No run in hand.")


def follow(url: str | None, run_id: str, *, quiet: bool) -> dict[str, Any]:
    """Show a run of a controller in another process until it ends; returns its record.

    Ctrl-C ends the showing and not the run, which is said.
    """
    from linecontrol.cli.client import ask

    try:
        with Progress(quiet=quiet) as progress:
            while True:
                view = ask("GET", url, "/runs/current")
                if view is None or view["run_id"] != run_id or view["is_ended"]:
                    break
                progress.show(view)
                time.sleep(0.5)
    except KeyboardInterrupt:
        stop(f"Run {run_id} goes on. See it: linecontrol status. End it: linecontrol stop, or abort.", INTERRUPTED)
    record: dict[str, Any] = ask("GET", url, f"/runs/{run_id}")
    return record


def _figure(value: Any) -> str:
    return "-" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)


def _clock(seconds: Any) -> str:
    if seconds is None:
        return "?"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
