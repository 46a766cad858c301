"""Each class of models fitted to a record from a grid of starts, and which of the fits is taken. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from linecontrol.control.tuning.models import FloatArray
from linecontrol.control.tuning.record import Record
from linecontrol.control.tuning.regression import Fit, Regression, Shape

CLEAR_AICC = 10.0  # a preferred class is kept unless another is so much better
_SEARCHED = 300  # samples that the first search looks at


def all_fits(regression: Regression, shapes: Sequence[Shape]) -> list[Fit]:
    """Those classes that can be fitted."""
    return [fit for fit in (fitted(regression, shape) for shape in shapes) if fit is not None]


def least_aicc(fits: Sequence[Fit]) -> float:
    """Corrected Akaike criterion of the best; inf without any."""
    return min((fit.aicc for fit in fits), default=math.inf)


def simplest(fits: list[Fit], prefer: str | None) -> Fit:
    """The best; but a preferred class that is not clearly worse, or a model with fewer parameters that is as good to 2
    (they cannot be told apart), comes first."""
    asked = next((fit for fit in fits if fit.shape.kind == prefer), None)
    if asked is not None and asked.aicc - fits[0].aicc < CLEAR_AICC:
        return asked
    near = [fit for fit in fits if fit.aicc - fits[0].aicc < 2.0]
    fewest = min(len(fit.x) for fit in near)
    return next(fit for fit in near if len(fit.x) == fewest)


def fitted(regression: Regression, shape: Shape) -> Fit | None:
    """The class' best fit; None when it has no gain."""
    every = max(1, len(regression.record.t_s) // _SEARCHED)
    ranked = sorted((regression.rough(shape, x, every), n, x) for n, x in enumerate(_starts(regression.record, shape)))
    fits = [regression.fit(shape, ranked[0][2])]
    apart = next((x for _, _, x in ranked[1:] if np.max(np.abs(x - ranked[0][2])) > 0.5), None)
    if apart is not None and len(shape.names) > 2:
        fits.append(regression.fit(shape, apart))
    best = min(fits, key=lambda fit: fit.aicc)
    return best if math.isfinite(best.aicc) and best.gain != 0.0 and math.isfinite(best.gain) else None


def _starts(record: Record, shape: Shape) -> list[FloatArray]:
    span, dt = record.after_s, record.period_s
    lags = np.log(np.geomspace(dt, 2.0 * span, 9))
    delays = np.concatenate(([0.0], np.geomspace(0.5 * dt, 0.6 * span, 9)))
    grids = {
        "t1_s": lags,
        "t2_s": lags[1::2],
        "zero_s": -np.geomspace(0.02, 0.3, 3) * span,
        "delay_s": delays if len(shape.names) < 3 else delays[::2],
    }
    mesh = np.meshgrid(*(grids[name] for name in shape.names), indexing="ij")
    points = np.column_stack([m.ravel() for m in mesh])
    if "t2_s" in shape.names:
        points = points[points[:, 1] < points[:, 0]]
    return list(points)
