"""Properties of every registered entry, so that a new entry is tested without a new test."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from antiphon.corpora import CORPUS_KINDS
from antiphon.errors import AntiphonError, UnknownName
from antiphon.experiments.analysis import ANALYSES
from antiphon.models.arms import ARMS, find_arm
from antiphon.models.batch import Batch, Tokens
from antiphon.models.descriptors import DESCRIPTORS, Descriptor, View, describe
from antiphon.models.injection import MECHANISMS, Mechanism, Shape
from antiphon.models.network import DualEncoder, Encoded, ModelConfig
from antiphon.models.towers import TOWERS
from antiphon.registry import Registry
from antiphon.testing import check_descriptor
from antiphon.training.losses import LOSSES
from antiphon.training.presets import PRESETS, find_preset
from antiphon.training.schedules import SCHEDULES
from antiphon.training.step import objective
from builders import pick, random_batch, silent_batch

RATE_HZ = 24_000
REGISTRIES = [ANALYSES, DESCRIPTORS, MECHANISMS, TOWERS, LOSSES, SCHEDULES, CORPUS_KINDS]


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_a_registry_is_not_empty_and_names_the_nearest(registry):
    name = next(iter(registry))
    assert registry[name].name == name
    with pytest.raises(UnknownName, match=f"did you mean .*{name}"):
        registry[name + "x"]
    assert name + "x" not in registry


def test_two_entries_of_one_name_are_an_error(tmp_path, monkeypatch):
    package = tmp_path / "twins"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    for module in ("one", "two"):
        (package / f"{module}.py").write_text(
            "from types import SimpleNamespace\nTHING = SimpleNamespace(name='x')\n", encoding="utf-8"
        )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AntiphonError, match=r"two things are named 'x': twins\.one, and twins\.two"):
        len(Registry("thing", SimpleNamespace, "twins", "THING", "antiphon.things"))


@pytest.mark.parametrize("descriptor", DESCRIPTORS.values(), ids=lambda descriptor: descriptor.name)
class TestDescriptor:
    def test_obeys_the_laws(self, descriptor: Descriptor):
        check_descriptor(descriptor, RATE_HZ)

    def test_has_no_gradient(self, descriptor: Descriptor):
        batch = random_batch()
        audio = batch.audio.requires_grad_()
        found = describe(Batch(audio, batch.notes), [descriptor.name], RATE_HZ)
        assert not found[descriptor.name].values.requires_grad


def _level(view: View) -> torch.Tensor:
    return torch.log1p(view.magnitude).mean(dim=1).unsqueeze(-1)


def _padded_count(view: View) -> torch.Tensor:
    return torch.full((len(view.audio), 1, 1), float(view.notes.padding.shape[1]))


@pytest.mark.parametrize(
    ("compute", "frames", "law"),
    [
        (lambda view: _level(view).double(), None, "float64 instead of"),
        (lambda view: _level(view).squeeze(-1), None, "not .B, T, K."),
        (lambda view: _level(view).expand(-1, -1, 2), None, "2 numbers a frame and names 1"),
        (_level, 7, "188 frames instead of its 7"),
        (lambda view: _level(view) / _level(view).amax(dim=1, keepdim=True), None, "on silence or without notes"),
        (lambda view: _level(view) + torch.rand(1), None, "computed again"),
        (lambda view: _level(view) - _level(view).mean(), None, "mixes windows"),
        (_padded_count, None, "padded notes"),
    ],
)
def test_a_descriptor_that_breaks_a_law_is_told_which(compute, frames: int | None, law: str):
    check_descriptor(Descriptor("mine", "audio", ("level",), lambda view: Tokens(_level(view)), 188), RATE_HZ)
    with pytest.raises(AssertionError, match=law):
        check_descriptor(Descriptor("mine", "audio", ("level",), lambda view: Tokens(compute(view)), frames), RATE_HZ)


def tiny(arm: str) -> DualEncoder:
    torch.manual_seed(0)
    model = DualEncoder(ModelConfig(find_arm(arm), find_preset("tiny").sizes)).eval()
    with torch.no_grad():  # some mechanisms start as the identity; here each must have an effect
        for parameter in model.injections.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def embeddings(encoded: Encoded) -> list[torch.Tensor]:
    return [rows for rows in (encoded.audio, encoded.notes, encoded.branch) if rows is not None]


# A control of noise or shuffled values depends on the whole batch by design.
ROW_BY_ROW = [
    name for name, arm in ARMS.items() if not {injected.values for injected in arm.injected} & {"noise", "shuffle"}
]


@pytest.mark.parametrize("arm", ROW_BY_ROW)
def test_an_arm_does_not_depend_on_the_batch(arm: str):
    model, batch = tiny(arm), random_batch()
    with torch.no_grad():
        together = model(batch)
        for row in range(3):
            alone = model(pick(batch, row))
            for many, one in zip(embeddings(together), embeddings(alone), strict=True):
                torch.testing.assert_close(many[row : row + 1], one, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("arm", ARMS)
class TestArm:
    def test_padded_notes_have_no_effect(self, arm: str):
        model, batch = tiny(arm), random_batch()
        filled = replace(
            batch.notes,
            pitch=torch.where(batch.notes.padding, 99, batch.notes.pitch),
            velocity=torch.where(batch.notes.padding, 120, batch.notes.velocity),
            duration_s=torch.where(batch.notes.padding, 3.0, batch.notes.duration_s),
        )
        with torch.no_grad():
            clean, dirty = model(batch), model(Batch(batch.audio, filled))
        for one, other in zip(embeddings(clean), embeddings(dirty), strict=True):
            torch.testing.assert_close(one, other)
        torch.testing.assert_close(clean.penalties, dirty.penalties)

    def test_stays_finite_on_empty_windows(self, arm: str):
        model = tiny(arm)
        with torch.no_grad():
            embedded = model(silent_batch())
        assert all(torch.isfinite(rows).all() for rows in (*embeddings(embedded), *embedded.penalties.values()))

    def test_every_injection_has_an_effect(self, arm: str):
        model, batch = tiny(arm), random_batch()
        real = model.describe(batch)
        with torch.no_grad():
            for injected in find_arm(arm).injected:
                fake = real | {injected.descriptor: noise_like(real[injected.descriptor])}
                changed, kept = (getattr(model(batch, given), injected.into) for given in (fake, real))
                difference = (F.normalize(changed) - F.normalize(kept)).norm(dim=1).min()
                # A control of zeros discards the descriptor; one of noise keeps its means and deviations.
                low, high = (0.0, 0.0) if injected.values == "zero" else (1e-4, 2.0)
                assert low <= difference <= high
            for name, into in find_arm(arm).taken[len(find_arm(arm).injected) :]:
                changed, kept = (
                    getattr(model(batch, given), into) for given in (real | {name: noise_like(real[name])}, real)
                )
                assert (F.normalize(changed) - F.normalize(kept)).norm(dim=1).min() > 1e-4

    def test_every_trainable_parameter_gets_a_gradient(self, arm: str):
        model, batch = tiny(arm).train(), random_batch()
        sum(objective(model(batch), model.config.arm.pairs, LOSSES["vicreg"]).values()).backward()
        without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
        assert without == ([] if find_arm(arm).late_fusion is None else ["late_fusion.map"])


def noise_like(tokens: Tokens) -> Tokens:
    generator = torch.Generator().manual_seed(1)
    return Tokens(torch.randn(tokens.values.shape, generator=generator), tokens.padding)


@pytest.mark.parametrize("mechanism", MECHANISMS.values(), ids=lambda mechanism: mechanism.name)
@pytest.mark.parametrize("length", [1, 7, 20, 33])
def test_a_mechanism_takes_a_descriptor_of_any_length(mechanism: Mechanism, length: int):
    torch.manual_seed(0)
    shape = Shape(width=32, layers=2, heads=4, dropout=0.0, attention_dropout=0.0, embedding=16)
    module = mechanism.build(shape, 5).eval()
    padding = torch.arange(20)[None].expand(2, -1) >= torch.tensor([[20], [12]])
    tokens, descriptor = Tokens(torch.randn(2, 20, 32), padding), Tokens(torch.randn(2, length, 5))
    results = {
        "features": lambda: module(tokens, descriptor).values,
        "tokens": lambda: module(tokens, descriptor).values,
        "layers": lambda: module(tokens, descriptor, 1)[0].values,
        "attention": lambda: module(tokens, descriptor, 1),
        "head": lambda: module(torch.randn(2, 32), descriptor, 1),
        "branch": lambda: module([descriptor]),
    }
    found = results[mechanism.place]()
    assert found.shape[0] == 2
    assert found.shape[-1] == {"attention": 20, "branch": 16}.get(mechanism.place, 32)
    assert torch.isfinite(found).all()


@pytest.mark.parametrize("loss", LOSSES.values(), ids=lambda loss: loss.name)
def test_a_loss_is_lower_for_matching_pairs(loss):
    torch.manual_seed(0)
    audio, other = torch.randn(2, 64, 16)
    matched, unmatched = (sum(loss.compute(audio, notes).values()) for notes in (audio + 0.01 * other, other))
    assert matched < unmatched


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=lambda schedule: schedule.name)
def test_a_schedule_rises_to_its_peak_and_ends_low(schedule):
    values = [schedule.multiplier(step, 1000, 100) for step in range(1000)]
    assert 0 < values[0] <= 0.02
    assert max(values) == pytest.approx(1.0)
    assert values[:100] == sorted(values[:100])
    assert values[-1] < 0.05
    assert min(values) >= 0


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_names_towers_of_the_right_side(preset: str):
    sizes = find_preset(preset).sizes
    assert TOWERS[sizes.audio_tower].side == "audio"
    assert TOWERS[sizes.notes_tower].side == "notes"


@pytest.mark.parametrize(("find", "name"), [(find_arm, "d4a5"), (find_preset, "smal")])
def test_an_unknown_name_offers_the_nearest(find, name: str):
    with pytest.raises(UnknownName, match="did you mean"):
        find(name)
