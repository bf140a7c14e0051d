"""A suite: every result is computed once, one table of all; a stopped suite resumes."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from antiphon.cli import app, main
from antiphon.corpora import Corpus
from antiphon.evaluation.runner import evaluate
from antiphon.experiments.comparison import run as suite_run
from antiphon.experiments.comparison import tasks as suite_tasks
from antiphon.experiments.comparison.report import summarise, summary_as_markdown
from antiphon.experiments.comparison.run import compare, load_competitors
from antiphon.experiments.comparison.tasks import SUITES, Localisation, Task
from antiphon.experiments.published import NOISE
from antiphon.models.loading import load_model
from antiphon.models.saving import save_model
from models_under_test import tiny_model

TASKS = [task.name for task in SUITES["default"]]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "a=4"
    save_model(tiny_model("A4"), folder, "A tiny model with random weights.")
    return folder


@pytest.fixture(autouse=True)
def few_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two queries per recording instead of eight where a task localises."""

    def with_few(task: Task) -> Task:
        if not isinstance(task.measure, Localisation):
            return task
        return replace(task, measure=Localisation(replace(task.measure.queries, times=2)))

    monkeypatch.setattr(suite_run, "SUITES", {name: tuple(map(with_few, tasks)) for name, tasks in SUITES.items()})


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Numbers of computations: embeddings of whole corpora, localisations."""
    counted: Counter[str] = Counter()

    def counting(name: str, function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            counted[name] += 1
            return function(*arguments)

        return call

    for name in ("embed_corpus", "localise"):
        monkeypatch.setattr(suite_tasks, name, counting(name, getattr(suite_tasks, name)))
    return counted


def run_template(out: Path, corpus: Corpus, *models: str, **how: Any) -> dict[str, Any]:
    return compare(models or ["template"], corpus, out=out, recordings=2, **how).as_dict()


def results(out: Path) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (out / "results").iterdir()}


def test_every_task_for_every_model_from_one_command(short_demo: Corpus, model: Path, folder: Path, tmp_path: Path):
    out = tmp_path / "suite"
    words = ["evaluate", short_demo.spec, "--suite", "default", "--model", "template", "--model", f"tiny={model}"]
    words += ["--real", str(folder), "--recordings", "2", "--robustness-recordings", "1", "--out", str(out), "--json"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary == json.loads((out / "suite.json").read_text(encoding="utf-8"))

    found = results(out)
    expected = {f"{name}.{task}" for name in ("template", "tiny") for task in TASKS} - {"template.robustness"}
    assert set(found) == expected
    for name, result in found.items():
        competitor, task = name.split(".")
        assert result["corpus"] == ("music" if task.startswith("real") else "short")
        assert result["split"] == (None if task.startswith("real") else "test")
        assert result["recordings"] == (1 if task == "robustness" else 2)
        assert result["seed"] == 42
        assert result["code"]["version"]
        assert result["model_hash"] == load_model("template" if competitor == "template" else model).fingerprint
        assert result["settings"]
        assert "window_s" not in result["settings"].get("grid", {})
    alone = evaluate("template", short_demo, protocol="strict", recordings=2)
    assert alone.items() <= found["template.strict"].items()
    assert found["tiny.real"]["whole_pool"]["n"] > 2 * 20
    assert found["tiny.real-10s"]["length_s"] == 10.0

    template, tiny = summary["models"]
    assert (template["name"], template["parameters"], template["robustness"]) == ("template", 0, None)
    assert (tiny["name"], tiny["parameters"]) == ("tiny", sum(one.numel() for one in tiny_model("A4").parameters()))
    assert {point["change"] for point in tiny["robustness"]} >= {"noise", "velocity", "transposition", "shift"}
    assert template["figures"]["paper S"]["value"] == found["template.paper"]["S"]
    assert list(summary["tasks"]) == TASKS
    text = (out / "suite.md").read_text(encoding="utf-8")
    for start in ("| template ", "| tiny ", "| random order ", "| noise, SNR, dB ", "| d4a4, published "):
        assert f"\n{start}" in text


def test_a_result_is_not_computed_again_unless_an_input_changed(
    short_demo: Corpus, model: Path, tmp_path: Path, calls: Counter[str]
):
    def computed(*models: str, **how: Any) -> list[int]:
        calls.clear()
        run_template(tmp_path, short_demo, *models, **how)
        return [calls["embed_corpus"], calls["localise"]]

    assert computed() == [1, 1]  # paper and strict share the embedding
    first = run_template(tmp_path, short_demo)
    assert computed() == [0, 0]
    assert run_template(tmp_path, short_demo) == first
    (tmp_path / "results" / "template.strict.json").unlink()
    assert computed() == [1, 0]
    (tmp_path / "results" / "template.anywhere.json").write_text("{ cut off", encoding="utf-8")
    assert computed() == [0, 1]
    assert computed(seed=1) == [1, 1]
    assert computed(seed=1, split="validation") == [1, 1]
    assert computed(seed=1, split="validation") == [0, 0]
    path = tmp_path / "results" / "template.anywhere.json"
    changed = json.loads(path.read_text(encoding="utf-8"))
    changed["settings"]["tolerance_s"] = 0.25
    path.write_text(json.dumps(changed), encoding="utf-8")
    assert computed(seed=1, split="validation") == [0, 1]
    # Another model of that name.
    path.write_text(
        json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"model_hash": "another"}), encoding="utf-8"
    )
    assert computed(seed=1, split="validation") == [0, 1]


def test_a_model_that_is_gone_keeps_its_row(short_demo: Corpus, model: Path, tmp_path: Path, calls: Counter[str]):
    def rows(*models: str, **how: Any) -> list[str]:
        calls.clear()
        return [
            one["name"] for one in run_template(tmp_path, short_demo, *models, robustness_recordings=1, **how)["models"]
        ]

    gone = tmp_path / "gone"
    shutil.copytree(model, gone)
    assert rows("template", f"ours={gone}") == ["template", "ours"]
    summary = json.loads((tmp_path / "suite.json").read_text(encoding="utf-8"))
    shutil.rmtree(gone)
    assert rows(f"another={model}") == ["template", "ours", "another"]
    assert calls["localise"] == 1
    together = json.loads((tmp_path / "suite.json").read_text(encoding="utf-8"))
    assert together["models"][:2] == summary["models"]
    assert "\n| ours " in (tmp_path / "suite.md").read_text(encoding="utf-8")
    # Rows stay in their order, and only with the same inputs.
    assert rows("template") == ["template", "ours", "another"]
    assert calls["localise"] == 0
    (tmp_path / "results" / "another.strict.json").unlink()
    assert rows("template") == ["template", "ours", "another"]
    assert rows("template", seed=1) == ["template"]


def test_a_stopped_suite_goes_on(
    short_demo: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: Counter[str]
):
    def stopped(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(suite_tasks, "localise", stopped)
        with pytest.raises(KeyboardInterrupt):
            run_template(tmp_path, short_demo)
    assert set(results(tmp_path)) == {"template.paper", "template.strict"}
    calls.clear()
    summary = run_template(tmp_path, short_demo)
    assert (calls["embed_corpus"], calls["localise"]) == (0, 1)
    assert list(summary["tasks"]) == ["paper", "strict", "anywhere", "robustness"]  # no --real, none of its tasks
    text = (tmp_path / "suite.md").read_text(encoding="utf-8")
    assert "real" not in text
    assert "Robustness" not in text


SHARED = {
    "model_hash": "1234",
    "corpus": "somewhere",
    "split": "test",
    "recordings": 17,
    "data_hash": "5678",
    "seed": 42,
    "settings": {},
}


def scores(a2m: float, m2a: float, name: str = "R@1") -> dict[str, Any]:
    """A result with nothing but one score."""
    spread = {"a2m": {name: [a2m - 1, a2m + 1]}, "m2a": {name: [m2a - 2, m2a + 2]}, "S": [1.0, 99.0]}
    return {
        "S": 50.0,
        "a2m": {name: a2m},
        "m2a": {name: m2a},
        "chance": {name: 0.25, "R@10": 4.0, "place": 0.5},
        "intervals_95": {"pieces": spread},
        "skipped": ["x.mid: it holds no notes"],
        **SHARED,
    }


class TestReport:
    def test_shows_the_worse_direction(self):
        strict = scores(0, 0) | {"whole_pool": scores(30.0, 40.0)}
        row = {"name": "one", "parameters": 1_234_567, "results": {"paper": scores(80.0, 70.0), "strict": strict}}
        summary = summarise("default", {"paper": "?", "strict": "?", "anywhere": "?"}, [row])
        figures = summary["models"][0]["figures"]
        assert figures["paper R@1"] == {"value": 70.0, "interval_95": [68.0, 72.0], "chance": 0.25, "direction": "m2a"}
        assert figures["strict whole_pool R@1"]["value"] == 30.0
        assert figures["strict whole_pool R@1"]["direction"] == "a2m"
        assert figures["paper S"] == {"value": 50.0, "interval_95": [1.0, 99.0], "chance": 4.0}
        assert figures["anywhere place"] is None
        assert summary["skipped"] == ["x.mid: it holds no notes"]
        lines = summary_as_markdown(summary).splitlines()
        assert "* `paper`: ?; somewhere, split test, 17 recordings, seed 42." in lines
        assert "* `anywhere`: ?: no result." in lines
        cells = {
            line.split("|")[1].strip(): [one.strip() for one in line.split("|")[2:-1]] for line in lines if "|" in line
        }
        assert cells["one"] == ["1.23", "50.0 [1.0, 99.0]", "70.0", "30.0", "–"]
        assert cells["random order"] == ["–", "4", "0.25", "0.25", "–"]

    def test_puts_the_second_score_in_brackets(self):
        result = scores(60.0, 50.0, "repeats_forgiven")
        for way, place, low in (("a2m", 20.0, 10.0), ("m2a", 30.0, 20.0)):
            result[way]["place"] = place
            result["intervals_95"]["pieces"][way]["place"] = [low, low + 20]
        rows = [{"name": "one", "parameters": 0, "results": {"real-10s": result}}]
        text = summary_as_markdown(summarise("default", {"real-10s": "?"}, rows))
        assert "50.0 (20.0) |" in text
        assert "0.5 |" in text

    def test_has_the_paper_below_each_curve(self):
        curve = [
            {"change": "noise", "amount": amount, "unit": "dB", "S": s, "paper_d4a4": NOISE["d4a4"].get(float(amount))}
            for amount, s in (("40", 97.0), ("7", 60.5))
        ]
        trained = SHARED | {"skipped": [], "curves": curve}
        rows = [
            {"name": "template", "parameters": 0, "results": {}},
            {"name": "ours", "parameters": 10, "results": {"robustness": trained}},
        ]
        text = summary_as_markdown(summarise("default", {"robustness": "?"}, rows))
        table = [" ".join(line.replace("|", " ").split()) for line in text.partition("## Robustness")[2].splitlines()]
        assert table[4] == "noise, dB 40 7"
        assert table[6:9] == ["template – –", "ours 97.0 60.5", "d4a4, published 79.8 –"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--model", "template", "--model", "template"], "--suite"),
        (["--model", "template", "--real", "demo"], "--suite"),
        (["--model", "template", "--robustness-recordings", "3"], "--suite"),
        (["--model", "template", "--suite", "default"], "--out DIR"),
        (["--model", "template", "--suite", "default", "--out", "x", "--protocol", "strict"], "--protocol"),
        ([], "--model"),
    ],
)
def test_options_that_do_not_go_together(words: list[str], says: str):
    result = CliRunner().invoke(app, ["evaluate", "demo", *words])
    assert result.exit_code == 2
    assert says in result.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--suite", "defualt", "--model", "template"], "unknown suite 'defualt'; did you mean 'default'?"),
        (["--suite", "default", "--model", "template", "--model", "template"], "2 models are named 'template'"),
        (["--suite", "default", "--model", "a/b=template"], "'a/b' cannot be a model's name"),
        (["--suite", "default", "--model", "ours=nowhere"], "nowhere: no such model"),
        (["--suite", "default", "--model", "template", "--real", "nowhere"], "nowhere: not a corpus"),
    ],
)
def test_errors_are_raised_before_anything_is_computed(
    words: list[str], says: str, demo: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setattr(sys, "argv", ["antiphon", "evaluate", "demo", *words, "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_model_has_the_given_name_or_its_own(model: Path):
    assert "=" in model.name
    competitors = load_competitors(["template", str(model), f"b={model}", "c=template"])
    assert [one.name for one in competitors] == ["template", "A4", "b", "c"]
    assert [one.network is None for one in competitors] == [True, False, False, True]
