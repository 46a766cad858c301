"""A recipe's way from a draft to the next run: who may, what is refused and why, what is kept."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from access_rig import Plant, Site, site
from typer.testing import CliRunner

from linecontrol.cli import client as cli_client
from linecontrol.cli.recipes import app as cli
from linecontrol.config import LineConfig, read_line
from linecontrol.core.errors import ConfigError, StateError
from linecontrol.core.image import ProcessImage
from linecontrol.line.recipe_book import RecipeBook
from simulator.yaml_text import load_yaml

NAME = "kudzu-lobata-standard"
WHY = {"reason": "drier powder for the winter lots"}


def mill(data: Path, config: LineConfig) -> Plant:
    """A plant of stubs with the recipes of a real line."""
    made = Plant(data, image=ProcessImage(config.tags))
    made.config = config  # type: ignore[assignment]
    made.book = RecipeBook(made)  # type: ignore[attr-defined,arg-type]
    made.recipes = made.book.in_force  # type: ignore[method-assign,attr-defined]
    return made


@asynccontextmanager
async def opened(data: Path, *, four_eyes: bool = False) -> AsyncIterator[tuple[Site, RecipeBook]]:
    config = read_line("demo")
    config = replace(config, line=config.line.model_copy(update={"four_eyes": four_eyes}))
    plant = mill(data, config)
    async with site(data, plant=plant) as here:
        book: RecipeBook = plant.book  # type: ignore[attr-defined]
        await book.load()
        yield here, book


async def draft_of(here: Site, who: str, recipe: dict[str, Any]) -> httpx.Response:
    return await here.as_(who).post(f"/recipes/{recipe['name']}/versions", json={"recipe": recipe, **WHY})


async def test_from_a_draft_to_the_next_run_and_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as (here, book):
        await here.make_users("operator", "technician", "supervisor")
        recipe = (await here.as_("operator").get(f"/recipes/{NAME}")).json()
        frozen = book.prepare(NAME, {})
        recipe["formula"]["moisture_sp"]["value"] = 12.4

        assert (await draft_of(here, "operator", recipe)).status_code == 403
        made = await draft_of(here, "technician", recipe)
        assert made.status_code == 201, made.text
        row = made.json()
        assert (row["version"], row["state"], row["author"], row["note"]) == (
            "1.1", "draft", "operator:technician", WHY["reason"],
        )  # fmt: skip
        path = f"/recipes/{NAME}/versions/1.1"
        whole = (await here.as_("operator").get(path)).json()
        assert whole["changes"] == [{"where": "formula.moisture_sp.value", "old": 12.8, "new": 12.4}]
        assert book.prepare(NAME, {}).text == frozen.text  # a draft changes nothing

        # neither a technician approves, nor is a draft put in force
        assert (await here.as_("technician").post(f"{path}/approve", json=WHY)).status_code == 403
        assert (await here.as_("supervisor").post(f"{path}/activate", json=WHY)).status_code == 409
        assert (await here.as_("supervisor").post(f"{path}/approve", json={"reason": " "})).status_code == 422
        assert (await here.as_("supervisor").post(f"{path}/approve", json=WHY)).status_code == 200
        assert book.prepare(NAME, {}).values["moisture_sp"] == 12.8
        assert (await here.as_("supervisor").post(f"{path}/activate", json=WHY)).json()["in_force"] is True
        now = book.prepare(NAME, {})
        assert (now.version, now.values["moisture_sp"]) == ("1.1", 12.4)
        assert frozen.values["moisture_sp"] == 12.8  # what a run was started with stays as it is
        assert (await here.as_("supervisor").put(path, json={"recipe": recipe, **WHY})).status_code == 409

        # kept, and the shipped original is still there to go back to
        again = RecipeBook(here.plant)  # type: ignore[arg-type]
        await again.load()
        assert again.prepare(NAME, {}).hash == now.hash
        back = await here.as_("supervisor").post(f"/recipes/{NAME}/versions/1.0/activate", json=WHY)
        assert back.status_code == 200
        rows = {r["version"]: r for r in (await here.as_("operator").get(f"/recipes/{NAME}/versions")).json()}
        assert (rows["1.1"]["state"], rows["1.0"]["in_force"]) == ("retired", True)
        assert book.prepare(NAME, {}).hash == frozen.hash
        assert (await here.as_("supervisor").post(f"{path}/activate", json=WHY)).status_code == 200  # and forth
        kinds = [event.kind for event in here.plant.events]
        assert kinds == ["recipe.approved", "recipe.activated", "recipe.activated", "recipe.activated"]
        actions = {r["action"] for r in await here.audit(outcome="done") if "recipes" in r["action"]}
        assert len(actions) == 3


async def test_four_eyes(tmp_path: Path) -> None:
    async with opened(tmp_path, four_eyes=True) as (here, _):
        await here.make_users("technician", "supervisor", "admin")
        recipe = (await here.console.get(f"/recipes/{NAME}")).json()
        assert (await draft_of(here, "supervisor", recipe)).status_code == 201
        path = f"/recipes/{NAME}/versions/1.1"
        refused = await here.as_("supervisor").post(f"{path}/approve", json=WHY)
        assert refused.status_code == 409
        assert "somebody else must approve it" in refused.json()["detail"]
        assert (await here.as_("technician").post(f"{path}/reject", json=WHY)).status_code == 403  # not one's own
        assert (await here.as_("admin").post(f"{path}/approve", json=WHY)).status_code == 200


async def test_what_cannot_work_is_named_with_what_is_accepted(tmp_path: Path) -> None:
    async with opened(tmp_path) as (here, book):
        await here.make_users("technician")
        good = (await here.console.get(f"/recipes/{NAME}")).json()

        def changed(*path: Any, value: Any) -> dict[str, Any]:
            recipe: dict[str, Any] = copy.deepcopy(good)
            at: Any = recipe
            for part in path[:-1]:
                at = at[part]
            at[path[-1]] = value
            return recipe

        for recipe, field, accepted in (
            (changed("formula", "root_kg", "value", value=5), "formula.root_kg", "50 to 20000 kg"),
            (changed("formula", "feed_pct", "high", value=180), "SC-101", "0 to 100 %"),
            (changed("formula", "root_kg", "low", value="much"), "formula.root_kg.low", ""),
            (changed("stations", value=["attic"]), "procedure", "attic"),
            (changed("name", value="other"), "name", NAME),
            (changed("surprise", value=1), "surprise", ""),
        ):
            answer = await here.as_("technician").post(f"/recipes/{NAME}/versions", json={"recipe": recipe, **WHY})
            assert answer.status_code == 422, (field, answer.text)
            rows = answer.json()["errors"]
            assert any(field in row["field"] and accepted in row["accepted"] for row in rows), (field, rows)
        assert [one.state for one in book.versions(NAME)] == ["shipped"]  # nothing was kept

        first = (await draft_of(here, "technician", changed("formula", "root_kg", "value", value=400))).json()
        path, other = f"/recipes/{NAME}/versions/1.1", changed("formula", "root_kg", "value", value=500)
        body = {"recipe": other, **WHY, "expected": first["hash"]}
        assert (await here.as_("technician").put(path, json=body)).status_code == 200
        stale = await here.as_("technician").put(path, json=body)
        assert stale.status_code == 409
        assert "changed since" in stale.json()["detail"]
        for wrong in ("/recipes/none/versions", f"/recipes/{NAME}/versions/9.9"):
            assert (await here.console.get(wrong)).status_code == 404
        assert (await here.as_("technician").put(f"/recipes/{NAME}/versions/1.0", json=body)).status_code == 409
        # over the API a run is started by a recipe's name, never by the path of a file
        for name in ("/etc/passwd", "../x.yaml", "recipes/kudzu-lobata-standard.yaml"):
            answer = await here.console.post("/runs", json={"recipe": name})
            assert answer.status_code == 422
            assert here.plant.touched == []


async def test_a_shipped_recipe_is_copied_to_one_of_the_sites_own(tmp_path: Path) -> None:
    async with opened(tmp_path) as (here, book):
        await here.make_users("supervisor")
        recipe = (await here.console.get(f"/recipes/{NAME}")).json() | {"name": "winter", "version": "1.0"}
        assert (await draft_of(here, "supervisor", recipe)).json()["version"] == "1.0"
        with pytest.raises(ConfigError, match="there is no recipe 'winter'"):
            book.prepare("winter", {})
        for verb in ("approve", "activate"):
            assert (await here.as_("supervisor").post(f"/recipes/winter/versions/1.0/{verb}", json=WHY)).is_success
        assert {"winter", NAME} <= {row["name"] for row in (await here.console.get("/recipes")).json()}
        assert book.prepare("winter", {}).name == "winter"


async def test_a_recipe_is_handed_in_compared_and_exported_at_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as (here, _):
        run, said = CliRunner(), []

        def ask(method: str, _url: str | None, path: str, body: Any = None) -> Any:
            with httpx.Client(base_url=here.url, trust_env=False, headers=here.console.headers) as client:
                answer = client.request(method, path, json=body)
            said.append(answer.status_code)
            assert answer.is_success, answer.text
            return answer.json()

        monkeypatch.setattr(cli_client, "ask", ask)

        async def command(*words: str) -> str:
            import asyncio

            found = await asyncio.to_thread(run.invoke, cli, list(words))
            assert found.exit_code == 0, found.output
            return str(found.stdout)

        file = tmp_path / "mine.yaml"
        await command("export", NAME, "--out", str(file))
        recipe = load_yaml(file.read_text(encoding="utf-8"))
        recipe["formula"]["root_kg"]["value"] = 450
        file.write_text(yaml.safe_dump(recipe, allow_unicode=True, sort_keys=False), encoding="utf-8")
        assert "1.1: draft" in await command("propose", str(file), "--reason", "larger lots", "--who", "zhang")
        assert "formula.root_kg.value: 300.0 -> 450.0" in await command("diff", NAME, "1.1")
        assert "approved" in await command("approve", NAME, "1.1", "--reason", "tried", "--who", "wang")
        assert "in force" in await command("activate", NAME, "1.1", "--reason", "tried", "--who", "wang")
        assert "written by operator:zhang" in await command("show", NAME)
        assert "larger lots" in await command("list", NAME)
        assert load_yaml(await command("export", NAME))["formula"]["root_kg"]["value"] == 450.0


async def test_nothing_is_started_while_nobody_knows_what_is_in_force(tmp_path: Path) -> None:
    async with opened(tmp_path) as (here, _):
        book = RecipeBook(here.plant)  # type: ignore[arg-type]
        with pytest.raises(StateError, match="the database is away"):
            book.prepare(NAME, {})
        await book.load()
        assert book.prepare(NAME, {}).name == NAME
