"""A picture of a test on a running loop: the record with its model, and what new and present gains will do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from linecontrol.cli.output import BAD_INPUT, stop


def draw(found: dict[str, Any], path: Path) -> None:
    """Write a picture; the file's ending says which kind. Ends the program with exit 2 when it cannot be written."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        stop("--plot needs matplotlib: pip install matplotlib", BAD_INPUT)
    figure = Figure(figsize=(11, 8), layout="constrained")
    FigureCanvasAgg(figure)
    pv, setpoint, op, load = figure.subplots(2, 2).ravel()
    record, model, unit = found["record"], found["model"], found["unit"]
    pv.plot(record["t_s"], record["pv"], ".", color="0.6", markersize=3, label="measured")
    if model is not None:
        pv.plot(model["t_s"], model["fitted"], color="C0", label=f"model ({model['kind']})")
    pv.set(title=f"{found['loop']}: {found['kind']} test", ylabel=f"PV [{unit}]", xlabel="s")
    op.step(record["t_s"], record["op"], where="post", color="C1")
    op.set(title="Output", xlabel="s")
    rows = [(found["present"], "C3", "present"), *((row, "C0", row["rule"]) for row in found["candidates"][:1])]
    for axes, key, title in (
        (setpoint, "setpoint", f"Set-point step of {found['sp_step']:.3g}"),
        (load, "load", f"Load step of {found['load_step']:.3g}"),
    ):
        for row, colour, label in rows:
            if row is not None and row[key] is not None:
                band = row[key]
                axes.plot(band["t_s"], band["pv"], color=colour, label=label)
                if None not in band["low"] + band["high"]:
                    axes.fill_between(band["t_s"], band["low"], band["high"], color=colour, alpha=0.2)
        axes.set(title=title, ylabel=f"PV [{unit}]", xlabel="s")
        axes.legend()
    pv.legend()
    try:
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:
        stop(f"--plot {path}: {error}", BAD_INPUT)
