"""Ablation, robustness and perturbation of models with known results, and the form of the results."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from antiphon.corpora import Corpus
from antiphon.errors import AntiphonError
from antiphon.experiments.analysis import ANALYSES, AnalysisResult, ModelUnderTest
from antiphon.experiments.analysis.ablation import replacements
from antiphon.experiments.analysis.conditions import embed_conditions
from antiphon.experiments.analysis.perturbation import Dimension, dimensions_of, distances, mean_correlation
from antiphon.experiments.analysis.robustness import SWEEPS
from antiphon.experiments.published import ABLATION, PERTURBATION
from antiphon.models.arms import find_arm
from antiphon.models.batch import Tokens
from antiphon.models.injection.concat import Concat
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.training.presets import find_preset
from builders import random_batch


def model_of(arm: str) -> DualEncoder:
    torch.manual_seed(3)
    return DualEncoder(ModelConfig(find_arm(arm), find_preset("tiny").sizes)).eval()


def ignore_dimensions(model: DualEncoder, number: int, columns: slice) -> None:
    """The weights that the mixing layer of an injection has for these dimensions of its descriptor become zero."""
    injection = model.injections[number]
    assert isinstance(injection, Concat)
    width = injection.mix.out_features
    with torch.no_grad():
        injection.mix.weight[:, width:][:, columns] = 0.0


@pytest.fixture(scope="session")
def few(demo: Corpus) -> Corpus:
    """Three recordings of the demo, five windows each."""
    return replace(demo, recordings=tuple(replace(one, duration_s=8.0) for one in demo.recordings[::15][:3]))


@pytest.fixture(scope="session")
def find(few: Corpus) -> Callable[[str, str], AnalysisResult]:
    """The result of an analysis of an arm, computed once."""

    @cache
    def found(name: str, arm: str) -> AnalysisResult:
        return ANALYSES[name].run(ModelUnderTest(model_of(arm), "a $strange$ name", few, 42))

    return found


class TestAblation:
    def test_replaces_each_descriptor_and_all_together_by_each_value(self):
        conditions = replacements(model_of("d4a4"))
        names = [condition.name for condition in conditions.values()]
        assert len(names) == 9
        assert set(ABLATION["d4a4"]) - {"none"} <= set(names)
        assert conditions["zero", ("a4",)].side == "audio"
        assert conditions["shuffle", ("d4", "a4")].side == "both"
        assert [one.name for one in replacements(model_of("a4r")).values()] == ["zero A4", "noise A4", "shuffle A4"]
        assert "zero all" in [one.name for one in replacements(model_of("a4r-pcd")).values()]

    def test_a_model_that_ignores_its_descriptors_loses_nothing(self, few: Corpus):
        model = model_of("d4a4")
        original = embed_conditions(ModelUnderTest(model, "tiny", few, 42), list(replacements(model).values()))
        for number in range(2):
            ignore_dimensions(model, number, slice(None))
        ignoring = embed_conditions(ModelUnderTest(model, "tiny", few, 42), list(replacements(model).values()))
        for name, segments in ignoring.under.items():
            moved = np.abs(original.under[name].audio - original.intact.audio).max()
            moved += np.abs(original.under[name].notes - original.intact.notes).max()
            assert moved > 1e-4
            np.testing.assert_allclose(segments.audio, ignoring.intact.audio, atol=1e-6)
            np.testing.assert_allclose(segments.notes, ignoring.intact.notes, atol=1e-6)

    def test_a_model_that_ignores_one_descriptor_loses_nothing_with_it_alone(self, few: Corpus):
        model = model_of("d4a4")
        ignore_dimensions(model, 0, slice(None))  # d4
        conditions = replacements(model)
        found = embed_conditions(ModelUnderTest(model, "tiny", few, 42), list(conditions.values()))
        for (values, which), condition in conditions.items():
            segments = found.under[condition.name]
            np.testing.assert_allclose(segments.notes, found.intact.notes, atol=1e-6)
            assert (np.abs(segments.audio - found.intact.audio).max() > 1e-4) == ("a4" in which), values

    def test_a_late_fusion_descriptor_changes_its_own_modality_alone(self, few: Corpus):
        model = model_of("onsets")
        assert model.late_fusion is not None
        conditions = replacements(model)
        found = embed_conditions(ModelUnderTest(model, "tiny", few, 42), list(conditions.values()))
        for (_, which), condition in conditions.items():
            segments = found.under[condition.name]
            audio_moved = np.abs(segments.audio - found.intact.audio).max() > 1e-3
            notes_moved = np.abs(segments.notes - found.intact.notes).max() > 1e-3
            assert (audio_moved, notes_moved) == ("onset_strength" in which, "predicted_onsets" in which)


class TestPerturbation:
    def test_moves_what_a_hand_made_change_moves(self):
        model, batch = model_of("d4a4"), random_batch()
        found = model.describe(batch)
        raised = found["d4"].values.clone()
        raised[..., 2][~found["d4"].padding] += 0.1
        zeroed = found["d4"].values.clone()
        zeroed[..., 2] = 0.0
        with torch.no_grad():
            was = model.encode("notes", batch, found)[0]
            now = [model.encode("notes", batch, {"d4": Tokens(v, found["d4"].padding)})[0] for v in (raised, zeroed)]
        unit = torch.nn.functional.normalize
        expected = [f(one) - f(was) for one in now for f in (lambda rows: rows, unit)]
        measured, base = distances(model, batch, found, [Dimension("d4", 2, "notes")])
        assert measured.shape == (3, 1, 4)
        np.testing.assert_allclose(base["notes"], was.numpy(), rtol=1e-5)
        np.testing.assert_allclose(
            measured[:, 0], torch.stack([one.norm(dim=1) for one in expected], dim=1).numpy(), rtol=1e-3, atol=1e-6
        )

    def test_a_dimension_without_weight_moves_nothing(self):
        model, batch = model_of("d4a4"), random_batch()
        ignore_dimensions(model, 1, slice(3, 4))  # a4, fourth octave
        dimensions = dimensions_of(model)
        measured, _ = distances(model, batch, model.describe(batch), dimensions)
        still = dimensions.index(Dimension("a4", 3, "audio"))
        assert measured[:, still].max() < 1e-5
        assert np.delete(measured[:, :, 0], still, axis=1).mean(axis=0).min() > 1e-4

    def test_raising_leaves_padding_and_other_dimensions_alone(self):
        padding = torch.tensor([[False, True]])
        values = Dimension("d4", 1, "notes").raised(Tokens(torch.zeros(1, 2, 4), padding), 0.5).values
        assert values.tolist() == [[[0.0, 0.5, 0.0, 0.0], [0.0] * 4]]

    def test_names_every_dimension_of_every_descriptor(self):
        titles = [one.title for one in dimensions_of(model_of("d4a4"))]
        assert titles[0] == "D4 previous"
        assert titles[4:6] == ["A4 47 Hz", "A4 94 Hz"]
        assert len(titles) == 12
        assert {one.into for one in dimensions_of(model_of("d4a4cm")) if one.descriptor == "d4"} == {"audio"}

    def test_correlation_is_pearsons_and_none_of_a_constant(self):
        rng = np.random.default_rng(0)
        statistic, embedded = rng.normal(size=50), rng.normal(size=(50, 3))
        expected = np.mean([abs(np.corrcoef(statistic, column)[0, 1]) for column in embedded.T])
        constant = np.concatenate([embedded, np.ones((50, 1))], axis=1)
        assert mean_correlation(statistic, embedded) == pytest.approx(expected)
        assert mean_correlation(statistic, constant) == pytest.approx(expected)
        assert mean_correlation(1 + 1e-7 * statistic, embedded) is None
        assert mean_correlation(statistic[:2], embedded[:2]) is None


def test_every_sweep_has_its_panel_and_its_conditions(find):
    panels = find("robustness", "D0").figure.axes
    assert [axes.get_title(loc="left") for axes in panels] == [sweep.title for sweep in SWEEPS]
    speed = next(one for one in SWEEPS if one.name == "speed")
    assert {one.name: one.tempo for one in speed.conditions()} == {
        "speed 0.9": 0.9,
        "speed 0.95": 0.95,
        "speed 1.05": 1.05,
        "speed 1.1": 1.1,
    }
    assert speed.paper_curve("D0") == {}


@pytest.mark.parametrize(("name", "arm"), [("ablation", "D0"), ("perturbation", "D0"), ("perturbation", "onsets")])
def test_an_arm_without_descriptors_is_refused(few: Corpus, name: str, arm: str):
    """Late-fusion descriptors have thousands of dimensions: they are ablated together, and not perturbed one by one."""
    with pytest.raises(AntiphonError, match=f"arm {arm}: nothing to"):
        ANALYSES[name].run(ModelUnderTest(model_of(arm), "tiny", few, 42))


@pytest.mark.parametrize(
    ("name", "arm", "rows"),
    [
        ("ablation", "d4a4", 10),
        ("ablation", "a4r-pcd", 13),
        ("robustness", "D0", sum(len(sweep.amounts) for sweep in SWEEPS)),
        ("perturbation", "d4a4", 12),
        ("perturbation", "film-d4", 4),
    ],
)
def test_a_result_is_ready_to_be_written(find, tmp_path, name: str, arm: str, rows: int):
    result = find(name, arm)
    assert len(result.rows) == rows
    assert len({tuple(row) for row in result.rows}) == 1
    assert json.loads(json.dumps(result.facts, allow_nan=False))["windows"] == 15
    result.figure.savefig(tmp_path / "figure.png")
    assert "| " in result.summary


def test_the_papers_figures_are_next_to_ours(find):
    ablation = {row["condition"]: row for row in find("ablation", "d4a4").rows}
    assert ablation["zero A4"]["paper_S"] == 7.8
    assert ablation["zero A4"]["paper_difference"] == pytest.approx(-76.0)
    assert ablation["noise both"]["paper_S"] is None
    robustness = {(row["change"], row["amount"]): row for row in find("robustness", "D0").rows}
    assert robustness["transposition", "-3"]["paper_a4r"] == 46.2
    assert robustness["noise", "clean"]["paper_D0"] == 73.4
    assert robustness["shift", "0"]["difference"] == 0.0
    assert robustness["speed", "1"]["difference"] == 0.0
    assert {robustness["speed", amount]["paper_D0"] for amount in ("0.9", "0.95", "1", "1.05", "1.1")} == {None}
    perturbation = {row["dimension"]: row for row in find("perturbation", "d4a4").rows}
    assert perturbation["A4 750 Hz"]["paper_d4-a4r"] == PERTURBATION["d4-a4r"][4]
    assert perturbation["D4 next"]["paper_d4a4"] is None
