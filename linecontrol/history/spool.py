"""The spool: batches on disk, in order, while the database is away.

Append-only segment files of framed batches. An appended batch is on the disk (fsync) when ``append`` returns. A frame
is ``head | payload``; the head carries magic, flags, number of rows, length, newest time and a CRC over both. On
opening, a torn tail (a write the machine did not finish, so never acknowledged) is cut; frames damaged in the middle
are set aside in a copy, never deleted, and the rest is kept.

One thread only. Policy when full: the writer asks ``has_room`` and decides what to give up.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import struct
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from linecontrol.history.durable import sync_folder
from linecontrol.history.rows import RUN, Batch

log = logging.getLogger(__name__)

_MAGIC = b"LcSp"
_HEAD = struct.Struct("<4sIIIqI")  # magic, flags, rows, payload length, newest time [us], crc32
_HAS_RUNS = 1
_SEGMENT_BYTES = 16 * 2**20
_LONGEST_PAYLOAD = 256 * 2**20
_READ_BYTES = 2**20


class SpoolDamage(Exception):
    """A frame that was sound when written no longer is."""


@dataclass(slots=True)
class _Segment:
    path: Path
    size: int = 0
    read_to: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class _Frame:
    start: int
    end: int
    flags: int
    rows: int
    latest_us: int


def _pack(batch: Batch) -> bytes:
    payload = batch.to_bytes()
    flags = _HAS_RUNS if batch.rows.get(RUN) else 0
    head = _HEAD.pack(_MAGIC, flags, batch.count, len(payload), batch.latest_us, 0)[:-4]
    return head + struct.pack("<I", zlib.crc32(payload, zlib.crc32(head))) + payload


def _frame_at(data: bytes, start: int) -> _Frame | None:
    """The frame that begins here; None when there is none or it is damaged."""
    if len(data) - start < _HEAD.size:
        return None
    magic, flags, rows, length, latest_us, crc = _HEAD.unpack_from(data, start)
    body = start + _HEAD.size
    if magic != _MAGIC or length > _LONGEST_PAYLOAD or body + length > len(data):
        return None
    if zlib.crc32(data[body : body + length], zlib.crc32(data[start : body - 4])) != crc:
        return None
    return _Frame(start, body + length, flags, rows, latest_us)


def _frames(data: bytes) -> Iterator[_Frame]:
    """Every sound frame, past any damage."""
    at = 0
    while at < len(data):
        frame = _frame_at(data, at)
        if frame is None:
            at = data.find(_MAGIC, at + 1)
            if at < 0:
                return
            continue
        yield frame
        at = frame.end


class Spool:
    """The spool of one line.

    Args:
        directory: where its segments lie; made when missing.
        most_bytes: settable size; beyond it ``has_room`` is False.
    """

    def __init__(self, directory: Path, line: str, most_bytes: int) -> None:
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", line)[:40]
        self._stem = f"{plain}-{hashlib.sha256(line.encode()).hexdigest()[:8]}"
        self._directory = directory
        self._segments: deque[_Segment] = deque()
        self._next_number = 1
        self._file: int | None = None
        self.most_bytes = most_bytes
        self.rows = 0
        self.latest_us = 0
        self.damaged: list[Path] = []
        self.quarantine_path = directory / f"{self._stem}.quarantine.jsonl"

    def __len__(self) -> int:
        """Rows waiting."""
        return self.rows

    @property
    def is_empty(self) -> bool:
        return all(segment.read_to >= segment.size for segment in self._segments)

    @property
    def is_gone(self) -> bool:
        """Nothing waits, and no file is left that could be read again after a crash."""
        return not self._segments

    @property
    def size(self) -> int:
        """Disk space taken."""
        return sum(segment.size for segment in self._segments)

    def open(self) -> list[Batch]:
        """Take up what an earlier run left. Returns the batches that hold run rows. Raises OSError."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._close_file()
        self._segments.clear()
        self.rows, self.latest_us = 0, 0
        with_runs: list[Batch] = []
        paths = sorted(self._directory.glob(f"{self._stem}.*.spool"))
        for path in paths:
            with_runs += self._take_up(path, is_last=path is paths[-1])
        if paths:
            self._next_number = int(paths[-1].name.split(".")[-2]) + 1
        self._check_writable()
        return with_runs

    def _check_writable(self) -> None:
        probe = self._directory / f"{self._stem}.probe"
        probe.write_bytes(b"")
        probe.unlink()

    def _take_up(self, path: Path, *, is_last: bool) -> list[Batch]:
        data = path.read_bytes()
        sound = list(_frames(data))
        kept = b"".join(data[f.start : f.end] for f in sound)
        if len(kept) != len(data):
            if is_last and kept == data[: len(kept)]:
                log.info("spool %s: cut an unfinished write of %d bytes", path.name, len(data) - len(kept))
            else:
                aside = path.with_name(f"{path.name}.damaged")
                shutil.copyfile(path, aside)
                self.damaged.append(aside)
            self._replace(path, kept)
        if not sound:
            path.unlink()
            return []
        rows = sum(f.rows for f in sound)
        self._segments.append(_Segment(path, len(kept), rows=rows))
        self.rows += rows
        self.latest_us = max(self.latest_us, *(f.latest_us for f in sound))
        return [Batch.from_bytes(data[f.start + _HEAD.size : f.end]) for f in sound if f.flags & _HAS_RUNS]

    def _replace(self, path: Path, content: bytes) -> None:
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(self._directory)

    def pack(self, batch: Batch) -> bytes:
        """The batch as ``append`` wants it."""
        return _pack(batch)

    def has_room(self, frame: bytes) -> bool:
        return self.size + len(frame) <= self.most_bytes

    def append(self, frame: bytes) -> None:
        """Put a packed batch on the disk. Raises OSError, and then nothing of it is left behind."""
        if self._file is None or self._segments[-1].size >= _SEGMENT_BYTES:
            self._begin_segment()
        segment, file = self._segments[-1], self._file
        assert file is not None  # noqa: S101 - _begin_segment has just opened it
        try:
            view = memoryview(frame)
            while view:
                view = view[os.write(file, view) :]
            os.fsync(file)
        except OSError:
            self._cut_back(file, segment)
            raise
        segment.size += len(frame)
        _, _, rows, _, latest_us, _ = _HEAD.unpack_from(frame)
        segment.rows += rows
        self.rows += rows
        self.latest_us = max(self.latest_us, latest_us)

    def _cut_back(self, file: int, segment: _Segment) -> None:
        try:
            os.ftruncate(file, segment.size)
        except OSError:  # then this segment gets no more frames, and opening it cuts the tail
            self._close_file()

    def _begin_segment(self) -> None:
        self._close_file()
        path = self._directory / f"{self._stem}.{self._next_number:08d}.spool"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o640)
        self._next_number += 1
        self._segments.append(_Segment(path))
        sync_folder(self._directory)

    def peek(self, most_rows: int) -> list[tuple[Batch, int]]:
        """The oldest batches, at least one, from one segment, each with its length in bytes. Raises OSError."""
        self._forget_read()
        if not self._segments:
            return []
        segment = self._segments[0]
        for length in (_READ_BYTES, segment.size):
            data = self._read(segment, length)
            batches: list[tuple[Batch, int]] = []
            at = rows = 0
            while rows < most_rows and (frame := _frame_at(data, at)) is not None:
                batches.append((Batch.from_bytes(data[at + _HEAD.size : frame.end]), frame.end - at))
                at, rows = frame.end, rows + frame.rows
            if batches:
                return batches
        raise SpoolDamage(f"spool segment {segment.path.name} is damaged at byte {segment.read_to}")

    @staticmethod
    def _read(segment: _Segment, length: int) -> bytes:
        with segment.path.open("rb") as file:
            file.seek(segment.read_to)
            return file.read(min(length, segment.size - segment.read_to))

    def set_damage_aside(self) -> int:
        """After SpoolDamage: keep a copy of the segment, go on behind the damage. Returns the rows given up there."""
        segment = self._segments[0]
        data = self._read(segment, segment.size)
        aside = segment.path.with_name(f"{segment.path.name}.damaged")
        shutil.copyfile(segment.path, aside)
        self.damaged.append(aside)
        sound = list(_frames(data))
        lost = segment.rows - sum(f.rows for f in sound)
        segment.read_to = segment.read_to + sound[0].start if sound else segment.size
        segment.rows -= lost
        self.rows -= lost
        return lost

    def advance(self, batches: list[tuple[Batch, int]]) -> None:
        """These, as ``peek`` gave them, are in the database: let go of them. Raises OSError."""
        for batch, length in batches:
            self._segments[0].read_to += length
            self._segments[0].rows -= batch.count
            self.rows -= batch.count
        self._forget_read()

    def _forget_read(self) -> None:
        while self._segments and self._segments[0].read_to >= self._segments[0].size:
            if len(self._segments) == 1:
                self._close_file()
            self._segments[0].path.unlink(missing_ok=True)
            self._segments.popleft()
            sync_folder(self._directory)

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def close(self) -> None:
        self._close_file()
