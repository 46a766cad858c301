"""Constants of matter, read from ``data/constants.yaml`` where each has a unit, an evidence mark and a source."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from simulator.yaml_text import load_yaml

EVIDENCE = {"S": "public source", "G": "general knowledge, unverified", "D": "derived here"}
_KEYS = {"value", "unit", "evidence", "source"}


def parse_constants(content: Mapping[str, Any]) -> dict[str, float]:
    """Name to value. Raises ValueError for a row without value, unit, evidence and source."""
    for name, row in content.items():
        if set(row) != _KEYS or row["evidence"] not in EVIDENCE:
            raise ValueError(f"constants.yaml {name}: needs {sorted(_KEYS)}, evidence of {list(EVIDENCE)}")
    return {name: float(row["value"]) for name, row in content.items()}


@cache
def _shipped() -> dict[str, float]:
    text = files("simulator").joinpath("data", "constants.yaml").read_text(encoding="utf-8")
    return parse_constants(load_yaml(text))


def constant(name: str) -> float:
    """A constant, in the unit of its row. Raises KeyError."""
    return _shipped()[name]
