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
SETTLED = 0.05  # of a set-point step: within it the PV counts as settled


def gains_text(gains: dict[str, Any]) -> str:
    """Gains in a sentence."""
    ti = "inf" if gains["ti_s"] is None else f"{gains['ti_s']:.4g}"
    return f"K {gains['k']:.4g}, Ti {ti} s, Td {gains['td_s']:.4g} s, b {gains['b']:.2g}"


def trial_text(view: dict[str, Any]) -> str:
    """Where the gains stand: on trial, other than the line file's, or as there."""
    trial = view["trial"]
    if trial is not None:
        return (
            f"On trial for {trial['lasts_s']:.0f} s in control; if the loop behaves worse they go back by themselves to"
            f" {gains_text(trial['falls_back_to'])}. Now: linecontrol tune {view['loop']} --accept, or --revert"
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
        parts += ["", _gains_table(found)]
        load, unit = found["load_step"], found["unit"]
        parts.append(
            Text(
                "Ms, Mt, margins: on the model (on the worst process that agrees with the test). Set point: overshoot,"
                f" and time to 5 %. Load: largest deviation [{unit}] after a step of {load:.3g} at the output, worst"
                " case. Noise: in the output, over the PV's",
                style="dim",
            )
        )
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


def _gains_table(found: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("gains", "K", "Ti s", "Td s", "b", "Ms", "Mt", "gain m.", "phase m.", "set point", "load", "noise"):
        table.add_column(title, justify="left" if title == "gains" else "right", no_wrap=True)
    rows = list(found["candidates"][:1])
    if found["present"] is not None:
        rows.append(found["present"])
    rows += found["candidates"][1:]
    for n, row in enumerate(rows):
        g, m, w = row["gains"], row["margins"], row["worst"]
        style = "bold" if n == 0 and found["candidates"] else "" if row["within"] else "dim"
        table.add_row(
            row["rule"],
            *(_number(g[key]) for key in ("k", "ti_s", "td_s", "b")),
            _pair(m["ms"], w["ms"]) if m["stable"] else "UNSTABLE",
            _number(m["mt"]) if m["stable"] else "-",
            _number(m["gain_margin"]) if m["stable"] else "-",
            f"{_number(m['phase_margin_deg'])}°" if m["stable"] else "-",
            _setpoint_text(row["setpoint"]),
            _load_text(row["load"]),
            _number(row["noise_gain"]),
            style=style,
        )
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
