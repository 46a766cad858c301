"""What the marks of quality beside recorded values mean: words, flags, OPC codes. Pure."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

GOOD_WORDS = frozenset(("good", "ok", "true", "yes", "valid", "g"))
BAD_WORDS = frozenset(("bad", "false", "no", "invalid", "uncertain", "stale", "b", "u", "", "nan", "null", "none"))
ACCEPTED = "good/bad, true/false, 1/0, OPC quality bytes (192 and above are good) or OPC UA status codes (0 is good)"
_DA_GOOD = 192.0  # OPC DA quality byte
_DA_MOST = 255.0
_UA_UNCERTAIN = float(1 << 30)  # an OPC UA status code below it has severity Good


def good_codes(numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which numbers of one column say good; NaN does not.

    The column tells what they are: codes above 255 are OPC UA's, others above 1 OPC DA's, else 1 is good and 0 bad. A
    column of nothing but 0 is OPC UA's too: nobody records values that are bad throughout.
    """
    known = numbers[np.isfinite(numbers)]
    most = float(np.max(known, initial=0.0))
    with np.errstate(invalid="ignore"):
        if most > _DA_MOST or (len(known) > 0 and not np.any(known)):
            return np.asarray((numbers >= 0.0) & (numbers < _UA_UNCERTAIN))
        return np.asarray(numbers >= (_DA_GOOD if most > 1.0 else 1.0))


def good_marks(marks: ArrayLike, *, blank: bool = False) -> NDArray[np.bool_]:
    """Which marks of one column say good; ``blank``: whether an empty one does.

    Raises ValueError for a mark that says neither, naming it.
    """
    values = np.asarray(marks)
    if values.dtype.kind == "b":
        return values
    if values.dtype.kind in "iuf":
        return good_codes(np.asarray(values, dtype=np.float64))
    flags = np.zeros(values.shape, dtype=bool)
    numbers = np.full(values.shape, math.nan)
    for at, mark in enumerate(values.tolist()):
        word = "" if mark is None else str(mark).strip().casefold()
        if word == "":
            flags[at] = blank
        elif word in GOOD_WORDS or word in BAD_WORDS:
            flags[at] = word in GOOD_WORDS
        else:
            try:
                numbers[at] = float(word)
            except ValueError:
                raise ValueError(f"{mark!r} is not a quality (accepted: {ACCEPTED})") from None
    return flags | good_codes(numbers) if np.any(np.isfinite(numbers)) else flags
