"""Tables of notes as people have them: each is read right, or refused in a line that names what is wrong."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from antiphon.errors import InputWarning, UnreadableInput
from antiphon.io.kinds import modality_of
from antiphon.io.note_columns import to_number, to_pitch
from antiphon.io.note_files import read_notes
from antiphon.io.note_tables import read_table
from antiphon.io.notes import Notes

CASES = Path(__file__).parent / "cases" / "tsv"
HEADER = "onset\toffset\tnote\tvelocity\n"


@contextmanager
def warned(words: str | None) -> Iterator[None]:
    """The block issues one `InputWarning` with these words, or none."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    found = [str(one.message) for one in caught if isinstance(one.message, InputWarning)]
    assert len(found) == (words is not None), found
    assert words is None or words in found[0]


def table(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(notes: Notes) -> list[tuple[float, float, int, int]]:
    columns = (notes.onset_s, notes.offset_s, notes.pitch, notes.velocity)
    return [(round(a, 6), round(b, 6), int(c), int(d)) for a, b, c, d in zip(*columns, strict=True)]


@pytest.mark.parametrize(
    ("name", "velocity", "says"),
    [
        ("comma-decimal.tsv", 80, None),
        ("crlf-trailing-tabs.tsv", 80, None),
        ("maps-original.txt", 64, "it has no velocities; 64 was taken"),
        ("no-header.tsv", 80, "it has no header; its columns were taken to be onset, offset, pitch, velocity"),
        ("no-velocity.tsv", 64, "it has no velocities; 64 was taken"),
        ("pitch-named-pitch.tsv", 80, None),
        ("spaces.tsv", 80, None),
        ("utf16.tsv", 80, None),
        ("velocity-0-1.tsv", 80, "column velocity lies between 0 and 1; it was multiplied by 127"),
    ],
)
def test_cases_from_reports(name: str, velocity: int, says: str | None) -> None:
    with warned(says):
        notes = read_notes(CASES / name)
    onset_s = np.arange(30) / 2
    np.testing.assert_allclose(notes.onset_s, onset_s, atol=1e-9)
    np.testing.assert_allclose(notes.offset_s, onset_s + 0.4, atol=1e-9)
    assert set(notes.velocity.tolist()) == {velocity}
    assert notes.pitch.tolist()[:12] == list(range(60, 72))
    assert modality_of(CASES / name) == "notes"


def test_a_note_that_ends_before_it_begins_is_named_by_its_line() -> None:
    with pytest.raises(UnreadableInput, match=r"line 9: the note ends before it begins \(onset 3.5, offset 3.49\)"):
        read_notes(CASES / "offset-before-onset.tsv")


PLAIN = "onset,offset,pitch,velocity\n0.5,1.25,60,90\n2,2.5,54,80\n"
GERMAN = "Datei: Bär\nonset;offset;pitch;velocity\n0,5;1,25;60;90\n2,0;2,5;54;80\n"
VARIANTS = {
    "plain.csv": PLAIN,
    "semicolons.csv": PLAIN.replace(",", ";"),
    "bars.txt": PLAIN.replace(",", " | "),
    "utf-16 without a mark.txt": PLAIN.encode("utf-16-le"),
    "utf-16 big end first.csv": PLAIN.encode("utf-16-be"),
    "utf-16 big end first, with a mark.csv": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "utf-32.csv": PLAIN.encode("utf-32"),
    "a mark.csv": "\ufeff" + PLAIN,
    "old Macintosh.txt": PLAIN.replace("\n", "\r"),
    "title in Latin-1, commas in numbers.csv": GERMAN.encode("latin-1"),
    "title, commas in numbers, MacRoman.csv": GERMAN.encode("mac-roman"),
    "quoted.csv": '"onset","offset","pitch","velocity"\n"0.5","1.25","60","90"\n"2","2.5","54","80"\n',
    "quoted numbers with commas.csv": 'onset,offset,pitch,velocity\n"0,5","1,25",60,90\n"2,0","2,5",54,80\n',
    "spaces and commas in numbers.txt": "onset  offset  pitch velocity\n0,5  1,25 60 90\n 2,0\t2,5  54 80\n",
    "comments.txt": "# made by hand\n// twice\n" + PLAIN + "% the end\n#0,1,60,64\n",
    "header in a comment.txt": "# title\n#onset offset pitch velocity\n0.5 1.25 60 90\n2 2.5 54 80\n",
    "other columns.tsv": "id\tvelocity\tpitch\tend\tstart\nn1\t90\t60\t1.25\t0.5\nn2\t80\t54\t2.5\t2\n",
    "rows of an index.csv": ",start_time,end_time,midi_pitch,vel\n0,0.5,1.25,60,90\n1,2,2.5,54,80\n",
    "duration.csv": "Start;Dur;Note Number;Velocity\n0.5;0.75;60;90\n2;0.5;54;80\n",
    "names.txt": "Begin (s)\tLength (s)\tKey\tVelocity\n0.5\t0.75\tC4\t90\n2\t0.5\tF#3\t80\n",
    "milliseconds.csv": "onset_ms,offset_ms,pitch,velocity\n500,1250,60,90\n2000,2500,54,80\n",
    "also beats.csv": "onset_beat,onset_sec,duration_beat,duration_sec,pitch,velocity\n"
    "1,.5,1,.75,60,90\n4,2,1,.5,54,80\n",
    "pitch beside its name.csv": "time,duration,note,midi,velocity\n0.5,0.75,C,60,90\n2,0.5,F#,54,80\n",
    "exponents.csv": "onset,offset,pitch,velocity\n5e-1,1.25e0,6e1,90\n2E0,2.5,54.0,80.0\n",
    "end of file as DOS writes it.txt": PLAIN + "\x1a",
    "trailing separators.csv": "onset,offset,pitch,velocity,,\n0.5,1.25,60,90,,\n,,,,,\n2,2.5,54,80,,\n",
}


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_are_read_alike(tmp_path: Path, name: str) -> None:
    path = table(tmp_path / name, VARIANTS[name])
    with warned(None):
        assert rows(read_notes(path)) == [(0.5, 1.25, 60, 90), (2.0, 2.5, 54, 80)]
    assert modality_of(path) == "notes"


@pytest.mark.parametrize(
    ("text", "says", "expected"),
    [
        pytest.param(
            "0.5\t1.25\tC4\n2\t2.5\tF#3\n", "taken to be onset, offset, pitch", (60, 64), id="labels of Audacity"
        ),
        pytest.param(
            "0.5,60,0.75,0.7087,New Point\n2,54,0.5,0.7087,\n",
            "taken to be onset, pitch, duration, velocity",
            (60, 90),
            id="notes of Sonic Visualiser",
        ),
        pytest.param("0.5 0.75 60\n2 .5 54\n", "taken to be onset, duration, pitch", (60, 64), id="durations"),
        pytest.param(
            "0.5\t1.25\t261.63\n2\t2.5\t185.0\n", "taken to be onset, offset, frequency", (60, 64), id="mir_eval"
        ),
        pytest.param(
            "onset,offset,frequency\n0.5,1.25,261\n2,2.5,185\n",
            "column frequency is in Hz; the nearest notes were taken",
            (60, 64),
            id="frequencies",
        ),
        pytest.param(
            "onset,offset,pitch (Hz),velocity\n0.5,1.25,261,90\n2,2.5,185,90\n", "is in Hz", (60, 90), id="Hz"
        ),
        pytest.param(
            "onset,offset,pitch,loudness\n0.5,1.25,60,-12.5\n2,2.5,54,-9\n",
            "64 was taken for all velocities",
            (60, 64),
            id="decibels",
        ),
    ],
)
def test_assumptions_are_said(tmp_path: Path, text: str, says: str, expected: tuple[int, int]) -> None:
    path = table(tmp_path / "table.txt", text)
    with warned(says):
        notes = read_notes(path)
    assert rows(notes)[0] == (0.5, 1.25, *expected)
    assert rows(notes)[1][:3] == (2.0, 2.5, 54)
    assert modality_of(path) == "notes"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("beginn;ende;tonhöhe\n0;1;60\n", "no column onset; its columns are beginn, ende, tonhöhe"),
        ("onset,pitch\n0,60\n", "no column offset or duration; its columns are onset, pitch"),
        ("onset,offset,velocity\n0,1,60\n", "no column pitch or frequency; its columns are onset, offset, velocity"),
        ("onset_beat,duration_beat,pitch\n0,1,60\n", "no column onset; .*; column onset_beat is in beat, not in sec"),
        ("0 1 60 64\n1 2 61\n", "it has no header, and line 2 has 3 columns"),
        ("0.5 60 62\n1 61 60\n", "it has no header, and "),
        ("0.5 1.0 60.5\n1 1.5 62.2\n", "none of its columns can be told to be the pitch; name its columns"),
        ("5 6 60 64\n1 2 61 64\n", "its first column is not the onset, since it does not rise"),
        (HEADER + "0\t1\t60\t64\textra\n", "line 2 has 5 values for 4 columns"),
        (HEADER + "0.5\t1,5\t60\t64\n", "line 2 holds 1,5 with a comma, but other numbers have a decimal point"),
        (HEADER + "0\t1\t60.5\t64\n", "line 2: column note holds 60.5, not a whole number"),
        (HEADER + "0\t1\t440\t64\n", r"line 2: pitch 440 in column note is outside 0–127 \(if it is in Hz"),
        (HEADER + "0\t1\t-1\t64\n", "line 2: pitch -1 in column note is outside 0–127$"),
        (HEADER + "0\t1\t60\t64\n0\t1\t60\t200\n", "line 3: velocity 200 in column velocity is outside 0–127"),
        (HEADER + "0\t1\t60\t64\n\n\n0\tsoon\t60\t64\n", "line 5 has 'soon', no number, in column offset"),
        (HEADER + "0\t1\t60\t64\n0\t1\t60\n", "line 3 has no number in column velocity"),
        (HEADER + "0\tinf\t60\t64\n", "line 2 has inf in column offset, which is not finite"),
        (HEADER + "0\t400\t60\t64\n500\t900\t60\t64\n", "its times are not seconds, .*; .*name the columns onset_ms"),
        (HEADER, "it holds no notes"),
        ("", "the file is empty"),
        ("All notes are lost.\n", "no column onset; its columns are All, notes, are, lost"),
        (b"\x00\x01\x02\x03" * 100, "not a text table"),
    ],
)
def test_faulty_tables_are_refused_in_one_line(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(UnreadableInput, match=words) as raised:
        read_notes(table(tmp_path / "table.txt", text))
    assert "\n" not in str(raised.value)


OTHER_TABLES = {
    "README.txt": "Notes of a recital\n\nThe onset of each note, at 0.5 s, and so on.\n",
    "maestro-v3.0.0.csv": "canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration\n"
    "Suk,Jaro,test,2004,a.midi,a.wav,6.0\n",
    "beats.txt": "0.52\t1\n1.04\t2\n1.56\t3\n",
    "beats and tempo.txt": "0.52\t1\t118\n1.04\t2\t117\n1.56\t3\t119\n",
    "beats of ASAP.txt": "0.5\t0.5\tdb,4/4,-2\n1.0\t1.0\tb\n1.5\t1.5\tb\n",
    "chords.txt": "0.0 1.5 C:maj\n1.5 3.0 G:min7\n",
    "sections.csv": "start,end,label\n0,12.5,Intro\n12.5,40,Verse\n",
    "keys.csv": "start,end,key\n0,12.5,C major\n12.5,40,G minor\n",
    "f0.csv": "time,frequency,confidence\n0.00,220.5,0.9\n0.01,221.0,0.9\n",
    "f0 without names.csv": "0.00,220.5,0.9\n0.01,221.0,0.9\n",
    "several f0.txt": "0.00\t220.5\t330.1\n0.01\t221.0\t329.7\n0.02\t221.0\t329.9\n",
    "works.csv": "file,work,composer\na.mid,first,Suk\n",
    "log.csv": "time,duration,note\n0.5,1,called Bob\n3,1,called Ann\n",
    "numbers.txt": "1 2 3\n4 5 6\n7 8 9\n",
    "participants.tsv": "participant_id\tage\tsex\nsub-01\t34\tF\n",
    "binary.txt": bytes(range(256)) * 8,
    "empty.csv": "",
}


@pytest.mark.parametrize("name", OTHER_TABLES)
def test_other_tables_are_not_notes(tmp_path: Path, name: str) -> None:
    path = table(tmp_path / name, OTHER_TABLES[name])
    assert modality_of(path) is None
    with pytest.raises(UnreadableInput):
        read_notes(path)


def test_a_long_table_is_recognised_by_its_beginning(tmp_path: Path) -> None:
    lines = [f"{number / 10:.3f}\t{number / 10 + 0.05:.3f}\t{40 + number % 40}\té" for number in range(5000)]
    for encoding in ("utf-8", "utf-16", "utf-16-be"):
        data = ("onset\toffset\tpitch\tremark\n" + "\n".join(lines)).encode(encoding)
        path = table(tmp_path / f"{encoding}.txt", data)
        assert modality_of(path) == "notes"
        with warned("no velocities"):
            assert len(read_notes(path)) == 5000


def test_note_names() -> None:
    names = {"C4": 60, "c4": 60, "C-1": 0, "G9": 127, "Bb3": 58, "B♭3": 58, "F♯5": 78, "Cx4": 62, "Dbb4": 60, "Fs2": 42}
    assert {name: to_pitch(name) for name in names} == names
    assert [to_pitch(other) for other in ("H4", "C", "C4 ", "", "C:maj", "nine", "Cb#4")] == [None] * 7


def test_numbers() -> None:
    numbers = {"1": 1.0, ".5": 0.5, "5.": 5.0, "-0,5": -0.5, "+1e-2": 0.01, "1,5E1": 15.0}
    assert {text: to_number(text) for text in numbers} == numbers
    assert [to_number(other) for other in ("1,234.5", "1.234,5", "0x10", "1_000", "", "1,2,3", "١", "½")] == [None] * 8


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data())
def test_damaged_tables_are_read_or_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(path.name for path in CASES.iterdir())))
    content = bytearray((CASES / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        try:
            notes = read_table(Path(name), bytes(content))
        except UnreadableInput:
            return
    assert np.isfinite(notes.onset_s).all()
    assert (notes.duration_s >= 0).all()
    assert (notes.pitch <= 127).all()
