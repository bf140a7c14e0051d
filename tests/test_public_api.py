"""The public API: lazy names, each documented with an example that runs, and the example of the documentation."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import antiphon
from antiphon.corpora import Corpus
from antiphon.models.descriptors import View
from antiphon.models.loading import trained_folder
from antiphon.training import recipes
from antiphon.training.recipes import Recipe

HEAVY = ("torch", "numpy", "faiss", "rich", "soundfile", "pydantic", "typer")


def _typed_imports() -> dict[str, str]:
    """Public name → module, from the imports that type checkers see."""
    tree = ast.parse(Path(antiphon.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.asname or "": node.module.removeprefix("antiphon.")
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def test_type_checkers_see_the_same_names() -> None:
    assert _typed_imports() == antiphon._HOME


def test_dir_lists_the_public_names() -> None:
    assert dir(antiphon) == sorted(antiphon.__all__)
    assert len(antiphon.__all__) >= 17


@pytest.mark.parametrize("name", antiphon.__all__)
def test_every_name_is_importable(name: str) -> None:
    assert getattr(antiphon, name).__name__ == name


def test_an_unknown_name_suggests_the_nearest() -> None:
    script = "import antiphon; antiphon.load_modle"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        "AttributeError: module 'antiphon' has no attribute 'load_modle'. Did you mean: 'load_model'?"
    )


def test_import_loads_nothing_heavy() -> None:
    script = "import sys, antiphon; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(done.stdout.split())


def _examples(name: str) -> list[doctest.DocTest]:
    """The sections "Examples" of a name and of its methods."""
    value = getattr(antiphon, name)
    # Without the globals of its module: examples import the names that they use, as a reader has to.
    found = doctest.DocTestFinder().find(value, name, module=sys.modules[value.__module__], globs={})
    return [one for one in found if one.examples and re.search(r"^ *Examples\n", one.docstring, re.MULTILINE)]


@pytest.mark.usefixtures("registrations")
@pytest.mark.parametrize("name", antiphon.__all__)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = _examples(name)
    assert name in [one.name for one in examples], "no section Examples"
    runner = doctest.DocTestRunner()
    for example in examples:
        folder = tmp_path / example.name
        folder.mkdir()
        monkeypatch.chdir(folder)
        runner.run(example)
    assert runner.summarize(verbose=False).failed == 0


def _functions(name: str) -> list[tuple[str, Any]]:
    """The function, or the public methods of the class with its constructor."""
    value = getattr(antiphon, name)
    if not inspect.isclass(value):
        return [(name, value)]
    own = {key: getattr(value, key) for key in vars(value) if not key.startswith("_") or key == "__init__"}
    return [(f"{name}.{key}", one) for key, one in own.items() if callable(one)]


@pytest.mark.parametrize("name", antiphon.__all__)
def test_every_parameter_has_a_type_and_a_description(name: str) -> None:
    functions = _functions(name)
    for label, function in functions:
        signature = inspect.signature(function)
        for parameter in signature.parameters.values():
            assert parameter.name in ("self", "cls") or parameter.annotation is not parameter.empty, label
        assert label.endswith("__init__") or signature.return_annotation is not signature.empty, label
        assert label.endswith("__init__") or inspect.getdoc(function), f"{label} has no docstring"


@pytest.mark.parametrize(
    "function",
    [getattr(antiphon, name) for name in antiphon.__all__ if inspect.isfunction(getattr(antiphon, name))]
    + [antiphon.Index.build, antiphon.Index.open, antiphon.Index.search, antiphon.Embedder.embed_audio],
    ids=lambda function: function.__qualname__,
)
def test_parameters_are_described(function: Callable[..., Any]) -> None:
    docstring = inspect.getdoc(function) or ""
    described = docstring.partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    named = {word.strip() for line in described.splitlines() if line[:1].strip() for word in line.split(",")}
    wanted = set(inspect.signature(function).parameters) - {"self", "cls"}
    assert named == wanted


def _level(view: View) -> Tensor:
    """The mean magnitude of each frame: float32 [B, T, 1]."""
    return torch.log1p(view.magnitude).mean(dim=1).unsqueeze(-1)


@pytest.mark.usefixtures("registrations")
def test_the_example_of_the_documentation(
    demo: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    # The preset of the shipped model trains for hours.
    monkeypatch.setattr(recipes, "RECIPES", {"default": Recipe(arm="D0", preset="tiny")})
    recording = demo.recordings[0]
    Path("scores").mkdir()
    Path("recordings").mkdir()
    shutil.copy(recording.notes_path, "scores/bwv858.mid")
    shutil.copy(recording.audio_path, "recordings/first.flac")
    shutil.copy(recording.audio_path, "tape.flac")

    model = antiphon.load_model("default")
    sound, notes = antiphon.read_audio("tape.flac"), antiphon.read_notes("scores/bwv858.mid")
    a, n = model.embed_audio(sound), model.embed_notes(notes)
    index = antiphon.Index.build(["scores/"], model, out="library")
    matches = index.search("tape.flac", start_s=5, length_s=20, top=3, by_work=True)
    for match in matches:
        print(match.file, match.start_s, match.tempo, match.confidence)
    pairs = antiphon.pair("recordings/", "scores/")
    alignment = antiphon.align("tape.flac", "scores/bwv858.mid")
    alignment.to_midi().save("aligned.mid")
    corpus = antiphon.open_corpus("demo", split="test")
    capsys.readouterr()
    print(antiphon.evaluate(model, corpus, protocol="strict"))
    printed = capsys.readouterr().out
    run = antiphon.train(corpus, recipe="default", out="runs/mine")
    antiphon.register_descriptor(name="level", modality="audio", dimensions=["level"], compute=_level)

    assert a.vectors.dtype == n.vectors.dtype == np.float32
    assert a.start_s.dtype == n.start_s.dtype == np.float64
    assert a.vectors.shape == (len(a.start_s), model.dimensions)
    assert matches[0].file == str(tmp_path / "scores" / "bwv858.mid")
    assert matches[0].start_s == pytest.approx(5, abs=0.5)
    assert [(pair.recording, pair.file) for pair in pairs] == [("recordings/first.flac", matches[0].file)]
    assert alignment.confidence > 0.9
    assert np.nanmedian(np.abs(alignment.recording_s - alignment.onset_s)) < 0.05
    found = antiphon.read_notes("aligned.mid").onset_s
    assert found == pytest.approx(np.sort(alignment.recording_s[np.isfinite(alignment.recording_s)]), abs=0.01)
    assert len(corpus) == 8
    assert printed.startswith("default on demo, split test, protocol strict: S ")
    assert 50 < float(re.search(r"S (\d+\.\d) %", printed)[1]) <= 100
    assert (run.result["arm"], run.result["preset"], run.result["recordings"]) == ("D0", "tiny", 8)
    assert run.load_model().embed_audio("tape.flac").vectors.shape == (len(a.start_s), 32)
    assert {"name": "level", "side": "audio", "dimensions": 1} in antiphon.catalogue("descriptors")
    index.close()


class TestIndex:
    def test_a_sound_and_notes_are_queries_like_their_files(self, served_index: Path, demo: Corpus) -> None:
        recording = demo.recordings[0]
        sound, notes = antiphon.read_audio(recording.audio_path), antiphon.read_notes(recording.notes_path)
        with antiphon.Index.open(served_index) as index:
            for query, path in ((sound, recording.audio_path), (notes, recording.notes_path)):
                found = index.search(query, start_s=10, length_s=12, top=2)
                assert found == index.search(path, start_s=10, length_s=12, top=2)
                assert found[0].start_s == pytest.approx(10, abs=0.1)

    def test_a_sound_of_another_rate_is_resampled(self, served_index: Path, demo: Corpus) -> None:
        sound = antiphon.read_audio(demo.recordings[0].audio_path, sample_rate_hz=44_100, length_s=20)
        with antiphon.Index.open(served_index) as index:
            assert index.search(sound, start_s=5)[0].start_s == pytest.approx(5, abs=0.1)

    @pytest.mark.parametrize(
        ("query", "options", "message"),
        [
            (antiphon.Sound(np.zeros(48_000 * 5, np.float32), 48_000), {}, "query: it is silent"),
            (antiphon.Sound(np.ones(48_000, np.float32), 48_000), {}, "query: 1.00 s of sound is too short"),
            (antiphon.Sound(np.ones(48_000, np.float32), 48_000), {"start_s": 2}, "query: it ends before second 2"),
            (antiphon.Notes.of([0.0], [1.0], [60], [80]), {"start_s": 9}, "query: nothing sounds"),
            (__file__, {}, "neither a sound file nor a note file by its suffix '.py'"),
            ("take.txt", {}, "no such file"),
            ("take.mid", {"against": "sound"}, "unknown modality 'sound'"),
        ],
        ids=["silent", "short", "after the end", "no notes", "suffix", "missing", "modality"],
    )
    def test_a_query_that_cannot_be_used(
        self, served_index: Path, query: Any, options: dict[str, Any], message: str
    ) -> None:
        with antiphon.Index.open(served_index) as index, pytest.raises(antiphon.AntiphonError, match=message) as raised:
            index.search(query, **options)
        assert "\n" not in str(raised.value)

    def test_roots_move_for_one_opening_only(self, served_index: Path, tmp_path: Path, demo: Corpus) -> None:
        library = tmp_path / "library"
        shutil.copytree(served_index.parent, library)
        with antiphon.Index.open(library / "index") as index:
            known = {Path(one.path).parent for one in index.recordings()}
        assert known == {served_index.parent / "music"}
        roots = {served_index.parent: library}
        with antiphon.Index.open(library / "index", roots=roots) as index:
            assert {Path(one.path).parent for one in index.recordings()} == {library / "music"}
            found = index.search(demo.recordings[0].audio_path, start_s=10, length_s=10)
            assert Path(found[0].file).parent == library / "music"
        with pytest.raises(antiphon.AntiphonError, match="no root of the index lies there"):
            antiphon.Index.open(library / "index", roots={tmp_path / "elsewhere": library})
        with antiphon.Index.open(library / "index") as index:
            assert {Path(one.path).parent for one in index.recordings()} == known

    def test_another_model_is_refused(self, served_index: Path) -> None:
        with pytest.raises(antiphon.AntiphonError, match="built with model_hash"):
            antiphon.Index.open(served_index, model="default")

    def test_the_folder_of_a_loaded_model_is_recorded(self, tmp_path: Path, demo: Corpus) -> None:
        folder = tmp_path / "model"
        shutil.copytree(trained_folder("default", "a test"), folder)
        notes = demo.recordings[0].notes_path
        antiphon.Index.build(notes, antiphon.load_model(folder), out=tmp_path / "index").close()
        with antiphon.Index.open(tmp_path / "index") as index:
            assert index.facts()["model"] == str(folder)
            assert index.add(notes).unchanged == 1


class TestEmbedder:
    def test_windows_of_files_are_those_of_the_corpus(self, demo: Corpus) -> None:
        model, recording = antiphon.load_model("template"), demo.recordings[0]
        found = model.embed_audio(recording.audio_path)
        sound = antiphon.read_audio(recording.audio_path)
        np.testing.assert_array_equal(found.vectors, model.embed_audio_windows(sound.samples, found.start_s))
        np.testing.assert_array_equal(found.vectors, model.embed_audio(sound).vectors)
        notes = antiphon.read_notes(recording.notes_path)
        found = model.embed_notes(recording.notes_path, hop_s=0.5)
        np.testing.assert_array_equal(found.vectors, model.embed_notes_windows(notes, found.start_s))
        assert np.diff(found.start_s) == pytest.approx(0.5)

    def test_a_short_recording_is_one_window(self) -> None:
        model = antiphon.load_model("template")
        assert model.embed_audio(antiphon.Sound(np.zeros(100, np.float32), 8000)).vectors.shape == (1, 4800)
        assert model.embed_notes(antiphon.Notes.of([], [], [], [])).start_s.tolist() == [0.0]

    @pytest.mark.parametrize("hop_s", [0, -1, float("nan"), float("inf")])
    def test_a_hop_that_is_none(self, hop_s: float) -> None:
        with pytest.raises(antiphon.AntiphonError, match="hop_s is"):
            antiphon.load_model("template").embed_notes(antiphon.Notes.of([], [], [], []), hop_s=hop_s)

    def test_stereo_is_refused(self) -> None:
        with pytest.raises(ValueError, match="mix the channels first"):
            antiphon.Sound(np.zeros((100, 2), np.float32), 8000)

    def test_a_loaded_model_is_returned_as_it_is(self) -> None:
        model = antiphon.load_model("template")
        assert antiphon.load_model(model) is model


def test_saving_notes_names_the_path_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone.*a\.mid"):
        antiphon.Notes.of([0.0], [1.0], [60], [80]).save(tmp_path / "gone" / "a.mid")
