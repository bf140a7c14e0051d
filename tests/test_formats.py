"""Config files of older versions are migrated, those of newer versions are refused with a one-line error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from antiphon.errors import UnreadableInput
from antiphon.io.formats import Document, Format


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Settings:
    rates: tuple[float, ...]
    seed: int


def name_rates(document: Document) -> Document:
    return {"rates": [document["rate"]]}


FORMAT = Format("test", 3, {1: name_rates, 2: lambda document: document | {"seed": 42}})


def write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_a_written_config_is_read_back(tmp_path: Path):
    FORMAT.write(tmp_path / "a.json", Settings((0.5, 1.0), 7))
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["format"] == 3
    assert FORMAT.read(tmp_path / "a.json", Settings) == Settings((0.5, 1.0), 7)


@pytest.mark.parametrize("old", [{"format": 1, "rate": 0.5}, {"format": 2, "rates": [0.5]}])
def test_older_formats_take_every_step_to_the_current_one(tmp_path: Path, old: Document):
    assert FORMAT.read(write(tmp_path / "a.json", old), Settings) == Settings((0.5,), 42)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"format": 4, "rates": [], "seed": 1, "new": 2}, "its format is 4, .* reads up to 3: upgrade Antiphon"),
        ({"rate": 0.5}, "its format is 0, which this version of Antiphon cannot read"),
        ({"format": "3"}, "not a test's config .its format number is '3'"),
        ({"format": 3, "rates": [0.5], "sed": 1}, "not a test's config .*sed|seed"),
        ([3], "not a JSON object"),
    ],
)
def test_an_invalid_config_gives_a_one_line_error(tmp_path: Path, document: object, says: str):
    with pytest.raises(UnreadableInput, match=says) as caught:
        FORMAT.read(write(tmp_path / "a.json", document), Settings)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("content", [b"{", b"\xff", None])
def test_a_file_that_is_not_json_is_refused(tmp_path: Path, content: bytes | None):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UnreadableInput, match=r"a\.json: not a test's config"):
        FORMAT.read(tmp_path / "a.json", Settings)
