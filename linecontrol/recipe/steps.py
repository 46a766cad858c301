"""From a procedure as written to steps that can be run: names replaced by values, parameters typed, limits set.

Pure. Problems are collected, each with its path, never raised one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from linecontrol.core.model import Text
from linecontrol.recipe.formula import ExpressionError, evaluate, is_expression, parse
from linecontrol.recipe.params import Params, Path, SyncParams
from linecontrol.recipe.phases import KINDS

if TYPE_CHECKING:
    from linecontrol.recipe.model import Operation, PhaseSpec, Recipe

MAX_LIMIT_S = 30 * 86_400.0
_MAX_DEPTH = 5


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a recipe: where, what, what is accepted."""

    path: Path
    message: str
    accepted: str = ""
    given: object = None

    @property
    def text(self) -> str:
        return f"{self.message} (accepted: {self.accepted})" if self.accepted else self.message


@dataclass(frozen=True, slots=True)
class Step:
    """One phase, ready to run. ``limit_s``, ``expect_s`` in line time. ``point``: where it meets others, in words."""

    name: str
    kind: str
    title: Text
    operation: str
    operation_title: Text
    params: Params
    limit_s: float
    expect_s: float
    path: Path
    point: Text | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit procedure, ready to run; ``restarts`` by operation name."""

    name: str
    title: Text
    steps: tuple[Step, ...]
    restarts: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)


def phase_specs(recipe: Recipe) -> Iterator[tuple[str, Operation, PhaseSpec, Path, bool]]:
    """Every phase as written: unit procedure, operation, phase, its path, and whether it stands under ``restart``."""
    for unit, procedure in recipe.procedure.items():
        for o, operation in enumerate(procedure.operations):
            place: Path = ("procedure", unit, "operations", o)
            for i, spec in enumerate(operation.phases):
                yield unit, operation, spec, (*place, "phases", i), False
            for i, spec in enumerate(operation.restart):
                yield unit, operation, spec, (*place, "restart", i), True


def compile_units(recipe: Recipe, values: Mapping[str, float]) -> tuple[tuple[Unit, ...], list[Fault]]:
    """The unit procedures with these formula values, and everything that is wrong with them."""
    faults: list[Fault] = []
    steps: dict[str, list[Step]] = {unit: [] for unit in recipe.procedure}
    restarts: dict[str, dict[str, list[Step]]] = {unit: {} for unit in recipe.procedure}
    seen: set[tuple[str, str]] = set()
    for unit, operation, spec, path, is_restart in phase_specs(recipe):
        if (unit, spec.name) in seen:
            faults.append(Fault((*path, "name"), f"{spec.name} is the name of another phase of {unit}", "a new name"))
        seen.add((unit, spec.name))
        step = _compile(recipe, operation, spec, path, values, faults)
        if is_restart and spec.kind in KINDS and not KINDS[spec.kind].replays:
            accepted = ", ".join(k for k, kind in KINDS.items() if kind.replays)
            faults.append(Fault((*path, "kind"), f"{spec.kind} cannot stand under restart", accepted))
        if step is None or not _is_wanted(recipe, spec, path, values, faults):
            continue
        if is_restart:
            restarts[unit].setdefault(operation.name, []).append(step)
        else:
            steps[unit].append(step)
    for unit, procedure in recipe.procedure.items():
        names = [operation.name for operation in procedure.operations]
        faults += [Fault(("procedure", unit), f"has two operations {n}", "own names") for n in _twice(names)]
    units = tuple(
        Unit(
            unit,
            Text(procedure.title.en, procedure.title.zh),
            tuple(steps[unit]),
            {name: tuple(found) for name, found in restarts[unit].items()},
        )
        for unit, procedure in recipe.procedure.items()
    )
    return units, faults


def _compile(
    recipe: Recipe,
    operation: Operation,
    spec: PhaseSpec,
    path: Path,
    values: Mapping[str, float],
    faults: list[Fault],
) -> Step | None:
    kind = KINDS.get(spec.kind)
    if kind is None:
        faults.append(Fault((*path, "kind"), f"unknown phase kind {spec.kind[:40]!r}", ", ".join(KINDS)))
        return None
    before = len(faults)
    raw = _resolve(spec.params, (*path, "params"), values, faults)
    limit_s = _resolve(spec.time_limit_s, (*path, "time_limit_s"), values, faults)
    expect_s = _resolve(spec.expect_s, (*path, "expect_s"), values, faults)
    if len(faults) > before:
        return None
    try:
        params = kind.params.model_validate(raw)
    except ValidationError as error:
        faults += [_param_fault((*path, "params"), kind.params, one) for one in error.errors()]
        return None
    limit_s = kind.limit_s(params) if limit_s is None else limit_s
    expect_s = kind.expect_s(params) if expect_s is None else expect_s
    if not 0 < limit_s <= MAX_LIMIT_S:
        faults.append(Fault((*path, "time_limit_s"), f"{limit_s:g} s", f"above 0, up to {MAX_LIMIT_S:g} s"))
    if not 0 <= expect_s <= MAX_LIMIT_S:
        faults.append(Fault((*path, "expect_s"), f"{expect_s:g} s", f"0 to {MAX_LIMIT_S:g} s"))
    shortest_s = getattr(params, "time_s", 0.0)
    if limit_s <= shortest_s:
        faults.append(Fault((*path, "time_limit_s"), f"{limit_s:g} s", f"more than the {shortest_s:g} s it lasts"))
    title = Text(spec.title.en, spec.title.zh) if spec.title else Text(*TITLES[spec.kind])
    about = Text(operation.title.en, operation.title.zh)
    point = _point(recipe, params)
    return Step(spec.name, spec.kind, title, operation.name, about, params, limit_s, expect_s, path, point)


def _point(recipe: Recipe, params: Params) -> Text | None:
    if not isinstance(params, SyncParams):
        return None
    words = recipe.points.get(params.point)
    return Text(params.point, params.point) if words is None else Text(words.en, words.zh)


def _is_wanted(recipe: Recipe, spec: PhaseSpec, path: Path, values: Mapping[str, float], faults: list[Fault]) -> bool:
    if spec.when is None:
        return True
    switches = [name for name, parameter in recipe.formula.items() if parameter.type == "bool"]
    name = spec.when[1:].strip()
    if name not in switches:
        accepted = ", ".join(f"={s}" for s in switches) or "no bool parameter in the formula"
        faults.append(Fault((*path, "when"), f"{spec.when[:40]!r} is not a switch", accepted))
        return False
    if spec.kind == "sync":
        faults.append(Fault((*path, "when"), "a sync cannot be left out: the others would wait for ever"))
    return bool(values[name])


def _resolve(raw: Any, path: Path, values: Mapping[str, float], faults: list[Fault], depth: int = 0) -> Any:
    """``raw`` with every ``"=expression"`` replaced by its value."""
    if depth > _MAX_DEPTH:
        faults.append(Fault(path, "nested too deep", f"up to {_MAX_DEPTH} levels"))
        return None
    if isinstance(raw, Mapping):
        return {k: _resolve(v, (*path, str(k)), values, faults, depth + 1) for k, v in raw.items()}
    if isinstance(raw, list):
        return [_resolve(v, (*path, i), values, faults, depth + 1) for i, v in enumerate(raw)]
    if not is_expression(raw):
        return raw
    name = raw[1:].strip()
    if isinstance(values.get(name), bool):
        return values[name]
    try:
        return evaluate(parse(raw), {k: float(v) for k, v in values.items()})
    except ExpressionError as error:
        faults.append(Fault(path, str(error), given=raw))
        return None


def _param_fault(path: Path, params: type[Params], error: ErrorDetails) -> Fault:
    where, given = (*path, *error["loc"]), error.get("input")
    if error["type"] == "extra_forbidden":
        return Fault(where, "unknown key", ", ".join(params.model_fields), given)
    if error["type"] == "missing":
        return Fault(where, "is missing", f"a key {error['loc'][-1]}:", given)
    return Fault(where, _plain(error["msg"]), given=given)


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")


def _twice(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]


TITLES: Mapping[str, tuple[str, str]] = {
    "start_station": ("Start the station", "启动工段"),
    "stop_station": ("Stop the station", "停止工段"),
    "set": ("Set outputs", "设定输出"),
    "loop": ("Set a control loop", "设定控制回路"),
    "feed_until": ("Feed a counted amount", "定量进料"),
    "wait_until": ("Wait for a condition", "等待条件"),
    "dwell": ("Dwell", "停留"),
    "run_out": ("Run empty", "排空"),
    "sync": ("Wait for the other stations", "等待其他工段"),
    "prompt": ("Ask the operator", "操作员确认"),
    "ramp": ("Ramp an output", "输出斜坡"),
}
"""What a phase is called when the recipe gives it no title."""
