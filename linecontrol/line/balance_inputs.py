"""From a line file's balance and a run's sums to the inputs of its balance and what it took. Pure."""

from __future__ import annotations

from typing import Any

from linecontrol.analysis.footprint import Use, footprint
from linecontrol.analysis.reconcile import ExpressionError
from linecontrol.analysis.run_balance import ASSUMED, METER, NONE, Input, Inputs, flowsheet_of
from linecontrol.analysis.run_sums import RunSums, sums_for
from linecontrol.config import LineConfig
from linecontrol.config.balance import SHARE_OF, Assumed, BalanceStream, Fraction, RunBalance
from linecontrol.core.errors import Problem


def balance_sums(config: LineConfig) -> RunSums | None:
    """Empty sums of what the balance and the consumption of a line need; None when its file has neither."""
    balance, consumption = config.line.balance, config.line.consumption
    if balance is None and consumption is None:
        return None
    streams = {} if balance is None else balance.streams
    rows = {
        name: (stream, tuple(part.tag for part in stream.fractions.values() if part.tag is not None))
        for name, stream in streams.items()
    }
    return sums_for(rows, () if consumption is None else _counters(config))


def _counters(config: LineConfig) -> tuple[str, ...]:
    consumption, parts = config.line.consumption, config.line.yield_
    carriers = () if consumption is None else consumption.carriers.values()
    water = () if parts is None else parts.water_totals
    return tuple(dict.fromkeys([tag for row in carriers for tag in (*row.totals, *row.minus)] + list(water)))


def run_inputs(config: LineConfig, balance: RunBalance, sums: RunSums, *, is_complete: bool = True) -> Inputs:
    """What was measured, before the laboratory has spoken.

    Args:
        is_complete: the run came to its end; else some assumptions do not hold.
    """
    rows: dict[str, Input] = {}
    for name, stream in balance.streams.items():
        rows[name] = _stream(stream, sums, is_complete)
        for part, fraction in stream.fractions.items():
            rows[f"{name}.{part}"] = _fraction(config, stream, fraction, sums, is_complete)
    factors = {str(name): text for name, text in balance.factors.items()}
    return Inputs(rows, balance.equations, balance.extraction_yield, balance.powder, dict(balance.wanted), factors)


def _stream(stream: BalanceStream, sums: RunSums, is_complete: bool) -> Input:
    scale = stream.scale or ""
    if stream.totals:
        found = [sums.total(tag) for tag in stream.totals]
        value = stream.factor * sum(total for total in found if total is not None)
        if any(total is None for total in found):
            return Input(None, None, NONE, "never read: " + ", ".join(stream.totals))
        u = value * (stream.u_pct or 0.0) / 100.0
        return Input(value, u, METER, ", ".join(stream.totals), instrument=scale)
    if stream.change is not None:
        change = sums.change(stream.change)
        if change is None:
            return Input(None, None, NONE, f"never read: {stream.change}")
        return Input(stream.factor * change, stream.u, METER, stream.change, instrument=scale)
    return _assumed(stream.assumed, stream.sample, is_complete)


def _fraction(config: LineConfig, stream: BalanceStream, fraction: Fraction, sums: RunSums, is_complete: bool) -> Input:
    if fraction.tag is None:
        return _assumed(fraction.assumed, fraction.sample, is_complete)
    tag = next(row for row in config.tags if row.name == fraction.tag)
    share = SHARE_OF[tag.unit]
    checked = any(row.tag == tag.name for row in config.line.laboratory)
    sample = fraction.sample or (tag.name if checked else "")
    mean = sums.mean(stream.totals, fraction.tag)
    if mean is None:  # nothing passed, or the meter saw nothing of it: it may lie anywhere in its range
        if any(sums.total(total) for total in stream.totals):
            return Input(None, None, NONE, f"no good reading of {tag.name}", sample=sample)
        return Input(None, None, NONE, "nothing passed", sample=sample, guess=0.5 * share * (tag.low + tag.high))
    return Input(mean * share, (fraction.u or 0.0) * share, METER, tag.name, instrument=tag.name, sample=sample)


def _assumed(assumed: Assumed | None, sample: str | None, is_complete: bool) -> Input:
    if assumed is None:
        return Input(sample=sample or "")
    if assumed.only_complete and not is_complete:
        reason = "the run did not come to its end, so that nothing can be assumed"
        return Input(source=reason, sample=sample or "", guess=assumed.value)
    return Input(assumed.value, assumed.u, ASSUMED, assumed.source, sample=sample or "")


def run_footprint(config: LineConfig, sums: RunSums, powder_kg: float) -> dict[str, Any]:
    """Energy, water, carbon and cost of a run; nothing for a line file without ``consumption``."""
    consumption, parts = config.line.consumption, config.line.yield_
    if consumption is None:
        return {}
    energy = [
        Use(
            name,
            {
                tag: (sums.total(tag) or 0.0, sign)
                for tags, sign in ((row.totals, 1.0), (row.minus, -1.0))
                for tag in tags
            },
            row.u_pct / 100.0,
            row.price.value,
            row.co2.value,
        )
        for name, row in consumption.carriers.items()
    ]
    water = Use(
        "water",
        {tag: (sums.total(tag) or 0.0, 1.0) for tag in (() if parts is None else parts.water_totals)},
        consumption.water_u_pct / 100.0,
        consumption.water_price.value,
        consumption.water_co2.value,
    )
    powder_u_rel = 0.0 if parts is None else parts.uncertainty.powder_scale_rel
    return footprint(energy, water, powder_kg, powder_u_rel, consumption.currency)


def equation_problems(config: LineConfig) -> list[Problem]:
    """What is wrong with the equations of a line's balance."""
    balance, sums = config.line.balance, balance_sums(config)
    if balance is None or sums is None:
        return []
    try:
        flowsheet_of(run_inputs(config, balance, sums))
    except (ExpressionError, ValueError) as error:
        return [Problem(str(config.path), None, "balance", str(error), "see docs/researcher.md")]
    return []
