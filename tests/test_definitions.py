"""Arms and presets of one's own: TOML files, registration, and the models that are made of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from antiphon.errors import AntiphonError, UnknownName, UnreadableInput
from antiphon.experiments.campaign.grid import load_grid, own_arms, plan
from antiphon.models.arms import Arm, Injected, LateFusion, find_arm, load_arms, register_arm
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.models.saving import load_dual_encoder, save_model
from antiphon.training.initialisation import check_buildable
from antiphon.training.presets import RateRule, find_preset, load_presets, register_preset

TEXT = """
[arms.mine]
injected = [{ descriptor = "a4", into = "audio", by = "film" }, { descriptor = "d4", into = "notes" }]

[arms.fused]
late_fusion = { audio = "onset_strength", notes = "predicted_onsets", dimensions = 64 }

[presets.quick]
base = "tiny"
[presets.quick.training]
epochs = 1
rates = [{ pattern = "towers.audio.front.*" }, { pattern = "*", learning_rate = 1e-3 }]
[presets.quick.sizes.audio_options]
max_positions = 400
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "my.toml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_arms_of_a_file_are_found_by_reference(path: Path):
    mine = Arm("mine", (Injected("a4", "audio", "film"), Injected("d4", "notes")))
    assert load_arms(path) == {
        "mine": mine,
        "fused": Arm("fused", late_fusion=LateFusion("onset_strength", "predicted_onsets", 64)),
    }
    assert find_arm(f"{path}:mine") == mine
    with pytest.raises(UnreadableInput, match=r"my\.toml: it defines mine, fused; name one: .*my\.toml:mine"):
        find_arm(str(path))
    with pytest.raises(UnknownName, match=r"my\.toml: arms 'mime'; did you mean 'mine'"):
        find_arm(f"{path}:mime")


def test_a_preset_of_a_file_takes_what_it_does_not_name_from_its_base(path: Path):
    quick, tiny = find_preset(str(path)), find_preset("tiny")
    assert quick.name == "quick"
    assert quick.training == replace(
        tiny.training, epochs=1, rates=(RateRule("towers.audio.front.*", None), RateRule("*", 1e-3))
    )
    assert quick.sizes.audio_options["max_positions"] == 400
    assert quick.sizes.audio_options["heads"] == tiny.sizes.audio_options["heads"]
    assert quick.sizes.notes_options["width"] == tiny.sizes.notes_options["width"]
    check_buildable(find_arm(f"{path}:mine"), quick.sizes)


def test_another_tower_begins_without_options(path: Path):
    path.write_text('[presets.roll]\nbase = "tiny"\nsizes = { notes_tower = "piano_roll" }\n', encoding="utf-8")
    sizes = find_preset(str(path)).sizes
    assert sizes.notes_options == {}
    assert sizes.audio_options
    with pytest.raises(AntiphonError, match=r"arm D0 cannot be built at these sizes .*missing"):
        check_buildable(find_arm("D0"), sizes)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("injected", "injectd"), r"arms\.mine: unknown key 'injectd'; did you mean 'injected'"),
        (('{ descriptor = "a4"', '{ descripter = "a4"'), r"arms\.mine\.injected\.0: unknown key 'descripter'; did you"),
        (("dimensions = 64", "dimension = 64"), r"arms\.fused\.late_fusion: unknown key 'dimension'; did you mean"),
        (('into = "audio"', 'into = "sound"'), r"arms\.mine\.injected\.0\.into: Input should be 'audio' or 'notes'"),
        (('descriptor = "a4"', 'descriptor = "a44"'), r"arms\.mine: unknown descriptor 'a44'; did you mean 'a4'"),
        (('"film"', '"flim"'), r"arms\.mine: unknown mechanism 'flim'; did you mean 'film'"),
        (("[arms.mine]", "[arms.D0]"), r"arms\.D0: an arm of the package"),
        (("[arms.mine]", '[arms."a/b"]'), r"arms\.a/b: a name has letters"),
        (("[arms.mine]", '[arms.mine]\nname = "x"'), r"arms\.mine\.name: the key of the table is the name"),
        (("[arms.mine]\n", "[arms.mine\n"), r"not TOML .*line 2"),
        (("[arms.mine]", "[arms]\nmine = 3\n[x]"), r"arms\.mine: expected a table"),
    ],
)
def test_a_fault_of_an_arm_is_named_with_file_and_key(path: Path, change: tuple[str, str], says: str):
    assert change[0] in TEXT
    path.write_text(TEXT.replace(*change), encoding="utf-8")
    with pytest.raises(UnreadableInput, match=rf"my\.toml: {says}"):
        load_arms(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('base = "tiny"', 'base = "tniy"'), r"presets\.quick: unknown preset 'tniy'; did you mean 'tiny'"),
        (('base = "tiny"\n', ""), r"presets\.quick\.base: missing"),
        (("epochs = 1", "epoch = 1"), r"presets\.quick\.training: unknown key 'epoch'; did you mean 'epochs'"),
        (("epochs = 1", 'epochs = "one"'), r"presets\.quick\.training\.epochs: "),
        (("epochs = 1", 'loss = "vicrge"'), r"presets\.quick: unknown loss 'vicrge'; did you mean 'vicreg'"),
        (("epochs = 1", 'schedule = "cosin"'), r"presets\.quick: unknown schedule 'cosin'; did you mean 'cosine"),
        (("epochs = 1", "augmentation = { tempoo = 1.1 }"), r"training\.augmentation: unknown key 'tempoo'; did you"),
        (('pattern = "*"', 'patern = "*"'), r"presets\.quick\.training\.rates\.1: unknown key 'patern'; did you"),
        (("[presets.quick]", "[presets.small]"), r"presets\.small: a preset of the package"),
    ],
)
def test_a_fault_of_a_preset_is_named_with_file_and_key(path: Path, change: tuple[str, str], says: str):
    assert change[0] in TEXT
    path.write_text(TEXT.replace(*change), encoding="utf-8")
    with pytest.raises(UnreadableInput, match=rf"my\.toml: .*{says}"):
        load_presets(path)


def test_a_file_without_definitions_and_a_missing_file_are_named(tmp_path: Path):
    (tmp_path / "none.toml").write_text("[arm.mine]\n", encoding="utf-8")
    with pytest.raises(UnreadableInput, match=r"none\.toml: it has no table \[arms\.NAME\]"):
        find_arm(str(tmp_path / "none.toml"))
    with pytest.raises(UnreadableInput, match=r"gone\.toml: No such file"):
        find_preset(str(tmp_path / "gone.toml:x"))


@pytest.mark.usefixtures("registrations")
def test_registered_arms_and_presets_are_found():
    arm = register_arm(Arm("mine", (Injected("a4", "audio"),)))
    preset = register_preset(replace(find_preset("tiny"), name="mine"))
    assert find_arm("mine") is arm
    assert find_preset("mine") is preset
    for register, entry in ((register_arm, arm), (register_preset, preset)):
        with pytest.raises(AntiphonError, match="'mine' exists already"):
            register(entry)
        assert register(entry, replace=True) is entry
    with pytest.raises(AntiphonError, match="'D0' exists already"):
        register_arm(Arm("D0"), replace=True)
    with pytest.raises(UnknownName, match="unknown descriptor 'a44'"):
        register_arm(Arm("other", (Injected("a44", "audio"),)))
    with pytest.raises(UnknownName, match="unknown loss"):
        register_preset(replace(preset, name="other", training=replace(preset.training, loss="x")))


def test_a_grid_has_arms_and_presets_of_its_own(path: Path):
    rows = 'title = "t"\nquestion = "q"\n[[runs]]\narms = ["D0", "mine"]\nepochs = 1\n'
    path.write_text(rows + TEXT, encoding="utf-8")
    grid = load_grid(str(path))
    assert own_arms(grid, plan(grid)) == {"mine": load_arms(path)["mine"]}
    assert grid.find_preset("quick") == load_presets(path)["quick"]
    assert grid.find_preset("small") is find_preset("small")
    path.write_text((rows + TEXT).replace('"mine"]', '"mime"]'), encoding="utf-8")
    with pytest.raises(UnknownName, match="did you mean 'mine'"):
        load_grid(str(path))


def test_a_saved_model_names_a_part_that_is_not_available(path: Path, tmp_path: Path):
    model = DualEncoder(ModelConfig(find_arm(f"{path}:mine"), find_preset(str(path)).sizes))
    save_model(model, tmp_path / "model", "card")
    path.unlink()  # the folder contains the whole arm and the sizes
    assert load_dual_encoder(tmp_path / "model").config == model.config
    config = tmp_path / "model" / "config.json"
    document = json.loads(config.read_text(encoding="utf-8"))
    assert "origins" not in document
    document["arm"]["injected"][0]["descriptor"] = "loudness"
    config.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(UnreadableInput, match=r"needs descriptor 'loudness', which is not available: register it, or"):
        load_dual_encoder(tmp_path / "model")
    document["origins"] = {"descriptor loudness": "antiphon-loudness 0.1"}
    config.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(UnreadableInput, match=r"which is not available: install antiphon-loudness 0\.1"):
        load_dual_encoder(tmp_path / "model")
