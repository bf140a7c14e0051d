"""The resumable store of results: found again only whole and with the same identity."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from antiphon.experiments.results import ResultStore

IDENTITY = {"model_hash": "12", "seed": 42, "settings": {"amounts": (0.5, 1), "grid": None}}


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "new" / "results")


def test_a_result_is_found_again_and_nothing_else_is_left(store: ResultStore):
    result = IDENTITY | {"S": 50.0, "none": math.nan}
    store.put("a=4.real-10s", IDENTITY, result)
    found = store.find("a=4.real-10s", IDENTITY)
    assert found is not None
    assert (found["S"], found["settings"]["amounts"]) == (50.0, [0.5, 1])
    assert math.isnan(found["none"])
    assert [path.name for path in store.folder.iterdir()] == ["a=4.real-10s.json"]
    assert store.path("a=4.real-10s", "csv").name == "a=4.real-10s.csv"


@pytest.mark.parametrize(
    "changed", [{"seed": 43}, {"model_hash": "13"}, {"settings": {"amounts": [0.5], "grid": None}}, {"new": None}]
)
def test_a_result_of_another_identity_is_not_found_but_read(store: ResultStore, changed: dict[str, Any]):
    store.put("one", IDENTITY, IDENTITY | {"S": 50.0})
    assert store.find("one", IDENTITY | changed) is None
    assert store.find("one", {"seed": 42}) == store.read("one") is not None


@pytest.mark.parametrize("content", [b"", b'{"seed": 4', b"[1]", b"\xff\xfe"])
def test_a_damaged_result_is_absent(store: ResultStore, content: bytes):
    assert store.read("one") is None
    store.put("one", {}, {"S": 50.0})
    store.path("one").write_bytes(content)
    assert store.read("one") is store.find("one", {}) is None


def test_a_failed_write_leaves_the_earlier_result(store: ResultStore):
    store.put("one", {}, {"S": 50.0})
    with pytest.raises(TypeError):
        store.put("one", {}, {"S": object()})
    assert json.loads(store.path("one").read_text(encoding="utf-8")) == {"S": 50.0}
    assert len(list(store.folder.iterdir())) == 1


def test_a_result_without_its_identity_is_refused(store: ResultStore):
    with pytest.raises(ValueError, match="does not contain its identity"):
        store.put("one", {"seed": 42}, {"seed": 43, "S": 50.0})
    assert store.read("one") is None
