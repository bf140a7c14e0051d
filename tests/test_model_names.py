"""MODEL: every command that takes a model accepts a name, a model folder and a run folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from antiphon.cli import app, main
from antiphon.corpora import open_corpus
from antiphon.errors import AntiphonError
from antiphon.models.loading import lasting_name, load_model, trained_folder
from antiphon.models.saving import RUN_CONFIG, RUN_MODEL, weights_hash
from antiphon.training.config import prepare_run
from antiphon.training.loop import start_run
from helpers import write_scale, write_sine

FORMS = ("default", "template", "model folder", "run folder")
Resolve = Callable[[str], str]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of two recordings, 13 s each."""
    folder = tmp_path_factory.mktemp("pairs")
    for number in range(2):
        write_sine(folder / f"{number}.flac", 13.0)
        write_scale(folder / f"{number}.mid", 26, 40 + 9 * number)
    return folder


@pytest.fixture(scope="module")
def run_folder(pairs: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "D0"
    start_run(folder, *prepare_run([str(pairs)], "D0", "tiny", epochs=1, seed=1))
    return folder


@pytest.fixture(scope="module")
def resolve(run_folder: Path) -> Resolve:
    """The MODEL of a form."""
    folders = {"model folder": str(run_folder / RUN_MODEL), "run folder": str(run_folder)}
    return lambda form: folders.get(form, form)


def run_json(*words: str):
    result = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def error_of(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command fails with."""
    monkeypatch.setattr(sys, "argv", ["antiphon", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    *progress, line = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("antiphon: ")
    assert not [one for one in progress if "Traceback" in one]
    return line


@pytest.mark.parametrize("form", FORMS)
class TestEveryForm:
    def test_of_info(self, form: str, resolve: Resolve):
        facts, embedder = run_json("info", resolve(form)), load_model(resolve(form))
        assert facts["kind"] == "model"
        assert facts["dimensions"] == embedder.dimensions
        assert (facts["name"], facts["window_s"]) == (embedder.name, embedder.window_s)
        assert ("arm" in facts) == (form != "template")

    def test_of_evaluate(self, form: str, resolve: Resolve, pairs: Path):
        scores = run_json("evaluate", str(pairs), "--model", resolve(form))
        assert scores["model_hash"] == load_model(resolve(form)).fingerprint

    def test_of_a_suite(self, form: str, resolve: Resolve, pairs: Path, tmp_path: Path, monkeypatch):
        monkeypatch.setattr("antiphon.experiments.comparison.tasks.SUITES", {"default": ()})
        monkeypatch.setattr("antiphon.experiments.comparison.run.SUITES", {"default": ()})
        found = run_json(*f"evaluate {pairs} --suite default --out {tmp_path} --model".split(), f"mine={resolve(form)}")
        assert [(one["name"], one["parameters"]) for one in found["models"]] == [
            ("mine", load_model(resolve(form)).parameters)
        ]

    def test_of_index_build_which_records_it(
        self, form: str, resolve: Resolve, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.chdir(Path(resolve(form)).parent if "folder" in form else tmp_path)
        given = Path(resolve(form)).name if "folder" in form else form
        out = str(tmp_path / "index")
        assert run_json("index", "build", str(pairs), "--model", given, "--out", out)["failed"] == []
        monkeypatch.chdir(tmp_path)  # a folder is recorded as its absolute path
        assert run_json("info", out)["model"] == resolve(form)
        assert run_json("search", str(pairs / "0.mid"), "--against", "notes", "--index", out)

    def test_of_pair(self, form: str, resolve: Resolve, pairs: Path):
        found = run_json("pair", str(pairs), str(pairs), "--model", resolve(form))
        assert found["skipped"] == []

    def test_of_demo(self, form: str, resolve: Resolve, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("antiphon.experiments.demo.open_corpus", lambda _: open_corpus(str(pairs)))
        assert run_json("demo", "--out", str(tmp_path), "--model", resolve(form), "--queries", "1")["queries"] == 1


ANALYZE = ["analyze", "similarity", "--out", "analysis", "--recordings", "2"]
INIT_FROM = ["train", "--arm", "D0", "--preset", "tiny", "--epochs", "1", "--out", "later"]


@pytest.mark.parametrize("form", [form for form in FORMS if form != "template"])
def test_a_trained_model_of_every_form_is_analyzed(
    form: str, resolve: Resolve, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    facts = run_json(*ANALYZE, str(pairs), "--model", resolve(form))
    assert facts["fingerprint"] == load_model(resolve(form)).fingerprint
    assert facts["analyses"]["similarity"]["reason"] is None


@pytest.mark.parametrize("form", ["model folder", "run folder"])
def test_init_from_is_a_model_folder_or_a_run_folder(
    form: str, resolve: Resolve, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    result = run_json(*INIT_FROM, str(pairs), "--init-from", resolve(form))
    assert result["init_from_hash"] == weights_hash(trained_folder(resolve(form), "init_from"))
    assert json.loads((tmp_path / "later" / RUN_CONFIG).read_text(encoding="utf-8"))["init_from"] == resolve(form)


def test_init_from_is_found_by_its_name(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """`default` has other sizes than the preset tiny: the error says that its tensors do not match."""
    monkeypatch.chdir(tmp_path)
    line = error_of([*INIT_FROM, str(pairs), "--init-from", "default"], monkeypatch, capsys)
    assert "cannot initialise D0 at this size" in line


@pytest.mark.parametrize(
    ("words", "purpose"), [([*ANALYZE, "--model"], "analyze"), ([*INIT_FROM, "--init-from"], "init_from")]
)
def test_a_baseline_is_an_error_where_a_network_is_needed(
    words: list[str], purpose: str, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.chdir(tmp_path)
    line = error_of([*words, "template", str(pairs)], monkeypatch, capsys)
    assert f"template: a baseline without a network, but {purpose} needs a trained model" in line


@pytest.mark.parametrize(
    ("command", "option"), [("info", None), ("evaluate", "--model"), ("analyze", "--model"), ("train", "--init-from")]
)
def test_a_run_without_a_model_yet_is_named(
    command: str, option: str | None, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stopped").mkdir()
    (tmp_path / "stopped" / RUN_CONFIG).write_text("{}", encoding="utf-8")
    words = {
        "info": ["info"],
        "evaluate": ["evaluate", str(pairs)],
        "analyze": [*ANALYZE, str(pairs)],
        "train": [*INIT_FROM, str(pairs)],
    }
    line = error_of([*words[command], *([option] if option else []), "stopped"], monkeypatch, capsys)
    assert "stopped: this run has no model yet; finish it with antiphon train --resume stopped" in line


def test_a_folder_is_recorded_as_its_absolute_path_and_a_name_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert [lasting_name(name) for name in ("default", "template", "mine", Path("mine"))] == [
        "default",
        "template",
        *[str(tmp_path / "mine")] * 2,
    ]
    with pytest.raises(
        AntiphonError, match="mine: no such model: neither a model folder, a run folder nor one of default"
    ):
        load_model("mine")
