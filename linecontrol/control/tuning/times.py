"""Times of samples as a record has them - seconds, numpy's or Python's dates, pandas' timestamps - in seconds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

Times = Sequence[float] | Sequence[datetime] | NDArray[Any]
"""Seconds from any start; or dates of one kind: ``datetime64``, ``datetime``, pandas' (with a time zone or without)."""


def seconds(times: Times) -> NDArray[np.float64]:
    """Times in seconds: numbers as they are, dates and ``timedelta64`` from the first one on.

    Dates are never taken for numbers: those would be of the array's own unit, often nanoseconds. NaT is NaN.

    Raises ValueError when they are neither, or of several kinds (dates with and without a time zone).
    """
    array = np.asarray(times)
    try:
        if array.dtype.kind in "mM":
            since = array[np.isfinite(array)][:1]
            elapsed = array - since[0] if len(since) else array - array
            return np.asarray(elapsed / np.timedelta64(1, "s"), dtype=np.float64)
        if array.dtype.kind == "O" and array.ndim == 1 and any(isinstance(one, datetime) for one in array):
            return _of_dates(list(array))
        return np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"a time is not accepted: {error} (accepted: seconds, or dates of one kind)") from None


def _of_dates(dates: list[datetime | None]) -> NDArray[np.float64]:
    known = [date is not None and date == date for date in dates]  # NaT is not like itself
    first: Any = next((date for date, ok in zip(dates, known, strict=True) if ok), None)
    rows: list[Any] = dates
    return np.array([(row - first).total_seconds() if ok else np.nan for row, ok in zip(rows, known, strict=True)])
