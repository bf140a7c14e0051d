"""Running analyses: the files, the analyses that are run again, the report."""

from __future__ import annotations

import csv
import json
import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from antiphon.corpora import Corpus
from antiphon.errors import AntiphonError, UnknownName
from antiphon.experiments.analysis import Analysis, AnalysisResult, ModelUnderTest, geometry, report
from antiphon.experiments.analysis.report import json_ready, markdown_blocks, run_analyses
from antiphon.experiments.reporting import Bullets, Paragraph, Table
from antiphon.models.network import DualEncoder
from antiphon.registry import Registry
from models_under_test import small_subject, tiny_model

SUMMARY = "Of `32` windows.\n\n| layer | CKA |\n|-------|----:|\n| **a<b** | 0.5 |"


@pytest.fixture
def tested(demo: Corpus) -> ModelUnderTest:
    return small_subject(demo, recordings=2, windows=2)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Three analyses in the registry's place, counted: `plain`, `refusing` and, on demand, `breaking`."""
    counted: Counter[str] = Counter()

    def plain(tested: ModelUnderTest) -> AnalysisResult:
        counted["plain"] += 1
        facts = {"value": np.float32(0.5), "nothing": math.nan, 3: [math.inf]}
        return AnalysisResult(facts, [{"x": 1, "y": "a,b"}, {"x": 2, "y": ""}], Figure(figsize=(2, 1)), SUMMARY)

    def refusing(tested: ModelUnderTest) -> AnalysisResult:
        counted["refusing"] += 1
        raise AntiphonError("D0 has no descriptors")

    def breaking(tested: ModelUnderTest) -> AnalysisResult:
        counted["breaking"] += 1
        found = plain(tested)
        found.figure.savefig = None  # type: ignore[assignment, method-assign]
        return found

    table = {
        name: Analysis(name, f"What of {name}?", run)
        for name, run in (("plain", plain), ("refusing", refusing), ("breaking", breaking))
    }
    registry = Registry("analysis", Analysis, "antiphon.experiments.analysis", "ANALYSIS", "antiphon.analyses")
    registry.__dict__.update(_entries=table, _filled=True)
    monkeypatch.setattr(report, "ANALYSES", registry)
    monkeypatch.setattr(report, "code_version", lambda: {"version": "1", "commit": "abc"})
    return counted


@pytest.mark.usefixtures("runs")
def test_each_result_becomes_json_csv_and_a_picture(tested: ModelUnderTest, tmp_path: Path):
    found = run_analyses(["plain"], tested, tmp_path / "out")
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        "plain.csv", "plain.json", "plain.png", "report.html", "report.md",
    ]  # fmt: skip
    record = json.loads((out / "plain.json").read_text(encoding="utf-8"))
    assert record == found["analyses"]["plain"]
    assert record["facts"] == {"value": 0.5, "nothing": None, "3": [None]}
    assert (record["arm"], record["seed"], record["recordings"]) == ("d4a4", 42, 2)
    with (out / "plain.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == [{"x": "1", "y": "a,b"}, {"x": "2", "y": ""}]
    assert (out / "plain.png").read_bytes().startswith(b"\x89PNG")


def test_an_analysis_is_not_run_again_unless_an_input_changed(
    tested: ModelUnderTest, runs: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def again(changed: ModelUnderTest = tested) -> int:
        run_analyses(["plain"], changed, tmp_path)
        return runs["plain"]

    assert [again(), again(), again()] == [1, 1, 1]
    (tmp_path / "plain.csv").unlink()
    assert again() == 2
    assert again(replace(tested, seed=1)) == 3
    assert again(replace(tested, corpus=replace(tested.corpus, recordings=tested.corpus.recordings[:1]))) == 4
    other = DualEncoder(tested.model.config).eval()
    assert again(replace(tested, model=other)) == 5
    assert again(replace(tested, model=other, name="another name")) == 5
    (tmp_path / "plain.png").unlink()
    assert again(replace(tested, model=other)) == 6
    (tmp_path / "plain.json").write_text("{ cut off", encoding="utf-8")
    assert again(replace(tested, model=other)) == 7
    monkeypatch.setattr(report, "code_version", lambda: {"version": "1", "commit": "abd"})
    assert again(replace(tested, model=other)) == 8


def test_an_analysis_that_does_not_apply_leaves_its_reason(tested: ModelUnderTest, runs: Counter[str], tmp_path: Path):
    for suffix in ("csv", "png"):
        (tmp_path / f"refusing.{suffix}").write_text("of an earlier run", encoding="utf-8")
    for times in (1, 2):
        found = run_analyses(["refusing", "plain"], tested, tmp_path)
        assert found["analyses"]["refusing"]["reason"] == "D0 has no descriptors"
        assert runs["refusing"] == times
    assert not list(tmp_path.glob("refusing.[cp]*"))
    for suffix in ("md", "html"):
        text = (tmp_path / f"report.{suffix}").read_text(encoding="utf-8")
        assert "Does not apply: D0 has no descriptors" in text
        assert "What of plain?" in text


def test_a_run_that_breaks_off_leaves_no_record(tested: ModelUnderTest, runs: Counter[str], tmp_path: Path):
    with pytest.raises(TypeError):
        run_analyses(["plain", "breaking"], tested, tmp_path)
    assert (tmp_path / "plain.json").exists()
    assert not (tmp_path / "breaking.json").exists()
    run_analyses(["plain"], tested, tmp_path)
    assert runs["plain"] == 2  # once of them for `breaking`


@pytest.mark.usefixtures("runs")
def test_the_report_keeps_earlier_results_of_the_same_inputs_only(tested: ModelUnderTest, tmp_path: Path):
    run_analyses(["plain"], tested, tmp_path)
    run_analyses(["refusing"], tested, tmp_path)
    assert "What of plain?" in (tmp_path / "report.md").read_text(encoding="utf-8")
    run_analyses(["refusing"], replace(tested, seed=7), tmp_path)
    assert "What of plain?" not in (tmp_path / "report.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("runs")
def test_the_html_is_self_contained_and_escapes_its_texts(tested: ModelUnderTest, tmp_path: Path):
    run_analyses(["plain"], replace(tested, name="<b>bold</b>"), tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "<b>bold" not in text
    assert '<tr class="marked"><td>a&lt;b</td>' in text
    assert "prefers-color-scheme: dark" in text
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert SUMMARY in markdown
    assert "![What of plain?](plain.png)" in markdown
    assert f"{sum(one.numel() for one in tested.model.parameters()):,}".replace(",", " ") in markdown


@pytest.mark.usefixtures("runs")
def test_names_and_audio_are_checked_before_anything_runs(tested: ModelUnderTest, tmp_path: Path):
    with pytest.raises(UnknownName, match="did you mean 'plain'"):
        run_analyses(["plain", "plian"], tested, tmp_path / "out")
    silent = tuple(replace(one, audio_path=None) for one in tested.corpus.recordings)
    with pytest.raises(AntiphonError, match="has sound; name a parallel"):
        run_analyses(["plain"], replace(tested, corpus=replace(tested.corpus, recordings=silent)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_markdown_of_summaries_becomes_blocks():
    text = (
        "One **bold** line\nand `another`.\n\n* first\n* second\n\n| a | b\\|c |\n|---|--:|\n| x | 1 |\n| **y** | 2 |"
    )
    assert markdown_blocks(text) == [
        Paragraph("One bold line\nand another."),
        Bullets(["first", "second"]),
        Table(["a", "b|c"], [["x", "1"], ["y", "2"]], frozenset({1})),
    ]


def test_facts_become_json():
    found = json_ready({"a": (np.int64(3), np.array([[1.5, math.nan]])), 2: True, "c": None, "d": "text"})
    assert found == {"a": [3, [[1.5, None]]], "2": True, "c": None, "d": "text"}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_real_analyses_from_end_to_end(demo: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(geometry, "find_spec", lambda name: object() if name == "numpy" else None)
    tested = small_subject(demo, "d4-a4r")
    before = {name: tensor.clone() for name, tensor in tested.model.state_dict().items()}
    names = ["similarity", "probes", "geometry"]
    found = run_analyses(names, tested, tmp_path)
    assert list(found["analyses"]) == names
    again = run_analyses(names, tested, tmp_path / "again")
    for name in names:
        record, same = found["analyses"][name], again["analyses"][name]
        assert record["reason"] is None
        assert record["facts"] == same["facts"]
        assert record["facts"]["windows"] == 32
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == 3
    assert text.index("Geometry:") < text.index("Probes:") < text.index("Similarity:")
    assert not tested.model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in tiny_model("d4-a4r").state_dict().items())
