"""The paper's model: parameter counts, formulas against slow oracles, saving and loading."""

from __future__ import annotations

import json
import locale
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.experiments.listing import catalogue
from antiphon.io.notes import Notes
from antiphon.models.arms import find_arm
from antiphon.models.batch import Tokens, collate
from antiphon.models.descriptors.a4 import a4
from antiphon.models.descriptors.band_energy import band_energy
from antiphon.models.descriptors.d4 import d4
from antiphon.models.embedder import ModelEmbedder
from antiphon.models.loading import load_model
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.models.saving import load_dual_encoder, save_model
from antiphon.models.towers.note_sequence import duration_bucket
from antiphon.models.towers.transformer import TransformerLayer, sinusoidal_positions
from antiphon.training.losses.vicreg import vicreg
from antiphon.training.presets import find_preset
from builders import WINDOW, assert_same_state, random_batch, random_notes, silent_batch


def model_of(arm: str = "d4a4", preset: str = "tiny") -> DualEncoder:
    torch.manual_seed(3)
    return DualEncoder(ModelConfig(find_arm(arm), find_preset(preset).sizes)).eval()


@pytest.mark.parametrize(
    ("arm", "total", "trainable"),
    [
        ("D0", 74_194_432, 64_891_904),
        ("D4", 74_460_160, 65_157_632),
        ("A4", 75_254_272, 65_951_744),
        ("d4a4", 75_520_000, 66_217_472),
        ("a4r", 78_608_896, 69_306_368),
        ("d4-a4r", 78_874_624, 69_572_096),
        ("t3-tri", 77_235_968, 67_933_440),
        ("t3-wt", 77_235_968, 67_933_440),
        ("t3-anc", 75_910_400, 66_607_872),
        ("film-a4", 75_252_352, 65_949_824),
        ("film-d4", 74_723_456, 65_420_928),
        ("film-dual", 75_781_376, 66_478_848),
        ("moe-a4", 78_663_944, 69_361_416),
        ("moe-dual", 79_850_512, 70_547_984),
    ],
)
def test_parameter_counts_are_the_published_ones(arm: str, total: int, trainable: int):
    row = next(row for row in catalogue("arms") if row["name"] == arm)
    assert (row["total_parameters"], row["trainable_parameters"]) == (total, trainable)


def test_the_papers_convolutions_give_2400_frames_of_1024():
    with torch.device("meta"):
        model = DualEncoder(ModelConfig(find_arm("D0"), find_preset("paper").sizes))
        frames = model.towers["audio"].front(torch.empty(1, WINDOW))
    assert frames.shape == (1, 2400, 1024)


def test_small_has_300_frames():
    tokens = model_of(preset="small").tower("audio").features(random_batch())
    assert tokens.values.shape == (3, 300, 64)


def test_a4_equals_its_formula_typed_slowly():
    rng = np.random.default_rng(0)
    magnitude = rng.gamma(1.0, 2.0, (1025, 9))
    edges = [4, 8, 16, 32, 64, 128, 256, 512, 1025]
    slow = np.zeros((9, 8))
    for band in range(8):
        level = [
            np.mean([math.log(1 + magnitude[b, t]) for b in range(edges[band], edges[band + 1])]) for t in range(9)
        ]
        change = [0.0] + [level[t] - level[t - 1] for t in range(1, 9)]
        mean = sum(change) / 9
        spread = math.sqrt(sum((value - mean) ** 2 for value in change) / 9)
        slow[:, band] = [(value - mean) / max(spread, 1e-8) for value in change]
    fast = a4(torch.tensor(magnitude, dtype=torch.float32)[None])[0].numpy()
    np.testing.assert_allclose(fast, slow, atol=2e-4)


def test_a4_rises_at_a_click_in_every_octave_and_band_energy_is_largest_in_the_band_of_a_tone():
    audio = np.zeros((2, WINDOW), np.float32)
    audio[0, WINDOW // 2] = 1.0
    audio[1] = 0.5 * np.sin(2 * np.pi * 1000.0 * np.arange(WINDOW) / 24_000)
    spectrum = torch.stft(
        torch.from_numpy(audio), 2048, 512, window=torch.hann_window(2048), pad_mode="constant", return_complex=True
    ).abs()
    assert spectrum.shape[2] == 188
    rises = a4(spectrum)[0].argmax(dim=0)
    assert ((rises - 94).abs() <= 2).all()
    assert band_energy(spectrum)[1, 0].argmax() == 4  # 750–1500 Hz


def test_a4_shifts_with_time():
    rng = np.random.default_rng(0)
    magnitude = torch.tensor(rng.gamma(1.0, 2.0, (1, 1025, 20)), dtype=torch.float32)
    later = torch.roll(magnitude, 3, dims=2)
    torch.testing.assert_close(a4(later)[:, 4:], a4(magnitude)[:, 1:-3], atol=0.5, rtol=0.5)


def test_d4_equals_its_formula_on_a_written_out_phrase():
    pitch = torch.tensor([[60, 67, 36, 61, 0, 0]])
    padding = torch.tensor([[False, False, False, False, True, True]])
    expected = [
        [0.0, 7 / 24, 0.0, (7 / 12) / 2],
        [7 / 24, -31 / 24, (7 / 12) / 2, -1.0],
        [-31 / 24, 25 / 24, -1.0, 1.0],
        [25 / 24, 0.0, 1.0, 0.0],
        [0.0] * 4,
        [0.0] * 4,
    ]
    torch.testing.assert_close(d4(pitch, padding)[0], torch.tensor(expected))


def test_d4_does_not_change_under_transposition():
    notes = random_batch().notes
    torch.testing.assert_close(d4(notes.pitch + 5, notes.padding), d4(notes.pitch, notes.padding))


def test_vicreg_equals_its_formula_typed_slowly():
    rng = np.random.default_rng(1)
    audio, notes = rng.normal(0, 0.7, (2, 6, 4))
    rows, width = audio.shape
    invariance = sum((audio[i, d] - notes[i, d]) ** 2 for i in range(rows) for d in range(width)) / (rows * width)
    variance = covariance = 0.0
    for side in (audio, notes):
        mean = side.mean(axis=0)
        matrix = [
            [
                sum((side[i, a] - mean[a]) * (side[i, b] - mean[b]) for i in range(rows)) / (rows - 1)
                for b in range(width)
            ]
            for a in range(width)
        ]
        variance += sum(max(0.0, 1 - math.sqrt(matrix[d][d] + 1e-4)) for d in range(width)) / width
        covariance += sum(matrix[a][b] ** 2 for a in range(width) for b in range(width) if a != b) / width
    terms = vicreg(torch.tensor(audio), torch.tensor(notes))
    assert {name: float(term) for name, term in terms.items()} == pytest.approx(
        {"invariance": 10 * invariance, "variance": 10 * variance, "covariance": covariance}
    )


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_layer_equals_pytorchs_own(norm_first: bool):
    torch.manual_seed(0)
    ours = TransformerLayer(32, 4, 64, 0.0, 0.0, norm_first).eval()
    theirs = nn.TransformerEncoderLayer(32, 4, 64, 0.0, "gelu", batch_first=True, norm_first=norm_first).eval()
    names = {
        "self_attn.in_proj_": "qkv.",
        "self_attn.out_proj.": "out.",
        "linear1.": "expand.",
        "linear2.": "contract.",
        "norm1.": "norm_attention.",
        "norm2.": "norm_ffn.",
    }
    state = {}
    for key, value in theirs.state_dict().items():
        before, after = next((old, new) for old, new in names.items() if key.startswith(old))
        state[key.replace(before, after)] = value
    ours.load_state_dict(state)
    values, padding = torch.randn(2, 9, 32), torch.zeros(2, 9, dtype=torch.bool)
    padding[1, 5:] = True
    torch.backends.mha.set_fastpath_enabled(False)
    expected = theirs(values, src_key_padding_mask=padding)
    torch.backends.mha.set_fastpath_enabled(True)
    torch.testing.assert_close(ours(Tokens(values, padding)).values[~padding], expected[~padding], atol=1e-5, rtol=1e-4)


def test_durations_fall_into_32_logarithmic_buckets():
    assert duration_bucket(torch.tensor([0.0, 0.05, 0.5, 3.99, 4.0, 60.0])).tolist() == [0, 0, 16, 30, 31, 31]


def test_positions_are_sines_and_cosines():
    table = sinusoidal_positions(50, 8)
    assert table[7, 2] == pytest.approx(math.sin(7 / 10_000 ** (2 / 8)), abs=1e-5)
    assert table[7, 3] == pytest.approx(math.cos(7 / 10_000 ** (2 / 8)), abs=1e-5)


def test_a_window_keeps_its_first_2048_notes():
    rng = np.random.default_rng(0)
    batch = collate(np.zeros((1, WINDOW), np.float32), [random_notes(rng, 3000)])
    assert batch.notes.pitch.shape == (1, 2048)
    assert torch.isfinite(model_of()(silent_batch()).notes).all()


def test_a_saved_model_loads_equal(tmp_path):
    model = model_of()
    save_model(model, tmp_path / "m", "# card")
    loaded = load_dual_encoder(tmp_path / "m")
    assert_same_state(model.state_dict(), loaded.state_dict())
    assert load_model(tmp_path / "m").fingerprint == ModelEmbedder(model, "other name").fingerprint
    assert (tmp_path / "m" / "README.md").read_text(encoding="utf-8") == "# card"


class TestSaving:
    def test_a_failure_keeps_the_existing_model(self, tmp_path, monkeypatch: pytest.MonkeyPatch):
        folder = tmp_path / "m"
        save_model(model_of(), folder, "old")

        def half(_, path: Path) -> None:
            path.write_bytes(b"half")
            raise OSError("no space left")

        monkeypatch.setattr("antiphon.models.saving.save_file", half)
        with pytest.raises(OSError, match="no space"):
            save_model(model_of("A4"), folder, "new")
        monkeypatch.undo()
        assert load_dual_encoder(folder).config.arm.name == model_of().config.arm.name
        assert (folder / "README.md").read_text(encoding="utf-8") == "old"
        assert [one.name for one in tmp_path.iterdir()] == ["m"]

    def test_a_reader_never_mixes_config_and_weights_of_two_models(self, tmp_path, monkeypatch: pytest.MonkeyPatch):
        old, new = model_of(), model_of()
        with torch.no_grad():
            new.heads["audio"].linears[0].weight += 1.0
        new.config = replace(new.config, arm=replace(new.config.arm, name="newer"))
        save_model(old, tmp_path / "m", "")
        calls = []

        def replaced_before_weights(path: Path) -> dict[str, torch.Tensor]:
            if not calls:
                save_model(new, tmp_path / "m", "")
            calls.append(path)
            return load_file(path)

        monkeypatch.setattr("antiphon.models.saving.load_file", replaced_before_weights)
        loaded = load_dual_encoder(tmp_path / "m")
        assert loaded.config.arm.name == "newer"
        assert_same_state(new.state_dict(), loaded.state_dict())

    def test_a_folder_with_other_files_is_not_replaced(self, tmp_path):
        (tmp_path / "thesis.tex").touch()
        with pytest.raises(AntiphonError, match=r"more than a model \(thesis\.tex\)"):
            save_model(model_of(), tmp_path, "")
        assert (tmp_path / "thesis.tex").exists()

    def test_the_card_is_utf8_in_every_locale(self, tmp_path):
        before = locale.setlocale(locale.LC_CTYPE)
        locale.setlocale(locale.LC_CTYPE, "C")
        try:
            save_model(model_of(), tmp_path / "m", "sound → vectors")
        finally:
            locale.setlocale(locale.LC_CTYPE, before)
        assert (tmp_path / "m" / "README.md").read_bytes() == "sound → vectors".encode()


def test_a_changed_weight_changes_the_fingerprint():
    model = model_of()
    before = ModelEmbedder(model, "m").fingerprint
    with torch.no_grad():
        model.heads["audio"].linears[0].weight[0, 0] += 1.0
    assert ModelEmbedder(model, "m").fingerprint != before


def damage_nothing_there(folder):
    (folder / "model.safetensors").unlink()


def damage_config(folder):
    (folder / "config.json").write_text("{", encoding="utf-8")


def damage_config_to_a_list(folder):
    (folder / "config.json").write_text("[1]", encoding="utf-8")


def damage_encoding(folder):
    (folder / "config.json").write_bytes(b'{"caf\xe9": 1}')


def damage_tower_option(folder):
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["sizes"]["audio_options"]["widht"] = 3
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def damage_unknown_key(folder):
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["sizes"]["headhidden"] = 3
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def damage_format(folder):
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"format": 99}), encoding="utf-8")


def damage_width(folder):
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["sizes"]["dimensions"] = 8
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def damage_weights(folder):
    (folder / "model.safetensors").write_bytes(b"nothing of the kind")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (damage_nothing_there, "no model.safetensors"),
        (damage_config, "not a model's config"),
        (damage_config_to_a_list, "not a model's config"),
        (damage_encoding, "not a model's config"),
        (damage_tower_option, "widht"),
        (damage_unknown_key, "headhidden"),
        (damage_format, "format"),
        (damage_width, "do not fit the config"),
        (damage_weights, "not readable weights"),
    ],
)
def test_a_damaged_model_folder_is_named_with_its_fault(tmp_path, damage, says: str):
    save_model(model_of(), tmp_path / "m", "")
    damage(tmp_path / "m")
    with pytest.raises(UnreadableInput, match=says):
        load_model(tmp_path / "m")


class TestModelEmbedder:
    def test_gives_unit_rows_and_zeros_for_empty_windows(self):
        embedder = ModelEmbedder(model_of(), "m")
        rng = np.random.default_rng(0)
        sound = np.concatenate([rng.normal(0, 0.1, WINDOW), np.zeros(WINDOW)]).astype(np.float32)
        audio = embedder.embed_audio_windows(sound, np.array([0.0, 4.0]))
        notes = embedder.embed_notes_windows(random_notes(rng, 20), np.array([0.0, 50.0]))
        for rows in (audio, notes):
            assert rows.dtype == np.float32
            assert np.linalg.norm(rows[0]) == pytest.approx(1.0, abs=1e-5)
            assert not rows[1].any()

    def test_does_not_depend_on_the_batch(self):
        embedder = ModelEmbedder(model_of(), "m")
        rng = np.random.default_rng(0)
        sound, notes = rng.normal(0, 0.1, 12 * 24_000).astype(np.float32), random_notes(rng, 200, 40.0)
        starts = np.arange(36) * 0.2
        together = embedder.embed_audio_windows(sound, starts), embedder.embed_notes_windows(notes, starts)
        alone = [embedder.embed_audio_windows(sound, starts[[5]]), embedder.embed_notes_windows(notes, starts[[5]])]
        for many, one in zip(together, alone, strict=True):
            np.testing.assert_allclose(many[[5]], one, atol=1e-5)

    def test_an_empty_list_of_windows_gives_no_rows(self):
        rows = ModelEmbedder(model_of(), "m").embed_notes_windows(Notes.of([], [], [], []), np.zeros(0))
        assert rows.shape == (0, 32)
