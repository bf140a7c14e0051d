"""Training by names: corpora as specs and as objects, recipes, and runs that are continued."""

from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.corpora import Corpus
from antiphon.errors import AntiphonError, UnknownName
from antiphon.training import loop
from antiphon.training.config import RunConfig
from antiphon.training.recipes import RECIPES
from antiphon.training.run import Run, resume, train

D0 = {"arm": "D0", "preset": "tiny", "epochs": 1}
Started = list[tuple[tuple[Corpus, ...], RunConfig]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """The data and configs of runs that are begun or continued; nothing is trained."""
    found: Started = []

    def note(_: Path, corpora: tuple[Corpus, ...], config: RunConfig, __: object) -> dict[str, object]:
        found.append((corpora, config))
        return {}

    monkeypatch.setattr(loop, "_run_to_end", note)
    return found


def test_a_run_has_a_result_and_a_model_and_is_not_trained_twice(demo: Corpus, tmp_path: Path) -> None:
    run = train(demo.split("test").spread(3), out=tmp_path / "run", **D0)
    assert run == Run(tmp_path / "run")
    assert (run.result["arm"], run.result["seed"], run.result["recordings"]) == ("D0", 42, 3)
    assert run.model_folder.is_dir()
    assert run.load_model().name == "D0"
    changed = (run.model_folder / "model.safetensors").stat().st_mtime_ns
    assert resume(str(run.folder)) == run
    assert (run.model_folder / "model.safetensors").stat().st_mtime_ns == changed


def test_an_unfinished_run_has_no_result(started: Started, demo: Corpus, tmp_path: Path) -> None:
    run = train(demo, out=tmp_path / "run", **D0)
    with pytest.raises(AntiphonError, match="no result yet"):
        _ = run.result
    with pytest.raises(AntiphonError, match="no model yet"):
        run.load_model()


def test_a_split_of_a_corpus_is_opened_again_by_its_spec(started: Started, demo: Corpus, tmp_path: Path) -> None:
    resume(train(demo.split("test"), out=tmp_path / "run", **D0))
    (first, config), (second, again) = started
    assert (config.corpora, config.split) == (("demo",), "test")
    assert (again.corpora, again.split, again.data_hash) == (config.corpora, config.split, config.data_hash)
    assert [one.id for one in first[0].recordings] == [one.id for one in second[0].recordings]


def test_of_a_whole_corpus_the_split_train_is_used(started: Started, demo: Corpus, tmp_path: Path) -> None:
    train(demo, out=tmp_path / "object", **D0)
    train("demo", out=tmp_path / "spec", **D0)
    (first, config), (second, other) = started
    assert config == other
    assert set(first[0].splits) == set(second[0].splits) == {"train"}


def test_a_part_of_a_split_has_to_be_given_again(started: Started, demo: Corpus, tmp_path: Path) -> None:
    part = demo.split("test").spread(3)
    run = train(part, out=tmp_path / "run", **D0)
    with pytest.raises(AntiphonError, match="the data have changed"):
        resume(run)
    resume(run, corpus=part)
    assert len(started[-1][0][0]) == 3


def test_several_corpora_are_joined(started: Started, demo: Corpus, folder: Path, tmp_path: Path) -> None:
    train([demo.split("test"), folder], out=tmp_path / "run", **D0)
    (corpora, config), *_ = started
    assert [len(corpus) for corpus in corpora] == [len(demo.split("test")), 3]
    assert (config.corpora, config.split) == (("demo", str(folder)), None)


def test_a_recipe_is_an_arm_and_a_preset(started: Started, tmp_path: Path) -> None:
    train("demo", out=tmp_path / "run", recipe="default")
    config = started[0][1]
    assert (config.arm.name, config.preset) == (RECIPES["default"].arm, RECIPES["default"].preset)
    for how in ({"recipe": "default", "arm": "D0"}, {"recipe": "default", "preset": "tiny"}):
        with pytest.raises(AntiphonError, match="a recipe has an arm and a preset"):
            train("demo", out=tmp_path / "other", **how)
    with pytest.raises(AntiphonError, match="needs an arm or a recipe"):
        train("demo", out=tmp_path / "other")
    with pytest.raises(UnknownName, match="did you mean 'default'"):
        train("demo", out=tmp_path / "other", recipe="defualt")
    assert not (tmp_path / "other").exists()
