"""A flowsheet from its file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from linecontrol.analysis.reconcile.expression import Expression, ExpressionError, parse, parse_balance
from linecontrol.analysis.reconcile.flowsheet import Balance, Flowsheet, Variable
from linecontrol.config.document import Document, Loc, load_document
from linecontrol.config.fields import near_names
from linecontrol.config.flowsheet import FlowsheetFile, InOut, Measured
from linecontrol.config.reading import in_two, read_model
from linecontrol.core.errors import ConfigError, Problem


def read_flowsheet(path: Path | str) -> Flowsheet:
    """Read and check one file. Raises ConfigError naming file, line, key and what is accepted."""
    doc = load_document(path)
    problems = flowsheet_problems(doc)
    if problems:
        raise ConfigError(problems)
    return _flowsheet(FlowsheetFile.model_validate(doc.data))


def flowsheet_problems(doc: Document) -> list[Problem]:
    """Everything wrong with a flowsheet."""
    checked = read_model(doc, FlowsheetFile)
    if checked.model is None or checked.problems:
        return list(checked.problems)
    found = list(_expression_problems(doc, checked.model))
    if not found:
        found = list(_correlation_problems(doc, checked.model))
    if not found:
        try:
            _flowsheet(checked.model).covariance()
        except ValueError as error:
            found.append(doc.problem(("correlations",), *in_two(str(error), "")))
    return found


def _correlation_problems(doc: Document, file: FlowsheetFile) -> Iterator[Problem]:
    measured = [name for name, row, _ in _quantities(file) if row.value is not None]
    seen: set[frozenset[str]] = set()
    for at, row in enumerate(file.correlations):
        pair = frozenset(row.of)
        wrong = [name for name in row.of if name not in measured]
        if wrong:
            yield doc.problem(
                ("correlations", at, "of"), f"{wrong[0]!r} is not measured", near_names(wrong[0], measured)
            )
        elif len(pair) < 2:
            yield doc.problem(("correlations", at, "of"), f"{row.of[0]} twice", "two different measured values")
        elif pair in seen:
            said = f"{row.of[0]} and {row.of[1]} are correlated twice"
            yield doc.problem(("correlations", at, "of"), said, "each pair once")
        seen.add(pair)


def _expression_problems(doc: Document, file: FlowsheetFile) -> Iterator[Problem]:
    units = {name: unit for name, _, unit in _quantities(file)}
    known = sorted(units)
    rows: list[tuple[Loc, Expression | str]] = []
    for name, balance in file.balances.items():
        text = balance.equation if isinstance(balance, InOut) else balance
        rows.append((("balances", name), _read(text, is_balance=True)))
    rows += [(("wanted", name), _read(text, is_balance=False)) for name, text in file.wanted.items()]
    for loc, read in rows:
        if isinstance(read, str):
            yield doc.problem(loc, read)
            continue
        for name in read.names:
            if name not in known:
                yield doc.problem(loc, f"there is no stream or fraction {name!r}", near_names(name, known))
        if mixed := read.mixed_units(units):
            accepted = "streams in one unit, or an equation that converts, as roots = fibre / 1000 + powder"
            yield doc.problem(loc, f"{mixed[0]} and {mixed[1]} are added to each other", accepted)


def _read(text: str, *, is_balance: bool) -> Expression | str:
    try:
        return parse_balance(text) if is_balance else parse(text)
    except ExpressionError as error:
        return str(error)


def _quantities(file: FlowsheetFile) -> Iterator[tuple[str, Measured, str]]:
    for name, stream in file.streams.items():
        yield name, stream, stream.unit
        for part, fraction in stream.fractions.items():
            yield f"{name}.{part}", fraction, ""


def _flowsheet(file: FlowsheetFile) -> Flowsheet:
    """Raises ValueError for correlations that cannot be."""
    balances = {
        name: balance.equation if isinstance(balance, InOut) else balance for name, balance in file.balances.items()
    }
    return Flowsheet(
        [Variable(name, row.value, row.standard_uncertainty, unit, row.guess) for name, row, unit in _quantities(file)],
        [Balance(name, parse_balance(text)) for name, text in balances.items()],
        {name: parse(text) for name, text in file.wanted.items()},
        {(row.of[0], row.of[1]): row.share for row in file.correlations},
        file.name,
        tuple(_remarks(file)),
    )


def _remarks(file: FlowsheetFile) -> Iterator[str]:
    """A stream may be measured below nothing, as a change of what is held is; most are not, so it is told."""
    below = [name for name, stream in file.streams.items() if stream.value is not None and stream.value < 0.0]
    if below:
        yield f"Measured below nothing: {', '.join(below)}. A change of what is held may be; no stream is."
