"""Every broken file is named in one line with its fault, the rest goes on; what only looks odd is used.

`BROKEN` and `ODD` are tables: a file name, whose suffix is what the file claims to be, how to make it, and for a
broken one what the message must say.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from antiphon import cli
from antiphon.corpora import open_corpus
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.io.note_files import NOTE_SUFFIXES, read_notes
from antiphon.io.notes import Notes
from antiphon.models.corpus_embedding import read_sound
from helpers import END_OF_TRACK, event, midi, note, scale, sine, tempo, write_scale, write_sine

pytestmark = pytest.mark.filterwarnings("ignore::antiphon.errors.InputWarning")  # of files that are cut off
RATE_HZ = 24_000
SCALE = b"".join(note(60 + step) for step in range(10)) + END_OF_TRACK
TABLE_HEADER = "onset\toffset\tnote\tvelocity\n"
RANDOM_BYTES = np.random.default_rng(0).bytes(40_000)

Make = Callable[[Path], object]


class Broken(NamedTuple):
    file: str
    make: Make
    words: str


class Odd(NamedTuple):
    file: str
    make: Make


def holding(content: bytes | str) -> Make:
    return lambda path: path.write_bytes(content if isinstance(content, bytes) else content.encode())


def sound(samples: NDArray[np.float32], **how: str) -> Make:
    return lambda path: soundfile.write(path, samples, RATE_HZ, **how)


def cut_off(make: Make, share: float = 0.0, size: int = 0) -> Make:
    """The same file, of which only a share or a number of bytes is left."""

    def cut(path: Path) -> None:
        make(path)
        os.truncate(path, size or int(share * path.stat().st_size))

    return cut


def with_bytes(make: Make, at: int, content: bytes) -> Make:
    """The same file, overwritten from a byte on."""

    def overwrite(path: Path) -> None:
        make(path)
        whole = path.read_bytes()
        path.write_bytes(whole[:at] + content + whole[at + len(content) :])

    return overwrite


def with_sample(value: float) -> NDArray[np.float32]:
    samples = sine()
    samples[RATE_HZ] = value
    return samples


def riff(content: bytes) -> bytes:
    chunk = b"RMIDdata" + len(content).to_bytes(4, "little") + content
    return b"RIFF" + len(chunk).to_bytes(4, "little") + chunk


UNREADABLE_SOUND = "not a readable sound file"
UNREADABLE_MIDI = "not a readable MIDI file"
BROKEN = [
    Broken("zero bytes.wav", holding(b""), r"the file is empty \(0 bytes\)"),
    Broken("header only.wav", cut_off(sound(sine()), size=44), "none of its sound can be decoded"),
    Broken("half a header.wav", cut_off(sound(sine()), size=20), UNREADABLE_SOUND),
    Broken("cut off.wav", cut_off(sound(sine()), 0.5), "2.50 s of sound is too short"),
    Broken("short.wav", sound(sine(2.5)), "2.50 s of sound is too short; a window needs 4 s"),
    Broken("cut off.flac", cut_off(sound(sine()), 0.5), "s of sound is too short"),
    Broken("cut off.ogg", cut_off(sound(sine()), 0.5), UNREADABLE_SOUND),
    Broken("cut off.mp3", cut_off(sound(sine()), 0.5), "s of sound is too short"),
    Broken("1 Hz.wav", with_bytes(sound(sine()), 24, b"\1\0\0\0"), "sample rate of 1 Hz; 1000 is the least"),
    Broken("unknown codec.wav", with_bytes(sound(sine()), 20, b"\x34\x12"), "nothing installed decodes the codec"),
    Broken("text.wav", holding("This is no sound.\n" * 50), UNREADABLE_SOUND),
    Broken("text.flac", holding("This is no sound.\n" * 50), UNREADABLE_SOUND),
    Broken("random.mp3", holding(RANDOM_BYTES), UNREADABLE_SOUND),
    Broken("random.ogg", holding(RANDOM_BYTES), UNREADABLE_SOUND),
    Broken("random.m4a", holding(RANDOM_BYTES), UNREADABLE_SOUND),
    Broken("midi.wav", holding(midi(SCALE)), UNREADABLE_SOUND),
    Broken("silence.wav", sound(np.zeros(5 * RATE_HZ, np.float32)), "it is silent"),
    Broken("nearly silent.flac", sound(sine(level=5e-5)), "it is silent"),
    Broken("0.1 s.wav", sound(sine(0.1)), "0.10 s of sound is too short; a window needs 4 s"),
    Broken("not a number.wav", sound(with_sample(np.nan), subtype="FLOAT"), "not finite"),
    Broken("infinite.wav", sound(with_sample(np.inf), subtype="FLOAT"), "not finite"),
    Broken(
        "infinite both ways.wav",
        sound(np.stack([with_sample(np.inf), with_sample(-np.inf)], axis=1), subtype="FLOAT"),
        "not finite",
    ),
    Broken("zero bytes.mid", holding(b""), r"the file is empty \(0 bytes\)"),
    Broken("text.mid", holding("This is no MIDI.\n" * 50), UNREADABLE_MIDI),
    Broken("random.midi", holding(RANDOM_BYTES), UNREADABLE_MIDI),
    Broken("sound.mid", sound(sine(), format="WAV"), UNREADABLE_MIDI),
    Broken("RIFF garbage.mid", holding(riff(bytes(range(40)))), UNREADABLE_MIDI),
    Broken("four bytes.mid", holding(b"MThd"), UNREADABLE_MIDI),
    Broken("header only.mid", holding(midi(count=1)), "no notes"),
    Broken("0 tracks.mid", holding(midi()), "no notes"),
    Broken("only drums.mid", holding(midi(note(36, channel=9) + END_OF_TRACK)), "drums only, no pitched notes"),
    Broken("no notes.mid", holding(midi(tempo(0, 500_000) + END_OF_TRACK)), "no notes"),
    Broken("cut off.mid", cut_off(holding(midi(SCALE)), size=24), "cut off before its first note"),
    Broken("division 0.mid", holding(midi(SCALE, division=0)), "0 ticks per quarter note"),
    Broken("500 years.mid", holding(midi(note(duration=0xFFFFFFF) + SCALE, division=1)), "over a day"),
    Broken("zero bytes.tsv", holding(b""), r"the file is empty \(0 bytes\)"),
    Broken("no end.tsv", holding("onset\tpitch\tnote\n0\t1\t60\n"), "no column offset or duration; .* onset, pitch"),
    Broken("header only.tsv", holding(TABLE_HEADER), "no notes"),
    Broken(
        "a word.tsv",
        holding(f"{TABLE_HEADER}0\t1\t60\t64\n1\t2\tX4\t64\n"),
        "line 3 has 'X4', neither .* in column note",
    ),
    Broken("short row.tsv", holding(f"{TABLE_HEADER}0\t1\t60\t64\n1\t2\n"), "line 3 has no pitch in column note"),
    Broken("ends before.tsv", holding(f"{TABLE_HEADER}2\t1\t60\t64\n"), "line 2: the note ends before it begins"),
    Broken("pitch 200.tsv", holding(f"{TABLE_HEADER}0\t1\t200\t64\n"), "line 2: pitch 200 .* outside 0–127"),
    Broken("not a number.tsv", holding(f"{TABLE_HEADER}nan\t1\t60\t64\n"), "not finite"),
    Broken("no pitch.tsv", holding(f"{TABLE_HEADER}0\t1\tnan\t64\n"), "note.* not a whole number"),
    Broken("milliseconds.tsv", holding(f"{TABLE_HEADER}0\t9e7\t60\t64\n"), "its times are not seconds"),
    Broken("binary.tsv", holding(b"\xff\xfe" + RANDOM_BYTES), "not a text table"),
]

RUNNING_STATUS = event(0, 0x90, 60, 64) + b"".join(
    bytes([0x83, 0x60, 60 + step, 0, 0, 61 + step, 64]) for step in range(9)
)
ODD = [
    Odd("8 bits 8 kHz.wav", lambda path: write_sine(path, rate_hz=8_000, subtype="PCM_U8")),
    Odd("192 kHz 6 channels.wav", lambda path: write_sine(path, rate_hz=192_000, channels=6, subtype="PCM_24")),
    Odd("UPPER CASE.WAV", write_sine),
    Odd("cut off after a window.wav", cut_off(sound(sine(10.0)), 0.5)),
    Odd("cut off after a window.flac", cut_off(sound(sine()), 0.9)),
    Odd("Пьеса № 1 – été 月.flac", write_sine),
    Odd("UPPER CASE.MID", write_scale),
    Odd("Пьеса № 2 – été 月.midi", write_scale),
    Odd("running status.mid", holding(midi(RUNNING_STATUS + event(480, 0x80, 69, 0) + END_OF_TRACK))),
    Odd("one independent track.mid", holding(midi(SCALE, kind=2))),
    Odd("format 9.mid", holding(midi(SCALE, kind=9))),
    Odd("film frames.mid", holding(midi(SCALE, division=0xE728))),
    Odd("no end of track.mid", holding(midi(SCALE.removesuffix(END_OF_TRACK)))),
    Odd("unknown chunk.mid", holding(midi(SCALE) + b"XFIH" + (4).to_bytes(4, "big") + b"data")),
    Odd("fewer tracks promised.mid", holding(midi(SCALE, SCALE, count=1))),
    Odd("quoted.tsv", holding("\ufeff#onset,offset,note,velocity\r\n0.0,1.0,60.0,64\r\n")),
]


def read(path: Path) -> NDArray[np.float32] | Notes:
    """As index, search and evaluation read a file."""
    return read_notes(path) if path.suffix.lower() in NOTE_SUFFIXES else read_sound(path, RATE_HZ, 4.0)


def antiphon(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.app, [str(word) for word in words])


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.file)
def test_broken_file_is_named_with_its_fault(tmp_path: Path, case: Broken) -> None:
    path = tmp_path / case.file
    case.make(path)
    with pytest.raises(UnreadableInput, match=case.words) as raised:
        read(path)
    assert raised.value.path == path
    assert str(raised.value) == f"{path}: {raised.value.reason}"
    assert "\n" not in raised.value.reason
    assert str(path) not in raised.value.reason  # once is enough


@pytest.mark.parametrize("case", ODD, ids=lambda case: case.file)
def test_odd_file_is_used(tmp_path: Path, case: Odd) -> None:
    case.make(tmp_path / case.file)
    assert len(read(tmp_path / case.file)) > 0


@pytest.fixture(scope="module")
def mixed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every broken file there is, two good ones, and two entries that are no files."""
    folder = tmp_path_factory.mktemp("mixed")
    for case in BROKEN:
        case.make(folder / case.file)
    write_scale(folder / "good.mid")
    write_midi_as_sound(folder / "good.flac")
    (folder / "score.pdf").write_bytes(b"%PDF-1.7")
    (folder / "a folder.mid").mkdir()
    (folder / "dangling.wav").symlink_to(folder / "gone.wav")
    return folder


def write_midi_as_sound(path: Path) -> None:
    from antiphon.rendering.additive import AdditivePiano

    soundfile.write(path, AdditivePiano(RATE_HZ).render(scale(), 6.0), RATE_HZ)


def assert_each_is_named_once(lines: list[str], folder: Path) -> None:
    assert len(lines) == len(BROKEN)
    for case in BROKEN:
        (line,) = [line for line in lines if f"{folder / case.file}: " in line]
        assert re.search(case.words, line)


def test_index_names_every_broken_file_and_goes_on(mixed_folder: Path, tmp_path: Path) -> None:
    build = ("index", "build", mixed_folder, "--out", tmp_path / "index", "--model", "template")
    first = antiphon(*build, "--json")
    assert first.exit_code == 0
    report = json.loads(first.stdout)
    assert report["embedded"] == 2
    assert_each_is_named_once(report["failed"], mixed_folder.resolve())
    skipped = [line for line in first.stderr.splitlines() if line.startswith("skipped: ")]
    assert_each_is_named_once(skipped, mixed_folder.resolve())
    assert f"{len(BROKEN)} files skipped" in first.stderr

    again = antiphon(*build, "--strict", "--json")
    assert again.exit_code == 2
    assert all("it ends early" in line for line in report["warnings"])
    kept = {"embedded": 0, "unchanged": 2, "windows": 0, "empty_windows": 0, "warnings": []}
    assert json.loads(again.stdout) == report | kept


def test_folder_of_nothing_but_broken_files_fails(tmp_path: Path) -> None:
    (tmp_path / "sound").mkdir()
    (tmp_path / "sound/text.wav").write_text("no sound", encoding="utf-8")
    assert antiphon("index", "build", tmp_path / "sound", "--out", tmp_path / "index").exit_code == 2


def test_mended_file_is_taken_in(tmp_path: Path) -> None:
    path = tmp_path / "library/take.mid"
    write_scale(path.with_name("good.mid"), lowest=40)
    path.write_text("not yet", encoding="utf-8")
    build = ("index", "build", path.parent, "--out", tmp_path / "index", "--json")
    assert len(json.loads(antiphon(*build).stdout)["failed"]) == 1
    write_scale(path)
    mended = json.loads(antiphon(*build).stdout)
    assert (mended["embedded"], mended["unchanged"], mended["failed"]) == (1, 1, [])


def test_file_name_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    """As archives from before Unicode hold them; neither JSON nor SQLite could take such a name."""
    folder = tmp_path / "library"
    write_scale(folder / "good.mid")
    write_scale(Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.mid")))
    built = antiphon("index", "build", folder, "--out", tmp_path / "index", "--json")
    assert built.exit_code == 0
    report = json.loads(built.stdout)
    assert report["embedded"] == 1
    assert report["failed"] == [f"{folder.resolve()}/caf\\udce9.mid: its name is not UTF-8; rename it"]


def test_file_that_may_not_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "library"
    write_scale(folder / "good.mid")
    write_scale(folder / "secret.mid")
    opened = Path.open

    def guarded(path: Path, *how: str, **options: str) -> object:
        if path.name == "secret.mid":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *how, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", guarded)
    report = json.loads(antiphon("index", "build", folder, "--out", tmp_path / "index", "--json").stdout)
    assert report["embedded"] == 1
    assert report["failed"] == [f"{folder.resolve()}/secret.mid: it cannot be opened (Permission denied)"]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("searched")
    write_scale(folder / "library/good.mid")
    assert antiphon("index", "build", folder / "library", "--out", folder / "index").exit_code == 0
    return folder / "index"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("zero bytes.wav", "the file is empty"),
        ("silence.wav", "it is silent"),
        ("text.mid", UNREADABLE_MIDI),
        ("no end.tsv", "no column offset or duration"),
        ("gone.wav", "no such file"),
        ("a folder.mid", "this is a folder, a note file was expected"),
        ("score.pdf", "neither a sound file nor a note file by its suffix '.pdf'"),
    ],
)
def test_bad_query_is_one_line_and_exit_code_2(
    mixed_folder: Path,
    index: Path,
    query: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["antiphon", "search", str(mixed_folder / query), "--index", str(index)])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(rf"antiphon: {re.escape(str(mixed_folder / query))}: .*{words}.*\n", printed.err)


def test_bad_query_shows_no_traceback(mixed_folder: Path, index: Path) -> None:
    command = [sys.executable, "-m", "antiphon", "search", mixed_folder / "text.wav", "--index", index]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"antiphon: {mixed_folder / 'text.wav'}: {UNREADABLE_SOUND}")
    assert done.stderr.count("\n") == 1


MAESTRO_HEADER = "canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration\n"
GOOD_ROW = "Suk,Jaro,test,2004,good.midi,good.wav,6.0\n"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (MAESTRO_HEADER.replace("duration", "length") + GOOD_ROW, "no column duration"),
        (MAESTRO_HEADER.replace(",", ";") + GOOD_ROW, "no column canonical_composer, canonical_title"),
        ("", "no column canonical_composer"),
        (MAESTRO_HEADER, "no recordings found"),
        ("caf\xe9".encode("latin-1"), "not a MAESTRO table"),
        (MAESTRO_HEADER + '"' + 200_000 * "a", "not a MAESTRO table"),
    ],
    ids=["wrong column", "semicolons", "empty", "header only", "not UTF-8", "open quote"],
)
def test_broken_maestro_table_is_named(tmp_path: Path, table: str | bytes, words: str) -> None:
    holding(table)(tmp_path / "maestro-v3.0.0.csv")
    with pytest.raises(AntiphonError, match=words) as raised:
        open_corpus(tmp_path)
    assert str(tmp_path) in str(raised.value)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("Suk,Jaro,test,2004,good.midi,good.wav,\n", "good.midi: its duration in maestro-v3.0.0.csv is ''"),
        ("Suk,Jaro,test,2004,good.midi,good.wav,long\n", "its duration in maestro-v3.0.0.csv is 'long'"),
        ("Suk,Jaro,test,2004,good.midi,good.wav,nan\n", "its duration in maestro-v3.0.0.csv is 'nan'"),
        ("Suk,Jaro,test,2004,good.midi,good.wav,-1\n", "its duration in maestro-v3.0.0.csv is '-1'"),
        ("Suk,Jaro,test,2004\n", "recording 2 has no value in column midi_filename, audio_filename, duration"),
        ("Suk,Jaro,test,2004,gone.midi,gone.wav,6.0\n", "gone.midi: named in maestro-v3.0.0.csv but missing"),
    ],
    ids=["no duration", "a word", "not a number", "negative", "short row", "missing MIDI"],
)
def test_broken_maestro_row_is_named_and_the_rest_kept(tmp_path: Path, row: str, words: str) -> None:
    write_scale(tmp_path / "good.midi")
    holding(MAESTRO_HEADER + GOOD_ROW + row)(tmp_path / "maestro-v3.0.0.csv")
    corpus = open_corpus(tmp_path)
    assert [one.id for one in corpus.recordings] == ["good"]
    (error,) = corpus.skipped
    assert words in str(error)
