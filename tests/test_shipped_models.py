"""The models that come with the package: size, model card, and accuracy on the demo corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from antiphon.corpora import Corpus
from antiphon.evaluation.protocols import score_embeddings
from antiphon.models.corpus_embedding import embed_corpus, read_sound
from antiphon.models.loading import lasting_name, load_model
from antiphon.models.saving import load_dual_encoder
from antiphon.models.zoo import shipped_models

SHIPPED = shipped_models()


def test_default_is_among_them():
    assert "default" in SHIPPED
    assert load_model("default").name == "default"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_model_is_small_and_has_a_card(name: str):
    folder = SHIPPED[name]
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 16 * 2**20
    assert sum(parameter.numel() for parameter in load_dual_encoder(folder).parameters()) <= 6e6
    card = (folder / "README.md").read_text(encoding="utf-8")
    for heading in ("## Trained on", "## Measured", "## Limits", "## Licence"):
        assert heading in card


def test_default_ranks_nearly_every_positive_first(demo: Corpus):
    """The demo's additive piano was not used in training, and the demo's pieces contain repeats."""
    segments = embed_corpus(load_model("default"), demo.split("test"))
    scores = score_embeddings(segments, "strict")
    assert scores["S"] >= 99
    assert min(scores["whole_pool"][way]["R@1"] for way in ("a2m", "m2a")) >= 80


def test_default_is_invariant_under_gain_and_depends_on_order(demo: Corpus):
    embedder = load_model("default")
    path = demo.recordings[0].audio_path
    assert path is not None
    sound = read_sound(path, embedder.sample_rate_hz, 4.0, 5.0, 4.0)
    halves = np.split(sound, 2)
    start = np.zeros(1)
    loud, soft, swapped = (
        embedder.embed_audio_windows(one, start)[0] for one in (sound, sound / 30, np.concatenate(halves[::-1]))
    )
    assert loud @ soft > 0.999
    assert loud @ swapped < 0.5


def test_a_shipped_name_takes_precedence_over_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "default").mkdir()
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_model("default").name == "default"
    assert [lasting_name(name) for name in ("default", "template", "mine")] == [
        "default",
        "template",
        f"{tmp_path}/mine",
    ]
