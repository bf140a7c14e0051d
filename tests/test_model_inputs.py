"""Inputs of embedders: any sequence of numbers of the right shape; other values raise an error that names them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from antiphon.corpora.segment_table import cut_windows
from antiphon.models.embedder import ModelEmbedder
from antiphon.models.protocol import Embedder
from antiphon.models.template import TemplateEmbedder
from helpers import scale, sine
from models_under_test import tiny_model

SOUND = sine(6.0)
STARTS_S = np.array([0.0, 1.0])


@pytest.fixture(params=["template", "network"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return TemplateEmbedder() if request.param == "template" else ModelEmbedder(tiny_model("A4"), "tiny")


@pytest.mark.parametrize("convert", [list, np.float64, torch.from_numpy], ids=["list", "float64", "tensor"])
def test_any_sequence_of_numbers_gives_the_same_vectors(embedder: Embedder, convert: Any):
    samples, starts_s, notes = convert(SOUND), convert(STARTS_S), scale()
    audio = embedder.embed_audio_windows(SOUND, STARTS_S)
    assert audio.shape == (2, embedder.dimensions)
    assert np.abs(audio).max() > 0
    np.testing.assert_array_equal(embedder.embed_audio_windows(samples, starts_s), audio)
    np.testing.assert_array_equal(
        embedder.embed_notes_windows(notes, starts_s), embedder.embed_notes_windows(notes, STARTS_S)
    )
    pairs, expected = embedder.embed_pairs(samples, notes, starts_s), embedder.embed_pairs(SOUND, notes, STARTS_S)
    for found, one in zip(pairs, expected, strict=True):
        np.testing.assert_array_equal(found, one)


def test_integers_are_accepted(embedder: Embedder):
    assert embedder.embed_audio_windows([0] * 96_000, [0]).shape == (1, embedder.dimensions)
    np.testing.assert_array_equal(
        embedder.embed_notes_windows(scale(), [0, 1]), embedder.embed_notes_windows(scale(), STARTS_S)
    )


SAMPLES = [
    (np.zeros((2, 96_000)), r"samples: expected mono audio of shape \[n\], found shape \(2, 96000\); mix the channels"),
    (0.0, r"samples: expected mono audio of shape \[n\], found shape \(\)"),
    ("take.wav", "samples: expected a sequence of numbers, found str"),
    (None, r"samples: expected mono audio of shape \[n\], found shape \(\)"),
    ([[0.0], [0.0, 1.0]], "samples: expected a sequence of numbers, found list"),
    (np.zeros(8, complex), "samples: expected a sequence of numbers, found ndarray of complex128"),
    ([0.0, float("nan")], "samples: expected finite numbers, found nan"),
    ([float("inf"), -float("inf")], "samples: expected finite numbers, found inf"),
]
STARTS = [
    (0.0, r"starts_s: expected seconds of shape \[w\], one for each window, found shape \(\)"),
    ([[0.0, 4.0]], r"starts_s: expected seconds of shape \[w\], one for each window, found shape \(1, 2\)"),
    ("0", "starts_s: expected a sequence of numbers, found str"),
    ([0.0, float("nan")], "starts_s: expected finite seconds, found nan"),
]


@pytest.mark.parametrize(("samples", "says"), SAMPLES)
def test_bad_samples_are_named_in_one_line(embedder: Embedder, samples: Any, says: str):
    for embed in (
        lambda: embedder.embed_audio_windows(samples, [0.0]),
        lambda: embedder.embed_pairs(samples, scale(), [0.0]),
    ):
        with pytest.raises(ValueError, match=says) as error:
            embed()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(("starts_s", "says"), STARTS)
def test_bad_starts_are_named_in_one_line(embedder: Embedder, starts_s: Any, says: str):
    for embed in (
        lambda: embedder.embed_audio_windows(SOUND, starts_s),
        lambda: embedder.embed_notes_windows(scale(), starts_s),
        lambda: embedder.embed_pairs(SOUND, scale(), starts_s),
    ):
        with pytest.raises(ValueError, match=says) as error:
            embed()
        assert "\n" not in str(error.value)


def test_a_window_that_begins_before_the_audio_has_zeros_there():
    early, later = cut_windows(np.arange(1.0, 9.0, dtype=np.float32), 1, np.array([-2.0, 6.0]), 4.0)
    assert early.tolist() == [0, 0, 1, 2]
    assert later.tolist() == [7, 8, 0, 0]


def test_a_network_embeds_a_window_before_the_audio_as_with_leading_silence():
    embedder = ModelEmbedder(tiny_model("A4"), "tiny")
    padded = np.concatenate([np.zeros(24_000, np.float32), SOUND])
    np.testing.assert_allclose(
        embedder.embed_audio_windows(SOUND, [-1.0, 0.5]), embedder.embed_audio_windows(padded, [0.0, 1.5]), atol=1e-5
    )
