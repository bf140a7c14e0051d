"""Training of the network of note onsets: its targets, and that a few steps lower the loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import antiphon
from antiphon.io.notes import Notes
from antiphon.models.note_onsets import OnsetNetwork, log_frequency_magnitudes
from antiphon.training.note_onsets import draw_batch, loss_of, targets, train_onsets


def test_targets_are_triangles_around_onsets_and_hold_until_the_end():
    notes = Notes.of([10.104], [0.5], [60], [64])
    onset, sounding = targets(notes, 10.0)
    row = onset[60 - 21]
    assert row[[8, 9, 10, 11, 12, 13]] == pytest.approx([2 / 15, 7 / 15, 0.8, 13 / 15, 8 / 15, 0.2][::-1], abs=1e-5)
    assert onset.sum() == pytest.approx(row.sum())
    assert np.flatnonzero(sounding[60 - 21]).tolist() == list(range(10, 61))


def test_faster_playing_brings_targets_nearer():
    onset, _ = targets(Notes.of([11.0], [0.5], [60], [64]), 10.0, speed=2.0)
    assert int(onset[39].argmax()) == 50


def test_training_lowers_the_loss_and_repeats_itself():
    corpus = antiphon.open_corpus("demo")
    torch.set_num_threads(1)
    network, again = (train_onsets([corpus], 6, seed=3) for _ in range(2))
    for one, other in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    sound, wanted = draw_batch([corpus], np.random.default_rng(9))
    assert sound.shape == (8, 48_000)
    assert wanted.shape == (8, 2, 88, 201)
    torch.manual_seed(3)
    untrained = OnsetNetwork()
    with torch.no_grad():
        magnitudes = log_frequency_magnitudes(sound)
        before, after = (float(loss_of(one.train()(magnitudes), wanted)) for one in (untrained, network))
    assert after < 0.5 * before
