"""`linecontrol tune LOOP`: a test on the running loop, its result, and gains applied or taken back, over the API."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from linecontrol.cli.client import ask
from linecontrol.cli.output import BAD_INPUT, DONE, FAILED, paper, people, print_json, stop
from linecontrol.cli.tune_view import gains_text, outcome_view, trial_text

REFUSED = 4  # the identification (or the tuning) offers nothing
POLL_S = 0.3
LEASE_S = 30.0  # nobody looks for so long: the controller ends the test by itself
PLAIN_PERIOD_S = 10.0
SHOWN_EVENTS = 12
_BUSY = ("running", "evaluating")


def tune_live(
    loop: str,
    *,
    test: str = "doublet",
    size: float | None = None,
    pv_limit: float | None = None,
    time_limit: float | None = None,
    periods: int | None = None,
    structure: str | None = None,
    gains: str | None = None,
    candidate: str | None = None,
    apply: bool = False,
    accept: bool = False,
    abort: bool = False,
    revert: bool = False,
    show: bool = False,
    yes: bool = False,
    who: str | None = None,
    reason: str = "",
    url: str | None = None,
    as_json: bool = False,
    plot: Path | None = None,
) -> int:
    """Do what is asked on the running controller; returns the exit code.

    0 done; 2 bad input; 3 the plant says no, or the test was aborted; 4 the test gave no gains to offer.
    """
    commands = {"abort": abort, "revert": revert, "accept": accept, "show": show}
    chosen = [name for name, wanted in commands.items() if wanted]
    from_last_test = candidate is not None and not apply
    if len(chosen) + bool(gains) + from_last_test > 1 or (chosen and apply):
        stop("one of --abort, --revert, --accept, --show, --gains, --candidate or a test, not several", BAD_INPUT)
    if show:
        return _show_loop(loop, url, as_json=as_json)
    signed = {"who": who, "reason": reason or _usual_reason(chosen, gains, apply=apply)}
    if chosen:
        view = ask("POST", url, f"/tuning/{loop}/{chosen[0]}", signed)
        if chosen == ["abort"]:
            view = _follow(loop, url, quiet=as_json)
        _tell(view, as_json=as_json)
        return DONE
    if gains or from_last_test:
        own = {"gains": _own_gains(gains)} if gains else {"candidate": candidate}
        _confirm(f"Put {gains or candidate} on trial on {loop}?", yes=yes)
        view = ask("POST", url, f"/tuning/{loop}/apply", {**own, **signed})
        _tell(view, as_json=as_json)
        return DONE
    wish: dict[str, Any] = {"kind": test, "size": size, "pv_limit": pv_limit, "periods": periods}
    wish |= {"structure": structure, "lease_s": LEASE_S, "longest_s": time_limit}
    ask("POST", url, f"/tuning/{loop}/test", {k: v for k, v in wish.items() if v is not None} | signed)
    view = _watched(loop, url, signed, quiet=as_json)
    found = ask("GET", url, f"/tuning/{loop}/result") if view["last_test"]["state"] == "done" else None
    code = FAILED if found is None else DONE if found["offered"] else REFUSED
    if found is not None and plot is not None:
        from linecontrol.cli.tune_plot import draw

        draw(found, plot)
    if not as_json:
        _show(view, found, plot)
    if code == DONE and apply:
        wanted = candidate or "best"
        _confirm(f"Put {wanted} on trial on {loop}?", yes=yes)
        view = ask("POST", url, f"/tuning/{loop}/apply", {"candidate": wanted, **signed})
        if not as_json:
            people.print(trial_text(view), markup=False, soft_wrap=True)
    if as_json:
        print_json({"view": view, "result": found})
    return code


def _show_loop(loop: str, url: str | None, *, as_json: bool) -> int:
    """Gains, trial and last test of a loop, and what was journalled of its tuning."""
    view = ask("GET", url, f"/tuning/{loop}")
    events = [
        row
        for row in ask("GET", url, "/events?limit=1000")
        if row["source"] == loop and row["kind"].startswith("tuning.")
    ]
    if as_json:
        print_json({"view": view, "events": events})
        return DONE
    _tell(view, as_json=False)
    for row in reversed(events[:SHOWN_EVENTS]):
        paper.print(f"{str(row['time'])[:19].replace('T', ' ')}  {row['text']}", markup=False, soft_wrap=True)
    return DONE


def _usual_reason(chosen: list[str], gains: str | None, *, apply: bool) -> str:
    if chosen:
        return f"linecontrol tune --{chosen[0]}"
    if gains:
        return "linecontrol tune --gains"
    return "linecontrol tune --apply" if apply else "linecontrol tune"


def _own_gains(text: str) -> dict[str, float]:
    """``"k=0.9,ti_s=85"`` as values; the controller checks them."""
    found: dict[str, float] = {}
    for word in text.split(","):
        name, _, value = (part.strip() for part in word.partition("="))
        try:
            found[name.lower()] = float(value)
        except ValueError:
            stop(f"--gains {text}: not understood (accepted: k=0.9,ti_s=85,td_s=0 and n, b, c)", BAD_INPUT)
    return found


def _confirm(question: str, *, yes: bool) -> None:
    """Ask a person; without one, --yes is needed."""
    if yes:
        return
    if not people.is_terminal:
        stop("nobody is there to confirm; say --yes", BAD_INPUT)
    if not typer.confirm(question, err=True):
        stop("nothing was changed", DONE)


def _watched(loop: str, url: str | None, signed: dict[str, str | None], *, quiet: bool) -> dict[str, Any]:
    """Follow the test to its end; Ctrl-C aborts it, and then its end is waited for."""
    try:
        return _follow(loop, url, quiet=quiet)
    except KeyboardInterrupt:
        people.print("Ctrl-C: the test is aborted, the loop goes back to where it was.")
        return _after_ctrl_c(loop, url, signed)


def _after_ctrl_c(loop: str, url: str | None, signed: dict[str, str | None]) -> dict[str, Any]:
    view: dict[str, Any] = ask("GET", url, f"/tuning/{loop}")
    if view["last_test"]["state"] == "running":
        ask("POST", url, f"/tuning/{loop}/abort", {"who": signed["who"], "reason": "Ctrl-C"})
    return _follow(loop, url, quiet=True)


def _follow(loop: str, url: str | None, *, quiet: bool) -> dict[str, Any]:
    """Show the test until it and its evaluation are over; returns the last view."""
    screen = None if quiet or not people.is_terminal else Live(console=people, refresh_per_second=4, transient=True)
    told, told_at = "", float("-inf")
    if screen is not None:
        screen.start()
    try:
        while True:
            view: dict[str, Any] = ask("GET", url, f"/tuning/{loop}")
            test = view["last_test"]
            if test is None or test["state"] not in _BUSY:
                return view
            now = time.monotonic()
            if screen is not None:
                screen.update(_live_view(view))
            elif not quiet and (test["doing"] != told or now - told_at > PLAIN_PERIOD_S):
                told, told_at = test["doing"], now
                people.print(_live_line(view), markup=False, soft_wrap=True)
            time.sleep(POLL_S)
    finally:
        if screen is not None:
            screen.stop()


def _live_line(view: dict[str, Any]) -> str:
    test = view["last_test"]
    pv = "-" if view["pv"] is None else f"{view['pv']:.4g}"
    return f"{test['elapsed_s']:6.0f} s  {test['doing']}: PV {pv} {view['unit']}, output {view['op']:.4g}"


def _live_view(view: dict[str, Any]) -> Table:
    test = view["last_test"]
    low, high = (("-" if x is None else f"{x:.4g}") for x in test["pv_limits"])
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row(Text(f"{view['loop']}  {test['kind']} test", style="bold"), Text(f"{test['doing']}"))
    table.add_row("elapsed", f"{test['elapsed_s']:.0f} s of at most {test['longest_s']:.0f} s")
    table.add_row("PV", f"{'-' if view['pv'] is None else format(view['pv'], '.4g')} {view['unit']} ({low} to {high})")
    table.add_row("output", f"{view['op']:.4g}")
    table.add_row("", Text("Ctrl-C ends the test and gives the loop back", style="dim"))
    return table


def _show(view: dict[str, Any], found: dict[str, Any] | None, plot: Path | None) -> None:
    test = view["last_test"]
    if found is None:
        people.print(f"{view['loop']}: the test {_ended(test)}", markup=False, soft_wrap=True)
        people.print(f"The loop is in {view['mode']} with its old gains: {gains_text(view['gains'])}")
        return
    paper.print(outcome_view(found))
    if plot is not None:
        people.print(f"Drawn in {plot}", markup=False, soft_wrap=True)


def _ended(test: dict[str, Any]) -> str:
    if test["state"] == "failed":
        return f"could not be evaluated: {test['failed']}"
    return f"was {test['state']}: {test['why']}"


def _tell(view: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json({"view": view, "result": None})
        return
    paper.print(f"{view['loop']}: {gains_text(view['gains'])}", markup=False, soft_wrap=True)
    people.print(trial_text(view), markup=False, soft_wrap=True)
