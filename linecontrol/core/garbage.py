"""When Python looks for garbage: not while a program starts, and never at what it made by then."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """For the start of a program that goes on for long, or not at all.

    While modules load and a line is built nothing is garbage: to look for it took a fifth of the start. What is there
    at the end lives as long as the program and is not looked at again, so no collection holds up a scan for long.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


@contextlib.contextmanager
def seldom() -> Iterator[None]:
    """For work that makes much and little garbage, one piece after another: what a piece leaves is freed at its end."""
    thresholds = gc.get_threshold()
    gc.set_threshold(10_000, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.collect(1)  # younger than the piece, so without a look at all that the program holds
