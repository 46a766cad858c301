"""Charts of an evidence pack as SVG to lie inside a page."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from linecontrol.analysis.wallclock import Face

_INK, _RED, _BLUE, _SHADE = "#222222", "#b3261e", "#1f5fa8", "#f3c9c5"
_STEPS_MIN, _MOST_TICKS = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 240.0, 480.0, 1440.0), 10
_ID = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>", re.DOTALL)


def limit_chart(limit: Mapping[str, Any], face: Face, suspects: Sequence[Mapping[str, Any]]) -> str:
    """A critical limit over the run: the value, its limits, and shaded what was suspect."""
    with mpl.rc_context({"svg.fonttype": "none", "font.size": 9, "svg.hashsalt": limit["name"]}):
        figure = Figure(figsize=(9.0, 2.3), layout="constrained")
        axis = figure.add_subplot()
        for row in suspects:
            until = row["until"] if row["until"] is not None else row["since"] + 60.0
            axis.axvspan(max(row["since"], face.start) / 60.0, until / 60.0, color=_SHADE, lw=0)
        minutes = [t / 60.0 for t, _ in limit["series"]]
        values = [math.nan if v is None else v for _, v in limit["series"]]
        axis.step(minutes, values, where="post", color=_BLUE, lw=0.9)
        for side in ("low", "high"):
            if limit[side] is not None:
                axis.axhline(limit[side], color=_RED, lw=1.0, ls="--")
        low, high = _span(limit, values)
        axis.set_ylim(low, high)
        ticks = _ticks(minutes, face.offset_s / 60.0)
        axis.set_xticks(ticks, [f"{datetime.fromtimestamp(60.0 * at, face.zone):%H:%M}" for at in ticks])
        axis.set_xlabel(face.name)  # in every language; letters of others have no width here
        axis.set_ylabel(f"{limit['tag']} {limit['unit']}")
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(colors=_INK)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return _ID.sub("", out.getvalue())


def _ticks(minutes: Sequence[float], ahead: float) -> list[float]:
    """Round times of a clock that is so far ``ahead`` [min] along the axis, ten at most [min since 1970, UTC]."""
    if not minutes:
        return []
    first, last = minutes[0] + ahead, minutes[-1] + ahead
    step = next((one for one in _STEPS_MIN if (last - first) / one <= _MOST_TICKS), _STEPS_MIN[-1])
    return [step * n - ahead for n in range(math.ceil(first / step), math.floor(last / step) + 1)][:100]


def _span(limit: Mapping[str, Any], values: Sequence[float]) -> tuple[float, float]:
    """From what was measured while powder was made to the limits, with some air: a cold start must not flatten it."""
    known = [v for v in (limit["min"], limit["max"], limit["low"], limit["high"]) if v is not None]
    known = known or [v for v in values if not math.isnan(v)] or [0.0, 1.0]
    air = 0.08 * max(max(known) - min(known), 0.5)
    return min(known) - air, max(known) + air
