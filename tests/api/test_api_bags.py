"""Lots and bags over HTTP: recall both ways, decisions under a signature, labels and evidence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from access_rig import PASSWORD, Plant, Site, site

from linecontrol.analysis.evidence import pack_in
from linecontrol.history import BagRow, LotRow, LotUseRow, RecipeRow, RunRow
from linecontrol.line.bag_acts import BagActs
from linecontrol.line.lots import LotBook
from linecontrol.line.signing import MEANINGS
from linecontrol.line.suspects import SuspectLog

T0 = 1_750_000_000.0
RUN, BAG = "r1", "r1-B001"


class Bags(Plant):
    """A plant with a run on record, and nothing in hand."""

    def __post_init__(self) -> None:
        super().__post_init__()

        async def record(run_id: str) -> Any:
            return {"run_id": run_id} if run_id == RUN else None

        self.runs.record = record

        async def deviations(_since: float, _until: float) -> list[Any]:
            return []

        self.haccp = SimpleNamespace(has=lambda _name: False, known=list)
        self.bags = SimpleNamespace(
            rows=None,
            run_id="",
            bags={},
            suspects=SuspectLog(),
            deviations=deviations,
            told_of=lambda bag, _found: bag,
            deciding=asyncio.Lock(),
        )
        self.lots, self.bag_acts = LotBook(self), BagActs(self)  # type: ignore[arg-type]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Site]:
    plant = Bags(tmp_path)
    async with site(tmp_path, plant=plant) as found:
        history = plant.historian
        await history.save_recipe(RecipeRow("h", "standard", "1", "name: standard", T0))
        record = {"run_id": RUN, "recipe": "standard", "state": "Complete", "line": "demo", "simulated": True}
        record |= {"root_kg": 300.0, "powder_kg": 25.0, "diverted_kg": 0.5, "suspect_kg": 1.0}
        await history.save_run(RunRow(RUN, "standard", "h", "Complete", T0 + 9, T0, T0 + 9, record))
        lot = LotRow("west", "lobata", 900.0, T0, "operator:li", "云阳", "Li", "2026-01-10")
        bag = BagRow(
            *(BAG, RUN, 1, "held", T0, T0 + 8, T0 + 8, 25.0, 12.9, 14.1, 22.0, 0.61, 0.5, 0.8, 1.0),
            lots=[("west", 1.0, 25.0)],
            suspects=[("r1-S01", 0.04, "MT-306 = 14.07 is above 14")],
        )
        await history.save_trace(lot, LotUseRow("U1", RUN, "west", T0, T0, "operator:li"), bag)
        await plant.lots.load()
        await found.make_users("operator", "supervisor")
        yield found


async def test_a_release_takes_a_corrective_action_a_right_and_the_password_again(served: Site) -> None:
    boss, operator = served.as_("supervisor"), served.as_("operator")
    wish = {"reason": "oven value 12.9", "password": PASSWORD}
    assert (await operator.post(f"/bags/{BAG}/release", json=wish)).status_code == 403
    wrong = await boss.post(f"/bags/{BAG}/release", json={**wish, "password": "another password"})
    assert (wrong.status_code, wrong.json()["type"]) == (403, "urn:linecontrol:problem:not-signed")
    assert (await boss.get("/session")).status_code == 200  # a slip of the finger ends no session
    nobody = await served.console.post(f"/bags/{BAG}/release", json=wish)
    assert (nobody.status_code, "name the user" in nobody.json()["detail"]) == (409, True)
    without_right = await served.console.post(f"/bags/{BAG}/release", json={**wish, "user": "operator"})
    assert without_right.status_code == 403

    refused = await boss.post(f"/bags/{BAG}/release", json=wish)
    assert refused.status_code == 409
    assert "no corrective action with a name is on record for r1-S01 (MT-306" in refused.json()["detail"]
    acted = await operator.post(f"/runs/{RUN}/suspects/r1-S01", json={"action": "sampled: dry; meter cleaned"})
    assert acted.status_code == 201, acted.text

    released = await boss.post(f"/bags/{BAG}/release", json={**wish, "lang": "zh"})
    assert released.status_code == 200, released.text
    assert released.json()["status"] == "released"
    view = (await operator.get(f"/bags/{BAG}")).json()
    assert view["status"] == "released"
    (act,) = view["acts"]
    assert (act["who"], act["role"], act["meaning"]) == ("supervisor", "supervisor", MEANINGS["release"].zh)
    assert view["intervals"][0]["acted_by"] == "operator"
    assert [root["grower"] for root in view["roots"]] == ["Li"]

    again = await boss.post(f"/bags/{BAG}/release", json=wish)
    assert (again.status_code, "it must be held" in again.json()["detail"]) == (409, True)
    rejected = await boss.post(f"/bags/{BAG}/reject", json=wish)
    assert rejected.json()["status"] == "rejected"
    rows = [row for row in await served.audit() if "release" in row["action"]]
    assert {row["outcome"] for row in rows} == {"done", "refused", "denied"}
    assert PASSWORD not in str(rows)
    assert MEANINGS["release"].zh in next(row["new"] for row in rows if row["outcome"] == "done")


async def test_lots_are_registered_once_and_recalled_with_their_bags(served: Site) -> None:
    operator = served.as_("operator")
    wish = {"lot_id": "east", "species": "thomsonii", "received_kg": 700, "harvested": "2026-01-12"}
    assert (await operator.post("/lots", json=wish)).status_code == 201
    assert (await operator.post("/lots", json=wish)).status_code == 409
    wrong = await operator.post("/lots", json={**wish, "lot_id": "north", "harvested": "yesterday"})
    assert (wrong.status_code, "2026-01-10" in wrong.text) == (422, True)
    assert [lot["lot_id"] for lot in (await operator.get("/lots")).json()] == ["west", "east"]
    west = (await operator.get("/lots/west")).json()
    assert (west["bags_kg"], [bag["bag_id"] for bag in west["bags"]], west["unnamed_bags"]) == (25.0, [BAG], 0)
    assert (await operator.get("/lots/nowhere")).status_code == 404


async def test_labels_and_evidence_are_whole_pages_and_the_evidence_is_sound(served: Site) -> None:
    operator = served.as_("operator")
    labels = await operator.get(f"/runs/{RUN}/labels?lang=zh")
    assert labels.headers["content-type"].startswith("text/html")
    assert "style-src 'unsafe-inline'" in labels.headers["content-security-policy"]
    for words in (BAG, "<svg", "扣留：禁止使用", "west 100 %", "仿真设备"):
        assert words in labels.text
    page = await operator.get(f"/runs/{RUN}/evidence?lang=en")
    assert page.status_code == 200, page.text
    assert "STILL WITHOUT A CORRECTIVE ACTION: S01" in page.text
    pack = (await operator.get(f"/runs/{RUN}/evidence?form=json")).json()
    assert pack_in(page.text)["digests"] == pack["digests"]
    assert (await operator.get("/runs/none/evidence")).status_code == 404
    assert (await operator.get("/evidence")).status_code == 403
    found = (await served.as_("supervisor").get("/evidence")).json()
    assert found["is_sound"], found
