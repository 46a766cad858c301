"""One entry of the catalogue."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator.faults.arguments import Argument, Nothing
from simulator.faults.scene import SITE, Scene, Undo


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of trouble: its name, what it does, and what a technician would see (the docstring of ``begin``).

    Attributes:
        begin: changes the scene and returns how to undo it, or None when there is nothing to undo.
        places: machines it can befall; () = every station of the line.
        argument: what may stand behind the place.
        is_momentary: over as soon as begun, unless a duration is given.
        example: as written for the demo line.
    """

    name: str
    begin: Callable[[Scene, Any], Undo]
    example: str
    places: tuple[str, ...] = ()
    argument: Argument = field(default_factory=Nothing)
    is_momentary: bool = False

    @property
    def story(self) -> str:
        """What a technician would see; paragraphs are parted by an empty line."""
        return inspect.cleandoc(self.begin.__doc__ or "")

    @property
    def form(self) -> str:
        """How it is written, without its times."""
        place = "|".join(self.places) or "STATION"
        return f"{self.name}:{place}{self.argument.form}"

    def accepted_places(self, stations: Mapping[str, object]) -> tuple[str, ...]:
        """Where it can happen on a line with these stations."""
        return self.places or tuple(stations)


AT_SITE = (SITE,)
