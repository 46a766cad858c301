"""From a record of some hours with one step test to a model of this dryer, or a refusal with its reason. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path as FilePath

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linecontrol.control.moisture.columns import refuse_mixed_up
from linecontrol.control.moisture.dynamics import Path
from linecontrol.control.moisture.fitting import LONGEST_DELAY_S, WALL_SHARE, Fitted, OutputFit, fit_heater
from linecontrol.control.moisture.model import DryerModel
from linecontrol.control.moisture.noise import LevelNoise, fit_arma, level_noise
from linecontrol.control.moisture.record import (
    CannotCommission,
    FloatArray,
    MoistureRecord,
    absolute_humidity,
    read_record,
)
from linecontrol.control.moisture.witness import balance as heat_balance
from linecontrol.control.moisture.witness import in_common, unwatched

BoolArray = NDArray[np.bool_]

FIT_PERIOD_S = 4.0  # the dryer's lags are tens of seconds; a finer grid only costs time
LEAST_MOVE_K = 1.5  # of the inlet set point, over the record
SUREST_GAIN = 0.4  # standard deviation of the gain over the gain: beyond it the record cannot tell it. Up to there what
# the controller learns while running makes up for it: better than none for a dryer whose cake nobody measures.
SUREST_OUTLET = 0.3  # the same of the outlet's temperature, without which there is still the meter
STUCK_S, STUCK_REFRESHES = 60.0, 4.0  # a meter that shows one value for so long, and for so many, measures nothing
LOADS = ("heat", "water", "feed")
LEAST_LOAD = 0.01  # range of a scaled load: a twentieth of a % wb of cake, 0.1 % of the feed
SLOW_S = 60.0  # ambient air acts within a minute, and changes over hours
MOST_AIR_SHARE = 0.5  # of the inlet's effect per kelvin: the heater makes up for the rest of what ambient air brings
BELIEVABLE_PCT = (3.0, 30.0)  # mean moisture of a powder behind a dryer [% wb]
BELIEVABLE_GAIN = (0.004, 1.5)  # % wb per K, either a dryer or not: PROCESS' ceilings with room on both sides


def commission(
    source: Mapping[str, ArrayLike] | FilePath | str | MoistureRecord,
    *,
    qualities: Mapping[str, ArrayLike] | None = None,
) -> DryerModel:
    """The model of a dryer.

    Args:
        source: arrays by name, a CSV file (see ``record.read_record``), or a record already read.
        qualities: signal to "is this sample good", or to other marks of it (see ``quality_marks``).

    Raises:
        CannotCommission: with code and reason.
    """
    if isinstance(source, MoistureRecord):
        record = source
    else:
        record = read_record(source, qualities=qualities, period_s=None, shortest_period_s=FIT_PERIOD_S)
    weight, signals, lost = _clean(record)
    moves = signals["inlet_sp_c"][weight > 0.0]
    if len(moves) * record.period_s < 1800.0:
        most = max(lost, key=lambda why: np.count_nonzero(lost[why]), default="")
        raise CannotCommission(
            "missing", f"less than half an hour of the record has all its signals good{most and f': {most}'}"
        )
    if float(np.ptp(moves)) < LEAST_MOVE_K:
        _say_what_hid_the_step(signals["inlet_sp_c"], lost)
        raise CannotCommission(
            "no-step",
            f"the inlet set point moved by {np.ptp(moves):.2f} K in the whole record (accepted: at least"
            f" {LEAST_MOVE_K:g} K; a step of 5 to 10 K held for half an hour does well)",
        )
    refuse_mixed_up(signals, weight, record.period_s)
    mean = float(np.mean(signals["moisture_pct_wb"][weight > 0.0]))
    if not BELIEVABLE_PCT[0] <= mean <= BELIEVABLE_PCT[1]:
        raise CannotCommission(
            "no-drying",
            f"mean moisture is {mean:.1f} % wb (accepted: {BELIEVABLE_PCT[0]:g} to {BELIEVABLE_PCT[1]:g}): this is no"
            " record of a dryer at work, or the meter is not scaled in % wb",
        )
    warnings: list[str] = []
    means, inputs = _scaled(record, signals, weight, warnings)
    heater = _heater(record, signals, weight, warnings)
    outlet_signal = "outlet_c" if "outlet_c" in signals else "product_c"
    temperature = _temperature(outlet_signal, record, signals, weight, inputs, heater, warnings)
    moisture = _moisture(record, signals, weight, inputs, heater, temperature)
    outlet = None if temperature is None else temperature.model
    _believable(moisture, warnings)
    means["moisture_pct_wb"] = mean
    model, balance = moisture.model, heat_balance(means, signals, weight, signals.get("outlet_c"))
    shared = (0.0, 0.0) if temperature is None else in_common(moisture, temperature, weight, record.period_s)
    found = DryerModel(
        means=means,
        ranges={name: (float(np.min(v)), float(np.max(v))) for name, v in inputs.items()},
        moisture=model,
        outlet=outlet,
        outlet_signal=outlet_signal,
        inputs={
            name: _load_noise(inputs[name], weight, record.period_s) for name in ("water", "feed") if name in inputs
        },
        repeat_share=record.repeat_share,
        refresh_s=record.refresh_s,
        meter_sd=math.sqrt(model.noise.white_var(record.raw_period_s)),
        sample_s=record.raw_period_s,
        balance_pct_per_k=balance,
        shared_k_per_pct=shared[0],
        shared=shared[1],
        hours=record.hours,
        warnings=tuple(warnings),
    )
    return found if found.watches_meter else replace(found, warnings=(*warnings, unwatched(found)))


def _say_what_hid_the_step(inlet_sp_c: FloatArray, lost: Mapping[str, BoolArray]) -> None:
    """Refuse a record whose step is there, but was not seen."""
    moved_k = float(np.ptp(inlet_sp_c))
    if moved_k < LEAST_MOVE_K:
        return
    at = np.abs(inlet_sp_c - np.median(inlet_sp_c)) > 0.5 * LEAST_MOVE_K
    why = max(lost, key=lambda why: np.count_nonzero(lost[why] & at), default="not all signals were good")
    raise CannotCommission(
        "step-unseen",
        f"the inlet set point moved by {moved_k:.2f} K, but {why} meanwhile, so that no answer to it was seen"
        " (accepted: a step during which all signals are good and the meter moves)",
    )


def _clean(record: MoistureRecord) -> tuple[FloatArray, dict[str, FloatArray], dict[str, BoolArray]]:
    """Weights (0 = do not fit to this sample), signals without gaps, and where each reason took samples away."""
    used = [name for name in record.signals if record.has(name)]
    weight = np.ones(len(record))
    signals = {}
    lost: dict[str, BoolArray] = {}
    after = int(300.0 / record.period_s)
    for name in used:
        values = record.signals[name].copy()
        if name == "moisture_pct_wb":
            stuck = _stuck(values, int(max(STUCK_S, STUCK_REFRESHES * record.refresh_s) / record.period_s))
            values[stuck] = math.nan
            lost[f"{name} stood still"] = stuck
        missing = ~np.isfinite(values)
        if np.all(missing):  # ``has`` has seen enough good samples, so these were taken away here
            raise CannotCommission(
                "missing",
                f"{name} stood still at {np.nanmedian(record.signals[name]):g} throughout (accepted: a meter"
                " whose reading moves)",
            )
        if np.any(missing):
            lost[f"{name} was missing or not good"] = ~np.isfinite(record.signals[name])
            at = np.flatnonzero(~missing)
            values[missing] = np.interp(np.flatnonzero(missing), at, values[at])
            weight[missing] = 0.0
            if name != "moisture_pct_wb":  # what acts after a hole is not known for a while
                spread = np.convolve(missing.astype(float), np.ones(after), "full")[: len(missing)]
                weight[spread > 0.5] = 0.0
        signals[name] = values
    return weight, signals, lost


def _stuck(values: FloatArray, longest: int) -> BoolArray:
    """Where a value stands for ``longest`` samples or more."""
    found = np.zeros(len(values), dtype=bool)
    edges = np.flatnonzero(np.concatenate([[True], np.diff(values) != 0.0, [True]]))
    for start, end in pairwise(edges.tolist()):
        if end - start >= max(longest, 3):
            found[start:end] = True
    return found


def _scaled(
    record: MoistureRecord, signals: Mapping[str, FloatArray], weight: FloatArray, warnings: list[str]
) -> tuple[dict[str, float], dict[str, FloatArray]]:
    good = weight > 0.0

    def mean(values: FloatArray) -> float:
        return float(np.mean(values[good]))

    means = {"inlet_sp_c": mean(signals["inlet_sp_c"])}
    inputs = {"heat": signals["inlet_sp_c"] - means["inlet_sp_c"]}
    if "cake_pct_wb" in signals:
        db = signals["cake_pct_wb"] / (100.0 - signals["cake_pct_wb"])
        means["water_db"] = mean(db)
        inputs["water"] = 10.0 * (db - means["water_db"])
    if "feed_kg_h" in signals and mean(signals["feed_kg_h"]) > 0.0:
        means["feed_kg_h"] = mean(signals["feed_kg_h"])
        inputs["feed"] = 10.0 * np.log(np.maximum(signals["feed_kg_h"], 0.05 * means["feed_kg_h"]) / means["feed_kg_h"])
        weight[signals["feed_kg_h"] < 0.05 * means["feed_kg_h"]] = 0.0
    for name, signal in (("water", "cake_pct_wb"), ("feed", "feed_kg_h")):
        if name not in inputs:
            why = "feed_kg_h is 0" if signal in signals else record.why_not(signal)
            warnings.append(f"{why}: there is no feed-forward from it")
        elif float(np.ptp(inputs[name][good])) < LEAST_LOAD:
            del inputs[name]
            warnings.append(f"{signal} did not move in the whole record: there is no feed-forward from it")
    if "ambient_c" in signals:
        means["ambient_c"] = mean(signals["ambient_c"])
        inputs["air"] = signals["ambient_c"] - means["ambient_c"]
        if "ambient_rh_pct" in signals:
            air = zip(signals["ambient_c"].tolist(), signals["ambient_rh_pct"].tolist(), strict=True)
            humidity = np.array([absolute_humidity(*row) for row in air])
            means["humidity_g_kg"] = mean(humidity)
            inputs["damp"] = humidity - means["humidity_g_kg"]
    return means, inputs


def _heater(
    record: MoistureRecord, signals: Mapping[str, FloatArray], weight: FloatArray, warnings: list[str]
) -> dict[str, tuple[float, float]]:
    """Lags of the inlet air behind its set point, as far as the thermometer tells."""
    if "inlet_c" not in signals:
        warnings.append(f"{record.why_not('inlet_c')}: the heater's lags are only told by the moisture")
        return {}
    path = fit_heater(signals["inlet_sp_c"], signals["inlet_c"], weight, record.period_s)
    if path is None:
        warnings.append("inlet_c does not follow inlet_sp_c: the heater's lags are only told by the moisture")
        return {}
    return {"heat": (path.lag1_s, path.lag2_s)}


def _moisture(
    record: MoistureRecord,
    signals: Mapping[str, FloatArray],
    weight: FloatArray,
    inputs: Mapping[str, FloatArray],
    heater: Mapping[str, tuple[float, float]],
    outlet: Fitted | None,
) -> Fitted:
    """The model of the meter's moisture: with the outlet's paths where these serve as well as its own, and with
    ambient air where that pays for itself."""
    # A thermometer tells what the walls do far better than a meter of moisture.
    wall = (0.0, WALL_SHARE) if outlet is None else outlet.wall_of_others
    y, count = signals["moisture_pct_wb"], float(np.sum(weight > 0.0))
    loads = {name: inputs[name] for name in LOADS if name in inputs}

    def cost(found: Fitted, parameters: int) -> float:
        return 2.0 * count * math.log(found.model.residual_sd) + parameters * math.log(count)

    own = OutputFit(y, loads, weight, record.period_s, known_lags=heater, wall=wall).run()
    best, best_cost, tied = own, cost(own, 2 * len(loads) + 1), None
    if outlet is not None:
        # The same air and cake, later: only the way to the meter and its lag are new, so little is left to guess.
        found = OutputFit(y, loads, weight, record.period_s, tied=outlet.model.paths, wall=wall).run()
        if cost(found, 2) <= best_cost:
            best, best_cost, tied = found, cost(found, 2), outlet.model.paths
    for name in ("air", "damp"):
        if name not in inputs or float(np.std(inputs[name])) < 0.05:
            continue
        more = loads | {name: inputs[name]}
        quiet = {name: Path(0.0, SLOW_S)}
        found = OutputFit(y, more, weight, record.period_s, known_lags=heater, quiet=quiet, tied=tied, wall=wall).run()
        # Hours of weather are few looks at it, however many samples: it must pay much more than log(n).
        if name == "air" and abs(found.model.gain("air")[0]) > MOST_AIR_SHARE * abs(found.model.gain("heat")[0]):
            continue
        its_cost = cost(found, 2 if tied is not None else 2 * len(loads) + 1) + 20.0
        if its_cost < best_cost:
            best, best_cost = found, its_cost
    return best


def _believable(found: Fitted, warnings: list[str]) -> None:
    """Refuse what the record cannot tell."""
    gain, sd = found.model.gain("heat")
    low, high = BELIEVABLE_GAIN
    if sd > SUREST_GAIN * abs(gain):
        raise CannotCommission(
            "unsure",
            f"the moisture's gain on the inlet air is {gain:.3f} ± {sd:.3f} % wb per K: too doubtful (accepted:"
            f" standard deviation up to {100.0 * SUREST_GAIN:.0f} %). A larger or longer step tells more"
            + "".join(f"; {warning}" for warning in warnings),
        )
    if gain > 0.0:
        raise CannotCommission(
            "wrong-sign",
            f"moisture rises with the inlet air ({gain:+.3f} ± {sd:.3f} % wb per K): columns mixed up, or somebody"
            " changed the load together with the set point",
        )
    if not low <= -gain <= high:
        raise CannotCommission(
            "no-fit", f"the gain {gain:.4f} % wb per K is not that of a dryer (accepted: {-high:g} to {-low:g})"
        )
    path = found.model.paths["heat"]
    if path.delay_s > 0.98 * LONGEST_DELAY_S:
        raise CannotCommission(
            "no-fit", f"no delay below {LONGEST_DELAY_S:g} s explains the moisture: are the columns of the same time?"
        )
    if sd > 0.15 * abs(gain):
        settled, u = found.model.settled_gain("heat")
        warnings.append(
            f"the gain {settled:.3f} % wb per K, standard uncertainty {u:.3f}, is rather doubtful; a larger step will"
            " tell it better"
        )
    for name in ("water", "feed"):
        load, u = found.model.gain(name) if name in found.model.paths else (0.0, 0.0)
        if load + 2.0 * u < 0.0:  # one that may well be nothing is no news
            warnings.append(f"moisture seems to fall with more {name}: look at the columns and their units")


def _temperature(
    name: str,
    record: MoistureRecord,
    signals: Mapping[str, FloatArray],
    weight: FloatArray,
    inputs: Mapping[str, FloatArray],
    heater: Mapping[str, tuple[float, float]],
    warnings: list[str],
) -> Fitted | None:
    if name not in signals:
        warnings.append(
            "neither outlet_c nor product_c was measured: no cascade, and only the loads to watch the meter by"
        )
        return None
    if name == "product_c":
        why = record.why_not("outlet_c")
        warnings.append(f"{why}: product_c stands in for it")
    loads = {n: inputs[n] for n in LOADS if n in inputs}
    fit = OutputFit(signals[name], loads, weight, record.period_s, known_lags=heater, longest_delay_s=180.0)
    found = fit.run(curved=False)
    gain, sd = found.model.gain("heat")
    if gain <= 0.0 or sd > SUREST_OUTLET * gain:
        warnings.append(f"{name} does not tell enough ({gain:+.3f} ± {sd:.3f} K per K of inlet air): not used")
        return None
    return found


def _load_noise(values: FloatArray, weight: FloatArray, period_s: float) -> LevelNoise:
    return level_noise(*fit_arma(values - np.mean(values[weight > 0.0]), weight.copy()), period_s)
