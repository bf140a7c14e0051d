"""Mechanisms against slow oracles, replaced descriptors, and the loss over an arm's pairs."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from antiphon.errors import AntiphonError
from antiphon.models.arms import ARMS, Pair, find_arm
from antiphon.models.batch import Tokens
from antiphon.models.descriptors.alter import alter
from antiphon.models.embedder import ModelEmbedder
from antiphon.models.injection import Shape
from antiphon.models.injection.align import aligned
from antiphon.models.injection.attention_bias import AttentionBias
from antiphon.models.injection.cross_attention import Attend, CrossAttention
from antiphon.models.injection.film import Film
from antiphon.models.injection.moe import MixtureOfExperts
from antiphon.models.injection.reverse_cross_attention import ReverseCrossAttention
from antiphon.models.injection.third_tower import concatenated
from antiphon.models.network import DualEncoder, Encoded, ModelConfig
from antiphon.models.towers.transformer import TransformerLayer
from antiphon.training.losses import LOSSES, Loss
from antiphon.training.presets import find_preset
from antiphon.training.step import objective
from builders import random_batch

SHAPE = Shape(width=32, layers=3, heads=4, dropout=0.0, attention_dropout=0.0, embedding=16)


def padding(*lengths: int, until: int) -> torch.Tensor:
    return torch.arange(until)[None] >= torch.tensor(lengths)[:, None]


def model_of(arm: str) -> DualEncoder:
    torch.manual_seed(0)
    return DualEncoder(ModelConfig(find_arm(arm), find_preset("tiny").sizes)).eval()


class TestAligned:
    def test_interpolates_each_row_over_its_unpadded_part(self):
        torch.manual_seed(0)
        values = torch.randn(3, 9, 2)
        source, target = padding(9, 4, 1, until=9), padding(5, 12, 3, until=12)
        found = aligned(Tokens(values, source), 12, target)
        for row, (have, want) in enumerate(((9, 5), (4, 12), (1, 3))):
            alone = F.interpolate(values[row : row + 1, :have].transpose(1, 2), size=want, mode="linear")[0].T
            torch.testing.assert_close(found[row, :want], alone)

    def test_gives_zeros_for_padding_and_returns_equal_lengths_unchanged(self):
        values = torch.randn(2, 4, 3)
        assert not aligned(Tokens(values, padding(0, 4, until=4)), 7)[0].any()
        assert aligned(Tokens(values), 4) is values
        same = padding(2, 4, until=4)
        assert aligned(Tokens(values, same), 4, same.clone()) is values

    def test_keeps_a_ramp_monotonic(self):
        ramp = torch.linspace(0, 1, 188)[None, :, None]
        stretched = aligned(Tokens(ramp), 300)[0, :, 0]
        assert stretched.shape == (300,)
        assert (stretched.diff() >= 0).all()


class TestAttend:
    def test_equals_pytorchs_own(self):
        torch.manual_seed(0)
        ours, theirs = Attend(SHAPE), nn.MultiheadAttention(32, 4, batch_first=True)
        with torch.no_grad():
            theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key_value.weight]))
            theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key_value.bias]).normal_())
            ours.query.bias.copy_(theirs.in_proj_bias[:32])
            ours.key_value.bias.copy_(theirs.in_proj_bias[32:])
            theirs.out_proj.load_state_dict(ours.out.state_dict())
        queries, values, hidden = torch.randn(2, 7, 32), torch.randn(2, 11, 32), padding(11, 6, until=11)
        expected, _ = theirs(queries, values, values, key_padding_mask=hidden)
        torch.testing.assert_close(ours(queries, Tokens(values, hidden)), expected, atol=1e-5, rtol=1e-4)

    def test_cross_attention_keeps_the_length_and_only_normalises_a_window_without_notes(self):
        torch.manual_seed(0)
        module, tokens = CrossAttention(SHAPE, 4), Tokens(torch.randn(2, 6, 32))
        found = module(tokens, Tokens(torch.randn(2, 5, 4), padding(5, 0, until=5)))
        assert found.values.shape == (2, 6, 32)
        torch.testing.assert_close(found.values[1], module.norm(tokens.values[1]))
        assert (found.values[0] - module.norm(tokens.values[0])).abs().max() > 0.01

    def test_reverse_cross_attention_returns_the_descriptors_frames(self):
        module = ReverseCrossAttention(SHAPE, 8)
        found = module(Tokens(torch.randn(2, 300, 32)), Tokens(torch.randn(2, 188, 8)))
        assert found.values.shape == (2, 188, 32)
        with pytest.raises(ValueError, match="201 descriptor frames"):
            module(Tokens(torch.randn(1, 300, 32)), Tokens(torch.randn(1, 201, 8)))

    def test_in_the_papers_sizes_the_transformer_has_188_tokens(self):
        lengths: dict[str, list[int]] = {}
        with torch.device("meta"):
            sizes = find_preset("paper").sizes
            batch = random_batch(1)
            batch = type(batch)(batch.audio.to("meta"), batch.notes)
            for arm in ("D0", "a4r"):
                model = DualEncoder(ModelConfig(find_arm(arm), sizes)).eval()
                a4 = {"a4": Tokens(torch.empty(1, 188, 8))}
                seen = lengths.setdefault(arm, [])
                model.encode(
                    "audio", batch, a4, lambda side, layer, tokens, seen=seen: seen.append(tokens.values.shape[1])
                )
        assert lengths == {"D0": [2400] * 4, "a4r": [188] * 4}


class TestFilm:
    def test_starts_as_the_identity_and_scales_and_shifts_after_training(self):
        torch.manual_seed(0)
        module, tokens, descriptor = Film(SHAPE, 4), Tokens(torch.randn(2, 6, 32)), Tokens(torch.randn(2, 5, 4))
        same, penalties = module(tokens, descriptor, 1)
        torch.testing.assert_close(same.values, tokens.values)
        assert penalties == {}
        inner = module.modulation
        nn.init.normal_(inner.scale_shift[1].weight)
        summary = torch.relu(inner.hidden(descriptor.values.mean(dim=1)))
        moved = summary @ inner.scale_shift[1].weight.T
        expected = (1 + moved[:, None, :32]) * tokens.values + moved[:, None, 32:]
        torch.testing.assert_close(module(tokens, descriptor, 1)[0].values, expected)
        torch.testing.assert_close(module(tokens, descriptor, 0)[0].values, tokens.values)


class TestMoe:
    def test_equals_its_formula_typed_slowly(self):
        torch.manual_seed(0)
        module = MixtureOfExperts(SHAPE, 4, entropy_weight=0.01).eval()
        values, hidden, descriptor = torch.randn(2, 3, 32), padding(3, 2, until=3), Tokens(torch.randn(2, 5, 4))
        with torch.no_grad():
            self._compare(module, values, hidden, descriptor)

    def _compare(
        self, module: MixtureOfExperts, values: torch.Tensor, hidden: torch.Tensor, descriptor: Tokens
    ) -> None:
        found, penalties = module(Tokens(values, hidden), descriptor, 2)
        loads, entropies = [], []
        for row, length in ((0, 3), (1, 2)):
            for at in range(length):
                h = values[row, at]
                gates = module.routers[2](torch.cat([h, descriptor.values[row].mean(dim=0)])).softmax(0)
                expected = h + sum(gates[e] * module.experts[2][e](h) for e in range(2))
                torch.testing.assert_close(found.values[row, at], expected)
                loads.append(gates)
                entropies.append(-sum(float(g) * math.log(float(g)) for g in gates))
        mean = torch.stack(loads).mean(dim=0)
        variance = float(((mean - mean.mean()) ** 2).mean())
        assert float(penalties["load_balance"]) == pytest.approx(0.01 * 2 * variance, rel=1e-3)
        assert float(penalties["router_entropy"]) == pytest.approx(0.01 * sum(entropies) / 5, rel=1e-4)

    def test_top_1_uses_one_expert_with_the_soft_gradient(self):
        torch.manual_seed(0)
        module = MixtureOfExperts(SHAPE, 4, top_1=True)
        values, descriptor = torch.randn(1, 1, 32), Tokens(torch.randn(1, 5, 4))
        found, _ = module(Tokens(values), descriptor, 0)
        outcomes = [values + module.experts[0][e](values) for e in range(2)]
        assert min(float((found.values - outcome).abs().max().detach()) for outcome in outcomes) < 1e-6
        found.values.sum().backward()
        assert module.routers[0][0].weight.grad.abs().max() > 0

    def test_noise_anneals_and_is_for_training_only(self):
        torch.manual_seed(0)
        module = MixtureOfExperts(SHAPE, 4, noise=(0.5, 0.0))
        values, descriptor = Tokens(torch.randn(1, 50, 32)), Tokens(torch.randn(1, 5, 4))

        def spread() -> float:
            one, other = (module(values, descriptor, 0)[0].values for _ in range(2))
            return (one - other).abs().max().item()

        first = spread()
        module.progress = 1.0
        assert first > 0
        assert spread() == 0.0
        module.progress = 0.0
        module.eval()
        assert spread() == 0.0

    def test_the_model_sets_the_progress_of_mechanisms(self):
        model = model_of("moe-a4-v4")
        model.set_progress(0.25)
        assert model.injections[0].progress == 0.25
        assert model.injections[0].experts[0][0][0].weight.std().item() == pytest.approx(0.02, rel=0.2)


def test_attention_bias_raises_attention_to_a_position():
    torch.manual_seed(0)
    module, layer = AttentionBias(SHAPE, 1), TransformerLayer(32, 4, 64, 0.0, 0.0, norm_first=True).eval()
    tokens, hidden = torch.randn(1, 6, 32), padding(5, until=6)
    descriptor = torch.zeros(1, 6, 1)
    descriptor[0, 3] = 100.0
    nn.init.ones_(module.bias[0].weight)
    biased = layer(Tokens(tokens, hidden), module(Tokens(tokens, hidden), Tokens(descriptor, hidden), 0))
    x = layer.norm_attention(tokens)
    value = layer.qkv(x)[0, 3, 64:]
    x = tokens + layer.out(value)
    torch.testing.assert_close(biased.values[:, :5], (x + layer._feed(layer.norm_ffn(x)))[:, :5], atol=1e-5, rtol=1e-4)


def test_the_third_tower_resamples_notes_to_the_length_of_the_audio():
    a4, d4 = Tokens(torch.randn(2, 188, 8)), Tokens(torch.randn(2, 20, 4), padding(20, 7, until=20))
    both = concatenated([a4, d4])
    assert both.values.shape == (2, 188, 12)
    alone = F.interpolate(d4.values[1:, :7].transpose(1, 2), size=188, mode="linear")[0].T
    torch.testing.assert_close(both.values[1, :, 8:], alone)


class TestAlter:
    tokens = Tokens(torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0)), padding(6, 2, 5, 3, until=6))

    def test_zero_and_real(self):
        assert not alter(self.tokens, "zero").values.any()
        assert alter(self.tokens, "real") is self.tokens

    def test_shuffle_replaces_every_row_by_another(self):
        moved = alter(self.tokens, "shuffle", torch.Generator().manual_seed(1))
        for row in range(4):
            matches = [i for i in range(4) if torch.equal(moved.values[row], self.tokens.values[i])]
            assert len(matches) == 1
            assert matches != [row]
            assert torch.equal(moved.padding[row], self.tokens.padding[matches[0]])

    def test_noise_has_the_descriptors_mean_and_spread(self):
        values = torch.randn(50, 40, 2) * torch.tensor([1.0, 5.0]) + torch.tensor([0.0, 3.0])
        noise = alter(Tokens(values), "noise").values.flatten(0, 1)
        torch.testing.assert_close(noise.mean(dim=0), values.mean(dim=(0, 1)), atol=0.4, rtol=0.1)
        torch.testing.assert_close(noise.std(dim=0), values.flatten(0, 1).std(dim=0), atol=0.1, rtol=0.1)
        assert (noise - values.flatten(0, 1)).abs().mean() > 0.5

    def test_the_same_generator_gives_the_same(self):
        one, other = (alter(self.tokens, "noise", torch.Generator().manual_seed(3)).values for _ in range(2))
        assert torch.equal(one, other)


class TestObjective:
    loss = Loss("product", lambda one, other, false_negatives, past: {"product": (one * other).sum()})

    def encoded(self) -> Encoded:
        return Encoded(torch.tensor([[2.0]]), torch.tensor([[3.0]]), torch.tensor([[5.0]]), {"load": torch.tensor(0.5)})

    @pytest.mark.parametrize(
        ("arm", "expected"),
        [
            ("D0", 6),
            ("t3-tri", (6 + 10 + 15) / 3),
            ("t3-anc", (10 + 15) / 2),
            ("t3-wt", 6 + 0.3 * (10 + 15) / 2),
            ("d1", 6 + 0.1 * 10),
        ],
    )
    def test_weights_the_pairs_of_the_arm(self, arm: str, expected: float):
        terms = objective(self.encoded(), ARMS[arm].pairs, self.loss)
        assert float(terms["product"]) == pytest.approx(expected)
        assert float(terms["load"]) == 0.5

    def test_a_pair_without_a_branch_is_an_error(self):
        alone = Encoded(torch.ones(1, 1), torch.ones(1, 1), None, {})
        with pytest.raises(ValueError, match="no branch"):
            objective(alone, (Pair("audio", "branch"),), LOSSES["vicreg"])


class TestCrossModal:
    def test_one_modality_alone_is_an_error(self):
        batch = random_batch(1)
        embedder = ModelEmbedder(model_of("d4a4cm"), "d4a4cm")
        with pytest.raises(AntiphonError, match="takes the descriptor d4 of the notes"):
            embedder.embed_audio_windows(batch.audio[0].numpy(), torch.zeros(1).double().numpy())

    def test_each_tower_depends_on_the_descriptor_of_the_other_modality(self):
        model, batch = model_of("d4a4cm"), random_batch()
        silent = type(batch)(torch.zeros_like(batch.audio), batch.notes)
        with torch.no_grad():
            assert (model(batch).notes - model(silent).notes).abs().max() > 1e-3

    def test_other_arms_embed_pairs_equal_to_each_modality_alone(self):
        rng = torch.Generator().manual_seed(0)
        sound = (0.1 * torch.randn(24_000 * 6, generator=rng)).numpy()
        from antiphon.io.notes import Notes

        notes = Notes.of([0.5, 1.0, 4.2], [0.4] * 3, [60, 64, 67], [80] * 3)
        starts = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64).numpy()
        embedder = ModelEmbedder(model_of("d4-a4r"), "m")
        audio, rows = embedder.embed_pairs(sound, notes, starts)
        torch.testing.assert_close(torch.tensor(audio), torch.tensor(embedder.embed_audio_windows(sound, starts)))
        torch.testing.assert_close(torch.tensor(rows), torch.tensor(embedder.embed_notes_windows(notes, starts)))


def test_a_control_arm_of_zeros_ignores_the_descriptor():
    model, batch = model_of("d4a4-zero"), random_batch()
    real = model.describe(batch)
    with torch.no_grad():
        one, other = model(batch, real), model(batch, {name: alter(tokens, "noise") for name, tokens in real.items()})
    torch.testing.assert_close(one.audio, other.audio)


@pytest.mark.parametrize("arm", ["film-a4", "moe-a4"])
def test_arms_that_use_the_time_mean_of_a4_ignore_it(arm: str):
    """A4 is z-scored over the window, so its mean over time, the input of FiLM and the router, is zero."""
    model, batch = model_of(arm), random_batch()
    with torch.no_grad():
        for parameter in model.injections.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        real = model.describe(batch)
        assert real["a4"].values.abs().max() > 1
        one, other = model(batch, real), model(batch, {"a4": alter(real["a4"], "shuffle")})
    torch.testing.assert_close(one.audio, other.audio, atol=1e-5, rtol=1e-4)
