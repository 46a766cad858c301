"""The result of a test on a running loop, for people."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_KINDS = {
    "fopdt": "first order + delay",
    "equal-lags": "two equal lags + delay",
    "sopdt": "two lags + delay",
    "inverse": "inverse response",
    "integrating": "integrating + delay",
    "integrating-lag": "integrating, lag + delay",
}
_PARTS = (("gain", "gain"), ("t1_s", "lag"), ("t2_s", "second lag"), ("zero_s", "zero"), ("delay_s", "delay"))
IDLE = "They are not in use now (Man, or another strategy decides): only time in use by the loop's own PID counts."
SETTLED = 0.05  # of a set-point step: within it the PV counts as settled


def gains_text(gains: dict[str, Any]) -> str:
    """Gains in a sentence."""
    ti = "inf" if gains["ti_s"] is None else f"{gains['ti_s']:.4g}"
    return f"K {gains['k']:.4g}, Ti {ti} s, Td {gains['td_s']:.4g} s, b {gains['b']:.2g}"


def trial_text(view: dict[str, Any]) -> str:
    """Where the gains stand: on trial, other than the line file's, or as there."""
    trial = view["trial"]
    if trial is not None:
        idle = "" if trial["in_use"] else f" {IDLE}"
        return (
            f"On trial for {trial['lasts_s']:.0f} s in control; if the loop behaves worse they go back by themselves to"
            f" {gains_text(trial['falls_back_to'])}. Now: linecontrol tune {view['loop']} --accept, or --revert{idle}"
        )
    if view["differs_from_line_file"]:
        return f"They differ from the line file's ({gains_text(view['line_file'])}): write them there to keep them"
    return "They are those of the line file"


def outcome_view(found: dict[str, Any]) -> RenderableType:
    """Model, gains side by side with what they will do, and what to know."""
    parts: list[RenderableType] = [Text(f"{found['loop']}: {found['kind']} test", style="bold")]
    if found["model"] is not None:
        parts.append(_model_table(found["model"]))
    if found["refusal"] is not None:
        parts.append(Text(f"No gains are offered: {found['refusal']['reason']}", style="bold yellow"))
    if found["candidates"] or found["present"]:
        parts += ["", _gains_table(found), "", _answers_table(found)]
    parts += [Text(f"Note: {text}", style="yellow") for text in found["warnings"]]
    return Group(*parts)


def _model_table(model: dict[str, Any]) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("model", _KINDS.get(model["kind"], model["kind"]), "")
    for key, title in _PARTS:
        interval = model["intervals"].get(key)
        if interval is None:
            continue
        low, high = ("?" if x is None else f"{x:.3g}" for x in interval)
        table.add_row(title, f"{model[key]:.4g}{'' if key == 'gain' else ' s'}", f"95 %: {low} to {high}")
    ratio = model["step_noise_ratio"]
    table.add_row("noise", f"{model['noise_sd']:.3g}", "" if ratio is None else f"the answer was {ratio:.3g} times it")
    return table


def _rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The recommended gains, the present ones, then the others."""
    present = [] if found["present"] is None else [found["present"]]
    return [*found["candidates"][:1], *present, *found["candidates"][1:]]


def _gains_table(found: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    titles = ("gains", "K", "Ti s", "Td s", "b", "Ms (worst)", "Mt", "gain m.", "phase m.")
    for title in titles:
        table.add_column(title, justify="left" if title == "gains" else "right", no_wrap=True)
    for n, row in enumerate(_rows(found)):
        g, m, w = row["gains"], row["margins"], row["worst"]
        style = "bold" if n == 0 and found["candidates"] else "" if row["within"] else "dim"
        margins = (
            (_pair(m["ms"], w["ms"]), _number(m["mt"]), _number(m["gain_margin"]), f"{_number(m['phase_margin_deg'])}°")
            if m["stable"]
            else ("UNSTABLE", "-", "-", "-")
        )
        table.add_row(row["rule"], *(_number(g[key]) for key in ("k", "ti_s", "td_s", "b")), *margins, style=style)
    return table


def _answers_table(found: dict[str, Any]) -> Table:
    """What the recommended and the present gains will do."""
    load, step, unit = found["load_step"], found["sp_step"], found["unit"]
    table = Table(box=None, pad_edge=False, header_style="dim")
    columns = _rows(found)[:2] if found["candidates"] else _rows(found)[:1]
    table.add_column("predicted")
    for row in columns:
        table.add_column(row["rule"], justify="right")
    for title, cells in (
        (
            f"set-point step of {step:.3g} {unit}: overshoot, 5 % after",
            [_setpoint_text(r["setpoint"]) for r in columns],
        ),
        (f"load step of {load:.3g} at the output: PV off by, at worst", [_load_text(r["load"]) for r in columns]),
        ("noise of the PV in the output, times", [_number(r["noise_gain"]) for r in columns]),
    ):
        table.add_row(title, *cells)
    return table


def _setpoint_text(band: dict[str, Any] | None) -> str:
    if band is None:
        return "-"
    pv, t = band["pv"], band["t_s"]
    end = pv[-1]
    over = max((x / end for x in pv), default=1.0) - 1.0
    last = max((n for n, x in enumerate(pv) if abs(x / end - 1.0) > SETTLED), default=0)
    return f"{max(over, 0.0):.0%}, {t[min(last + 1, len(t) - 1)]:.0f} s"


def _load_text(band: dict[str, Any] | None) -> str:
    if band is None:
        return "-"
    ends = [x for row in (band["low"], band["high"]) for x in row]
    return "unbounded" if any(x is None for x in ends) else f"{max(abs(x) for x in ends):.3g}"


def _pair(value: float | None, worst: float | None) -> str:
    return f"{_number(value)} ({'unstable' if worst is None else _number(worst)})"


def _number(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.3g}"
