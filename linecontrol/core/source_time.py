"""A device's own time stamps, made into line time."""

from __future__ import annotations

from collections.abc import Sequence


class SourceTime:
    """Turns a device's own stamps into line time without trusting its clock to agree with ours.

    The newest stamp of a scan is the device's "now"; it is tied to our clock at the moment it was first seen. A device
    whose stamps stand still therefore grows old here, however often it answers. A stamp that took longer to get here
    than those before it does not move the tie, or values that are reported late would come out of order.
    """

    LATE_S = 2.0  # [device s] later than this, the device's clock was changed rather than the stamp held up
    DRIFT = 0.01  # of the time passed: how fast the tie follows a clock that is slower than ours

    def __init__(self) -> None:
        self._newest = float("-inf")
        self._seen_at = 0.0

    def stamp(self, stamps: Sequence[float | None], arrival: float, speed: float) -> list[float]:
        """Line times for readings with these stamps, which arrived at line time ``arrival``; None: the arrival."""
        newest = stamps[0] if stamps else None
        are_same = stamps.count(newest) == len(stamps)
        if newest is None and are_same:
            return [arrival] * len(stamps)
        if newest is None or not are_same:
            newest = max(stamp for stamp in stamps if stamp is not None)
        if newest > self._newest or self._newest - newest > 60.0:  # set back: the device's clock was changed
            passed = newest - self._newest
            late = arrival - self._seen_at - passed * speed
            held_up = passed > 0.0 and 0.0 < late <= self.LATE_S * speed
            self._seen_at = arrival - max(late - self.DRIFT * passed * speed, 0.0) if held_up else arrival
            self._newest = newest
        if are_same:  # a device that stamps with the time of its program
            return [self._seen_at - max(0.0, self._newest - newest) * speed] * len(stamps)
        return [
            arrival if stamp is None else self._seen_at - max(0.0, self._newest - stamp) * speed for stamp in stamps
        ]
