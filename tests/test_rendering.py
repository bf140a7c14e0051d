"""Rendering a corpus can be interrupted and resumed; a SoundFont plays pitch, onset, duration and velocity of notes."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.corpora import Corpus, Recording, open_corpus
from antiphon.corpora import render as rendering_corpus
from antiphon.corpora.render import render_corpus
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.io.audio import audio_info, is_silent, read_samples
from antiphon.io.notes import Notes, write_midi
from antiphon.rendering import make_renderer
from antiphon.rendering.additive import AdditivePiano
from antiphon.rendering.fluidsynth import FluidSynthPiano, find_soundfont

RATE_HZ = 24_000
SECONDS = 6.0


@pytest.fixture(scope="module")
def three(demo: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Two recordings of the demo corpus, and 4.5 s of a short note that the pedal holds until second 4."""
    pedalled = tmp_path_factory.mktemp("notes") / "pedalled.mid"
    write_midi(Notes.of([0.0], [0.3], [60], [90]), pedalled, np.array([[0.1, 4.0]]))
    third = Recording("pedalled", pedalled, None, 4.5, "", "pedalled", "train", "pedalled")
    return Corpus("three", (*demo.recordings[:2], third))


def render(corpus: Corpus, out: Path, max_seconds: float = SECONDS) -> list[Recording | UnreadableInput]:
    return list(render_corpus(corpus, out, "additive", max_seconds, jobs=1))


@pytest.fixture(scope="module")
def rendered(three: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three recordings, rendered; tests must not change the folder."""
    out = tmp_path_factory.mktemp("rendered") / "out"
    assert len(render(three, out)) == 3
    return out


def written(out: Path) -> dict[str, int]:
    """The time at which each audio file was written."""
    return {path.stem: path.stat().st_mtime_ns for path in out.glob("*.flac")}


def test_output_is_a_corpus_with_audio(three: Corpus, rendered: Path) -> None:
    found = open_corpus(rendered)
    expected = {one.id: one for one in three.recordings}
    assert {one.id for one in found.with_sound().recordings} == set(expected)
    for one in found.recordings:
        source = expected[one.id]
        assert (one.composer, one.title, one.split, one.work) == (
            source.composer,
            source.title,
            source.split,
            source.work,
        )
        assert one.notes_path.read_bytes() == source.notes_path.read_bytes()


def test_audio_lasts_as_long_as_the_notes_up_to_the_limit(three: Corpus, rendered: Path) -> None:
    found = {one.id: one for one in open_corpus(rendered).recordings}
    for source, expected_s in zip(three.recordings, (SECONDS, SECONDS, 4.5), strict=True):
        one = found[source.id]
        assert one.audio_path is not None
        info = audio_info(one.audio_path)
        assert (one.duration_s, info.duration_s, info.sample_rate_hz) == (expected_s, expected_s, RATE_HZ)
        assert not is_silent(read_samples(one.audio_path, RATE_HZ))


def test_pedal_is_applied(rendered: Path) -> None:
    assert not is_silent(read_samples(rendered / "pedalled.flac", RATE_HZ, offset_s=2.0, duration_s=1.5))


def test_second_run_renders_nothing(three: Corpus, rendered: Path) -> None:
    before = written(rendered)
    assert len(render(three, rendered)) == 3
    assert written(rendered) == before


def test_other_settings_are_refused(three: Corpus, rendered: Path) -> None:
    with pytest.raises(AntiphonError, match=r"holds sound rendered with max_seconds 6.0; choose another folder"):
        render(three, rendered, max_seconds=5.0)


def test_changed_notes_are_rendered_again(three: Corpus, tmp_path: Path) -> None:
    first, second = three.recordings[:2]
    notes = tmp_path / "changing.mid"
    write_midi(Notes.of([0.5], [2.0], [60], [90]), notes)
    corpus = replace(three, recordings=(replace(first, notes_path=notes, duration_s=3.0), second))
    out = tmp_path / "out"
    render(corpus, out)
    before = written(out)
    assert is_silent(read_samples(out / f"{first.id}.flac", RATE_HZ, 0.0, 0.45))
    write_midi(Notes.of([0.0], [2.0], [60], [90]), notes)
    render(corpus, out)
    assert not is_silent(read_samples(out / f"{first.id}.flac", RATE_HZ, 0.0, 0.45))
    assert (out / f"{first.id}.mid").read_bytes() == notes.read_bytes()
    assert written(out)[second.id] == before[second.id]


def test_audio_of_another_corpus_with_the_same_names_is_not_reused(three: Corpus, tmp_path: Path) -> None:
    first, second, _ = three.recordings
    out = tmp_path / "out"
    render(replace(three, recordings=(first,)), out)
    other = replace(second, id=first.id)
    render(replace(three, recordings=(other,)), out)
    render(replace(three, recordings=(second,)), tmp_path / "fresh")
    assert (out / f"{first.id}.flac").read_bytes() == (tmp_path / "fresh" / f"{second.id}.flac").read_bytes()
    assert [one.title for one in open_corpus(out).recordings] == [second.title]


def test_a_recording_that_has_become_longer_is_rendered_again(three: Corpus, tmp_path: Path) -> None:
    short, long = (replace(three, recordings=(replace(three.recordings[0], duration_s=s),)) for s in (1.0, 2.0))
    render(short, tmp_path / "out")
    render(long, tmp_path / "out")
    (found,) = open_corpus(tmp_path / "out").recordings
    assert found.audio_path is not None
    assert audio_info(found.audio_path).duration_s == found.duration_s == 2.0


def test_a_run_killed_between_notes_and_audio_does_not_keep_the_old_audio(
    three: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = tmp_path / "changing.mid"
    write_midi(Notes.of([0.5], [2.0], [60], [90]), notes)
    one = replace(
        three.recordings[0], notes_path=notes, duration_s=3.0, audio_path=tmp_path / "out" / "one.flac", id="one"
    )
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(rendering_corpus, "_renderers", (make_renderer("additive", RATE_HZ),))
    rendering_corpus._render_one(one, tmp_path / "out", RATE_HZ, None)
    assert rendering_corpus._is_rendered(one, tmp_path / "out", RATE_HZ)
    write_midi(Notes.of([0.0], [2.0], [60], [90]), notes)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rendering_corpus, "write_flac", killed)
    with pytest.raises(KeyboardInterrupt):
        rendering_corpus._render_one(one, tmp_path / "out", RATE_HZ, None)
    assert not rendering_corpus._is_rendered(one, tmp_path / "out", RATE_HZ)


def test_another_instrument_of_the_same_name_is_refused(
    three: Corpus, rendered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AdditivePiano, "fingerprint", "additive-0")
    with pytest.raises(AntiphonError, match=r"holds sound rendered with instrument 'additive-1'"):
        render(three, rendered)


def test_foreign_folder_is_refused(three: Corpus, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("", encoding="utf-8")
    with pytest.raises(AntiphonError, match="is not empty and was not made by antiphon render"):
        render(three, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_killed_run_resumes_after_a_broken_file(three: Corpus, tmp_path: Path) -> None:
    """A broken file is yielded and the rest is rendered; the next run renders only the missing files."""
    first, second, third = three.recordings
    broken_path = tmp_path / "broken.mid"
    broken_path.write_bytes(b"MThd and no more")
    corpus = replace(three, recordings=(first, replace(second, notes_path=broken_path), third))
    out = tmp_path / "out"

    results = render(corpus, out)
    (error,) = [one for one in results if isinstance(one, UnreadableInput)]
    assert error.path == broken_path
    assert {one.id for one in open_corpus(out).recordings} == {first.id, third.id}

    before = written(out)
    # As if the run had been killed while it wrote the third.
    (out / "rendered.json").unlink()
    left = out / f"{third.id}.flac.0.part"
    (out / f"{third.id}.flac").rename(left)
    os.utime(left, (0, 0))
    assert len(render(three, out)) == 3
    assert written(out)[first.id] == before[first.id]
    assert written(out)[third.id] != before[third.id]
    assert len(open_corpus(out)) == 3
    assert not list(out.glob("*.part"))


def test_splits_rendered_one_after_the_other_add_up(three: Corpus, tmp_path: Path) -> None:
    for recording in three.recordings[:2]:
        render(replace(three, recordings=(recording,)), tmp_path / "out", max_seconds=1.0)
    assert {one.id for one in open_corpus(tmp_path / "out").recordings} == {one.id for one in three.recordings[:2]}


def timgm6mb() -> str:
    """The small SoundFont that pretty_midi carries."""
    package = importlib.util.find_spec("pretty_midi")
    assert package is not None
    assert package.origin is not None
    return str(Path(package.origin).with_name("TimGM6mb.sf2"))


@pytest.fixture(scope="module")
def piano() -> FluidSynthPiano:
    return FluidSynthPiano(timgm6mb(), RATE_HZ)


def rms(samples: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


def between(samples: NDArray[np.float32], begin_s: float, end_s: float) -> NDArray[np.float32]:
    return samples[round(begin_s * RATE_HZ) : round(end_s * RATE_HZ)]


@pytest.mark.fluidsynth
@pytest.mark.parametrize(("pitch", "frequency_hz"), [(57, 220.0), (69, 440.0), (81, 880.0)])
def test_soundfont_plays_the_pitch(piano: FluidSynthPiano, pitch: int, frequency_hz: float) -> None:
    sound = piano.render(Notes.of([0.0], [2.0], [pitch], [80]), 2.0)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 19))
    bins_hz = np.arange(len(spectrum)) * RATE_HZ / (1 << 19)
    spectrum[(bins_hz < 0.75 * frequency_hz) | (bins_hz > 1.5 * frequency_hz)] = 0  # an overtone may be stronger
    assert bins_hz[np.argmax(spectrum)] == pytest.approx(frequency_hz, rel=0.004)  # 7 cents


@pytest.mark.fluidsynth
@pytest.mark.parametrize("onset_s", [0.25, 1.0, 2.345])
def test_soundfont_plays_at_the_onset(piano: FluidSynthPiano, onset_s: float) -> None:
    sound = piano.render(Notes.of([onset_s], [1.0], [72], [100]), 4.0)
    found_s = float(np.argmax(np.abs(sound) > 0.02 * np.abs(sound).max())) / RATE_HZ
    assert found_s == pytest.approx(onset_s, abs=0.008)


@pytest.mark.fluidsynth
def test_soundfont_holds_a_note_for_its_whole_duration(piano: FluidSynthPiano) -> None:
    """A held note still sounds where a short one has been damped."""
    short, held = (piano.render(Notes.of([0.0], [duration_s], [60], [90]), 3.0) for duration_s in (0.3, 2.5))
    assert rms(between(held, 1.5, 2.4)) > 100 * rms(between(short, 1.5, 2.4))


@pytest.mark.fluidsynth
def test_soundfont_plays_louder_with_velocity(piano: FluidSynthPiano) -> None:
    soft, loud = (rms(piano.render(Notes.of([0.0], [1.0], [60], [velocity]), 1.0)) for velocity in (40, 110))
    assert loud > 3 * soft


@pytest.mark.fluidsynth
def test_soundfont_audio_has_the_requested_length(piano: FluidSynthPiano) -> None:
    assert len(piano.render(Notes.of([0.5], [60.0], [60], [127]), 1.2345)) == round(1.2345 * RATE_HZ)


@pytest.mark.fluidsynth
def test_soundfont_notes_do_not_ring_into_the_next_file(piano: FluidSynthPiano) -> None:
    many = np.arange(30, 60)
    piano.render(Notes.of(np.full(30, 0.5), np.full(30, 60.0), many, np.full(30, 127)), 1.0)
    assert is_silent(piano.render(Notes.of([5.0], [1.0], [60], [127]), 1.0))


@pytest.mark.fluidsynth
def test_soundfont_renders_the_same_after_other_files(piano: FluidSynthPiano) -> None:
    notes = Notes.of([0.0, 0.4, 0.8], [0.4, 0.4, 1.0], [60, 64, 67], [80, 90, 100])
    first = piano.render(notes, 2.0)
    piano.render(Notes.of([0.1], [60.0], [50], [127]), 1.2345)
    np.testing.assert_array_equal(piano.render(notes, 2.0), first)
    np.testing.assert_array_equal(FluidSynthPiano(timgm6mb(), RATE_HZ).render(notes, 2.0), first)


@pytest.mark.fluidsynth
def test_file_that_is_not_a_soundfont_is_refused(tmp_path: Path) -> None:
    (tmp_path / "piano.sf2").write_bytes(b"not a SoundFont")
    with pytest.raises(AntiphonError, match=r"piano.sf2: FluidSynth cannot load a piano"):
        FluidSynthPiano(str(tmp_path / "piano.sf2"))


def test_unknown_soundfont_lists_those_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("antiphon.rendering.fluidsynth._FONT_FOLDERS", (tmp_path,))
    with pytest.raises(AntiphonError, match=r"no SoundFont 'Steinway'.*\(none; install it with"):
        find_soundfont("Steinway")
    for name in ("Grand.sf2", "._Grand.sf2", "Upright.sf3"):
        (tmp_path / name).touch()
    assert find_soundfont("Grand") == tmp_path / "Grand.sf2"
    with pytest.raises(AntiphonError, match=r"no SoundFont 'Steinway'.*\(Grand, Upright\)"):
        find_soundfont("Steinway")


def test_missing_fluidsynth_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fluidsynth", None)
    with pytest.raises(AntiphonError, match=r"FluidSynth is not installed.*apt-get install.*antiphon\[render\]"):
        make_renderer(timgm6mb(), RATE_HZ)
