"""The validation of the simulated plant, and of the controller's record against the plant's own books in one trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from linecontrol.twin.judge import ACTIVITY_LIMIT
from linecontrol.twin.trial import Trial, plant_parameters, run_trial
from simulator.plant import Plant
from simulator.validation import CHECKS, Bench, Check, Kind, Row, Span, validate
from simulator.validation.wording import HEADINGS, Part, counted, parts

__all__ = ["ALL_CHECKS", "HEADINGS", "TRIAL_CHECKS", "Part", "counted", "parts", "rows"]

GROUP = "The controller's record against the plant's books: a run of 150 kg of roots"
_RECIPE, _VALUES = "kudzu-lobata-standard", {"root_kg": 150.0}


@dataclass(frozen=True)
class Trialled:
    """A trial that was run: what the controller wrote down, and what really happened."""

    record: Mapping[str, Any]
    truth: Mapping[str, float]
    plant: Plant


def _trialled(changes: Mapping[str, float]) -> Trialled:
    plant = Plant(seed=1, parameters=plant_parameters(changes))
    outcome = run_trial(Trial(_RECIPE, values=_VALUES, plant=changes), plant)
    return Trialled(outcome.record, {**plant.truth(), **outcome.truth}, plant)


def _recorded(key: str) -> Callable[[Trialled], float]:
    """NaN where the record has none, which is outside of everything."""
    return lambda done: float(done.record[key]) if done.record.get(key) is not None else float("nan")


def _in_uncertainty(done: Trialled) -> Span:
    return Span.about(done.truth["extraction_yield"], 2.0 * float(done.record.get("extraction_yield_u") or 0.0))


def _energy_kwh(done: Trialled) -> Span:
    return Span.near(done.truth["fuel_kwh"] + done.truth["electricity_kwh"], 0.02)


def _worst_ledger(done: Trialled) -> float:
    return max(book.relative_error for book in (done.plant.ledgers | done.plant.time_ledgers).values())


def _trial_checks() -> Iterator[Check[Trialled]]:
    def row(
        name: str, unit: str, source: str, key: str, of: Callable[[Trialled], Span], kind: Kind = Kind.INDEPENDENT
    ) -> Check[Trialled]:
        return Check(GROUP, name, unit, kind, "D", source, _recorded(key), of)

    yield row("extraction yield on record", "kg/kg", "books; within twice the standard uncertainty on record",
              "extraction_yield", _in_uncertainty)  # fmt: skip
    yield row("roots on record", "kg", "books; belt scale within 2 %", "root_kg",
              lambda done: Span.near(done.truth["root_fed_kg"], 0.02))  # fmt: skip
    yield row("powder on record", "kg", "books; scale within 1 %", "powder_kg",
              lambda done: Span.near(done.truth["good_kg"], 0.01))  # fmt: skip
    yield row("moisture of powder on record", "% wb", "books; NIR within 0.5", "moisture_mean_pct_wb",
              lambda done: Span.about(done.truth["moisture_mean_pct_wb"], 0.5))  # fmt: skip
    yield row("energy on record", "kWh", "books: fuel and electricity within 2 %", "energy_kwh",
              _energy_kwh)  # fmt: skip
    yield Check(GROUP, "greatest water activity of its bags", "-", Kind.PUBLISHED, "S",
                "no visible fungi for six months at 0.65 and 25 °C (flours, Abdullah 2000)",
                lambda done: max((bag.water_activity for bag in done.plant.packing.bagging.bags), default=float("nan")),
                Span(0.0, ACTIVITY_LIMIT))  # fmt: skip
    yield Check(GROUP, "worst of its nine ledgers", "share", Kind.BOUND, "D",
                "what came in and time made = what left and is held", _worst_ledger, Span(0.0, 1e-9))  # fmt: skip


TRIAL_CHECKS: tuple[Check[Trialled], ...] = tuple(_trial_checks())
ALL_CHECKS = (*CHECKS, *TRIAL_CHECKS)


def rows(changes: Mapping[str, float] | None = None) -> Iterator[Row]:
    """Run every check, one row after the other, in the order of ``ALL_CHECKS``.

    Args:
        changes: plant parameters by dotted name, to see what the table is sensitive to.
    Raises:
        ConfigError: there is no such parameter. LineError: the trial could not be run.
    """
    changed = changes or {}
    yield from validate(bench=Bench(plant_parameters(changed)))
    done = _trialled(changed)
    for check in TRIAL_CHECKS:
        yield check.run(done)
