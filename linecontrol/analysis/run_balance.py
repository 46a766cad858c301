"""The balance of one run: what was measured, reconciled with what must balance, tested; the yield and its interval.

A run's ``Inputs`` are plain values that are kept in its record, so that a laboratory value that comes a day later makes
the balance anew from the same measurements. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from linecontrol.analysis.reconcile import Balance, CannotReconcile, Flowsheet, Reconciled, Variable, reconcile
from linecontrol.analysis.reconcile.expression import parse, parse_balance

YIELD = "extraction_yield"
LAB = "_lab"
"""Ending of the laboratory's value of a share that a meter measures too; both must be the same."""

METER, LABORATORY, ASSUMED, NONE = "meter", "laboratory", "assumed", "none"


@dataclass(frozen=True, slots=True)
class Input:
    """One quantity of a balance, as it was found.

    Attributes:
        value: [kg, or kg/kg]; None = not known. u: its standard uncertainty (k = 1).
        kind: meter, laboratory, assumed or none. source: tags, laboratory entries, or where an assumption is from.
        instrument: inputs with the same word share its error; "" = none shares it. An instrument's error stays from
            run to run; other errors are new in each run.
        sample: the sample point whose laboratory value takes the place of what is assumed, or stands beside a meter.
        guess: of what is not known.
    """

    value: float | None = None
    u: float | None = None
    kind: str = NONE
    source: str = ""
    instrument: str = ""
    sample: str = ""
    guess: float | None = None


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything a balance is made of. ``to_dict`` is what stands in a run's record."""

    rows: Mapping[str, Input]
    balances: Mapping[str, str]
    extraction_yield: str
    powder: str
    wanted: Mapping[str, str] = field(default_factory=dict)
    factors: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        rows = {name: {k: v for k, v in asdict(row).items() if v not in (None, "")} for name, row in self.rows.items()}
        return asdict(replace(self, rows={})) | {"rows": rows}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Inputs:
        return cls(**{**saved, "rows": {name: Input(**row) for name, row in saved["rows"].items()}})


@dataclass(frozen=True, slots=True)
class LabValue:
    """A laboratory value of a run [kg or kg/kg].

    Attributes:
        u: of the determination. sampling_u: how far one sample may differ from all that passed.
        meter: what the meter that it is a check of showed then; None for a sample that no meter measures.
    """

    lab_id: str
    sample: str
    value: float
    u: float
    sampling_u: float = 0.0
    meter: float | None = None


def with_laboratory(inputs: Inputs, found: Sequence[LabValue]) -> Inputs:
    """The same with the laboratory's values.

    Several of one sample point are averaged. Where a meter measures the same, the laboratory's value stands beside it
    and a balance makes the two equal, so that they test each other: of a meter's own checks, the meter's mean over the
    run less the mean difference from the laboratory.
    """
    rows, balances = dict(inputs.rows), dict(inputs.balances)
    for name, row in inputs.rows.items():
        mine = [one for one in found if one.sample == row.sample and row.sample]
        if not mine:
            continue
        value, u = _mean(mine)
        ids = ", ".join(one.lab_id for one in mine)
        if row.kind != METER:
            rows[name] = Input(value, u, LABORATORY, ids, sample=row.sample)
            continue
        if any(one.meter is not None for one in mine):
            differences = [replace(one, value=one.value - one.meter) for one in mine if one.meter is not None]
            off, u = _mean(differences)
            value = (row.value or 0.0) + off
        rows[f"{name}{LAB}"] = Input(value, u, LABORATORY, ids, sample=row.sample)
        balances[f"{name}: meter and laboratory"] = f"{name} = {name}{LAB}"
    return replace(inputs, rows=rows, balances=balances)


def _mean(found: Sequence[LabValue]) -> tuple[float, float]:
    """Weighted by what each is worth, and its standard uncertainty."""
    weights = [1.0 / (one.u**2 + one.sampling_u**2) for one in found]
    total = math.fsum(weights)
    value = math.fsum(w * one.value for w, one in zip(weights, found, strict=True)) / total
    return value, math.sqrt(1.0 / total)


def flowsheet_of(inputs: Inputs, name: str = "run") -> Flowsheet:
    """As a flowsheet. Raises ExpressionError or ValueError naming what does not fit."""
    variables = [Variable(key, row.value, row.u, "", row.guess) for key, row in inputs.rows.items()]
    shared: dict[str, list[str]] = {}
    for key, row in inputs.rows.items():
        if row.instrument and row.value is not None:
            shared.setdefault(row.instrument, []).append(key)
    correlations = {
        (one, other): 1.0 for keys in shared.values() for at, one in enumerate(keys) for other in keys[at + 1 :]
    }
    wanted = {YIELD: parse(inputs.extraction_yield)} | {key: parse(text) for key, text in inputs.wanted.items()}
    balances = [Balance(key, parse_balance(text)) for key, text in inputs.balances.items()]
    return Flowsheet(variables, balances, wanted, correlations, name)


def balance_record(inputs: Inputs, lab: Sequence[LabValue] = (), name: str = "run") -> dict[str, Any]:
    """The part of a run's record that its balance makes; JSON-able, and all that ``attribution`` needs.

    Never raises for measurements that contradict each other: then ``refused`` says why, and the rest is None.
    """
    used = with_laboratory(inputs, lab)
    record: dict[str, Any] = dict.fromkeys(
        f"{YIELD}_{key}" for key in ("reconciled", "reconciled_u", "low_95", "high_95")
    )
    kept = {"inputs": inputs.to_dict(), "laboratory": [asdict(one) for one in lab]}
    try:
        found = reconcile(flowsheet_of(used, name))
    except (CannotReconcile, ValueError) as error:
        return record | {"balance": kept | {"refused": str(error)}}
    said = found.to_dict()
    wanted = said["wanted"][YIELD]
    if wanted["reconciled"] is not None:
        record = {
            f"{YIELD}_reconciled": _rounded(wanted["reconciled"]),
            f"{YIELD}_reconciled_u": _rounded(wanted["u"]),
            f"{YIELD}_low_95": _rounded(wanted["low_95"]),
            f"{YIELD}_high_95": _rounded(wanted["high_95"]),
        }
    return record | {"balance": kept | {"statement": statement(found, used)} | _told(said, used)}


def _told(said: Mapping[str, Any], used: Inputs) -> dict[str, Any]:
    streams = {
        name: row | {"kind": used.rows[name].kind, "source": used.rows[name].source}
        for name, row in said["streams"].items()
    }
    return {**{k: said[k] for k in ("balances", "global_test", "gross_error", "wanted")}, "streams": streams}


def statement(found: Reconciled, used: Inputs) -> str:
    """What can be said of the measurements; an assumption among the suspects is called one."""
    text = found.statement()
    suspects = {name for suspect in found.errors.found for name in suspect.names}
    guessed = sorted(name for name in suspects if used.rows[name].kind == ASSUMED)
    if guessed:
        text += f" Not measured in this run but assumed: {', '.join(guessed)}."
    untested = [
        name
        for name, row in used.rows.items()
        if row.value is not None and math.isnan(found.errors.z.get(name, math.nan))
    ]
    if found.errors.dof and untested:
        text += f" No balance tests {', '.join(untested)}."
    return text


def _rounded(value: float) -> float:
    return round(value, 5)
