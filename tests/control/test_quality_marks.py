"""What marks of quality beside recorded values mean."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike

from linecontrol.control.quality_marks import good_marks


@pytest.mark.parametrize(
    ("marks", "good"),
    [
        (["Good", "BAD", "uncertain", "ok"], [True, False, False, True]),
        (np.array(["true", "false"]), [True, False]),
        ([True, False], [True, False]),
        ([1, 0, 1], [True, False, True]),
        ([1.0, np.nan], [True, False]),
        ([192, 0, 64, 216], [True, False, False, True]),  # OPC DA quality bytes
        ([0, 0x80000000, 0x40000000, 0x002E0000], [True, False, False, True]),  # OPC UA status codes
        ([0, 0, 0], [True, True, True]),  # nobody records values that are bad throughout: OPC UA's Good
        (["192", "24"], [True, False]),
        (["good", "", None], [True, False, False]),
    ],
)
def test_words_flags_and_codes(marks: ArrayLike, good: list[bool]) -> None:
    assert good_marks(marks).tolist() == good


def test_an_empty_mark_counts_as_it_is_said_to() -> None:
    assert good_marks(["", "bad", None], blank=True).tolist() == [True, False, True]


def test_a_mark_that_says_neither_is_named() -> None:
    with pytest.raises(ValueError, match=r"'maybe' is not a quality \(accepted: good/bad"):
        good_marks(["good", "maybe"])
