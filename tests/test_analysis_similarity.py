"""CKA and RSA against their definitions typed slowly, and the layers they are taken from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ortho_group, spearmanr

from antiphon.corpora import Corpus
from antiphon.errors import AntiphonError
from antiphon.experiments.analysis import ANALYSES, ModelUnderTest
from antiphon.experiments.analysis.sample import sample_windows
from antiphon.experiments.analysis.similarity import layer_means, linear_cka, rsa
from antiphon.models.batch import Tokens
from antiphon.types import MODALITIES
from builders import pick
from models_under_test import small_subject

LAYERS = [f"{side} {number}" for side in MODALITIES for number in (1, 2, 3, 4)]


@pytest.fixture
def sides() -> tuple[np.ndarray, np.ndarray]:
    """Two representations of 14 things that have something in common."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(14, 6))
    return x, np.tanh(x @ rng.normal(size=(6, 9))) + rng.normal(0.0, 0.5, (14, 9))


def hsic(one: np.ndarray, other: np.ndarray) -> float:
    """Gretton et al. 2005, equation 9: tr(K H L H) / (n − 1)², with linear kernels."""
    n = len(one)
    k, l = one @ one.T, other @ other.T  # noqa: E741
    h = np.eye(n) - np.ones((n, n)) / n
    return float(np.trace(k @ h @ l @ h)) / (n - 1) ** 2


def cosine_distances(rows: np.ndarray) -> list[float]:
    return [
        1 - float(rows[i] @ rows[j] / np.sqrt(rows[i] @ rows[i] * (rows[j] @ rows[j])))
        for i in range(len(rows))
        for j in range(i + 1, len(rows))
    ]


def test_cka_is_the_normalised_hsic_of_linear_kernels(sides: tuple[np.ndarray, np.ndarray]):
    x, y = sides
    expected = hsic(x, y) / np.sqrt(hsic(x, x) * hsic(y, y))
    assert 0.1 < expected < 0.95
    assert linear_cka(x, y) == pytest.approx(expected, abs=1e-12)
    assert linear_cka(y, x) == pytest.approx(expected, abs=1e-12)


def test_cka_is_invariant_to_rotation_scale_and_translation(sides: tuple[np.ndarray, np.ndarray]):
    x, y = sides
    rotation = ortho_group.rvs(6, random_state=1)
    assert linear_cka(3.7 * x @ rotation + 11, y) == pytest.approx(linear_cka(x, y), abs=1e-12)
    assert linear_cka(x, x @ rotation) == pytest.approx(1.0, abs=1e-12)
    assert linear_cka(x * [1, 1, 1, 1, 1, 9], y) != pytest.approx(linear_cka(x, y), abs=1e-3)


def test_rsa_is_spearman_of_all_pairs_of_cosine_distances(sides: tuple[np.ndarray, np.ndarray]):
    x, y = sides
    expected = spearmanr(cosine_distances(x), cosine_distances(y)).statistic
    assert 0.1 < expected < 0.95
    assert rsa(x, y) == pytest.approx(expected, abs=1e-12)


def test_rsa_depends_on_directions_alone(sides: tuple[np.ndarray, np.ndarray]):
    x, y = sides
    longer = x * np.random.default_rng(1).uniform(0.1, 10, (14, 1))
    assert rsa(longer @ ortho_group.rvs(6, random_state=1), y) == pytest.approx(rsa(x, y), abs=1e-12)
    assert rsa(x, longer) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("measure", [linear_cka, rsa])
def test_a_constant_representation_has_similarity_0(measure, sides: tuple[np.ndarray, np.ndarray]):
    assert measure(np.ones((14, 3)), sides[0]) == 0.0
    assert measure(np.zeros((14, 3)), sides[0]) == 0.0


@pytest.mark.parametrize("arm", ["D0", "d4-a4r", "film-dual", "d4a4cm"])
def test_layers_are_means_over_the_unpadded_positions_of_each_window(demo: Corpus, arm: str):
    tested = small_subject(demo, arm, recordings=2, windows=10)
    sample = sample_windows(tested)
    found = layer_means(tested.model, sample)
    assert list(found) == LAYERS
    alone: dict[str, np.ndarray] = {}

    def observe(side: str, layer: int, tokens: Tokens) -> None:
        alone[f"{side} {layer + 1}"] = tokens.values[0].mean(dim=0).detach().numpy()

    for row in (0, 17):  # in different batches
        window = pick(sample.batches[row // 16], row % 16)  # unpadded
        for side in MODALITIES:
            tested.model.encode(side, window, tested.model.describe(window), observe)
        for name in LAYERS:
            np.testing.assert_allclose(found[name][row], alone[name], atol=2e-5)


def test_the_result_has_both_matrices_and_chance_levels(demo: Corpus):
    found = ANALYSES["similarity"].run(small_subject(demo))
    layers = layer_means(small_subject(demo).model, sample_windows(small_subject(demo)))
    assert found.facts["layers"] == LAYERS
    assert found.facts["windows"] == 32
    for name, measure in (("CKA", linear_cka), ("RSA", rsa)):
        matrix = np.array(found.facts[name]["matrix"])
        np.testing.assert_allclose(np.diagonal(matrix), 1.0)
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
        assert matrix[1, 6] == pytest.approx(measure(layers["audio 2"], layers["notes 3"]), abs=1e-9)
        assert found.facts[name]["mean"] == pytest.approx(matrix[:4, 4:].mean())
        assert found.facts[name]["last"] == matrix[3, 7]
        assert found.facts[name]["mean of shuffled windows"] < found.facts[name]["mean"]
    assert len(found.rows) == 36
    assert found.facts["paper"]["paper, d4a4"]["CKA"] == 0.659
    assert "0.435" in found.summary


def test_two_windows_are_too_few(demo: Corpus):
    tested = small_subject(demo, recordings=2, windows=1)
    with pytest.raises(AntiphonError, match="2 windows; similarity needs at least 3"):
        ANALYSES["similarity"].run(ModelUnderTest(tested.model, "tiny", tested.corpus, 42))
