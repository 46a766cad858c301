"""Kinds of line (mechanised, craft) as named sets of parameter changes, read from ``data/line_types.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from simulator.constants import EVIDENCE
from simulator.parameters import Parameters
from simulator.yaml_text import load_yaml

_KEYS = {"value", "unit", "evidence", "source"}


def parse_line_types(content: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Line type to its changes, by dotted parameter name.

    Raises:
        ValueError: a row without value, unit, evidence and source.
    """
    found: dict[str, dict[str, float]] = {}
    for kind, body in content.items():
        for name, row in body["changes"].items():
            if set(row) != _KEYS or row["evidence"] not in EVIDENCE:
                raise ValueError(f"line_types.yaml {kind}.{name}: needs {sorted(_KEYS)}, evidence of {list(EVIDENCE)}")
        found[kind] = {name: float(row["value"]) for name, row in body["changes"].items()}
    return found


@cache
def line_types() -> dict[str, dict[str, float]]:
    """The shipped line types."""
    text = files("simulator").joinpath("data", "line_types.yaml").read_text(encoding="utf-8")
    return parse_line_types(load_yaml(text))


def with_line_type(parameters: Parameters, kind: str) -> Parameters:
    """The plant as another kind of line.

    Raises:
        KeyError: no such line type, or it changes a parameter that is not there.
    """
    kinds = line_types()
    if kind not in kinds:
        raise KeyError(f"no line type {kind!r} (accepted: {', '.join(kinds)})")
    return parameters.with_values(kinds[kind])
