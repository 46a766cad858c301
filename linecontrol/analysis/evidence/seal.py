"""What makes a pack fast: a hash over all of it, the head of the chain, and the digest of every record in it. Pure, but
for ``check_pack``, which asks the history."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from linecontrol.core.errors import ConfigError, Problem
from linecontrol.history import HistoryReader
from linecontrol.history.chain import Head
from linecontrol.history.verify import Finding, Verification, digests, verify, were_linked

_EMBEDDED = re.compile(r'<script type="application/json" id="pack">(.*?)</script>', re.DOTALL)


def sealed(pack: Mapping[str, Any]) -> dict[str, Any]:
    """The pack with its hash."""
    bare = {key: value for key, value in pack.items() if key != "pack_hash"}
    return {**bare, "pack_hash": _hash(bare)}


def _hash(bare: Mapping[str, Any]) -> str:
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def pack_in(text: str, name: str = "pack") -> dict[str, Any]:
    """The pack in a JSON file or in an HTML page. Raises ConfigError when there is none."""
    found = _EMBEDDED.search(text)
    try:
        pack = json.loads(found[1].replace("<\\/", "</") if found is not None else text)
    except ValueError:
        pack = None
    if not isinstance(pack, dict) or pack.get("kind") != "evidence pack":
        raise ConfigError([Problem(name, None, "", "holds no evidence pack", "a file made by: linecontrol evidence")])
    return pack


def check_pack(reader: HistoryReader, pack: Mapping[str, Any]) -> Verification:
    """Look through the history as ``verify`` does, and whether this pack and the history still say the same.

    A record that goes on after the pack (a deviation is closed, a bag released) is linked anew each time: what the pack
    says of it must have been linked once, and what is on record now is looked at by ``verify``.
    """
    head = Head(int(pack["chain"]["links"]), str(pack["chain"]["head"]))
    found = verify(reader, [head])
    findings = list(found.findings)
    if sealed(pack)["pack_hash"] != pack.get("pack_hash"):
        findings.append(Finding("changed", "pack", "the pack itself was changed after it was made"))
    kinds = sorted({kind for kind, _, _ in pack["digests"]})
    now = digests(reader, kinds)
    other = {(kind, key, digest) for kind, key, digest in pack["digests"] if now.get((kind, key)) not in (None, digest)}
    never = other - were_linked(reader, other)
    for kind, key, digest in pack["digests"]:
        there = now.get((kind, key))
        if there is None:
            findings.append(Finding("removed", f"{kind} {key}", f"{kind} {key} is in the pack and no longer on record"))
        elif (kind, key, digest) in never:
            findings.append(
                Finding("changed", f"{kind} {key}", f"{kind} {key} is on record otherwise than in the pack")
            )
    return replace(found, findings=findings)
