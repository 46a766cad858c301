"""The command line's commands. Thin: each asks a room for its work and prints what came of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from linecontrol import __version__
from linecontrol.cli import client
from linecontrol.cli.display import DISPLAY_PORT
from linecontrol.cli.histories import Plot, Where
from linecontrol.cli.lazy import Root
from linecontrol.cli.options import Database, Json, LineName, Url
from linecontrol.cli.output import (
    BAD_INPUT,
    DONE,
    FAILED,
    guarded,
    guarded_value,
    paper,
    people,
    print_json,
    record_table,
    stop,
)
from linecontrol.core.garbage import starting

app = typer.Typer(
    cls=Root,
    help="Controller for a closed kudzu starch line: screening, grinding and drying over Modbus and OPC UA.",
    epilog="Exit codes: 0 done, 2 bad input, 3 the plant or the run failed, 4 judged and refused, 130 Ctrl-C.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    rich_markup_mode=None,
)

Who = Annotated[
    str | None, typer.Option("--who", help="Your name, for the record; default: that of your account here.")
]
Data = Annotated[Path | None, typer.Option("--data", help="Folder for the historian; default: the user data folder.")]
Plant = Annotated[
    list[str] | None, typer.Option("--plant", help="Plant parameter, e.g. --plant rasp.size_um=160. Repeatable.")
]
Species = Annotated[str, typer.Option(help="Species of the roots, e.g. thomsonii_cultivated.")]
LineType = Annotated[str, typer.Option(help="Kind of line: mechanised or manual.")]
DisplayPort = Annotated[int, typer.Option(help="Port of the display.")]
Sets = Annotated[list[str] | None, typer.Option("--set", help="Formula value, e.g. --set root_kg=500. Repeatable.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"linecontrol {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    token: Annotated[
        str | None,
        typer.Option(
            envvar="LINECONTROL_TOKEN", help="Token of a session or a script, for a controller that is not yours."
        ),
    ] = None,
    tls_ca: Annotated[
        Path | None,
        typer.Option(envvar="LINECONTROL_TLS_CA", help="Certificate to trust, for one that is self-made elsewhere."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print version.")
    ] = False,
) -> None:
    del version
    client.use(token, tls_ca)


def formula_values(
    sets: list[str] | None, option: str = "--set", example: str = "root_kg=500"
) -> dict[str, float | bool]:
    """``["root_kg=500"]`` as a mapping. Ends the program with exit 2 when a word is not name=number."""
    values: dict[str, float | bool] = {}
    for word in sets or []:
        name, _, text = (part.strip() for part in word.partition("="))
        value = _plain_value(text)
        if not name or value is None:
            stop(f"{option} {word}: not understood (accepted: name=number, e.g. {example})", BAD_INPUT)
        values[name] = value
    return values


def plant_values(plant: list[str] | None) -> dict[str, float]:
    """``["rasp.size_um=160"]`` as a mapping, as ``formula_values``."""
    return {name: float(value) for name, value in formula_values(plant, "--plant", "rasp.size_um=160").items()}


def _plain_value(text: str) -> float | bool | None:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text)
    except ValueError:
        return None


@app.command()
def demo(
    speed: Annotated[
        float, typer.Option(min=0.1, max=200, help="Line seconds in a real second; 1 = real time.")
    ] = 60.0,
    recipe: Annotated[str, typer.Option(help="Recipe to run.")] = "kudzu-lobata-standard",
    sets: Sets = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulated plant: its lot and its instruments' errors.")] = 1,
    plant: Plant = None,
    species: Species = "",
    line_type: LineType = "",
    data: Data = None,
    port: Annotated[int, typer.Option(help="Port of the API on 127.0.0.1; a free one when it is taken.")] = 8470,
    stay: Annotated[bool, typer.Option("--stay", help="Keep the line up after the run, until Ctrl-C.")] = False,
    headless: Annotated[bool, typer.Option("--headless", help="Without the display; --json implies it.")] = False,
    display_port: DisplayPort = DISPLAY_PORT,
    as_json: Json = False,
) -> None:
    """Start the simulated line and run 300 kg of roots to powder; prints the batch record."""
    from linecontrol.cli.demo import run_demo

    parts = plant_values(plant)
    raise typer.Exit(
        run_demo(
            speed,
            recipe,
            formula_values(sets),
            seed,
            data,
            port,
            stay=stay,
            as_json=as_json,
            display=None if headless or as_json else display_port,
            plant=parts,
            species=species,
            line_type=line_type,
        )
    )


@app.command()
def simulate(
    recipe: Annotated[str, typer.Argument(help="Recipe to run.")] = "kudzu-lobata-standard",
    runs: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="Runs, each on a plant of its own seed; 1 if left out.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the first run, 1 if left out; the others follow.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds A..B instead of --seed and --runs.")] = None,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes side by side.")] = 1,
    policy: Annotated[
        list[str] | None,
        typer.Option(help="auto, manual, hold, checks or test: who keeps the moisture. Repeat to compare."),
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option(help="A fault, a schedule file, or random. Repeatable. Checks the invariants.")
    ] = None,
    vary: Annotated[str | None, typer.Option(help="Design file: which parameters are varied.")] = None,
    sets: Sets = None,
    plant: Plant = None,
    species: Species = "",
    line_type: LineType = "",
    line: Annotated[str, typer.Option(help="Line file, or the name of a shipped one.")] = "demo",
    every: Annotated[float, typer.Option(min=1, max=3600, help="Record a scan each so many line seconds.")] = 30.0,
    laboratory: Annotated[
        bool, typer.Option("--laboratory", help="Samples of every run are analysed, with the laboratory's errors.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the runs; a stopped campaign goes on from it.")] = None,
    dask: Annotated[str | None, typer.Option(help="Address of a Dask scheduler to hand the runs to.")] = None,
    validate: Annotated[
        bool, typer.Option("--validate", help="Compare the simulated plant with published figures and physics instead.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a recipe on the simulated plant in virtual time, an hour in seconds, and compare what comes out."""
    from linecontrol.cli.simulate import plan, read_seeds, run_simulate, run_validate

    values, parts = formula_values(sets), plant_values(plant)
    if validate:
        others = (values, policy, fault, vary, seeds, out, dask, laboratory, runs, seed is not None, species, line_type)
        if any(others) or jobs > 1 or line != "demo":
            stop("--validate runs its own plants; it goes with --plant and --json only", BAD_INPUT)
        raise typer.Exit(guarded(lambda: run_validate(parts, as_json=as_json)))
    trials = guarded_value(
        lambda: plan(
            recipe,
            line=line,
            seeds=read_seeds(seeds, seed, runs),
            policies=list(dict.fromkeys(policy or ["auto"])),
            values=values,
            plant=parts,
            species=species,
            line_type=line_type,
            faults=fault or [],
            vary=vary,
            every_s=every,
            laboratory=laboratory,
        )
    )
    raise typer.Exit(guarded(lambda: run_simulate(trials, jobs, dask, out, as_json=as_json)))


@app.command()
def serve(
    line: Annotated[str, typer.Option(help="Line file, or the name of a shipped one.")] = "demo",
    data: Data = None,
    host: Annotated[str, typer.Option(help="Address to listen on; beyond this computer only with TLS.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the API.")] = 8470,
    name: Annotated[
        list[str] | None, typer.Option(help="Host name the API may be asked for by, e.g. mill.local. Repeatable.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="TLS certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM, without a password.")] = None,
    tls_self_made: Annotated[
        bool, typer.Option("--tls-self-made", help="TLS with a certificate of this computer's own.")
    ] = False,
    speed: Annotated[float, typer.Option(min=0.1, max=200, help="For a simulated line: the simulator's speed.")] = 1.0,
    display: Annotated[bool, typer.Option("--display", help="Start the display too, in a process of its own.")] = False,
    display_port: DisplayPort = DISPLAY_PORT,
    display_host: Annotated[
        str, typer.Option(help="Address the display listens on; beyond this computer only with TLS.")
    ] = "127.0.0.1",
) -> None:
    """Drive a line until SIGTERM or Ctrl-C. Recipes are started with `run`, or over the API."""
    with starting():  # no API yet: a plant that waits for control comes first
        import linecontrol.line.assembly  # noqa: F401
        from linecontrol.cli.serve import Reach, run_serve

    reach = Reach(host, port, name or (), tls_cert, tls_key, tls_self_made)
    raise typer.Exit(run_serve(line, data, reach, speed, (display_host, display_port) if display else None))


@app.command("display")
def display_(
    url: Url = None,
    host: Annotated[str, typer.Option(help="Address to listen on; beyond this computer only with TLS.")] = "127.0.0.1",
    port: DisplayPort = DISPLAY_PORT,
    data: Data = None,
    name: Annotated[list[str] | None, typer.Option(help="Host name it may be asked for by. Repeatable.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="TLS certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM, without a password.")] = None,
    tls_self_made: Annotated[
        bool, typer.Option("--tls-self-made", help="TLS with a certificate of this computer's own.")
    ] = False,
) -> None:
    """Show a running line in browsers, in Chinese or English. It may die or be upgraded; control goes on."""
    from linecontrol.cli.serve import Reach, shown_alone

    shown_alone(url, data, Reach(host, port, name or (), tls_cert, tls_key, tls_self_made))


@app.command()
def run(
    recipe: Annotated[str, typer.Argument(help="Recipe name, as `linecontrol recipes` lists them.")],
    sets: Sets = None,
    mode: Annotated[str, typer.Option(help="automatic, semi-automatic or manual")] = "automatic",
    who: Who = None,
    lot: Annotated[str | None, typer.Option(help="Lot of the roots, for the record.")] = None,
    species: Annotated[str | None, typer.Option(help="Species of the roots, for the record.")] = None,
    season: Annotated[str | None, typer.Option(help="Season of the harvest, for the record.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait for the end and print the record.")] = True,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Start a recipe on the running controller, show its progress, print the record."""
    from linecontrol.cli.client import ask
    from linecontrol.cli.progress import follow

    wish = {"recipe": recipe, "values": formula_values(sets), "who": who, "mode": mode}
    view = ask("POST", url, "/runs", wish | {"lot": lot, "species": species, "season": season})
    if not wait:
        if as_json:
            print_json(view)
        else:
            typer.echo(f"{view['run_id']} started")
        return
    record = follow(url, view["run_id"], quiet=as_json)
    if as_json:
        print_json(record, one_line=True)
    else:
        paper.print(record_table(record))
    raise typer.Exit(DONE if record["state"] == "Complete" else FAILED)


def _command(name: str, text: str) -> None:
    def command(
        run_id: Annotated[str | None, typer.Argument(help="Run; default: the one in hand.")] = None,
        reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
        who: Who = None,
        url: Url = None,
        as_json: Json = False,
    ) -> None:
        from linecontrol.cli.client import ask

        wanted = run_id or _current_id(url)
        view = ask("POST", url, f"/runs/{wanted}/commands", {"command": name, "who": who, "reason": reason})
        if as_json:
            print_json(view)
        else:
            typer.echo(f"{view['run_id'] or wanted}: {view['state']}")

    command.__doc__ = text
    app.command(name)(command)


for _name, _text in (
    ("hold", "Drive the run to its safe held state."),
    ("restart", "Go on with a held run."),
    ("stop", "End the run in an orderly way."),
    ("abort", "End the run at once."),
    ("pause", "Stop at the next safe point."),
    ("resume", "Go on after a pause."),
    ("reset", "Make an ended run Idle, so that the next can start."),
    ("proceed", "Semi-automatic: let the next phase begin. Answers a prompt too."),
):
    _command(_name, _text)


def _current_id(url: str | None) -> str:
    from linecontrol.cli.client import ask

    view = ask("GET", url, "/runs/current")
    if view is None:
        stop("there is no run in hand", FAILED)
    return str(view["run_id"])


@app.command()
def status(url: Url = None, as_json: Json = False) -> None:
    """The line at a glance: stations, loops, the run in hand."""
    from linecontrol.cli.client import ask
    from linecontrol.cli.progress import status_view

    found = ask("GET", url, "/status")
    if as_json:
        print_json(found)
    else:
        paper.print(status_view(found))


@app.command()
def runs(
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    where: Where = "",
    plot: Plot = None,
    data: Data = None,
    database: Database = None,
    line: LineName = None,
    as_json: Json = False,
) -> None:
    """Runs on record, newest first; their yields over time with --plot. Needs no running controller."""
    from linecontrol.cli.histories import check_plot
    from linecontrol.cli.records import Place, read_runs, runs_table

    check_plot(plot)
    rows = guarded_value(lambda: read_runs(Place(data, database, line), limit, where))
    if as_json:
        print_json(rows)
    elif where and not rows:
        people.print(f"No run fits --where '{where}'.", markup=False, soft_wrap=True)
    else:
        paper.print(runs_table(rows, paper))
    if plot is not None:
        _plot_yields(rows, plot)


def _plot_yields(rows: list[dict[str, Any]], plot: Path) -> None:
    from linecontrol.cli.histories import drawn
    from linecontrol.cli.run_plots import draw_yields, has_yield

    if any(map(has_yield, rows)):
        drawn(draw_yields, rows, plot)
    else:
        people.print("No chart: none of these runs has a yield.")


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(help="Run id, or 'last'.")],
    version: Annotated[int | None, typer.Option(min=1, help="As it was in this version; default: the newest.")] = None,
    data: Data = None,
    database: Database = None,
    line: LineName = None,
    as_json: Json = False,
) -> None:
    """The batch record of one run, with its balance and versions. Needs no running controller."""
    from linecontrol.cli.balance_view import print_balance
    from linecontrol.cli.records import Place, read_run, read_version, read_versions

    place = Place(data, database, line)
    record = read_run(place, run_id) if version is None else read_version(place, run_id, version)
    if as_json:
        print_json(record, one_line=True)
    else:
        paper.print(record_table(record))
        print_balance(record, read_versions(place, record["run_id"]))


@app.command()
def check(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files or folders; default: all that is shipped.")] = None,
    line: Annotated[
        str | None, typer.Option(help="Line that recipes and schedules must fit; default: those given, or the demo.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check profiles, lines, recipes and schedules; says file, line, key, what is wrong and what is accepted."""
    from linecontrol.line.check import check_paths
    from linecontrol.twin.design import design_problems
    from linecontrol.twin.schedules import schedule_problems

    kinds = {"schedule": schedule_problems, "design": design_problems}
    problems, count = guarded_value(lambda: check_paths(paths or [], line, kinds))
    if as_json:
        fields = ("file", "line", "key", "message", "accepted")
        print_json([{field: getattr(problem, field) for field in fields} for problem in problems])
    else:
        for problem in problems:
            typer.echo(str(problem))
        files, wrong = f"{count} file{'s' * (count != 1)}", f"{len(problems)} problem{'s' * (len(problems) != 1)}"
        verdict = f"{files} checked, {wrong} found" if problems else f"{files} {'is' if count == 1 else 'are'} right"
        people.print(verdict)
    raise typer.Exit(BAD_INPUT if problems else DONE)


@app.command()
def schema(
    kind: Annotated[
        str | None, typer.Argument(help="brand, station, line, recipe, schedule, ...; default: all.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write <kind>.schema.json files to.")] = None,
) -> None:
    """JSON Schema of each file kind, so that an editor completes and checks them."""
    from linecontrol.line.check import KINDS, schema_of

    if kind is not None and kind not in KINDS:
        stop(f"there is no file kind {kind!r} (accepted: {', '.join(KINDS)})", BAD_INPUT)
    found = {name: schema_of(name) for name in ([kind] if kind else KINDS)}
    if out is None:
        print_json(found[kind] if kind else found)
        return
    out.mkdir(parents=True, exist_ok=True)
    for name, value in found.items():
        path = out / f"{name}.schema.json"
        path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        typer.echo(str(path))


@app.command()
def probe(
    line: Annotated[str, typer.Option(help="Line file, or the name of a shipped one.")] = "demo",
    station: Annotated[str | None, typer.Option(help="Only this station.")] = None,
    accept: Annotated[str | None, typer.Option(help="Your name: accept what passed, and so unlock writing.")] = None,
    as_json: Json = False,
) -> None:
    """Read every tag of each cabinet once and say what looks wrong. Writes nothing to any device."""
    from linecontrol.cli.probe import run_probe

    raise typer.Exit(run_probe(line, station, accept, as_json=as_json))


@app.command()
def certificate(
    out: Annotated[Path, typer.Option(help="Folder to write linecontrol.der and linecontrol-key.pem to.")],
    host: Annotated[str | None, typer.Option(help="Name of this computer; default: the one it has.")] = None,
    as_json: Json = False,
) -> None:
    """Make the controller's certificate and key for encrypted OPC UA servers; good for ten years."""
    from linecontrol.cli.certificate import run_certificate

    raise typer.Exit(guarded(lambda: run_certificate(out, host, as_json=as_json)))
