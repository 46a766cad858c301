"""Where faults happen: a cabinet, the wire before it, the plant around it. Nothing here is a fault itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from simulator.plc import Plc

if TYPE_CHECKING:
    from simulator.plant import Plant

Undo = Callable[[], Awaitable[None]] | None
SITE = "site"


class FaultError(ValueError):
    """A fault cannot be read or does not fit this line; the text says what is accepted."""


class Plug(Protocol):
    """The connection of a PLC to the world; see ``simulator.gate.Gate``."""

    is_silent: bool

    async def open(self) -> None: ...
    def close(self) -> None: ...
    def cut(self) -> None: ...


class Face(Protocol):
    """What faults can reach of what stands in front of a PLC."""

    refusing: int

    @property
    def gate(self) -> Plug: ...

    def failure_code(self, text: str) -> int:
        """The protocol's own number for this failure; "" = its usual one. Raises ValueError."""
        ...


@dataclass(slots=True, eq=False)
class Wire:
    """What is wrong between a PLC and the controller. Faults write it; whoever carries the values obeys it.

    Attributes:
        delay_s: every answer is that late, real time [s]; the request itself arrives at once.
        is_gone: nothing comes through either way, and nobody says so.
        era: goes up when the far side forgets its connections; those of an earlier era stay dead for ever.
        unplugged: how many faults keep the plug out.
        clock_ahead_s: what the device's clock is off by [s].
        is_clock_held: time stamps stand still.
        has_stamps: values carry time stamps of the device at all.
        arm_reset: makes the next cut of a connection a reset instead of an orderly end.
    """

    delay_s: float = 0.0
    is_gone: bool = False
    era: int = 0
    unplugged: int = 0
    clock_ahead_s: float = 0.0
    is_clock_held: bool = False
    has_stamps: bool = False
    arm_reset: Callable[[], None] = lambda: None


class Target(Protocol):
    """A cabinet as faults see it."""

    held: Mapping[str, float] | None
    """Outputs of a program that stands still; None = it runs."""

    @property
    def plc(self) -> Plc: ...
    @property
    def face(self) -> Face: ...
    @property
    def wire(self) -> Wire: ...
    @property
    def site(self) -> Site: ...


class Overlays:
    """Values that faults lay over attributes. The newest shows; when the last is gone, what was there before does."""

    def __init__(self) -> None:
        self._stacks: dict[tuple[int, str], list[tuple[object, object]]] = {}

    def lay(self, owner: object, name: str, value: object) -> Callable[[], Awaitable[None]]:
        """Set an attribute; returns how to take that back. Raises AttributeError when there is no such attribute."""
        stack = self._stacks.setdefault((id(owner), name), [])
        if not stack:
            stack.append((owner, getattr(owner, name)))  # the owner too: its id stays taken
        layer = (owner, value)
        stack.append(layer)
        _put(owner, name, value)

        async def lift() -> None:
            at = next((k for k, each in enumerate(stack) if k and each is layer), None)
            if at is not None:
                is_newest = at == len(stack) - 1
                del stack[at]
                if is_newest:
                    _put(owner, name, stack[-1][1])
            if len(stack) == 1:
                stack.clear()

        return lift


def _put(owner: object, name: str, value: object) -> None:
    object.__setattr__(owner, name, value)  # a station's record is frozen for all but those who rewire it


@dataclass(slots=True, eq=False)
class Site:
    """The plant with all cabinets, shared by the faults of one line.

    Attributes:
        time: plant time since the start [s].
        ticks: called with the plant time at every step, by faults that act again and again.
    """

    plant: object
    time: Callable[[], float]
    cabinets: Mapping[str, Target] = field(default_factory=dict)
    overlays: Overlays = field(default_factory=Overlays)
    ticks: list[Callable[[float], None]] = field(default_factory=list)

    @property
    def machines(self) -> Plant:
        """The plant with its machines. Raises FaultError when this line runs on another one."""
        from simulator.plant import Plant  # here: bare wires need no physics

        if not isinstance(self.plant, Plant):
            raise FaultError(f"this plant ({type(self.plant).__name__}) has no machines that could fail")
        return self.plant


@dataclass(frozen=True, slots=True)
class Scene:
    """One fault's place on the site."""

    place: str
    site: Site

    @property
    def target(self) -> Target:
        """The cabinet of this name."""
        return self.site.cabinets[self.place]

    def lay(self, owner: object, name: str, value: object) -> Undo:
        """See ``Overlays.lay``."""
        return self.site.overlays.lay(owner, name, value)
