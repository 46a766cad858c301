"""The whole answer to one flowsheet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from linecontrol.analysis.reconcile.expression import Expression
from linecontrol.analysis.reconcile.flowsheet import Flowsheet
from linecontrol.analysis.reconcile.gross_errors import ALPHA, GrossErrors, Suspect, gross_errors
from linecontrol.analysis.reconcile.quantity import Quantity
from linecontrol.analysis.reconcile.solve import CannotReconcile, Solution, solve

MOST_SUSPECTS = 12  # for which the quantity wanted is computed without them
ROUNDING = 1e-9  # of a share
_COUNTS = {1: "one", 2: "two", 3: "three"}


@dataclass(frozen=True)
class Reconciled:
    """Measured and reconciled, side by side.

    Attributes:
        raw: quantities wanted from measured values alone; None where something in them is not measured.
        wanted: the same from reconciled values.
        if_wrong: for each suspect by name, the quantities wanted when its measurement is left out.
        reasons: why a quantity wanted is not determined, where that is not for want of a measurement.
    """

    flowsheet: Flowsheet
    solution: Solution
    errors: GrossErrors
    raw: dict[str, Quantity | None]
    wanted: dict[str, Quantity]
    if_wrong: dict[str, dict[str, Quantity]]
    reasons: dict[str, str]

    def statement(self) -> str:
        """What can be said of the measurements, in a few sentences. What the file itself remarks stands beside it."""
        remarks = [f"{name} is not determined: {reason}." for name, reason in self.reasons.items()]
        if self.above_whole:
            remarks.append(f"More than the whole: {', '.join(self.above_whole)}. No share is above 1.")
        return " ".join([self._tests(), *remarks])

    def _tests(self) -> str:
        e = self.errors
        if e.dof == 0 and self._is_all_exact:
            return "No test was possible: every value in the balances is known exactly, and they hold."
        if e.dof == 0:
            return "No test was possible: there is no redundancy, every balance is used up by what is not measured."
        of = f"chi-square {e.chi2:.2f} of {e.dof} independent balance{'s' if e.dof > 1 else ''}"
        of += f", p = {e.p:.4f}" if e.p >= 1e-4 else ", p < 0.0001"
        if not e.is_alarm:
            return f"No gross error is seen ({of})."
        words = "; and ".join(self._suspected(group) for group in _joined(e.found))
        return f"Something is wrong beyond its declared uncertainty ({of}): {words}."

    def _suspected(self, group: Sequence[Suspect]) -> str:
        names = _names(group)
        if not names:
            return "the balances themselves, for no measurement explains it"
        if len(names) == len(group) == 1:
            return f"{names[0]}, off by {group[0].error:+.4g} ± {group[0].u:.2g}"
        if len(names) == len(group):
            return ", ".join(names)
        for_ever = any(set(names) <= set(alike) for alike in self.errors.alike)
        by = "these balances" if for_ever else "these data"
        return f"{_COUNTS.get(len(group), len(group))} of {', '.join(names)}, which cannot be told apart by {by}"

    @property
    def _is_all_exact(self) -> bool:
        used = {name for balance in self.flowsheet.balances for name in balance.expression.names}
        return all(v.u == 0.0 for v in self.flowsheet.variables if v.name in used)

    @property
    def below_nothing(self) -> tuple[str, ...]:
        """What comes out negative, though it was not measured so: no stream is, and no share of one can be."""
        measured = {v.name: v.value for v in self.flowsheet.variables if v.value is not None}
        return tuple(
            name
            for name, value in self._determined()
            if value < 0.0 and (_is_share(name) or not measured.get(name, 0.0) < 0.0)
        )

    @property
    def above_whole(self) -> tuple[str, ...]:
        """Shares that come out above 1, which none can be."""
        return tuple(name for name, value in self._determined() if _is_share(name) and value > 1.0 + ROUNDING)

    def _determined(self) -> Iterator[tuple[str, float]]:
        """Reconciled values by name, of what can be determined."""
        for variable in self.flowsheet.variables:
            found = self.solution.of(variable.name)
            if not math.isnan(found.u):
                yield variable.name, found.value

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not known is None."""
        return {
            "name": self.flowsheet.name,
            "streams": {v.name: self._stream(v.name) for v in self.flowsheet.variables},
            "balances": {b.name: self._balance(b.expression) for b in self.flowsheet.balances},
            "global_test": {
                "chi2": _plain(self.errors.chi2),
                "dof": self.errors.dof,
                "p": _plain(self.errors.p_global),
            },
            "gross_error": {
                "found": self.errors.is_alarm,
                "p": _plain(self.errors.p),
                "alpha": ALPHA,
                "z_limit": _plain(self.errors.z_limit),
                "suspects": [
                    {"names": list(s.names), "error": _plain(s.error), "u": _plain(s.u)} for s in self.errors.found
                ],
                "cannot_be_told_apart": [list(group) for group in self.errors.alike],
                "statement": self.statement(),
            },
            "below_nothing": list(self.below_nothing),
            "above_whole": list(self.above_whole),
            "remarks": list(self.flowsheet.remarks),
            "wanted": {name: self._wanted(name) for name in self.flowsheet.wanted},
        }

    def _stream(self, name: str) -> dict[str, Any]:
        variable = next(v for v in self.flowsheet.variables if v.name == name)
        found, z = self.solution.of(name), self.errors.z.get(name, math.nan)
        return {
            "unit": variable.unit,
            "measured": variable.value,
            "u": variable.u,
            "reconciled": _plain(found.value) if not math.isnan(found.u) else None,
            "u_reconciled": _plain(found.u),
            "adjustment": None if variable.value is None else _plain(found.value - variable.value),
            "z": _plain(z),
            "tested": not math.isnan(z),
            "seen_from": _plain(self.errors.seen_from.get(name, math.inf)),
            "determined": not math.isnan(found.u),
        }

    def _balance(self, expression: Expression) -> dict[str, Any]:
        """How far the measured values miss it; None when something in it is not measured."""
        raw = _of_measured(self.flowsheet, expression)
        miss = None if raw is None else _plain(raw.value)
        return {"equation": expression.text, "miss": miss, "u": None if raw is None else _plain(raw.u)}

    def _wanted(self, name: str) -> dict[str, Any]:
        raw, found = self.raw[name], self.wanted[name]
        low, high = found.interval
        return {
            "raw": None if raw is None else _plain(raw.value),
            "raw_u": None if raw is None else _plain(raw.u),
            "reconciled": _plain(found.value) if not math.isnan(found.u) else None,
            "u": _plain(found.u),
            "low_95": _plain(low),
            "high_95": _plain(high),
            "reason": self.reasons.get(name),
            "if_wrong": {
                stream: {
                    "value": _plain(rows[name].value) if not math.isnan(rows[name].u) else None,
                    "u": _plain(rows[name].u),
                }
                for stream, rows in self.if_wrong.items()
            },
        }


def reconcile(flowsheet: Flowsheet) -> Reconciled:
    """Reconcile a flowsheet and test its measurements.

    Raises:
        CannotReconcile: no values near the measured ones satisfy the balances.
    """
    solution = solve(flowsheet)
    n = len(flowsheet.measured)
    u = np.sqrt(np.diag(flowsheet.covariance()))
    errors = gross_errors(flowsheet.measured, solution.columns[:, :n], solution.residual, u)
    wanted, reasons = _wanted_of(flowsheet, solution)
    raw = {name: _of_measured(flowsheet, expression) for name, expression in flowsheet.wanted.items()}
    suspects = [name for suspect in errors.found for name in suspect.names][:MOST_SUSPECTS] if errors.is_alarm else []
    return Reconciled(flowsheet, solution, errors, raw, wanted, _without_each(flowsheet, suspects), reasons)


def _wanted_of(flowsheet: Flowsheet, solution: Solution) -> tuple[dict[str, Quantity], dict[str, str]]:
    """The quantities wanted, and why one of them is none: it does not take the whole balance along."""
    found, reasons = {}, {}
    for name, expression in flowsheet.wanted.items():
        try:
            found[name] = solution.quantity(expression)
        except CannotReconcile as error:
            found[name], reasons[name] = Quantity(math.nan, math.nan), str(error)
    return found, reasons


def _without_each(flowsheet: Flowsheet, suspects: Sequence[str]) -> dict[str, dict[str, Quantity]]:
    found = {}
    for name in dict.fromkeys(suspects):
        try:
            found[name], _ = _wanted_of(flowsheet, solve(flowsheet.without([name])))
        except CannotReconcile:
            found[name] = {key: Quantity(math.nan, math.nan) for key in flowsheet.wanted}
    return found


def _joined(found: Sequence[Suspect]) -> list[list[Suspect]]:
    """Gross errors that share a possible culprit together, so that each is named once.

    One that is the only explanation of an error is no longer among the explanations of another.
    """
    sure = {suspect.names for suspect in found if len(suspect.names) == 1}
    found = [
        suspect
        if suspect.names in sure
        else replace(suspect, names=tuple(name for name in suspect.names if (name,) not in sure))
        for suspect in found
    ]
    groups: list[list[Suspect]] = []
    for suspect in found:
        shares = [group for group in groups if set(_names(group)) & set(suspect.names)]
        groups = [group for group in groups if group not in shares]
        groups.append([*(one for group in shares for one in group), suspect])
    return sorted(groups, key=lambda group: found.index(group[0]))


def _names(group: Sequence[Suspect]) -> list[str]:
    return list(dict.fromkeys(name for suspect in group for name in suspect.names))


def _is_share(name: str) -> bool:
    return "." in name


def _of_measured(flowsheet: Flowsheet, expression: Expression) -> Quantity | None:
    """A function of measured values alone, first order (GUM, JCGM 100:2008, 5.1); None when it needs another."""
    if not set(expression.names) <= set(flowsheet.measured):
        return None
    values = {v.name: v.value for v in flowsheet.variables if v.value is not None}
    try:
        value, slopes = expression.at({k: complex(x) for k, x in values.items()}).real, expression.gradient(values)
    except ArithmeticError:
        return None
    g = np.array([slopes.get(name, 0.0) for name in flowsheet.measured])
    return Quantity(value, math.sqrt(max(float(g @ flowsheet.covariance() @ g), 0.0)))


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
