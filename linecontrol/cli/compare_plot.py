"""Charts of comparisons, as files."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from linecontrol.cli.charts import BLUE, GREY, RED, new_figure, save

INKS = (BLUE, RED, "#2f7d7a", "#7a4b8f", "#b07d12", "#4d4d4d")
MINUTE_S = 60.0


def _floats(values: list[float | None]) -> Any:
    return np.array([np.nan if v is None else v for v in values])


def draw_overlay(found: dict[str, Any], path: Path) -> None:
    """One row for each signal: the runs, and the golden band behind them."""
    signals = found["signals"]
    figure, axes = new_figure(len(signals))
    for axis, signal in zip(axes[:, 0], signals, strict=True):
        t = _floats(signal["axis_s"]) / MINUTE_S
        if "band" in signal:
            low, high = _floats(signal["band"]["low"]), _floats(signal["band"]["high"])
            axis.fill_between(t, low, high, color="#e8c34a", alpha=0.35, lw=0, label="golden band, 95 %")
            axis.plot(t, _floats(signal["band"]["centre"]), color="#a17c00", lw=1.0)
        shown = [run for run in signal["runs"] if run not in found["golden"]] or list(signal["runs"])
        for i, run in enumerate(shown):
            axis.plot(t, _floats(signal["runs"][run]), color=INKS[i % len(INKS)], lw=1.0, label=run)
        for phase in signal["phases"]:
            axis.axvline(phase["begin_s"] / MINUTE_S, color=GREY, lw=0.5, ls=":")
        axis.set_ylabel(f"{signal['tag']} [{signal['unit']}]", fontsize=8)
        if len(shown) <= 8:
            axis.legend(loc="best", fontsize=7)
    words = {"start": "time into the run", "end": "time before its end", "phase": "time, stretched by phase"}
    axes[-1, 0].set_xlabel(f"{words[found['align']]} [min]")
    save(figure, path)


def draw_groups(found: dict[str, Any], path: Path) -> None:
    """Every run of every group, the means, and the differences with their intervals."""
    figure, axes = new_figure(len(found["compared"]), 2)
    for row, one in zip(axes, found["compared"], strict=True):
        left, right = row
        names = [group["name"] for group in one["groups"]]
        for i, group in enumerate(one["groups"]):
            values = [run["values"][one["metric"]] for run in found["runs"] if run["group"] == group["name"]]
            values = [v for v in values if v is not None]
            left.plot(np.full(len(values), i) + np.linspace(-0.15, 0.15, len(values)), values, ".", color=GREY)
            if group["mean"] is not None:
                left.plot([i - 0.25, i + 0.25], [group["mean"]] * 2, color=BLUE, lw=2)
        left.set_xticks(range(len(names)), [fill(name, 14) for name in names], fontsize=7)
        left.set_ylabel(f"{one['title']['en']} [{one['unit']}]")
        for i, difference in enumerate(one["differences"]):
            color = RED if difference["is_found"] else GREY
            right.plot([difference["low"], difference["high"]], [i, i], color=color, lw=2)
            right.plot(difference["difference"], i, "o", color=color)
        labels = [fill(f"{d['b']} less {d['a']}", 26) for d in one["differences"]]
        right.set_yticks(range(len(labels)), labels, fontsize=7)
        right.axvline(0.0, color=GREY, lw=0.8)
        right.set_xlabel(f"difference with its 95 % interval [{one['unit']}]")
        right.margins(y=0.4)
    save(figure, path)


def draw_side_by_side(found: dict[str, Any], path: Path) -> None:
    """Each figure of each run as bars, relative to the first run's."""
    rows = [row for row in found["figures"] if row["values"] and row["values"][0]]
    figure, axes = new_figure(1)
    axis, runs = axes[0][0], found["runs"]
    height = 0.8 / max(1, len(runs))
    for i, run in enumerate(runs):
        shares = [100.0 * ((row["values"][i] or np.nan) / row["values"][0] - 1.0) for row in rows]
        at = np.arange(len(rows)) + i * height
        axis.barh(at, shares, height=height, color=INKS[i % len(INKS)], label=str(run["run_id"]))
    axis.set_yticks(np.arange(len(rows)) + 0.4, [row["title"]["en"] for row in rows], fontsize=7)
    axis.axvline(0.0, color=GREY, lw=0.8)
    axis.set_xlabel("difference from the first run [%]")
    axis.legend(fontsize=7)
    save(figure, path)


def draw_control_charts(found: list[dict[str, Any]], path: Path) -> None:
    """All charts of each figure; what is out of the ordinary is marked."""
    kinds = ("I", "MR", "EWMA", "CUSUM")
    figure, axes = new_figure(2 * len(found), 2)
    for n, one in enumerate(found):
        for k, kind in enumerate(kinds):
            axis, chart = axes[2 * n + k // 2][k % 2], one["charts"][kind]
            points = _floats(chart["points"])
            at = np.arange(1, len(points) + 1)
            axis.plot(at, points, ".-", color=BLUE, lw=0.8, ms=4)
            if "also" in chart:
                axis.plot(at, _floats(chart["also"]), ".-", color=BLUE, lw=0.8, ms=4)
            axis.axhline(chart["centre"], color=GREY, lw=0.8)
            for limit in ("lower", "upper"):
                axis.plot(at, _floats(chart[limit]), color=GREY, lw=0.8, ls="--")
            for signal in chart["signals"]:
                below = kind == "CUSUM" and signal["side"] < 0
                value = (_floats(chart["also"]) if below else points)[signal["index"]]
                axis.plot(signal["index"] + 1, value, "o", color=RED, ms=7, mfc="none")
            unit = "standard deviations" if kind == "CUSUM" else one["unit"]
            axis.set_title(f"{one['title']['en']}: {kind} [{unit}]", fontsize=9, loc="left")
    axes[-1][0].set_xlabel("run")
    axes[-1][1].set_xlabel("run")
    save(figure, path)


def draw_surface(found: dict[str, Any], path: Path) -> None:
    """The effects with their intervals."""
    terms = [term for term in found["surface"]["terms"] if term["name"] != "1"]
    figure, axes = new_figure(1)
    axis = axes[0][0]
    for i, term in enumerate(reversed(terms)):
        color = RED if term["p"] < 0.05 else GREY
        axis.plot([term["value"] - 2 * term["u"], term["value"] + 2 * term["u"]], [i, i], color=color, lw=2)
        axis.plot(term["value"], i, "o", color=color)
    axis.set_yticks(range(len(terms)), [term["name"] for term in reversed(terms)], fontsize=8)
    axis.axvline(0.0, color=GREY, lw=0.8)
    axis.set_xlabel(f"effect from the middle to the end of the range, with 2 u [{found['unit']}]")
    axis.set_title(fill(found["statement"], 110), fontsize=8, loc="left")
    save(figure, path)
