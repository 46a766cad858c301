"""Tags in memory: modes, owners, set points and run state, seen and commanded like any register."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from linecontrol.core.link import LinkCounters, Reading
from linecontrol.core.model import Status, Tag, Value

OnWrite = Callable[[str, Value], None]
_new = tuple.__new__  # builds a Reading in half the time; most of these values change in every cycle


class SoftLink:
    """Link without a wire; see ``linecontrol.core.link.Link`` for the contract. It is always up.

    Tags without an initial value read BAD_WAITING_FOR_INITIAL_DATA until they are set or written.

    Args:
        on_write: called with name and value before a written value is kept; may raise DeviceRefused to refuse it.

    Raises:
        KeyError: an initial value for a tag that is not there.
    """

    notices: Sequence[str] = ()

    def __init__(
        self,
        tags: Iterable[Tag],
        initial: Mapping[str, Value] | None = None,
        on_write: OnWrite | None = None,
    ) -> None:
        self.counters = LinkCounters()
        self.on_write = on_write
        self._readings = {tag.name: Reading(None, Status.BAD_WAITING_FOR_INITIAL_DATA) for tag in tags}
        for name, value in (initial or {}).items():
            self.set(name, value)

    def set(self, name: str, value: Value | None, status: Status = Status.GOOD) -> None:
        """Show this value from now on; the program's own way in, which ``on_write`` does not see.

        A bad status shows no value. Raises KeyError for an unknown name, ValueError for None with a good status.
        """
        if name not in self._readings:
            raise KeyError(name)
        if status is Status.GOOD and value is not None:
            self._readings[name] = Reading(value, status)
            return
        bad = status >> 30 >= 2
        if value is None and not bad:
            raise ValueError(f"{name}: no value cannot be {status.text}")
        self._readings[name] = Reading(None if bad else value, status)

    def show(self, values: Mapping[str, Value | None]) -> None:
        """``set`` for many values at once, None being BAD. Raises KeyError for an unknown name; then none is shown."""
        if not values.keys() <= self._readings.keys():
            raise KeyError(next(name for name in values if name not in self._readings))
        readings, good, bad = self._readings, Status.GOOD, Status.BAD
        for name, value in values.items():
            before, was, _ = readings[name]
            status = good if value is not None else bad
            if before is not value or was is not status:
                readings[name] = _new(Reading, (value, status, None))

    async def open(self) -> None:
        """Nothing to do."""
        self.counters.connects += 1

    async def read(self, names: Collection[str] | None = None) -> dict[str, Reading]:
        """Read these tags, or all. Raises KeyError for an unknown name."""
        self.counters.requests += 1
        out = dict(self._readings) if names is None else {name: self._readings[name] for name in names}
        self.counters.answers += 1
        self.counters.reads += 1
        return out

    def earlier(self) -> Sequence[dict[str, Reading]]:
        """Nothing: values in memory are read, not reported."""
        return ()

    async def write(self, name: str, value: Value) -> None:
        """Write one tag. Raises KeyError for an unknown name, and what ``on_write`` raises."""
        if name not in self._readings:
            raise KeyError(name)
        self.counters.requests += 1
        if self.on_write is not None:
            self.on_write(name, value)
        self.counters.answers += 1
        self.set(name, value)

    async def close(self) -> None:
        """Nothing to do."""
