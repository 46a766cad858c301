"""The API of a line for notebooks and scripts: answers as pandas tables and numpy arrays.

    from linecontrol.client import Client

    with Client("http://127.0.0.1:8470", token="...") as line:
        runs = line.runs('recipe == "kudzu-*" and yield > 85')      # a DataFrame, units in runs.attrs
        moisture = line.samples(runs.index[0], "MT-306")             # one row a recorded value

Needs the extra ``research`` for what returns a DataFrame. It only asks; a token with the right ``view`` is enough.
"""

from __future__ import annotations

import io
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import httpx

from linecontrol.analysis.needs import needed
from linecontrol.core.errors import LineError

if TYPE_CHECKING:
    import pandas as pd

Names = str | Sequence[str]
DEADLINE_S = 120.0


class Refused(LineError):
    """The API said no; ``status`` is its HTTP status, the message its reason."""

    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        super().__init__(detail)


class Client:
    """One line's API. Close it, or use it as a context.

    Args:
        url: as `linecontrol serve` prints it. token: from `linecontrol tokens`; see docs/access.md.
        tls_ca: certificate to trust, for a self-made one.
        http: instead of a client of its own, for tests and proxies.

    Every method raises Refused when the API says no, httpx.HTTPError when it does not answer.
    """

    def __init__(
        self, url: str, token: str = "", *, tls_ca: Path | str | None = None, http: httpx.Client | None = None
    ) -> None:
        verify = ssl.create_default_context(cafile=str(tls_ca)) if tls_ca is not None else url.startswith("https:")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = http or httpx.Client(
            base_url=url.rstrip("/"), headers=headers, timeout=DEADLINE_S, trust_env=False, verify=verify
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        """Any route of the API: its JSON as it is."""
        return self._get(path, params).json()

    def _get(self, path: str, params: Mapping[str, Any]) -> httpx.Response:
        asked = {name: value for name, value in params.items() if value is not None and value != ""}
        answer = self._http.get(path, params=asked)
        if answer.is_success:
            return answer
        try:
            detail = str(answer.json()["detail"])
        except (ValueError, KeyError, TypeError):
            detail = f"{answer.status_code} {answer.reason_phrase}"
        raise Refused(answer.status_code, detail)

    # -- runs and what was recorded
    def runs(self, where: str = 'state == "Complete"') -> pd.DataFrame:
        """Runs that fit, one row each, newest first, by run id: every figure, the words of the record, the values.

        ``attrs["units"]`` has the unit of each column that has one.
        """
        return self._table({"where": where, "what": "runs"}).set_index("run_id")

    def record(self, run_id: str) -> dict[str, Any]:
        """The batch record of one run."""
        return dict(self.get(f"/runs/{run_id}"))

    def samples(self, runs: Names, signals: Names, every_s: float | None = None) -> pd.DataFrame:
        """Recorded values of signals (tags or aliases) in runs, tidy; a value holds until the next row of its tag."""
        asked = {"run": _list(runs), "signal": _list(signals), "every": every_s, "what": "samples"}
        return self._table(asked)

    def wide(self, run_id: str, signals: Names, every_s: float = 1.0) -> pd.DataFrame:
        """Signals of one run as columns over the time since it began [s], a row each ``every_s``."""
        tidy = self.samples(run_id, signals, every_s)
        found = tidy.pivot_table(index="t_s", columns="tag", values="value", dropna=False)
        found.attrs["units"] = dict(tidy.groupby("tag")["unit"].first().items())
        return found

    def events(self, runs: Names) -> pd.DataFrame:
        """What happened during runs, one row each."""
        return self._table({"run": _list(runs), "what": "events"})

    # -- questions
    def compare(
        self,
        by: str,
        metrics: Names = "yield",
        *,
        where: str = "",
        runs: Names = (),
        method: str = "t",
        adjust: str = "holm",
        lots: str = "auto",
    ) -> pd.DataFrame:
        """Every pair of groups: difference with interval, effect, p. ``attrs["answer"]`` is the whole answer."""
        pandas = needed("pandas", "a table")
        answer = self.get(
            "/compare", by=by, metric=_list(metrics), where=where, run=_list(runs), method=method, adjust=adjust,
            lots=lots,
        )  # fmt: skip
        rows = [{"metric": one["metric"], **row} for one in answer["compared"] for row in one["differences"]]
        found: pd.DataFrame = pandas.DataFrame(rows)
        found.attrs["answer"] = answer
        return found

    def overlay(
        self, runs: Names, signal: str, align: str = "start", golden: Names = (), golden_where: str = ""
    ) -> pd.DataFrame:
        """A signal of runs as columns over the common time [s]; with golden runs also ``low``, ``centre``, ``high``.

        ``attrs["deviations"]`` has the deviation scores by run and phase, worst first.
        """
        pandas = needed("pandas", "a table")
        answer = self.get(
            "/compare/overlay", run=_list(runs), signal=[signal], align=align, golden=_list(golden),
            golden_where=golden_where, points=1000,
        )  # fmt: skip
        [one] = answer["signals"]
        found: pd.DataFrame = pandas.DataFrame(
            {**one["runs"], **one.get("band", {})}, index=pandas.Index(one["axis_s"], name="t_s"), dtype=float
        )
        found.attrs.update(unit=one["unit"], phases=one["phases"], deviations=answer["deviations"])
        return found

    def control_charts(self, metric: str = "yield", where: str = "", baseline: int | None = None) -> dict[str, Any]:
        """I, MR, EWMA and CUSUM of one figure over the runs, oldest first."""
        [found] = self.get("/compare/control-charts", metric=[metric], where=where, baseline=baseline)
        return dict(found)

    def power(self, see: str = "1%", metric: str = "yield", *, paired: bool = False, where: str = "") -> dict[str, Any]:
        """How many runs it takes to see a difference."""
        return dict(self.get("/compare/power", see=see, metric=metric, paired=paired, where=where))

    def surface(self, metric: str = "yield", where: str = "", factors: Names = ()) -> dict[str, Any]:
        """The experiment among the runs as a response surface, with a proposal what to try next."""
        return dict(self.get("/compare/surface", metric=metric, where=where, factor=_list(factors)))

    def report(self, run_id: str, path: Path | str, language: str = "en") -> Path:
        """Write the report of a run to a file that ends in .html or .pdf."""
        path = Path(path)
        form = path.suffix.lower().removeprefix(".")
        path.write_bytes(self._get(f"/runs/{run_id}/report", {"lang": language, "format": form}).content)
        return path

    def _table(self, params: Mapping[str, Any]) -> pd.DataFrame:
        import json

        parquet = needed("pyarrow.parquet", "a table")
        table = parquet.read_table(io.BytesIO(self._get("/export", {**params, "format": "parquet"}).content))
        found: pd.DataFrame = table.to_pandas()
        columns = json.loads(table.schema.metadata[b"csvw"])["tableSchema"]["columns"]
        found.attrs["units"] = {c["name"]: c["linecontrol:unit"] for c in columns if "linecontrol:unit" in c}
        return found


def _list(names: Names) -> list[str]:
    return [names] if isinstance(names, str) else list(names)
