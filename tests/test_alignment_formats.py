"""Files of alignments, each read by a reader that is not ours: csv, json, mido, pretty_midi, partitura, praatio."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pretty_midi
import pytest
from matplotlib.image import imread
from praatio import textgrid

import antiphon
from alignment_cases import Passage, played, write_score
from antiphon.alignment.alignment_table import FORMATS, Alignment, AlignmentFormat, format_of
from antiphon.errors import AntiphonError, UnknownName
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from midi_oracle import events_of

KERN = (
    "**kern\n*clefG2\n*M3/4\n*MM90\n4c\n=1\n4d\n8e\n8f\n4g\n=2\n4a\n4b\n4cc\n=3:|!\n"
    "4dd\n4ee\n4ff\n=4\n2.gg\n==\n*-\n"
)  # fmt: skip
READ_MATCH = """
import json, sys, warnings
sys.modules["fluidsynth"] = None  # with it partitura fetches a SoundFont when it is imported
warnings.simplefilter("ignore")
import partitura
for path in sys.argv[1:]:
    performance, alignment, score = partitura.load_match(path, create_score=True)
    played, written = performance.note_array(), score.note_array()
    print(json.dumps({
        "alignment": alignment,
        "played": [[one["id"], float(one["onset_sec"]), int(one["pitch"])] for one in played],
        "written": [[one["id"], float(one["onset_quarter"]), int(one["pitch"])] for one in written],
    }))
"""


@pytest.fixture(scope="module")
def score(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_score(tmp_path_factory.mktemp("scores") / "dvořák – 協奏曲.mid")


@pytest.fixture(scope="module")
def notes(score: Path) -> Notes:
    return read_notes(score)


@pytest.fixture(scope="module")
def alignment(score: Path, notes: Notes) -> Alignment:
    """Bars 1 to 8, then 5 to 10, then 13 to the end; some notes are missing, unsure or extra; a semitone higher."""
    return played(
        notes,
        score,
        [Passage(0, 16, 1.0, 1.1, 0.02), Passage(8, 20, 18.9, 1.0), Passage(24, 99, 31.2, 0.9)],
        missing=lambda n: n % 13 == 4,
        unsure=lambda n: n % 11 == 3,
        extra=[(3.03, 40), (33.0, 99)],
        semitones=1,
        jitter_s=0.003,
        lost=((20.0, 22.5),),
    )


@pytest.fixture(scope="module")
def barred(tmp_path_factory: pytest.TempPathFactory) -> Alignment:
    """A kern score with an upbeat and a written repeat of bars 1 and 2, played once."""
    path = tmp_path_factory.mktemp("kern") / "tune.krn"
    path.write_text(KERN, encoding="utf-8")
    return played(read_notes(path), path, [Passage(0, 99, 2.0, 1.2)], unsure=lambda n: n == 2)


def sounding(alignment: Alignment) -> list[tuple[float, int]]:
    rows = np.flatnonzero(np.isin(alignment.state, ("played", "unsure")))
    return sorted(
        (float(alignment.recording_s[row]), int(alignment.pitch[row]) + alignment.semitones) for row in rows.tolist()
    )


def same(found: list[tuple[float, int]], expected: list[tuple[float, int]], within_s: float) -> None:
    """Equal times and pitches, whatever the order of those at one time is."""
    assert sorted(pitch for _, pitch in found) == sorted(pitch for _, pitch in expected)
    by_pitch = [np.array(sorted((pitch, time_s) for time_s, pitch in one)) for one in (found, expected)]
    np.testing.assert_allclose(*by_pitch, atol=within_s, rtol=0)


def test_the_suffix_or_the_name_chooses_the_format() -> None:
    chosen = {name: format_of(Path(name)).name for name in ("a.csv", "a.SV.CSV", "a.MIDI", "a.TextGrid", "a.txt")}
    assert chosen == {
        "a.csv": "csv", "a.SV.CSV": "sonic-visualiser", "a.MIDI": "midi", "a.TextGrid": "textgrid", "a.txt": "audacity",
    }  # fmt: skip
    assert format_of(Path("a.mid"), "tempo-map").name == "tempo-map"
    with pytest.raises(AntiphonError, match=r"a.docx: no format has this suffix; known are .csv, .json"):
        format_of(Path("a.docx"))
    with pytest.raises(UnknownName, match=r"unknown alignment format 'tempomap'; did you mean 'tempo-map'"):
        Alignment.check_output("a.mid", "tempomap")


def test_a_format_is_one_entry(alignment: Alignment, tmp_path: Path) -> None:
    FORMATS.register(AlignmentFormat("count", (".count",), lambda one: str(len(one)).encode()))
    try:
        alignment.save(tmp_path / "new folder" / "a.count")
        assert (tmp_path / "new folder" / "a.count").read_text(encoding="utf-8") == str(len(alignment))
    finally:
        FORMATS.unregister("count")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_writes_under_any_name_and_over_an_old_file(
    name: str, alignment: Alignment, tmp_path: Path
) -> None:
    path = tmp_path / "ø 録音.anything"
    path.write_bytes(b"old")
    alignment.save(path, format=name)
    assert path.read_bytes() == FORMATS[name].write(alignment)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"csv", "json"}))
def test_an_alignment_without_notes_is_refused(name: str, alignment: Alignment, tmp_path: Path) -> None:
    columns = [
        "note", "pitch", "velocity", "onset_s", "offset_s", "recording_s", "recording_offset_s", "state",
        "note_confidence",
    ]  # fmt: skip
    empty = replace(alignment, **{column: getattr(alignment, column)[:0] for column in columns}, path=(), lost=())
    with pytest.raises(AntiphonError, match=r"take\.flac: .*no(thing| note)"):
        empty.save(tmp_path / "a", format=name)
    assert not list(tmp_path.iterdir())


def test_csv_and_json_of_an_alignment_without_notes_have_none(alignment: Alignment) -> None:
    missing = replace(
        alignment, recording_s=np.full(len(alignment), np.nan), state=np.full(len(alignment), "missing"), path=()
    )
    assert len(list(csv.DictReader(io.StringIO(missing.to_csv())))) == len(alignment)
    assert all(one["recording_s"] is None for one in json.loads(FORMATS["json"].write(missing))["notes"])


def test_json_has_the_keys_of_the_contract_and_no_nan(alignment: Alignment) -> None:
    found = json.loads(FORMATS["json"].write(replace(alignment, path_confidence=float("nan"))))
    assert found["confidence"] == 0.9877
    assert found["path_confidence"] is None
    assert found["lost"] == [[20.0, 22.5]]
    assert {
        "note", "pitch", "onset_s", "bar", "beat", "recording_s", "state", "confidence"
    } <= set(found["notes"][0])  # fmt: skip
    assert len(found["notes"]) == len(alignment)
    extra = [one for one in found["notes"] if one["state"] == "extra"]
    assert [(one["recording_s"], one["pitch"], one["onset_s"]) for one in extra] == [(3.03, 40, None), (33.0, 99, None)]


def test_csv_has_the_rows_of_the_json(alignment: Alignment, barred: Alignment) -> None:
    for one in (alignment, barred):
        rows = list(csv.DictReader(io.StringIO(FORMATS["csv"].write(one).decode())))
        expected = json.loads(FORMATS["json"].write(one))["notes"]
        assert rows == [{name: "" if value is None else str(value) for name, value in row.items()} for row in expected]


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1+2", "@SUM(1)", "\t=1", "\r=1"])
def test_ids_of_foreign_files_are_no_formulas(text: str, barred: Alignment) -> None:
    ids = np.full(len(barred), text)
    one = replace(barred, note=ids, bar=None, beat=None)
    for row in csv.DictReader(io.StringIO(one.to_csv(), newline="")):
        assert row["note"] == f"'{text.strip()}"
    for row in csv.reader(io.StringIO(FORMATS["sonic-visualiser"].write(one).decode())):
        assert row[4][0] not in "=+-@\t\r"


def test_midi_is_on_the_clock_and_in_the_key_of_the_recording(alignment: Alignment, tmp_path: Path) -> None:
    alignment.save(tmp_path / "a.mid")
    read = pretty_midi.PrettyMIDI(str(tmp_path / "a.mid"))
    found = sorted((one.start, one.pitch) for part in read.instruments for one in part.notes)
    expected = sounding(alignment)
    assert len(found) == len(expected) > 90
    same(found, expected, 1.1e-4)
    assert len(mido.MidiFile(tmp_path / "a.mid").tracks) >= 1


def test_pitches_outside_of_midi_are_left_out(alignment: Alignment) -> None:
    high = replace(alignment, semitones=60)
    fitting = sum(pitch <= 127 for _, pitch in sounding(high))
    assert 0 < fitting < len(sounding(high))
    assert len(high.to_midi()) == fitting
    assert len(events_of(FORMATS["tempo-map"].write(high)).notes) == fitting
    with pytest.raises(AntiphonError, match="no note of"):
        replace(alignment, semitones=127).to_midi()


def test_unknown_ends_and_times_before_second_0(alignment: Alignment) -> None:
    early = replace(
        alignment,
        recording_s=alignment.recording_s - 1.02,
        recording_offset_s=np.full(len(alignment), np.nan),
    )
    found = early.to_midi()
    assert found.onset_s[0] == 0.0
    assert found.duration_s == pytest.approx(0.01)
    for name in FORMATS:
        assert FORMATS[name].write(early)


@pytest.fixture(scope="module")
def matches(alignment: Alignment, barred: Alignment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Match files as partitura reads them, in one process, since its import takes seconds."""
    ids = np.array([f"a,b)-deletion.{n}\n(" for n in range(len(barred))])
    written = {"jumps": alignment, "bars": barred, "ids": replace(barred, note=ids)}
    folder = tmp_path_factory.mktemp("matches")
    for name, one in written.items():
        one.save(folder / f"{name}.match")
    paths = [str(folder / f"{name}.match") for name in written]
    done = subprocess.run([sys.executable, "-c", READ_MATCH, *paths], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(zip(written, map(json.loads, done.stdout.splitlines()), strict=True))


def test_match_file_has_every_note_with_its_partner(alignment: Alignment, matches: dict[str, Any]) -> None:
    found = matches["jumps"]
    labels = [one["label"] for one in found["alignment"]]
    assert labels.count("match") == len(sounding(alignment))
    assert labels.count("deletion") == (alignment.state == "missing").sum()
    assert labels.count("insertion") == 2
    performed = {name: (onset_s, pitch) for name, onset_s, pitch in found["played"]}
    written = {name: (quarter, pitch) for name, quarter, pitch in found["written"]}
    pairs = [(one["score_id"], one["performance_id"]) for one in found["alignment"] if one["label"] == "match"]
    in_file = [(performed[p][0], performed[p][1]) for _, p in pairs]
    same(in_file, sounding(alignment), 1.1e-4)
    assert all(performed[p][1] == written[s][1] + 1 for s, p in pairs)
    # Quarters follow the order of the recording: the repeat begins 4 bars of 3 quarters after bar 5 did before.
    first, second = (next(q for name, (q, _) in written.items() if name == f"n24-{time}") for time in (1, 2))
    assert (first, second - first) == (12.0, 12.0)
    quarters = [written[s][0] for s, _ in sorted(pairs, key=lambda one: performed[one[1]][0])]
    assert (np.diff(quarters) > -0.51).all()


def test_match_file_of_a_score_has_its_bars(barred: Alignment, matches: dict[str, Any]) -> None:
    found = matches["bars"]
    assert [pitch for _, _, pitch in found["written"]] == barred.pitch.tolist()
    expected = [-1, 0, 1, 1.5, 2, 3, 4, 5, 6, 7, 8, 8.5, 9, 10, 11, 12, 13, 14, 15, 16]
    assert [quarter for _, quarter, _ in found["written"]] == expected
    text = FORMATS["match"].write(barred).decode()
    assert text.splitlines()[0] == "info(matchFileVersion,1.0.0)."
    assert "scoreprop(timeSignature,3/4,0:3,0,-1.0000)." in text


def test_match_file_with_ids_that_its_grammar_does_not_have(matches: dict[str, Any]) -> None:
    assert [one[1:] for one in matches["ids"]["written"]] == [one[1:] for one in matches["bars"]["written"]]
    assert len({name for name, _, _ in matches["ids"]["written"]}) == 20


def test_sonic_visualiser_layer_of_notes(alignment: Alignment, barred: Alignment) -> None:
    rows = list(csv.reader(io.StringIO(FORMATS["sonic-visualiser"].write(alignment).decode())))
    assert {len(row) for row in rows} == {5}
    assert [float(row[0]) for row in rows] == sorted(float(row[0]) for row in rows)
    same([(float(row[0]), int(row[1])) for row in rows], sounding(alignment), 1e-6)
    assert all(float(row[2]) > 0 and 0 <= float(row[3]) <= 1 for row in rows)
    named = list(csv.reader(io.StringIO(FORMATS["sonic-visualiser"].write(barred).decode())))
    assert [row[4] for row in named][:5] == ["0:3", "1:1", "1:2", "1:2.5", "1:3"]


def read_textgrid(alignment: Alignment, folder: Path) -> textgrid.Textgrid:
    alignment.save(folder / "a.TextGrid")
    return textgrid.openTextgrid(
        str(folder / "a.TextGrid"), includeEmptyIntervals=True, reportingMode="error", duplicateNamesMode="error"
    )


def test_textgrid_tiers_cover_their_time_without_overlap(
    alignment: Alignment, barred: Alignment, tmp_path: Path
) -> None:
    for one, name in ((alignment, "onsets"), (barred, "beats")):
        grid = read_textgrid(one, tmp_path)
        assert grid.tierNames == (name, "notes")
        assert grid.validate(reportingMode="error")
        intervals, points = (tier.entries for tier in grid.tiers)
        assert intervals[0].start == 0
        assert intervals[-1].end == grid.maxTimestamp
        assert [a.end for a in intervals[:-1]] == [b.start for b in intervals[1:]]
        times = [point.time for point in points]
        assert (np.diff(times) > 0).all()
        assert sum(len(point.label.split()) for point in points) == len(sounding(one))
        assert times[0] == pytest.approx(sounding(one)[0][0], abs=1e-6)
    assert [one.label for one in intervals[:5]] == ["", "0:3", "1:1", "1:2", "1:3"]


def test_textgrid_with_quotes_and_notes_at_once(tmp_path: Path) -> None:
    count = 2000
    notes = Notes.of(np.ones(count), np.ones(count), np.arange(count) % 128, np.full(count, 80))
    alignment = played(
        replace(notes, id=np.array([f'"n" {n}' for n in range(count)])), "none.csv", [Passage(0, 9, 0.0)]
    )
    points = read_textgrid(alignment, tmp_path).tiers[1].entries
    assert len(points) == 1
    assert points[0].label.count('"n"') == count
    assert len(events_of(FORMATS["midi"].write(alignment)).notes) == count


def test_the_picture_shows_notes_and_lost_stretches(alignment: Alignment) -> None:
    def pixels(one: Alignment) -> np.ndarray:
        return imread(io.BytesIO(FORMATS["picture"].write(one)), format="png")[..., :3]

    whole = pixels(replace(alignment, lost=()))
    assert whole.shape == (630, 990, 3)
    blue = (whole[..., 2] > 0.6) & (whole[..., 0] < 0.3)
    assert blue.sum() > 100
    lost = pixels(replace(alignment, lost=((0.0, 1e3),)))
    shaded = (lost[..., 0] - lost[..., 1] > 0.05).mean()
    assert shaded > 0.5 > 0.02 > (whole[..., 0] - whole[..., 1] > 0.05).mean()


def test_audacity_labels_of_beats_and_of_notes(alignment: Alignment, barred: Alignment) -> None:
    rows = [line.split("\t") for line in FORMATS["audacity"].write(barred).decode().splitlines()]
    texts = [row[2] for row in rows]
    assert texts[:4] == ["0:3", "1:1", "1:2 ?", "1:3"]
    assert texts[6:9] == ["2:3", "0:3/2", "1:1/2"]
    assert all(begin == end for begin, end, _ in rows)
    of_notes = [line.split("\t") for line in FORMATS["audacity"].write(alignment).decode().splitlines()]
    assert len(of_notes) == len(sounding(alignment))
    assert [float(row[0]) for row in of_notes] == pytest.approx([one[0] for one in sounding(alignment)], abs=1e-6)
    is_unsure = [row[2].endswith(" ?") for row in of_notes]
    in_lost = [20.0 <= float(row[0]) <= 22.5 for row in of_notes]
    assert sum(is_unsure) > sum(in_lost) > 0
    assert all(unsure for unsure, lost in zip(is_unsure, in_lost, strict=True) if lost)


def test_the_public_name_saves(alignment: Alignment, tmp_path: Path) -> None:
    assert antiphon.Alignment is Alignment
    with pytest.raises(AntiphonError, match="path: expected the path of a file, got int"):
        alignment.save(3)  # type: ignore[arg-type]
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        alignment.save(tmp_path / "folder", format="csv")
