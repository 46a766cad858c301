"""Troubles of instruments, between the process and the register. Several on one tag act one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from random import Random

from simulator.faults.arguments import Tag, TagValue
from simulator.faults.kind import Kind
from simulator.faults.scene import Scene, Undo
from simulator.plc import Plc

_DROPOUT_S = 2.0  # plant time; a contact that opens stays open that long


def nan(scene: Scene, tag: str) -> Undo:
    """A wire breaks at the terminal: the transmitter is gone and the PLC shows no value.

    A float register shows NaN, an integer one its bad code, OPC UA Null with BadSensorFailure. The PLC's own
    interlocks see no value either.
    """
    return _distort(scene, tag, lambda _value: math.nan)


def stuck(scene: Scene, tag: str) -> Undo:
    """The reading freezes: crust on the probe, or a transmitter in simulation mode someone forgot.

    The value stays plausible, GOOD and perfectly still; even its noise is gone.
    """
    still = scene.target.plc.value(tag)
    return _distort(scene, tag, lambda _value: still)


def offset(scene: Scene, argument: tuple[str, float]) -> Undo:
    """The instrument reads wrong by a constant: a calibration done with the wrong sample, a shifted zero.

    It moves and looks healthy; only a second opinion shows it.
    """
    tag, shift = argument
    return _distort(scene, tag, lambda true: true + shift)


def drift(scene: Scene, argument: tuple[str, float]) -> Undo:
    """The instrument walks away slowly: a film grows on its window, an electrode ages.

    From one minute to the next there is nothing to be seen. After hours the loop holds a set point that is none, and
    only a sample from the laboratory says so.
    """
    tag, per_h = argument
    time, since_s = scene.site.time, scene.site.time()
    return _distort(scene, tag, lambda true: true + per_h * (time() - since_s) / 3600.0)


def noise(scene: Scene, argument: tuple[str, float]) -> Undo:
    """The trend becomes a fat band: a cable beside that of the new frequency drive, a loose screen.

    The mean is still right. What follows single readings begins to hunt, and limits are crossed for a moment.
    """
    tag, sd = argument
    time = scene.site.time
    return _distort(scene, tag, lambda true: true + sd * _normal(tag, time()))


def dropout(scene: Scene, argument: tuple[str, float]) -> Undo:
    """A loose contact: the value is there, gone, and there again, more often when the machine shakes.

    While it is gone the PLC shows no value, as with a broken wire. On the display it flickers, and whoever goes to look
    finds it working.
    """
    tag, share = argument
    time = scene.site.time
    return _distort(scene, tag, lambda true: math.nan if _uniform(tag, int(time() / _DROPOUT_S)) < share else true)


# Functions of the time alone, so that how often somebody looks changes nothing.
@lru_cache(maxsize=64)
def _normal(tag: str, time_s: float) -> float:
    return Random(f"{tag}:{time_s!r}").gauss(0.0, 1.0)


@lru_cache(maxsize=64)
def _uniform(tag: str, window: int) -> float:
    return Random(f"{tag}:{window}").random()


class _Distortion:
    """All that is wrong with one tag, the oldest first."""

    def __init__(self) -> None:
        self.steps: list[Callable[[float], float]] = []

    def __call__(self, value: float) -> float:
        for step in self.steps:
            value = step(value)
        return value


def _distort(scene: Scene, tag: str, step: Callable[[float], float]) -> Undo:
    plc = scene.target.plc
    present = plc.overrides.get(tag)
    if not isinstance(present, _Distortion):
        present = plc.overrides[tag] = _Distortion()
    present.steps.append(step)
    plc.revision += 1
    return _mend(plc, tag, present, step)


def _mend(plc: Plc, tag: str, distortion: _Distortion, step: Callable[[float], float]) -> Undo:
    async def undo() -> None:
        distortion.steps.remove(step)
        if not distortion.steps and plc.overrides.get(tag) is distortion:
            del plc.overrides[tag]
        plc.revision += 1

    return undo


KINDS = (
    Kind("nan", nan, "nan:drying:MT-306@900+60", argument=Tag()),
    Kind("stuck", stuck, "stuck:grinding:DT-204@900+120", argument=Tag()),
    Kind("offset", offset, "offset:drying:MT-306=-1.5@900+600", argument=TagValue()),
    Kind(
        "drift",
        drift,
        "drift:drying:MT-306=-2@900+1800",
        argument=TagValue("PER_HOUR", "in the tag's unit per plant hour"),
    ),
    Kind(
        "noise",
        noise,
        "noise:screening:WT-102=60@900+300",
        argument=TagValue("SD", "standard deviation in the tag's unit", 0.0, 1e6),
    ),
    Kind(
        "dropout",
        dropout,
        "dropout:grinding:JT-201=0.3@900+120",
        argument=TagValue("SHARE", "of the time", 0.0, 1.0),
    ),
)
