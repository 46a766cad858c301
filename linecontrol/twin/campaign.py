"""Many trials: one after the other, over processes, or on a Dask cluster, with the same results in the same order.

A campaign with a folder can be stopped at any time and taken up again: what is finished is stored, in the order of the
trials, as ordinary runs in a historian and as one line each in ``trials.jsonl``.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import math
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from linecontrol import __version__
from linecontrol.core.errors import ConfigError, LineBusy, LineError, Problem
from linecontrol.history import Historian
from linecontrol.line.build import line_tags
from linecontrol.line.lock import lock_file
from linecontrol.twin.trial import Outcome, Trial, line_at_step, run_trial

RESULTS = "trials.jsonl"
PLAN = "campaign.json"
LOCK = "controller.lock"
_AHEAD = 4  # outcomes per worker that may wait to be stored; each holds a whole run

Row = dict[str, Any]
"""What is kept of a trial: ``trial``, and ``record``, ``truth``, ``breaches`` or, if it could not be run, ``error``."""


def rows_of(trials: Sequence[Trial], jobs: int = 1, dask: str | None = None, out: Path | None = None) -> Iterator[Row]:
    """Run the trials, and yield a row for each in their order, as soon as it is there.

    Args:
        jobs: processes. dask: address of a Dask scheduler; then ``jobs`` means nothing.
        out: folder to store in and to go on from.
    Raises:
        ConfigError: the folder holds another campaign. LineError: it cannot be used, or Dask is not installed.
        LineBusy: another process records into the folder.
    """
    if out is None:
        for trial, outcome in zip(trials, _outcomes(trials, jobs, dask), strict=True):
            yield _row(trial, outcome)
        return
    with _alone_in(out):
        yield from _stored(trials, jobs, dask, out)


def _stored(trials: Sequence[Trial], jobs: int, dask: str | None, out: Path) -> Iterator[Row]:
    done = _take_up(out, trials)
    yield from done
    rest = trials[len(done) :]
    if not rest:
        return
    with asyncio.Runner() as runner, (out / RESULTS).open("a", encoding="utf-8") as results:
        historian = _historian(out, trials[0])
        runner.run(historian.start())
        try:
            for trial, outcome in zip(rest, _outcomes(rest, jobs, dask), strict=True):
                row = _row(trial, outcome)
                if isinstance(outcome, Outcome) and outcome.kept is not None:
                    runner.run(_store(historian, outcome))
                results.write(json.dumps(row, ensure_ascii=False) + "\n")
                results.flush()
                yield row
        finally:
            runner.run(historian.stop())


async def _store(historian: Historian, outcome: Outcome) -> None:
    if outcome.kept is not None:
        await outcome.kept.store(historian)
        await historian.flush()


def _historian(out: Path, first: Trial) -> Historian:
    config = line_at_step(first.line)
    url = f"sqlite:///{out / 'history.sqlite3'}"
    # Nothing but the campaign waits for it, so a disk or a machine that pauses for a while is no reason to give up.
    return Historian(
        url, out / "spool", config.line.name, line_tags(config), memory_rows=5_000_000, save_patience_s=600.0
    )


# -- the folder
@contextlib.contextmanager
def _alone_in(out: Path) -> Iterator[None]:
    """The same lock as a controller takes of its data folder: two campaigns would store the same trials twice."""
    out.mkdir(parents=True, exist_ok=True)
    _check_ours(out)  # nothing is left in a folder that is somebody else's
    held, holder = lock_file(out / LOCK)
    if held is None:
        who = f"process {holder['pid']}" if "pid" in holder else "another process"
        raise LineBusy(f"{who} records into {out}; wait until it has ended, or give another --out")
    try:
        os.pwrite(held, json.dumps({"pid": str(os.getpid())}).encode(), 0)
        yield
    finally:
        os.ftruncate(held, 0)
        os.close(held)


def _check_ours(out: Path) -> None:
    if not (out / PLAN).exists() and any(one.name != LOCK for one in out.iterdir()):
        raise ConfigError([Problem(str(out), None, "--out", "is not empty", "an empty or new folder")])


def _take_up(out: Path, trials: Sequence[Trial]) -> list[Row]:
    """Rows of the trials finished before; makes the folder if there is none."""
    plan = {"campaign": _fingerprint(trials), "trials": len(trials)}
    out.mkdir(parents=True, exist_ok=True)
    path = out / PLAN
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:  # cut off by a crash, before the first run
            raise ConfigError([Problem(str(path), None, "--out", "cannot be read", "a new folder")]) from None
        if found != plan:
            problem = Problem(str(path), None, "--out", "this folder holds another campaign", "an empty folder")
            raise ConfigError([problem])
    else:
        path.write_text(json.dumps(plan) + "\n", encoding="utf-8")
    return list(_finished(out / RESULTS))


def _finished(path: Path) -> Iterator[Row]:
    """Whole lines of the results; one cut off by a crash is taken away, and its trial run again."""
    if not path.exists():
        return
    kept = 0
    with path.open("rb") as file:
        for line in file:
            try:
                row: Row = json.loads(line)
            except ValueError:
                break
            if not line.endswith(b"\n"):
                break
            kept += len(line)
            yield row
    with path.open("rb+") as file:
        file.truncate(kept)


def _fingerprint(trials: Sequence[Trial]) -> str:
    """Of what would be run, and by which version of the program."""
    text = json.dumps([__version__, *(asdict(trial) for trial in trials)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


# -- running
def _outcomes(trials: Sequence[Trial], jobs: int, dask: str | None) -> Iterator[Outcome | LineError]:
    """In the order of the trials, whoever finishes first."""
    if dask is not None:
        yield from _on_dask(trials, dask)
    elif jobs <= 1 or len(trials) <= 1:
        yield from map(_guarded, trials)
    else:
        yield from _over_processes(trials, jobs)


def _guarded(trial: Trial) -> Outcome | LineError:
    """A trial that cannot be run is a result too; what is wrong with the program is not."""
    log = logging.getLogger("simulator")
    level = log.level
    log.setLevel(logging.ERROR)  # faults are planned here, not news
    try:
        return run_trial(trial)
    except ConfigError:
        raise
    except LineError as error:
        return LineError(f"{trial.run_id}: {error}")
    except ArithmeticError as error:
        if not trial.plant:
            raise
        return LineError(f"{trial.run_id}: these plant parameters cannot be worked out together: {error}")
    finally:
        log.setLevel(level)


def _over_processes(trials: Sequence[Trial], jobs: int) -> Iterator[Outcome | LineError]:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(trials)), mp_context=context, initializer=_end_with_parent)
    try:
        yield from _in_order(trials, jobs * _AHEAD, lambda trial: pool.submit(_guarded, trial).result)
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """A worker whose campaign was killed has nobody to work for; by itself it would go on with what it was given."""

    def watch(parent: BaseProcess) -> None:
        parent.join()
        os._exit(1)

    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=watch, args=(parent,), name="parent", daemon=True).start()


def _on_dask(trials: Sequence[Trial], address: str) -> Iterator[Outcome | LineError]:
    try:
        from distributed import Client
        from distributed.comm.addressing import get_address_host_port
    except ImportError:
        raise LineError("--dask needs the Dask engine: pip install 'linecontrol[dask]'") from None
    try:
        get_address_host_port(address)  # before a client that would have to be ended
    except ValueError as error:
        problem = Problem("", None, "--dask", f"{address!r} is not an address", "as tcp://scheduler:8786")
        raise ConfigError([problem]) from error
    try:
        client: Any = Client(address, timeout=10)  # type: ignore[no-untyped-call]  # the library has no types here
    except OSError as error:
        raise LineError(f"no Dask scheduler answers at {address}: {error}") from error
    with client:
        ahead = max(1, sum(client.nthreads().values())) * _AHEAD
        yield from _in_order(trials, ahead, lambda trial: client.submit(_guarded, trial, pure=False).result)


def _in_order(
    trials: Sequence[Trial], ahead: int, submit: Callable[[Trial], Callable[[], Outcome | LineError]]
) -> Iterator[Outcome | LineError]:
    """Keep a limited number under way, so that finished runs do not pile up in memory."""
    waiting: list[Callable[[], Outcome | LineError]] = []
    rest: Iterator[Trial] = iter(trials)
    for trial in rest:
        waiting.append(submit(trial))
        if len(waiting) >= ahead:
            break
    while waiting:
        result = waiting.pop(0)()
        for trial in rest:
            waiting.append(submit(trial))
            break
        yield result


def _row(trial: Trial, outcome: Outcome | LineError) -> Row:
    if isinstance(outcome, LineError):
        return {"trial": _plain(asdict(trial)), "error": str(outcome)}
    return {
        "trial": _plain(asdict(trial)),
        "record": outcome.record,
        "truth": _plain(outcome.truth),
        "line_s": outcome.line_s,
        "breaches": [asdict(breach) for breach in outcome.breaches],
    }


def _plain(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value


def numbered(trials: Iterable[Trial]) -> list[Trial]:
    """The same trials with their places, from 0."""
    return [replace(trial, number=number) for number, trial in enumerate(trials)]
