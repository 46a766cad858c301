"""Processes that a test is made on in these tests: two lags, a delay, an integrator, noise, a ramp."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from linecontrol.control.tuning.live import LiveTest
from linecontrol.control.tuning.moves import Kind
from linecontrol.control.tuning.plan import TestPlan

OP0, PV0 = 40.0, 100.0


@dataclass
class LivePlant:
    """Stepped once a second; at rest with the output at ``OP0`` and the PV at ``PV0``."""

    gain: float = 2.0
    t1_s: float = 80.0
    t2_s: float = 5.0
    delay_s: int = 5
    noise: float = 0.0
    ramp_per_s: float = 0.0
    integrating: bool = False
    seed: int = 0
    x1: float = 0.0
    x2: float = 0.0
    seconds: int = 0
    pipe: deque[float] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.pipe.extend([0.0] * self.delay_s)

    def pv(self) -> float:
        noise = float(self.rng.normal(0.0, self.noise)) if self.noise else 0.0
        return PV0 + self.x2 + self.ramp_per_s * self.seconds + noise

    def step(self, op: float) -> None:
        self.pipe.append(op - OP0)
        u = self.pipe.popleft()
        self.x1 += self.gain * u if self.integrating else (self.gain * u - self.x1) * -math.expm1(-1.0 / self.t1_s)
        self.x2 += (self.x1 - self.x2) * -math.expm1(-1.0 / self.t2_s) if self.t2_s else self.x1 - self.x2
        self.seconds += 1


def plan(kind: Kind, **changes: object) -> TestPlan:
    values: dict[str, object] = {
        "kind": kind,
        "size": 5.0,
        "pv_limit": 16.0,
        "op_low": 0.0,
        "op_high": 100.0,
        "op_rate_per_s": 2.0,
        "sign": 1,
    }
    return TestPlan(**{**values, **changes})  # type: ignore[arg-type]


def made(
    test: LiveTest,
    plant: LivePlant,
    seconds: int = 6000,
    pv_of: Callable[[int, float], float] | None = None,
    before: Callable[[int], None] | None = None,
) -> list[float]:
    """Tick to the test's end (at most ``seconds``); returns the outputs, one a second, the start's first.

    ``pv_of(second, pv)``: what the test sees. ``before(second)``: called before every tick.
    """
    outputs = [OP0]
    for n in range(seconds):
        if before is not None:
            before(n)
        seen = plant.pv()
        if pv_of is not None:
            seen = pv_of(n, seen)
        asked = test.tick(float(n), seen, outputs[-1], 1.0)
        outputs.append(outputs[-1] if asked is None else asked)
        plant.step(outputs[-1])
        if test.is_ended:
            break
    return outputs
