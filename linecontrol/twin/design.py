"""From a design file to the points of a study: which parameters take which values together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from linecontrol.config import Design, Document, Factor, LineConfig, load_document, read_model
from linecontrol.core.errors import ConfigError, Problem
from linecontrol.twin.trial import split_accepted
from simulator.parameters import default_parameters


@dataclass(frozen=True, slots=True)
class Point:
    """One combination: recipe parameters, and plant parameters by dotted name."""

    values: Mapping[str, float] = field(default_factory=dict)
    plant: Mapping[str, float] = field(default_factory=dict)


def read_design(path: str) -> Design:
    """Raises ConfigError naming file, line, key and what is accepted."""
    doc = load_document(path)
    design = _design(doc)
    if wrong := _not_of_the_plant(doc, design):
        raise ConfigError(wrong)
    return design


def design_problems(doc: Document, _config: LineConfig) -> list[Problem]:
    """What of a sound design file the simulated plant does not have, or cannot be."""
    return _not_of_the_plant(doc, _design(doc))


def blamed(path: str, design: Design, problems: Sequence[Problem]) -> list[Problem]:
    """Problems of recipe values, those that the design gave at their place in its file."""
    doc = load_document(path)
    return [
        doc.problem(("recipe", problem.key), problem.message, problem.accepted)
        if problem.key in design.recipe
        else problem
        for problem in problems
    ]


def _design(doc: Document) -> Design:
    checked = read_model(doc, Design)
    if checked.model is None or checked.problems:
        raise ConfigError(checked.problems)
    return checked.model


def _not_of_the_plant(doc: Document, design: Design) -> list[Problem]:
    shipped, found = default_parameters(), []
    for name, factor in design.plant.items():
        for value in factor.values if factor.values is not None else (factor.low or 0.0, factor.high or 0.0):
            try:
                shipped.with_values({name: float(value)})
            except (KeyError, ValueError) as error:
                found.append(doc.problem(("plant", name), *split_accepted(str(error.args[0]))))
    return list(dict.fromkeys(found))


def points(design: Design) -> list[Point]:
    """The points of a design, in a fixed order.

    ``latin-hypercube`` and ``sobol`` are scipy.stats.qmc's, scrambled by the design's seed; a factor with ``values``
    takes one of them, evenly.
    """
    factors = [("recipe", name, row) for name, row in design.recipe.items()]
    factors += [("plant", name, row) for name, row in design.plant.items()]
    rows = _grid([row for _, _, row in factors]) if design.method == "grid" else _spread(design, factors)
    found = []
    for row in rows:
        chosen: dict[str, dict[str, float]] = {"recipe": {}, "plant": {}}
        for (place, name, _), value in zip(factors, row, strict=True):
            chosen[place][name] = value
        found.append(Point(chosen["recipe"], chosen["plant"]))
    return found


def _grid(factors: Sequence[Factor]) -> Iterator[tuple[float, ...]]:
    return itertools.product(*(_levels(factor) for factor in factors))


def _levels(factor: Factor) -> list[float]:
    if factor.values is not None:
        return [float(value) for value in factor.values]
    low, high, levels = factor.low or 0.0, factor.high or 0.0, factor.levels or 2
    return [low + (high - low) * i / (levels - 1) for i in range(levels)]


def _spread(design: Design, factors: Sequence[tuple[str, str, Factor]]) -> Iterator[list[float]]:
    from scipy.stats import qmc  # slow to import, and only a study needs it

    make = qmc.Sobol if design.method == "sobol" else qmc.LatinHypercube
    shares = make(d=len(factors), rng=design.seed).random(design.points or 1)
    for row in shares:
        yield [_within(factor, float(share)) for (_, _, factor), share in zip(factors, row, strict=True)]


def _within(factor: Factor, share: float) -> float:
    if factor.values is not None:
        return float(factor.values[min(int(share * len(factor.values)), len(factor.values) - 1)])
    low, high = factor.low or 0.0, factor.high or 0.0
    return low + (high - low) * share
