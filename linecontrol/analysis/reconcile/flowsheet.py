"""A flowsheet: streams and fractions as they were measured, balances that must hold, and what is wanted of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from linecontrol.analysis.reconcile.expression import LARGEST, Expression, ExpressionError

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Variable:
    """A stream, or a fraction of one (``powder.starch``).

    Attributes:
        value: measured; None = not measured. u: its standard uncertainty (k = 1), >= 0; 0 = known exactly.
        guess: of what is not measured, where the search begins; None = from what is measured.
    """

    name: str
    value: float | None = None
    u: float | None = None
    unit: str = ""
    guess: float | None = None

    @property
    def is_measured(self) -> bool:
        return self.value is not None


@dataclass(frozen=True, slots=True)
class Balance:
    """``expression`` must be 0."""

    name: str
    expression: Expression


@dataclass(frozen=True)
class Flowsheet:
    """Raises ExpressionError or ValueError naming what does not fit.

    Attributes:
        wanted: quantities to be computed, by name.
        correlations: of the errors of two measured values, -1..1 (e.g. both from the same scale).
        remarks: what whoever wrote it down should be told with the answer, as sentences.
    """

    variables: Sequence[Variable]
    balances: Sequence[Balance]
    wanted: Mapping[str, Expression] = field(default_factory=dict)
    correlations: Mapping[tuple[str, str], float] = field(default_factory=dict)
    name: str = ""
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = {variable.name for variable in self.variables}
        if len(known) != len(self.variables):
            raise ValueError("a stream or fraction is named twice (accepted: each once)")
        for what, expression in [*((b.name, b.expression) for b in self.balances), *self.wanted.items()]:
            for name in expression.names:
                if name not in known:
                    near = ", ".join(sorted(known)[:12])
                    raise ExpressionError(f"{what}: there is no stream or fraction {name!r} (accepted: {near})")
        for variable in self.variables:
            if variable.is_measured and not (variable.u is not None and 0.0 <= variable.u < math.inf):
                raise ValueError(f"{variable.name}: u {variable.u} is not accepted (accepted: 0 or more, finite)")
            for number in (variable.value, variable.u, variable.guess):
                if number is not None and not abs(number) <= LARGEST:
                    accepted = f"-{LARGEST:g} to {LARGEST:g}"
                    raise ValueError(f"{variable.name}: {number} is not accepted (accepted: {accepted})")
        for (one, other), share in self.correlations.items():
            if one not in self.measured or other not in self.measured or one == other:
                accepted = f"two of {', '.join(self.measured[:12])}"
                said = "both must be measured, and different"
                raise ValueError(f"correlation of {one} and {other}: {said} (accepted: {accepted})")
            if (other, one) in self.correlations:
                raise ValueError(f"{one} and {other} are correlated twice (accepted: each pair once)")
            if not -1.0 <= share <= 1.0:
                raise ValueError(f"correlation {share} is not accepted (accepted: -1 to 1)")

    @property
    def measured(self) -> tuple[str, ...]:
        return tuple(variable.name for variable in self.variables if variable.is_measured)

    @property
    def unmeasured(self) -> tuple[str, ...]:
        return tuple(variable.name for variable in self.variables if not variable.is_measured)

    def covariance(self) -> FloatArray:
        """Of the measured values, in the order of ``measured``. Raises ValueError when it can be none."""
        names = self.measured
        sds = np.array([variable.u for variable in self.variables if variable.is_measured], float)
        shares = np.eye(len(names))
        for (one, other), share in self.correlations.items():
            i, j = names.index(one), names.index(other)
            shares[i, j] = shares[j, i] = share
        if len(names) and float(np.linalg.eigvalsh(shares).min()) < -1e-9:
            raise ValueError("the correlations contradict each other (accepted: a positive semidefinite set)")
        return np.asarray(sds[:, None] * shares * sds[None, :])

    def without(self, names: Sequence[str]) -> Flowsheet:
        """The same with these values not measured; what was measured is where the search begins."""
        changed = [Variable(v.name, None, None, v.unit, v.value) if v.name in names else v for v in self.variables]
        kept = {pair: share for pair, share in self.correlations.items() if not set(pair) & set(names)}
        return Flowsheet(changed, self.balances, self.wanted, kept, self.name, self.remarks)
