"""What a validation check is, and how its value is judged. Pure: it knows no machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf, isfinite
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")
EVIDENCE = "SGD"  # public source, general knowledge, derived: as in parameters.yaml


class Kind(StrEnum):
    """What the reference is."""

    PUBLISHED = "published"
    """A figure that somebody printed, for kudzu or for an analogue that the source names."""
    BOUND = "bound"
    """What physics forbids to cross. A broken one fails the command."""
    INDEPENDENT = "computed"
    """The same quantity by another formula, or worked by hand."""
    DESIGN = "design"
    """What the parameters were chosen for: agreement says that the machine does what was meant, and no more."""


@dataclass(frozen=True)
class Span:
    """Reference from ``low`` to ``high``; with a ``point`` where errors are counted from."""

    low: float
    high: float
    point: float | None = None

    @classmethod
    def printed(cls, figure: float, last_digit: float) -> Span:
        """A figure as exact as it was printed: 7 is 6.5-7.5."""
        return cls(figure - last_digit / 2.0, figure + last_digit / 2.0, figure)

    @classmethod
    def near(cls, point: float, share: float) -> Span:
        """A point with a relative tolerance."""
        return cls(point - abs(point) * share, point + abs(point) * share, point)

    @classmethod
    def about(cls, point: float, by: float) -> Span:
        """A point with an absolute tolerance."""
        return cls(point - by, point + by, point)

    @classmethod
    def at_most(cls, high: float) -> Span:
        """No lower end."""
        return cls(-inf, high)

    @classmethod
    def at_least(cls, low: float) -> Span:
        """No upper end."""
        return cls(low, inf)

    def off_by(self, value: float) -> float:
        """Signed distance to the span; 0 inside. NaN is infinitely far."""
        if value != value:
            return inf
        return value - self.high if value > self.high else min(0.0, value - self.low)


@dataclass(frozen=True)
class Check(Generic[_T]):
    """One line of the table.

    Attributes:
        name: what is compared, unique.
        reference: a span, or a function of the bench where the other side is computed too.
        source: of the reference, in words.
        evidence: S public source, G general knowledge, D derived.
        value: the simulated side, computed by running machines of the bench.
    """

    group: str
    name: str
    unit: str
    kind: Kind
    evidence: str
    source: str
    value: Callable[[_T], float]
    reference: Span | Callable[[_T], Span]

    def run(self, bench: _T) -> Row:
        """Compute and judge."""
        span = self.reference if isinstance(self.reference, Span) else self.reference(bench)
        value = self.value(bench)
        off_by = span.off_by(value)
        if self.kind is Kind.BOUND:
            verdict = "bound broken" if off_by else "bound kept"
        else:
            verdict = "outside" if off_by else "inside"
        error = off_by if span.point is None else value - span.point
        return Row(
            self.group, self.name, self.unit, self.kind, self.evidence, self.source, value, span, error, off_by, verdict
        )


@dataclass(frozen=True)
class Row:
    """A check that was run.

    Attributes:
        error: from the reference's point, or from the nearer end of its span (0 inside), in ``unit``.
        off_by: how far outside the span, signed; 0 inside.
        verdict: inside, outside, bound kept or bound broken.
    """

    group: str
    name: str
    unit: str
    kind: Kind
    evidence: str
    source: str
    value: float
    reference: Span
    error: float
    off_by: float
    verdict: str

    @property
    def error_pct(self) -> float | None:
        """Relative error in per cent; None where the reference is 0 or endless."""
        span = self.reference
        base = span.point if span.point is not None else (span.high if self.error > 0.0 else span.low)
        return 100.0 * self.error / abs(base) if base and isfinite(base) else None

    @property
    def is_broken(self) -> bool:
        """Physics was violated."""
        return self.verdict == "bound broken"

    def plain(self) -> Mapping[str, Any]:
        """For JSON; ends that do not exist, and numbers that are none, are null."""
        return {
            "group": self.group,
            "check": self.name,
            "kind": self.kind.value,
            "simulated": _finite(self.value),
            "unit": self.unit,
            "low": _finite(self.reference.low),
            "high": _finite(self.reference.high),
            "point": _finite(self.reference.point),
            "error": _finite(self.error),
            "error_pct": _finite(self.error_pct),
            "verdict": self.verdict,
            "off_by": _finite(self.off_by),
            "evidence": self.evidence,
            "source": self.source,
        }


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
