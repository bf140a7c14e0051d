"""Joined models: cosines are means of theirs, and a name with "+" is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from antiphon.baselines.template import TemplateEmbedder
from antiphon.cli.shared import lasting_name
from antiphon.embedding import load_embedder
from antiphon.errors import AntiphonError
from antiphon.joined import JoinedEmbedder
from antiphon.model import save_model
from antiphon.notes import Notes
from builders import RATE_HZ
from subjects import tiny_model

STARTS = np.array([0.0, 1.0, 3.0])
NOTES = Notes.of([0.2, 1.1, 2.4, 3.3, 5.0], [0.5] * 5, [60, 64, 67, 72, 48], [80] * 5)


class Deaf(TemplateEmbedder):
    """A model that finds nothing in sound."""

    fingerprint = "deaf"

    def embed_audio(self, samples, starts_s, playback=None):
        return np.zeros((len(starts_s), self.dimensions), np.float32)


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(8 * RATE_HZ).astype(np.float32) * 0.1


def test_the_cosine_is_the_mean_of_the_models_cosines(sound: np.ndarray):
    parts = [load_embedder("default"), load_embedder("template")]
    audio, notes = JoinedEmbedder(parts).embed_pairs(sound, NOTES, STARTS)
    assert audio.dtype == notes.dtype == np.float32
    cosines = []
    for part in parts:
        its_audio, its_notes = part.embed_pairs(sound, NOTES, STARTS)
        cosines.append(its_audio @ its_notes.T)
    assert np.abs(cosines[0] - cosines[1]).max() > 0.05
    np.testing.assert_allclose(audio @ notes.T, np.mean(cosines, axis=0), atol=1e-6)


def test_a_row_is_of_unit_length_unless_no_model_finds_anything(sound: np.ndarray):
    heard = JoinedEmbedder([Deaf(), TemplateEmbedder()]).embed_audio(sound, STARTS)
    np.testing.assert_array_equal(heard[:, : Deaf.dimensions], 0.0)
    np.testing.assert_array_equal(heard[:, Deaf.dimensions :], TemplateEmbedder().embed_audio(sound, STARTS))
    assert not JoinedEmbedder([Deaf(), Deaf()]).embed_audio(sound, STARTS).any()


def test_what_a_joined_model_says_of_itself():
    parts = [load_embedder("default"), load_embedder("template")]
    joined = JoinedEmbedder(parts)
    assert joined.name == "default+template"
    assert joined.dimensions == 256 + 4800
    assert joined.parameters == parts[0].parameters == sum(one.numel() for one in parts[0].model.parameters())
    assert joined.query_hop_s == 0.1
    assert joined.elastic
    assert len({joined.fingerprint, JoinedEmbedder(parts[::-1]).fingerprint, *(one.fingerprint for one in parts)}) == 4


def test_is_loaded_by_the_names_with_a_plus_between(tmp_path: Path):
    model = tmp_path / "a+b"
    save_model(tiny_model("D0"), model, "A tiny model with random weights.")
    assert load_embedder(model).name == "D0"
    joined = JoinedEmbedder([load_embedder("default"), TemplateEmbedder()])
    assert load_embedder("default+template").fingerprint == joined.fingerprint
    with pytest.raises(AntiphonError, match="nothing: no such model"):
        load_embedder("default+nothing")


def test_models_of_other_windows_or_rates_are_refused():
    other = Deaf()
    other.sample_rate_hz = 16_000
    with pytest.raises(AntiphonError, match=r"sample_rate_hz are \[24000, 16000\]"):
        JoinedEmbedder([TemplateEmbedder(), other])


def test_an_index_remembers_the_folders_among_them_by_their_full_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert lasting_name("mine+template") == f"{tmp_path / 'mine'}+template"
    assert lasting_name("default") == "default"
