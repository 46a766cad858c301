"""How a critical limit was kept in a run, from the record: extremes, time outside, and a curve to draw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linecontrol.core.model import Sample

Array = NDArray[np.float64]

MOST_POINTS = 600
MOST_SPANS = 6
_ONE_SPAN_S = 15.0  # what lies so close together is told as one
LIMIT_OF_SAMPLES = 400_000


def steps_of(samples: Sequence[Sample], start: float, end: float) -> tuple[Array, Array]:
    """Times and values of a recorded tag, each holding until the next; NaN while it was not GOOD."""
    times = np.array([max(sample.time, start) for sample in samples if sample.time < end] or [start])
    values = np.array([sample.number for sample in samples if sample.time < end] or [math.nan])
    return times, values


def held_at(times: Array, values: Array, at: Array) -> Array:
    """Values at other times."""
    found = np.searchsorted(times, at, side="right") - 1
    return np.where(found >= 0, values[np.maximum(found, 0)], math.nan)


def judged(
    limit: Mapping[str, Any],
    curves: Mapping[str, tuple[Array, Array]],
    making: Mapping[str, Any],
    end: float,
) -> dict[str, Any]:
    """One critical limit over a run.

    Args:
        limit: as in the run record: name, tag, low, high, unit, title, source.
        curves: times and values by tag. making: flow and gate of the guard, as in the run record.
    Returns:
        Of the time in which powder was made [s]: ``outside_s`` with ``to_good_s`` while the gate stood on good and
        ``unseen_s`` while nobody knew where it stood; ``unknown_s`` in which the limit's tag was not measured likewise.
    """
    times, values = curves[limit["tag"]]
    all_times = np.unique(np.concatenate([curve[0] for curve in curves.values()]))
    lengths = np.diff(np.append(all_times, end))
    at = held_at(times, values, all_times)
    flow = held_at(*curves[making["flow"]], all_times)
    gate = held_at(*curves[making["gate"]], all_times)
    makes = ~(flow < making["min_flow"])
    low = -math.inf if limit["low"] is None else limit["low"]
    high = math.inf if limit["high"] is None else limit["high"]
    unknown = np.isnan(at)
    outside = makes & ((at < low) | (at > high))  # what was not measured was not outside: it is told beside it
    known, unmeasured = makes & ~unknown, makes & unknown
    on_good, unseen = gate == making["good"], np.isnan(gate)
    return {
        **limit,
        "min": _extreme(np.min, at[known]),
        "max": _extreme(np.max, at[known]),
        "made_s": round(float(lengths[makes].sum()), 1),
        "outside_s": round(float(lengths[outside].sum()), 1),
        "to_good_s": round(float(lengths[outside & on_good].sum()), 1),
        "unseen_s": round(float(lengths[outside & unseen].sum()), 1),
        "outside_spans": spans_of(all_times[outside], lengths[outside]),
        "unknown_s": round(float(lengths[unmeasured].sum()), 1),
        "unknown_to_good_s": round(float(lengths[unmeasured & on_good].sum()), 1),
        "unknown_unseen_s": round(float(lengths[unmeasured & unseen].sum()), 1),
        "times_outside": int(np.sum(np.diff(np.concatenate(([0], outside.astype(int)))) == 1)),
        "series": thinned(times, values),
    }


def spans_of(times: Array, lengths: Array) -> list[list[float]]:
    """From when to when, of pieces by start and length [s]; the first and last few where there are many."""
    found: list[list[float]] = []
    for at, length in zip(times.tolist(), lengths.tolist(), strict=True):
        if found and at - found[-1][1] <= _ONE_SPAN_S:
            found[-1][1] = at + length
        else:
            found.append([at, at + length])
    half = MOST_SPANS // 2
    return found if len(found) <= MOST_SPANS else [*found[:half], *found[-half:]]


def _extreme(of: Any, values: Array) -> float | None:
    return round(float(of(values)), 3) if len(values) else None


def thinned(times: Array, values: Array) -> list[list[float | None]]:
    """At most about 600 points that keep every extreme."""
    if len(times) > MOST_POINTS:
        kept: list[int] = []
        for part in np.array_split(np.arange(len(times)), MOST_POINTS // 2):
            there = part[~np.isnan(values[part])]
            pair = (
                [int(part[0])]
                if not len(there)
                else [int(there[values[there].argmin()]), int(there[values[there].argmax()])]
            )
            kept += sorted(set(pair))
        times, values = times[kept], values[kept]
    return [
        [round(float(t), 1), None if math.isnan(v) else round(float(v), 3)] for t, v in zip(times, values, strict=True)
    ]
