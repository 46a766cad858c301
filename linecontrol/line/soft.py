"""Tags in memory: modes, owners, set points and run state, seen, commanded and recorded like any register."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import repeat

from linecontrol.core.clock import Clock
from linecontrol.core.image import ProcessImage, Scan
from linecontrol.core.model import DataType, Sample, Status, Tag, Value

OnWrite = Callable[[str, Value], None]
_new = tuple.__new__  # builds a Sample in half the time; each tag gets one in every cycle
DECIMALS, OF_PLAIN_NUMBERS = 3, 5
"""Of what is calculated: 0.001 of a degree, a percent or an hour, 0.00001 of a number without unit."""


def decimals_of(tag: Tag) -> int | None:
    """How many a calculated value is shown with; None for what people set, which stands as they wrote it.

    More are noise: no instrument has them, and a history keeps each of them for years.
    """
    is_calculated = tag.type is DataType.FLOAT64 and (not tag.writable or tag.name.endswith(".OP"))
    return (DECIMALS if tag.unit else OF_PLAIN_NUMBERS) if is_calculated else None


class SoftStation:
    """A station without a device: what it shows is what the program says it shows. Always up.

    Tags read BAD_WAITING_FOR_INITIAL_DATA until they are first shown or written.

    Args:
        on_write: called with name and value before a written value is kept; may raise DeviceRefused to refuse it.
        stale_after_s: without a cycle for so long, its tags are BAD for everybody [line s].
    """

    def __init__(
        self,
        name: str,
        tags: Iterable[Tag],
        image: ProcessImage,
        clock: Clock,
        *,
        on_write: OnWrite = lambda _name, _value: None,
        stale_after_s: float = 3.0,
    ) -> None:
        self.name = name
        self._image, self._clock, self._on_write = image, clock, on_write
        tags = tuple(tags)
        self._values: dict[str, Value | None] = dict.fromkeys(tag.name for tag in tags)
        self._decimals = [(tag.name, n) for tag in tags if (n := decimals_of(tag)) is not None]
        self._rounded: dict[str, tuple[float, float]] = {name: (0.0, 0.0) for name, _ in self._decimals}
        """Of each calculated tag, the value it was last given, and the same as it is shown."""
        self._waiting = set(self._values)  # never shown or written
        image.set_stale_after(name, stale_after_s)

    def show(self, values: Mapping[str, Value | None], now: float) -> None:
        """Show these from now on, None being BAD, and the others as they were; one scan of all.

        Raises KeyError for an unknown name; then none is shown.
        """
        if not values.keys() <= self._values.keys():
            raise KeyError(next(name for name in values if name not in self._values))
        own, rounded = self._values, self._rounded
        own.update(values)
        for name, decimals in self._decimals:
            value = own[name]
            if value.__class__ is float:
                given, shown = rounded[name]
                if value is not given:  # most are given again as they were
                    shown = round(value, decimals)
                    rounded[name] = (value, shown)
                own[name] = shown
        good, bad = Status.GOOD, Status.BAD
        all_shown = own.values()
        statuses = [bad if value is None else good for value in all_shown]
        rows = zip(all_shown, statuses, repeat(now))  # ends with the values
        samples = dict(zip(own, map(_new, repeat(Sample), rows), strict=True))
        if self._waiting:
            self._waiting -= values.keys()
            samples |= dict.fromkeys(self._waiting, Sample(None, Status.BAD_WAITING_FOR_INITIAL_DATA, now))
        self._image.publish(Scan(self.name, now, samples))

    # -- what the gate needs of a station
    def why_not_write(self) -> str | None:
        """Nothing: memory is always there."""
        return None

    async def write(self, name: str, value: Value) -> Sample:
        """Write one tag; returns what it then shows.

        Raises KeyError for an unknown name, and what ``on_write`` raises.
        """
        if name not in self._values:
            raise KeyError(name)
        self._on_write(name, value)
        self._values[name] = value
        self._waiting.discard(name)
        sample = Sample(value, Status.GOOD, self._clock.now())
        self._image.publish(Scan(self.name, sample.time, {name: sample}))
        return sample
