"""`linecontrol dryer-map`: what the simulated dryer makes of inlet air, feed, cake and weather, all at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from linecontrol.cli.options import Json
from linecontrol.cli.output import BAD_INPUT, guarded_value, paper, people, print_json, stop
from linecontrol.core.errors import ConfigError, Problem

MOST_ROWS = 60
_SHOWN = ("powder_pct", "powder_kg_h", "outlet_c", "gel_margin_k", "valve_pct", "fuel_kwh_kg", "per_k", "per_cake")
_VALUES = "A value, some (36,38,40), or from..to:step (100..180:10)."


def dryer_map(
    inlet: Annotated[str | None, typer.Option(help=f"Inlet air [°C]. {_VALUES}")] = None,
    cake: Annotated[str | None, typer.Option(help="Moisture of the wet cake [% wb].")] = None,
    fan: Annotated[str | None, typer.Option(help="Speed of the fan [%].")] = None,
    room: Annotated[str | None, typer.Option(help="Air of the room [°C].")] = None,
    humidity: Annotated[str | None, typer.Option(help="Its relative humidity [%].")] = None,
    feed: Annotated[str | None, typer.Option(help="Wet feed [kg/h]; left out: the feed that --moisture needs.")] = None,
    moisture: Annotated[float | None, typer.Option(help="Powder wanted [% wb]; 13 if left out.")] = None,
    plant: Annotated[
        list[str] | None, typer.Option("--plant", help="Plant parameter, e.g. --plant dryer.residence_s=3. Repeatable.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write every row and column here, for a spreadsheet.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw it here, .png, .svg or .pdf: the first axis across.")] = None,
    as_json: Json = False,
) -> None:
    """The simulated dryer at rest: powder, energy, outlet air and gains for every combination of what it is given."""
    from linecontrol.cli.commands import plant_values
    from linecontrol.twin import dryer_map as maps

    if feed is not None and moisture is not None:
        stop("--feed and --moisture: the powder follows from the feed, or the feed from the powder", BAD_INPUT)
    parts = plant_values(plant)
    given = {"inlet_c": inlet, "cake_pct": cake, "fan_pct": fan, "room_c": room, "room_pct": humidity}

    def work() -> dict[str, Any]:
        axes = maps.usual_axes(parts)
        axes |= {key: numbers(text) for key, text in given.items() if text is not None}
        goal = 13.0 if moisture is None else moisture
        return maps.dryer_map(axes, parts, feeds_kg_h=numbers(feed) if feed else (), powder_pct=goal)

    found: dict[str, Sequence[float]] = {key: column.tolist() for key, column in guarded_value(work).items()}
    columns = {column.key: column for column in (*maps.AXES, maps.FEED, *maps.FOUND)}
    if csv is not None:
        guarded_value(lambda: _write(csv, found, columns))
    if plot is not None:
        guarded_value(lambda: _draw(plot, found, columns, sought=feed is None))
    if as_json:
        print_json([dict(zip(found, map(_plain, row), strict=True)) for row in zip(*found.values(), strict=True)])
        return
    _print(found, columns)
    for path in filter(None, (csv, plot)):
        people.print(f"written: {path}", markup=False, soft_wrap=True)


def numbers(text: str) -> list[float]:
    """``126``, ``36,38,40`` or ``100..180:10``. Raises ConfigError."""
    wrong = ConfigError([Problem("", None, "dryer-map", f"{text!r} is not understood", "126, 36,38,40 or 100..180:10")])
    low, dots, rest = text.partition("..")
    try:
        if not dots:
            return [float(word) for word in text.split(",")]
        high, _, step = rest.partition(":")
        first, last, by = float(low), float(high), float(step)
    except ValueError:
        raise wrong from None
    if not (by > 0.0 and last >= first and (last - first) / by < 1e6):  # NaN, too
        raise wrong
    return [first + by * n for n in range(math.floor((last - first) / by + 1e-9) + 1)]


def _plain(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def _varied(found: Mapping[str, Sequence[float]]) -> list[str]:
    """Axes with more than one value; of the rest the title tells."""
    from linecontrol.twin.dryer_map import AXES

    return [axis.key for axis in AXES if len(set(found[axis.key])) > 1]


def _print(found: Mapping[str, Sequence[float]], columns: Mapping[str, Any]) -> None:
    from linecontrol.twin.dryer_map import AXES, CAKE_C, LEAST_AIR

    varied = _varied(found)
    still = [c for c in AXES if c.key not in varied]
    fixed = ", ".join(f"{c.title.lower()} {found[c.key][0]:g} {c.unit}" for c in still)
    table = Table(
        title=f"The simulated dryer at rest; {fixed}, cake at {CAKE_C:g} °C",
        title_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
    )
    shown = [*varied, "cake_kg_h", *_SHOWN]
    for key in shown:
        title = columns[key].title.replace(" ", "\n")
        table.add_column(f"{title}\n{columns[key].unit}", justify="right", no_wrap=True)
    rows = list(zip(*(found[key] for key in shown), strict=True))
    for row in rows[:MOST_ROWS]:
        table.add_row(*(_cell(value, columns[key].digits) for key, value in zip(shown, row, strict=True)))
    paper.print(table)
    if len(rows) > MOST_ROWS:
        paper.print(f"The first {MOST_ROWS} of {len(rows)} points; --csv and --json have all.")
    if any(math.isnan(value) for key in shown for value in found[key]):
        paper.print(
            "-: no feed makes that powder, the fan does not lift that cake, or the burner does not reach that air."
        )
    if flooded := sum(air < LEAST_AIR for air in found["air_per_solid"]):
        paper.print(f"{flooded} points with less than {LEAST_AIR:g} kg of air per kg dry starch: see docs/plant.md")


def _cell(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _write(path: Path, found: Mapping[str, Sequence[float]], columns: Mapping[str, Any]) -> None:
    from linecontrol.cli.csv_out import write_csv

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        write_csv(file, [f"{key} [{columns[key].unit}]" for key in found], zip(*found.values(), strict=True))


def _draw(path: Path, found: Mapping[str, Sequence[float]], columns: Mapping[str, Any], *, sought: bool) -> None:
    """Feed (or powder), outlet air and fuel over the first axis that was varied, a line for each of the others."""
    from linecontrol.cli.charts import new_figure, save

    across, *others = [*_varied(found), *([] if sought else ["cake_kg_h"])] or ["inlet_c"]
    drawn = ["cake_kg_h" if sought else "powder_pct", "outlet_c", "fuel_kwh_kg"]
    figure, axes = new_figure(len(drawn))
    lines: dict[tuple[float, ...], list[int]] = {}
    for n, key in enumerate(
        zip(*(found[other] for other in others), strict=True) if others else [()] * len(found[across])
    ):
        lines.setdefault(key, []).append(n)
    for axis, name in zip(axes[:, 0], drawn, strict=True):
        for key, at in lines.items():
            label = ", ".join(
                f"{columns[o].title.lower()} {v:g} {columns[o].unit}" for o, v in zip(others, key, strict=True)
            )
            axis.plot([found[across][n] for n in at], [found[name][n] for n in at], ".-", lw=1.0, label=label)
        axis.set_ylabel(f"{columns[name].title} [{columns[name].unit}]")
    if 1 < len(lines) <= 12:
        axes[0, 0].legend(fontsize=7)
    axes[-1, 0].set_xlabel(f"{columns[across].title} [{columns[across].unit}]")
    save(figure, path)
