"""Validation of the simulated plant: machines and whole lines are run now and compared with figures from elsewhere.

Nothing here is used by the plant itself. A check gives one row; what lies outside its reference stays in the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simulator.validation import air, bounds, dryer, duct_bounds, wet, yields
from simulator.validation.bench import Bench
from simulator.validation.check import Check, Kind, Row, Span

__all__ = ["CHECKS", "Bench", "Check", "Kind", "Row", "Span", "validate"]

CHECKS: tuple[Check[Bench], ...] = (
    *yields.CHECKS,
    *wet.CHECKS,
    *air.CHECKS,
    *dryer.CHECKS,
    *duct_bounds.CHECKS,
    *bounds.CHECKS,  # last: it looks at the books of every plant that was run
)


def validate(checks: Sequence[Check[Bench]] = CHECKS, bench: Bench | None = None) -> Iterator[Row]:
    """Run checks one after the other, on one bench."""
    on = bench or Bench()
    for check in checks:
        yield check.run(on)
