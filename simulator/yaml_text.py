"""YAML text to plain values: the one way in for the simulator's files."""

from __future__ import annotations

from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml when it is there: ten times faster, the same values


def load_yaml(text: str) -> Any:
    """Plain values of one document. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader either way
