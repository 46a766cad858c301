"""Units and species as people write them: one word for one thing on the display, in packs, on labels and in reports."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path


@cache
def _terms() -> dict[str, dict[str, dict[str, str]]]:
    found: dict[str, dict[str, dict[str, str]]] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    return found


def unit(language: str, name: str) -> str:
    """A unit as people write it. ``language``: en or zh."""
    known = _terms()[language]["unit"].get(name)
    return known if known is not None else name.replace("m3", "m³").replace("cm2", "cm²")


def species(language: str, name: str) -> str:
    """A species as people call it; as it was written, where it is none of those that the simulator knows."""
    return _terms()[language]["species"].get(name, name)
