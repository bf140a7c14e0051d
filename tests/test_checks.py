"""Arguments that functions refuse: each in one line, before any work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import antiphon
from antiphon.cli import app
from antiphon.errors import AntiphonError, UnknownName
from antiphon.index.match import Match
from antiphon.index.pairing_result import Pairing
from antiphon.io.note_files import read_notes
from antiphon.models.batch import collate
from antiphon.models.descriptors import DESCRIPTORS, describe
from builders import alignment_of
from helpers import scale, write_scale, write_sine

TONE = antiphon.Sound(np.zeros(24_000, np.float32), 24_000)
ARRAY: Any = np.zeros(24_000, np.float32)
WRONG: Any = 3


def _template() -> antiphon.Embedder:
    return antiphon.load_model("template")


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "epochs": (lambda: antiphon.train("demo", arm="D0", out="run", epochs=-1), "epochs is -1; it takes 0 or more"),
    "seed": (lambda: antiphon.train("demo", arm="D0", out="run", seed=-1), "seed is -1; it takes 0 to"),
    "no corpus": (lambda: antiphon.train([], arm="D0", out="run"), "corpus is an empty list"),
    "recordings": (lambda: antiphon.evaluate("template", "demo", recordings=0), "recordings is 0; it takes 1 or more"),
    "evaluate seed": (lambda: antiphon.evaluate("template", "demo", seed=-1), "seed is -1"),
    "compare": (lambda: antiphon.compare(["template"], "demo", out="o", recordings=0), "recordings is 0"),
    "jobs of runs": (lambda: antiphon.run_campaign("screening", out="o", jobs=0), "jobs is 0"),
    "analyze": (lambda: antiphon.analyze("all", "demo", model="default", out="o", seed=-1), "seed is -1"),
    "demo": (lambda: antiphon.demo("o", queries=0), "queries is 0"),
    "min_confidence": (lambda: antiphon.pair("a", "b", min_confidence=5), "min_confidence is 5; it takes 0 to 1"),
    "jobs": (lambda: antiphon.render("demo", out="o", jobs=0), "jobs is 0; it takes 1 or more"),
    "max_seconds": (lambda: antiphon.render("demo", out="o", max_seconds=0.0), "max_seconds is 0.0; it takes a finite"),
    "sample rate": (lambda: antiphon.render("demo", out="o", sample_rate_hz=4), "sample_rate_hz is 4; it takes 8000"),
    "hop": (lambda: _template().embed_audio(TONE, hop_s=0.0), "hop_s is 0.0; it takes a finite number above 0"),
    "not a number": (lambda: _template().embed_audio(TONE, hop_s=float("nan")), "hop_s is nan"),
    "text": (lambda: antiphon.train("demo", arm="D0", out="run", epochs="3"), "epochs is '3'"),  # type: ignore[arg-type]
    "no folders": (lambda: antiphon.Index.build([], "template", out="index"), "no folders were given"),
    "folders": (lambda: antiphon.Index.build(WRONG, "template", out="index"), "folders: expected a path or a list"),
    "model": (lambda: antiphon.load_model(WRONG), "model: expected a name, a folder or an Embedder, got int"),
    "array": (lambda: _template().embed_audio(ARRAY), r"got ndarray; .* antiphon.Sound\(samples, sample_rate_hz\)"),
    "notes as sound": (lambda: _template().embed_audio(scale()), "expected a Sound or the path .*, got Notes"),  # type: ignore[arg-type]
    "sound as notes": (lambda: _template().embed_notes(TONE), "expected Notes or the path .*, got Sound"),  # type: ignore[arg-type]
    "align": (
        lambda: antiphon.align(TONE, scale()),
        "recording: expected the path of a sound file or a note file, got Sound",
    ),  # type: ignore[arg-type]
    "pair": (lambda: antiphon.pair(TONE, "b"), "recordings: expected a folder of recordings .*, got Sound"),  # type: ignore[arg-type]
    "Index": (lambda: antiphon.Index("library"), r"library: an index is opened by antiphon.Index.open\(folder\)"),  # type: ignore[arg-type]
    "similar model": (lambda: antiphon.load_model("defualt"), "unknown model 'defualt'; did you mean 'default'"),
    "describe": (lambda: antiphon.describe("nix"), "nix: neither a model, an index nor a corpus"),
    "arm": (lambda: antiphon.register_arm("q5"), "arm: expected an antiphon.Arm, got str"),  # type: ignore[arg-type]
    "into": (lambda: antiphon.Injected("d4", into="adio"), "Injected: into: .*'audio' or 'notes', got 'adio'"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    call, message = REFUSED[name]
    with pytest.raises(AntiphonError, match=message) as caught:
        call()
    assert len(str(caught.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_search_of_an_array_or_a_folder(tmp_path: Path) -> None:
    with antiphon.Index.build(write_scale(tmp_path / "scale.mid"), "template", out=tmp_path / "index") as index:
        assert repr(index) == f"<Index {tmp_path / 'index'}: 1 recordings>"
        with pytest.raises(AntiphonError, match=r"query: expected .* antiphon.Sound\(samples, sample_rate_hz\)"):
            index.search(ARRAY)
        with pytest.raises(AntiphonError, match="this is a folder"):
            index.search(tmp_path)
        with pytest.raises(AntiphonError, match="too short; a search needs 3 s"):
            index.search(write_sine(tmp_path / "short.wav", 1.0))
    assert repr(index).endswith(": closed>")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"modality": "adio"}, "unknown modality 'adio'; did you mean 'audio'"),
        ({"compute": 5}, "compute is 5; expected a function"),
        ({"dimensions": 3}, "dimensions is 3; expected a list of names"),
        ({"dimensions": "level"}, "dimensions is 'level'"),
    ],
)
def test_parts_of_a_descriptor(part: dict[str, Any], message: str) -> None:
    parts: dict[str, Any] = {"name": "odd", "modality": "audio", "dimensions": ["one"], "compute": lambda view: view}
    with pytest.raises(AntiphonError, match=message):
        antiphon.register_descriptor(**parts | part)
    assert "odd" not in DESCRIPTORS


@pytest.mark.parametrize("shape", [(2, 5, 2), (2, 5), (1, 5, 1), (2, 4, 1)])
def test_a_descriptor_of_another_shape_is_named(shape: tuple[int, ...]) -> None:
    antiphon.register_descriptor(
        name="odd", modality="audio", dimensions=["one"], compute=lambda view: torch.zeros(shape), frames=5
    )
    try:
        with pytest.raises(AntiphonError, match=r"descriptor 'odd': .* expected \[2, 5, 1\]"):
            describe(collate(np.zeros((2, 96_000), np.float32), [scale(), scale()]), ["odd"], 24_000)
    finally:
        DESCRIPTORS.unregister("odd")


def test_a_near_name_is_suggested_only_for_names() -> None:
    with pytest.raises(UnknownName):
        antiphon.load_model("defualt")
    with pytest.raises(AntiphonError, match="no such model"):
        antiphon.load_model("./defualt")


def _pair_files(folder: Path) -> tuple[Path, Path]:
    return write_sine(folder / "take.wav"), write_scale(folder / "take.mid")


@pytest.mark.parametrize(
    "command",
    [
        ["align", "take.wav", "take.mid", "--out", "take.mid"],
        ["pair", ".", ".", "--write", "."],
        ["pair", ".", "take.mid", "--out", "take.mid"],
        ["pair", "take.wav", "take.mid", "--out", "linked.mid"],
        ["evaluate", ".", "--model", "template", "--out", "take.mid"],
    ],
)
def test_outputs_do_not_overwrite_inputs(command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _, score = _pair_files(tmp_path)
    before = score.read_bytes()
    (tmp_path / "linked.mid").symlink_to(score)
    has_model = command[0] != "align" and "--model" not in command
    result = CliRunner().invoke(app, [*command, *(["--model", "template"] if has_model else [])])
    assert isinstance(result.exception, AntiphonError), result.output
    assert "this is an input" in str(result.exception)
    assert score.read_bytes() == before


def test_aligned_notes_do_not_overwrite_a_score(tmp_path: Path) -> None:
    from antiphon.alignment.dtw import Warp
    from antiphon.index.pairing_result import Pair

    take, score = _pair_files(tmp_path)
    match = Match(
        file=str(score), start_s=0.0, end_s=5.0, query_start_s=0.0, query_end_s=5.0, tempo=1.0, semitones=0,
        score=1.0, confidence=1.0, work="", composer="", title="",
    )  # fmt: skip
    times = np.array([0.0, 5.0])
    alignment = alignment_of(read_notes(score), (Warp(times, times),))
    pair = Pair(**match.match_fields(), recording=str(take), alignment=alignment)
    pairing = Pairing((pair,), (), (), (), tmp_path)
    before = score.read_bytes()
    with pytest.raises(AntiphonError, match="this is an input"):
        pairing.write_aligned(tmp_path)
    assert score.read_bytes() == before
    assert pairing.write_aligned(tmp_path / "aligned") == [tmp_path / "aligned" / "take.mid"]
    nowhere = replace(pair, alignment=alignment_of(read_notes(score), (), reached=slice(0)))
    assert replace(pairing, pairs=(nowhere,)).write_aligned(tmp_path / "none") == []
    assert not (tmp_path / "none").exists()


def test_scores_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    take, _ = _pair_files(tmp_path)
    (tmp_path / "text.mid").write_text("no music", encoding="utf-8")
    with pytest.raises(AntiphonError, match=r"text.mid: none of its note files can be used; the first: .*text.mid: "):
        antiphon.pair(take, tmp_path / "text.mid", model="template", index=tmp_path / "index")


def test_results_print_in_one_short_line() -> None:
    alignment = alignment_of(scale(2), ())
    assert repr(alignment) == "<Alignment of take.mid with take.wav: 2 notes, confidence 0.50>"
    assert str(Pairing((), (), ("a.mid",), ())) == (
        "<Pairing: 0 pairs, 0 recordings without notes, 1 note file without recording, 0 skipped>"
    )
    assert repr(_template()) == "<TemplateEmbedder template: 4800 dimensions, windows of 4 s>"
