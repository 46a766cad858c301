"""A station: a named link with tags. It scans, knows whether its device is up and whose it is, and alone writes to it.

It must not decide what to write: commands come from the gate.

States a person can ask for: ``is_up`` (the device answered the last scan), ``is_claimed`` (this controller owns the
device), ``is_accepted`` (a person has accepted a probe of this cabinet, so writing is not locked).
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

from linecontrol.core.clock import Clock
from linecontrol.core.deadline import deadline
from linecontrol.core.errors import DeviceRefused, LinkDown, LinkError, LinkTimeout
from linecontrol.core.image import ProcessImage, Scan
from linecontrol.core.link import Columns, Link, Reading, ReadingTable
from linecontrol.core.model import Event, Sample, Severity, Status, Tag, Value
from linecontrol.core.source_time import SourceTime
from linecontrol.core.ticker import ticker

RETRY_FIRST_S = 0.1
RETRY_MOST_S = 1.0
LEAST_PERIOD_REAL_S = 0.02
HANGS_AFTER_REAL_S = 1.5
_new = tuple.__new__  # builds a Sample in half the time; hundreds are made in every scan
_NO_COLUMNS: Columns = ((), (), ())


def retry_delays_s(seed: int | None = None) -> Iterator[float]:
    """Waits between connection attempts [real s]: doubling from 0.1 to 1.0, each with ±20 % jitter.

    The cap lets values be good again within 2 s of a device's return, at no more than about one attempt a second.
    """
    draw = random.Random(seed)
    delay = RETRY_FIRST_S
    while True:
        yield delay * draw.uniform(0.8, 1.2)
        delay = min(delay * 2, RETRY_MOST_S)


@dataclass(frozen=True, slots=True)
class Duty:
    """Tags by which controller and PLC watch each other; None = the device has no such tag.

    Attributes:
        heartbeat: written at least each second with the control cycle's count.
        owner: holds the token of the controller that drives the device. Needs a heartbeat: a token that was left behind
            and one of a controller that drives look alike.
        boot: changes when the PLC starts anew.
        alive: changes while the PLC's program runs; silent longer than ``alive_timeout_s`` [real s] means it stopped.
        constant: a tag that always reads the same, and what it reads. When it does not, words are swapped or the map
            has moved, and nothing the device sends can be believed.
    """

    heartbeat: str | None = None
    owner: str | None = None
    boot: str | None = None
    alive: str | None = None
    constant: tuple[str, float] | None = None
    heartbeat_period_s: float = 1.0
    alive_timeout_s: float = 3.0
    claim_s: float = 2.2


class Station:
    """One PLC as the line sees it.

    Args:
        scan_s: scan period [line s]; never faster than every 20 ms of real time.
        beat: value for the heartbeat; it comes from the control cycle, so a dead cycle lets the PLC trip.
        token: this controller's ownership token, 1..2**32-1.
        emit: takes events. on_restart: called when the PLC was found restarted.
    """

    def __init__(
        self,
        name: str,
        link: Link,
        tags: Sequence[Tag],
        image: ProcessImage,
        clock: Clock,
        *,
        scan_s: float,
        duty: Duty | None = None,
        beat: Callable[[], int] = lambda: 0,
        token: int = 1,
        emit: Callable[[Event], None] = lambda _event: None,
        on_restart: Callable[[str], None] = lambda _name: None,
        is_accepted: bool = True,
        seed: int | None = None,
    ) -> None:
        self.name = name
        self.link = link
        self.tags = {tag.name: tag for tag in tags}
        self.is_up = False
        self.is_claimed = duty is None or duty.owner is None
        self.is_accepted = is_accepted
        self.foreign_owner: int | None = None
        self.scans = 0
        self.missed = 0
        self.down_since: float | None = None
        self._duty = duty or Duty()
        self._image = image
        self._clock = clock
        self._scan_s = scan_s
        self._seed = seed
        self._beat = beat
        self._token = token
        self._emit = emit
        self._on_restart = on_restart
        self._source_time = SourceTime()
        self._lost = 0
        self._is_marked_bad = False
        self._bad: set[str] = set()
        self._is_mostly_bad = False
        self._refused: set[str] = set()
        self._boot: Value | None = None
        self._garbled: str | None = None
        self.senseless_since: float | None = None
        self._asked = asyncio.Event()
        self._settled = asyncio.Event()
        self._reset_watch()
        self._stale_after_s = clock.patience(max(3 * scan_s, 3.0), 3.0)
        self._answered_at = 0.0
        self._silent_since: float | None = None
        self._breaker: asyncio.Timeout | None = None
        image.set_stale_after(name, self._stale_after_s)

    @property
    def is_stalled(self) -> bool:
        """True while the device answers, but its program stands still."""
        return self._is_stalled

    def _reset_watch(self) -> None:
        self._alive_value: Value | None = None
        self._alive_since = self._clock.real()
        self._beat_seen: Value | None = None
        self._watch_since: float | None = None
        self._beat_written_at = float("-inf")
        self._is_stalled = False

    # -- what others ask
    def why_not_write(self) -> str | None:
        """Why no command can be sent to this device now; None = it can."""
        if not self.is_up:
            return f"{self.name} is not connected"
        if self._garbled is not None:
            return f"{self.name} cannot be understood: {self._garbled}"
        if self._is_stalled:
            return f"the program of the PLC {self.name} is not running"
        if not self.is_accepted:
            return (
                f"writing to {self.name} is locked until a probe is accepted (linecontrol probe --accept) "
                "and the controller started again"
            )
        if self.foreign_owner is not None:
            return f"another controller (token {self.foreign_owner:08x}) drives {self.name}"
        if not self.is_claimed:
            return f"{self.name} is being claimed; try again in {self._duty.claim_s:.0f} s"
        return None

    async def asked(self) -> None:
        """Wait until the device has been asked once: it has answered a scan, or not."""
        await self._asked.wait()

    async def settled(self) -> None:
        """Wait until it is known whether this controller may drive the device (claimed, or found foreign)."""
        await self._settled.wait()

    # -- the scan
    async def run(self) -> None:
        """Scan until cancelled. A lost device is asked for again for ever."""
        delays = retry_delays_s(self._seed)
        try:
            while True:
                try:
                    async with deadline(None) as self._breaker:
                        await self.link.open()
                        await self._scan()  # the first answer, not the connection, makes it up
                        delays = retry_delays_s(self._seed)
                        await self._scan_forever()
                except (LinkError, TimeoutError) as error:
                    self._breaker = None
                    self._went_down(
                        error if isinstance(error, LinkError) else LinkTimeout("the request was broken off")
                    )
                    await self.link.close()
                    await asyncio.sleep(next(delays))
        finally:
            await self.link.close()

    def watch_silence(self, now: float) -> None:
        """Called at every control cycle: a station that is up and silent is BAD for everybody, not for control alone.

        The links have deadlines of their own. Should one fail to keep them, it is cut off here and opened anew.
        """
        if not self.is_up or now - self._answered_at <= self._stale_after_s:
            self._silent_since = None
            return
        self._publish_bad(Status.BAD_NO_COMMUNICATION, now)
        real = self._clock.real()
        if self._silent_since is None:
            self._silent_since = real  # our own process may have stood still: its scans come next
        elif real - self._silent_since > HANGS_AFTER_REAL_S and self._breaker is not None:
            breaker, self._breaker = self._breaker, None
            breaker.reschedule(asyncio.get_running_loop().time())

    async def _scan_forever(self) -> None:
        with ticker(self._clock, self._scan_s, LEAST_PERIOD_REAL_S) as beat:
            while True:
                tick = await beat.next()
                self.missed += tick.missed
                await self._scan()

    async def _scan(self) -> None:
        readings = await self.link.read()
        arrival = self._answered_at = self._clock.now()
        self.scans += 1
        if not self.is_up:
            self._came_up()
        earlier = self.link.earlier()
        self._tell_lost(arrival)
        self._watch_layout(readings)
        if self._garbled is not None:
            self._note_sense(arrival)
            self._publish_bad(Status.BAD_CONFIGURATION_ERROR, arrival)
            return  # no heartbeat either: the PLC goes safe by itself
        self._watch_program(readings)
        self._note_sense(arrival)
        if self._is_stalled:
            self._publish_bad(Status.BAD_DEVICE_FAILURE, arrival)
        else:
            columns = _columns(readings)
            self._tell_quality(_bad(readings, columns[1]), readings, arrival)
            if earlier:
                self._publish([*earlier, readings], arrival)
            else:
                times = self._source_time.stamp(columns[2], arrival, self._clock.speed)
                self._show(readings, columns, times, arrival)
        await self._keep_duty(readings)

    def _publish(self, scans: Sequence[Mapping[str, Reading]], arrival: float) -> None:
        """Oldest first. Their times are found together, for the newest stamp of all is the device's "now"."""
        columns = [_columns(readings) for readings in scans]
        stamps = list(chain.from_iterable(column for _, _, column in columns))
        times = iter(self._source_time.stamp(stamps, arrival, self._clock.speed))
        for readings, column in zip(scans, columns, strict=True):
            self._show(readings, column, times, arrival)

    def _show(self, readings: Mapping[str, Reading], columns: Columns, times: Iterable[float], arrival: float) -> None:
        """One scan into the image; takes as many of the times as it has values."""
        self._is_marked_bad = False
        rows = zip(columns[0], columns[1], times, strict=False)  # ends with the values: the times go on with the next
        samples = dict(zip(readings, map(_new, repeat(Sample), rows), strict=True))
        self._image.publish(Scan(self.name, arrival, samples))

    def _tell_lost(self, at: float) -> None:
        """Nothing a device reported goes missing without a word."""
        lost, self._lost = self.link.counters.lost - self._lost, self.link.counters.lost
        if lost > 0:
            text = (
                f"{self.name}: {lost} reported values or reports were lost; shorten publishing_s or raise queue_size."
            )
            self._emit(Event(at, "link.lost", self.name, text, Severity.WARNING, data={"lost": lost}))

    def _tell_quality(self, bad: set[str], readings: Mapping[str, Reading], at: float) -> None:
        """One event per scan for what the device has begun, or ceased, to refuse or to measure badly."""
        if bad == self._bad:
            return
        lost, found = sorted(bad - self._bad), sorted(self._bad - bad)
        self._bad = bad
        if lost:
            named = _named([f"{name} ({readings[name].status.text})" for name in lost])
            text = f"{self.name}: BAD: {named}."
            self._emit(Event(at, "quality.bad", self.name, text, Severity.WARNING, active=True, data={"tags": lost}))
        if found:
            text = f"{self.name}: no longer BAD: {_named(found)}."
            self._emit(Event(at, "quality.good", self.name, text, active=False, data={"tags": found}))
        text = f"{self.name}: {len(bad)} of {len(self.tags)} signals are BAD: {_named(sorted(bad)) or 'none'}."
        self._set_mostly_bad(2 * len(bad) > len(self.tags), text, at)

    def _set_mostly_bad(self, is_mostly_bad: bool, text: str, at: float) -> None:
        """Whether more than half of its signals are bad is told when it begins and when it ends."""
        if is_mostly_bad == self._is_mostly_bad:
            return
        self._is_mostly_bad = is_mostly_bad
        self._emit(Event(at, "quality.mostly-bad", self.name, text, Severity.ALARM, active=is_mostly_bad))

    def _publish_bad(self, status: Status, at: float) -> None:
        if self._is_marked_bad:
            return
        self._is_marked_bad = True
        self._bad = set()  # the outage has an event of its own
        text = f"{self.name}: all of it is BAD; its signals are no longer judged one by one."
        self._set_mostly_bad(False, text, at)
        self._image.publish(Scan(self.name, at, dict.fromkeys(self.tags, Sample(None, status, at))))

    def _went_down(self, error: LinkError) -> None:
        self._asked.set()
        now = self._clock.now()
        first_try = self.down_since is None and not self.is_up
        if self.is_up and not self._is_stalled and (arrived := self.link.earlier()):
            self._publish(arrived, now)  # before the outage begins
        self._tell_lost(now)
        self._publish_bad(Status.BAD_NO_COMMUNICATION if self.is_up else Status.BAD_NOT_CONNECTED, now)
        if self.is_up or first_try:
            self.down_since = now
            text = f"{self.name}: no answer: {error}. Trying again about once a second."
            self._emit(Event(now, "link.down", self.name, text, Severity.ALARM, active=True))
        self.is_up = False
        self.is_claimed = self._duty.owner is None
        self._reset_watch()

    def _came_up(self) -> None:
        self._asked.set()
        now = self._clock.now()
        if self.down_since is not None:
            lasted_s = now - self.down_since
            text = f"{self.name}: answers again after {lasted_s:.1f} s."
            self._emit(Event(now, "link.up", self.name, text, Severity.ALARM, active=False))
        else:
            self._emit(Event(now, "link.up", self.name, f"{self.name}: connected."))
        self.is_up, self.down_since, self.senseless_since = True, None, None
        for notice in self.link.notices:
            self._emit(Event(now, "link.notice", self.name, f"{self.name}: {notice}.", Severity.WARNING))
        self._reset_watch()

    # -- watching each other
    def _note_sense(self, at: float) -> None:
        """Since when the device answers without telling anything that can be believed."""
        if self._garbled is None and not self._is_stalled:
            self.senseless_since = None
        elif self.senseless_since is None:
            self.senseless_since = at

    def _watch_layout(self, readings: Mapping[str, Reading]) -> None:
        """A value that is always the same tells when the rest of the map cannot be believed."""
        if self._duty.constant is None:
            return
        name, expected = self._duty.constant
        reading = readings[name]
        found = reading.value
        if isinstance(found, (int, float)):
            is_right = math.isclose(found, expected, rel_tol=1e-5, abs_tol=1e-9)
        elif reading.status is Status.BAD_OUT_OF_RANGE:
            is_right = False
        else:
            return  # not read: nothing is known
        if is_right == (self._garbled is None):
            return
        shown = "a value out of its range" if found is None else f"{found:g}"
        self._garbled = None if is_right else f"{name} reads {shown}, not {expected:g} (word order or map changed?)"
        text = f"{self.name}: {self._garbled}" if self._garbled else f"{self.name}: {name} reads {expected:g} again."
        self._emit(Event(self._clock.now(), "plc.garbled", self.name, text, Severity.ALARM, active=not is_right))

    def _watch_program(self, readings: Mapping[str, Reading]) -> None:
        real = self._clock.real()
        duty = self._duty
        if duty.alive is not None and (alive := readings[duty.alive].value) is not None:
            if alive != self._alive_value:
                self._alive_value, self._alive_since = alive, real
                self._set_stalled(False)
            elif real - self._alive_since > max(duty.alive_timeout_s, 3 * self._scan_s / self._clock.speed):
                self._set_stalled(True)
        if duty.boot is not None and (boot := readings[duty.boot].value) is not None:
            if self._boot is not None and boot != self._boot:
                self._found_restarted(boot)
            self._boot = boot

    def _set_stalled(self, is_stalled: bool) -> None:
        if is_stalled == self._is_stalled:
            return
        self._is_stalled = is_stalled
        alive = self._duty.alive
        text = (
            f"{self.name}: the PLC answers, but its program stands still ({alive} does not change)."
            if is_stalled
            else f"{self.name}: the PLC program runs again."
        )
        self._emit(Event(self._clock.now(), "plc.stalled", self.name, text, Severity.ALARM, active=is_stalled))

    def _found_restarted(self, boot: Value) -> None:
        text = f"{self.name}: the PLC was restarted (start number {self._boot} -> {boot}); its outputs were reset."
        self._emit(Event(self._clock.now(), "plc.restarted", self.name, text, Severity.WARNING))
        self.is_claimed = self._duty.owner is None
        self._watch_since = None
        self._on_restart(self.name)

    async def _keep_duty(self, readings: Mapping[str, Reading]) -> None:
        """Claim the device, keep the heartbeat, and notice another controller."""
        duty, real = self._duty, self._clock.real()
        if not self.is_accepted:
            self._settled.set()
            return
        if not self.is_claimed:
            await self._claim(readings, real)
        elif duty.owner is not None:
            self._check_owner(readings[duty.owner])
        if self.is_claimed:
            self._settled.set()
            if duty.heartbeat is not None and real - self._beat_written_at >= duty.heartbeat_period_s:
                self._beat_written_at = real
                await self._write_duty(duty.heartbeat, self._beat() % 65536)

    async def _claim(self, readings: Mapping[str, Reading], real: float) -> None:
        duty = self._duty
        if duty.owner is None or self.foreign_owner is not None:
            return  # a device found in other hands is taken over by a person, with a restart, never by itself
        beat = readings[duty.heartbeat].value if duty.heartbeat else None
        if self._watch_since is None or beat is None:
            self._watch_since, self._beat_seen = real, beat
            return
        if beat != self._beat_seen:
            self._beat_seen, self._watch_since = beat, real
            owner = readings[duty.owner].value
            self._found_foreign(int(owner) if isinstance(owner, (int, float)) else 0)
        elif real - self._watch_since >= duty.claim_s and await self._write_duty(duty.owner, self._token):
            self.is_claimed, self.foreign_owner = True, None
            self._emit(Event(self._clock.now(), "plc.claimed", self.name, f"{self.name}: driven by this controller."))

    def _check_owner(self, reading: Reading) -> None:
        if reading.value is None or reading.value == self._token:
            return
        self.is_claimed, self._watch_since = False, None
        if reading.value != 0:
            self._found_foreign(int(reading.value) if isinstance(reading.value, (int, float)) else 0)

    def _found_foreign(self, token: int) -> None:
        if self.foreign_owner is None:
            text = f"{self.name}: another controller (token {token:08x}) drives this PLC. This one only reads."
            self._emit(Event(self._clock.now(), "plc.foreign", self.name, text, Severity.ALARM, active=True))
        self.foreign_owner = token
        self._settled.set()

    async def _write_duty(self, name: str, value: int) -> bool:
        """Write a heartbeat or token. A refusal is an event, not the end of the scan; a lost link is."""
        try:
            await self.link.write(name, value)
        except DeviceRefused as error:
            if name not in self._refused:
                text = f"{self.name}: {name} could not be written: {error}"
                self._emit(Event(self._clock.now(), "plc.refused", self.name, text, Severity.WARNING))
            self._refused.add(name)  # told once, until it is taken again
            return False
        self._refused.discard(name)
        return True

    # -- writing
    async def write(self, name: str, value: Value) -> Sample:
        """Write once and read back. Returns what the device then says. Only the gate calls this.

        Raises LinkDown, LinkTimeout or DeviceRefused; what was written is then unknown and must be read again.
        """
        if not self.is_up:
            raise LinkDown(f"{self.name} is not connected")
        await self.link.write(name, value)
        readings = await self.link.read([name])
        sample = Sample(readings[name].value, readings[name].status, self._clock.now())
        self._image.publish(Scan(self.name, sample.time, {name: sample}))
        return sample


def _columns(readings: Mapping[str, Reading]) -> Columns:
    """Values, statuses and stamps of a scan."""
    if isinstance(readings, ReadingTable):
        return readings.columns
    values, statuses, stamps = tuple(zip(*readings.values(), strict=True)) or _NO_COLUMNS
    return values, statuses, stamps


def _bad(readings: Mapping[str, Reading], statuses: Sequence[Status]) -> set[str]:
    """Tags whose value is bad. ``statuses``: theirs."""
    good = Status.GOOD  # nearly all are, and to see that takes a tenth of asking a status what it is
    if statuses.count(good) == len(statuses):
        return set()
    return {name for name, status in zip(readings, statuses, strict=True) if status is not good and status >> 31}


def _named(tags: Sequence[str]) -> str:
    """A few names, and how many more."""
    return ", ".join(tags[:5]) + (f" and {len(tags) - 5} more" if len(tags) > 5 else "")
