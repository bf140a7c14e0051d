"""Scores: every kind gives the notes as performed, at concert pitch and in seconds, or is refused in one line."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from benchmarks.score_fuzz import fuzz, seeds

from antiphon.errors import InputWarning, UnreadableInput
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.io.scores import read_score
from score_texts import (
    KERN,
    attributes,
    bar,
    direction,
    ending,
    mei,
    mei_bar,
    mei_note,
    note,
    partwise,
    repeat,
    tempo,
)

CASES = Path(__file__).parent / "cases" / "scores"
FIRST = attributes() + tempo(60)  # a quarter is a second
STEPS = "CDEFGAB"


def read(text: str | bytes, name: str = "score.musicxml") -> Notes:
    return read_score(Path(name), text.encode() if isinstance(text, str) else text)


def rows(notes: Notes) -> list[tuple[float, float, int]]:
    columns = (notes.onset_s.round(6).tolist(), notes.duration_s.round(6).tolist(), notes.pitch.tolist())
    return list(zip(*columns, strict=True))


def letters(notes: Notes) -> str:
    """Names of the notes in order of time, octaves left out."""
    return "".join("C.D.EF.G.A.B"[pitch % 12] for pitch in notes.pitch)


def bars_of(*content: str) -> str:
    """A part of bars of one whole note each, C to B; each entry holds what else its bar has."""
    made = []
    for place, more in enumerate(content):
        head, _, tail = more.partition("|")
        first = FIRST if place == 0 else ""
        made.append(bar(first + head + note(STEPS[place], 4) + tail, place + 1))
    return partwise("".join(made))


# MusicXML: order of the bars

JUMP = {
    name: direction(f"<words>{name}</words>") for name in ("D.C.", "D.C. al Fine", "D.S. al Coda", "Fine", "To Coda")
}
SEGNO, CODA = direction("<segno/>"), direction("<coda/>")
THRICE = repeat("backward", 'times="3"')
FORWARD, BACKWARD = repeat("forward"), repeat("backward")
ORDERS = {
    "no repeat": (("", "", ""), "CDE"),
    "from the start": (("", f"|{BACKWARD}", ""), "CDCDE"),
    "a section": (("", FORWARD, f"|{BACKWARD}", ""), "CDEDEF"),
    "two sections": ((f"|{BACKWARD}", f"|{BACKWARD}", ""), "CCDDE"),
    "three times": ((f"|{THRICE}", ""), "CCCD"),
    "start at the right": ((f"|{repeat('forward').replace('left', 'right')}", f"|{BACKWARD}"), "CDD"),
    "endings": (
        (
            FORWARD,
            f"{ending('1', 'start')}|{repeat('backward', ending='1 stop')}",
            f"{ending('2', 'start')}|{ending('2', 'stop')}",
            "",
        ),
        "CDCEF",
    ),
    "ending for two turns": (
        (
            FORWARD,
            f"{ending('1, 2', 'start')}|{repeat('backward', ending='1,2 stop')}",
            f"{ending('3', 'start')}|{ending('3', 'stop')}",
        ),
        "CDCDCE",
    ),
    "first ending only": (
        (FORWARD, f"{ending('1', 'start')}|{repeat('backward', ending='1 stop')}", ""),
        "CDCE",
    ),
    "bracket over its first bar only": (
        (
            FORWARD,
            ending("1", "start") + "|" + ending("1", "stop"),
            f"|{BACKWARD}",
            ending("2", "start") + "|" + ending("2", "stop"),
        ),
        "CDECF",
    ),
    "endings, then a section": (
        (
            FORWARD,
            f"{ending('1', 'start')}|{repeat('backward', ending='1 stop')}",
            f"{ending('2', 'start')}|{ending('2', 'stop')}",
            f"|{BACKWARD}",
            "",
        ),
        "CDCEFFG",
    ),
    "da capo": (("", f"|{JUMP['D.C.']}"), "CDCD"),
    "da capo al fine": (("", f"|{JUMP['Fine']}", f"|{JUMP['D.C. al Fine']}"), "CDECD"),
    "no repeats after da capo": ((f"|{BACKWARD}", f"|{JUMP['Fine']}", f"|{JUMP['D.C. al Fine']}"), "CCDECD"),
    "da capo, over two lines": (("", direction("<words>D.C.\nal Fine</words>")), "CDCD"),
    "da capo by sound": (("", '|<sound dacapo="yes"/>'), "CDCD"),
    "fine by sound": (("|<sound fine='yes'/>", '|<sound dacapo="yes"/>'), "CDC"),
    "dal segno al coda": (
        ("", SEGNO, f"|{JUMP['To Coda']}", f"|{JUMP['D.S. al Coda']}", CODA + "|", ""),
        "CDEFDEGA",
    ),
    "coda signs alone": (("", SEGNO, f"|{CODA}", f"|{JUMP['D.S. al Coda']}", CODA + "|"), "CDEFDEG"),
    "by sound": (
        ("", '<sound segno="s"/>', '|<sound tocoda="c"/>', '|<sound dalsegno="s"/>', '<sound coda="c"/>'),
        "CDEFDEG",
    ),
    "last ending after the jump": (
        (
            FORWARD,
            f"{ending('1', 'start')}|{repeat('backward', ending='1 stop')}",
            f"{ending('2', 'start')}|{ending('2', 'stop')}{JUMP['D.C.']}",
        ),
        "CDCECE",
    ),
    "jump without its segno": (("", '|<sound dalsegno="s"/>', ""), "CDE"),
}


@pytest.mark.parametrize("name", ORDERS)
def test_bars_are_played_in_order(name: str) -> None:
    content, played = ORDERS[name]
    notes = read(bars_of(*content))
    assert letters(notes) == played
    assert notes.onset_s.tolist() == [4.0 * place for place in range(len(played))]


def test_a_da_capo_returns_to_the_start_of_its_movement() -> None:
    final = "<barline location='right'><bar-style>light-heavy</bar-style></barline>"
    score = bars_of("", f"|{final}", f"|{JUMP['Fine']}", f"|{JUMP['D.C. al Fine']}{final}", "")
    assert letters(read(score)) == "CDEFEG"


def test_a_movement_begins_where_the_bar_numbers_begin_again() -> None:
    first = bar(FIRST + note("C", 4), 1) + bar(note("D", 4), 2)
    second = (
        bar(note("E", 4) + JUMP["Fine"], 1)
        + bar(note("F", 4) + BACKWARD, 2)
        + bar(note("G", 4) + JUMP["D.C. al Fine"], 3)
    )
    third = bar(note("A", 4), 1) + bar(note("B", 4) + BACKWARD, 2)
    assert letters(read(partwise(first + second + third))) == "CDEFEFGEABAB"


def test_repeats_in_one_part_hold_for_all() -> None:
    upper = bar(FIRST + note("C", 4) + BACKWARD) + bar(note("D", 4), 2)
    lower = bar(attributes() + note("E", 4)) + bar(note("F", 4), 2)
    assert rows(read(partwise(upper, lower))) == [
        (0.0, 4.0, 60), (0.0, 4.0, 64), (4.0, 4.0, 60), (4.0, 4.0, 64), (8.0, 4.0, 62), (8.0, 4.0, 65),
    ]  # fmt: skip


def middle(direction: str, more: str = "") -> str:
    return f'<barline location="middle"><repeat direction="{direction}" {more}/></barline>'


@pytest.mark.parametrize(
    ("content", "played"),
    [
        (note("C", 2) + middle("backward") + note("D", 2), "CCDE"),
        (note("C", 2) + middle("forward") + note("D", 2) + BACKWARD, "CDDE"),
        (note("C", 2) + middle("backward") + middle("forward") + note("D", 2) + BACKWARD, "CCDDE"),
        (note("C", 2) + middle("backward", 'times="3"') + note("D", 2) + JUMP["D.C. al Fine"], "CCCDCDE"),
        (middle("forward") + note("C", 4) + BACKWARD, "CCE"),
    ],
)
def test_repeats_inside_a_bar(content: str, played: str) -> None:
    notes = read(partwise(bar(FIRST + content) + bar(note("E", 4), 2)))
    assert letters(notes) == played
    assert notes.bar is not None
    assert notes.beat is not None
    assert notes.bar.tolist() == [1] * (len(played) - 1) + [2]
    assert all(beat == (3 if letter == "D" else 1) for beat, letter in zip(notes.beat, played, strict=True))


def test_a_repeat_inside_a_bar_holds_for_all_parts() -> None:
    upper = bar(FIRST + note("C", 2) + middle("backward") + note("D", 2))
    lower = bar(FIRST + note("E", 1) + note("F", 3))
    assert letters(read(partwise(upper, lower))) == "CEFCEFD"


def test_repeats_that_explode_are_refused() -> None:
    bars = [bar(FIRST + FORWARD + note("C", 1) * 4)] + [bar(note("C", 1) * 400, 2)] * 60
    explosive = partwise("".join(bars) + bar(note("D", 4) + repeat("backward", 'times="64"'), 3))
    with pytest.raises(UnreadableInput, match="its repeats unfold to more than 1,000,000 notes"):
        read(explosive)


# MusicXML: time


@pytest.mark.parametrize(
    ("mark", "quarter_s"),
    [
        (tempo(90), 60 / 90),
        (direction("<words>Allegro</words>", tempo(100)), 0.6),
        (direction("<metronome><beat-unit>quarter</beat-unit><per-minute>80</per-minute></metronome>"), 0.75),
        (direction("<metronome><beat-unit>half</beat-unit><per-minute>80</per-minute></metronome>"), 0.375),
        (
            direction(
                "<metronome><beat-unit>quarter</beat-unit><beat-unit-dot/><per-minute>c. 80</per-minute></metronome>"
            ),
            0.5,
        ),
        (
            direction("<metronome><beat-unit>quarter</beat-unit><per-minute>50</per-minute></metronome>", tempo(60)),
            1.0,
        ),
    ],
)
def test_tempo_marks_are_honoured(mark: str, quarter_s: float) -> None:
    notes = read(partwise(bar(attributes() + mark + note("C") + note("D", 3))))
    assert notes.onset_s.tolist() == pytest.approx([0, quarter_s], abs=1e-12)
    assert not notes.tempo_is_guessed


def test_without_a_number_the_tempo_is_a_guess() -> None:
    notes = read(partwise(bar(attributes() + direction("<words>Allegro</words>") + note("C") + note("D", 3))))
    assert rows(notes) == [(0.0, 0.5, 60), (0.5, 1.5, 62)]
    assert notes.tempo_is_guessed


def test_an_equation_of_note_values_is_a_ratio() -> None:
    equal = direction(
        "<metronome><beat-unit>quarter</beat-unit><beat-unit>quarter</beat-unit><beat-unit-dot/></metronome>"
    )
    score = partwise(bar(FIRST + note("C", 4)) + bar(equal + note("D", 4) + tempo(60), 2) + bar(note("E", 4), 3))
    assert read(score).onset_s.tolist() == pytest.approx([0, 4, 4 + 4 / 1.5])


def test_a_tempo_in_one_part_holds_for_all_and_again_in_the_repeat() -> None:
    upper = bar(attributes() + note("C", 4)) + bar(note("D", 4), 2)
    lower = bar(FIRST + note("E", 4)) + bar(tempo(120) + note("F", 4) + BACKWARD, 2)
    assert read(partwise(upper, lower)).onset_s.tolist() == [0, 0, 4, 4, 6, 6, 10, 10]


def test_an_offset_of_sound_moves_the_tempo() -> None:
    late = direction("<words>x</words>", f'<offset sound="yes">2</offset>{tempo(120)}')
    assert read(partwise(bar(FIRST + late + note("C", 2) + note("D", 2)) + bar(note("E", 4), 2))).onset_s.tolist() == [
        0, 2, 3,
    ]  # fmt: skip


def test_impossible_tempi_are_not_used() -> None:
    with pytest.warns(InputWarning, match="2 tempo marks outside 4 to 2000 quarters a minute are not used"):
        notes = read(partwise(bar(attributes() + tempo(-5) + note("C", 2) + tempo(1e7) + note("D", 2))))
    assert notes.onset_s.tolist() == [0, 1]


def test_parts_of_different_divisions_and_lengths_stay_together() -> None:
    triplet = note("G", 8) * 3
    upper = bar(attributes(24) + note("C", 24) + triplet) + bar(note("D", 96), 2)
    lower = bar(FIRST + note("E", 4)) + bar(note("F", 1.5) + note("G", 2.5), 2)  # type: ignore[arg-type]
    notes = read(partwise(upper, lower))
    assert rows(notes) == [
        (0.0, 1.0, 60), (0.0, 4.0, 64), (1.0, 0.333333, 67), (1.333333, 0.333333, 67), (1.666667, 0.333333, 67),
        (4.0, 4.0, 62), (4.0, 1.5, 65), (5.5, 2.5, 67),
    ]  # fmt: skip
    assert notes.onset_s[3] == pytest.approx(4 / 3, abs=1e-15)


def test_voices_chords_and_steps_back() -> None:
    score = FIRST + note("C", 4) + note("E", 4, before="<chord/>")
    score += "<backup><duration>4</duration></backup><forward><duration>1</duration></forward>" + note("G", 3)
    assert rows(read(partwise(bar(score)))) == [(0.0, 4.0, 60), (0.0, 4.0, 64), (1.0, 3.0, 67)]


def test_bars_and_beats() -> None:
    parts = [
        bar(attributes(1, "3", "4") + note("G"), 0, 'implicit="yes"'),
        bar(note("C") + note("D") + note("E"), 1),
        bar(note("F") + BACKWARD, 2),
        bar(note("G", 2), "X1", 'implicit="yes"'),
        bar(attributes(2, "6", "8") + note("C", 3) + note("D", 3), "3a"),
    ]
    notes = read(partwise("".join(parts)))
    assert notes.bar is not None
    assert notes.beat is not None
    assert notes.bar.tolist()[-7:] == [0, 1, 1, 1, 2, 2, 3, 3][1:]
    assert notes.beat.tolist() == [3, 1, 2, 3, 1, 3, 1, 2, 3, 1, 2, 1, 4]


# MusicXML: notes


def tie(kind: str) -> str:
    return f'<tie type="{kind}"/>'


def test_ties_are_joined() -> None:
    across = bar(FIRST + note("C", 4, more=tie("start"))) + bar(note("C", 2, more=tie("stop")) + note("C", 2), 2)
    assert rows(read(partwise(across))) == [(0.0, 6.0, 60), (6.0, 2.0, 60)]
    chain = bar(
        FIRST
        + note("C", 2, more=tie("start"))
        + note("C", 1, more=tie("stop") + tie("start"))
        + note("C", 1, more=tie("stop"))
    )
    assert rows(read(partwise(chain))) == [(0.0, 4.0, 60)]


def test_a_tie_stated_by_one_end() -> None:
    assert rows(read(partwise(bar(FIRST + note("C", 2, more=tie("start")) + note("C", 2))))) == [(0.0, 4.0, 60)]
    assert rows(read(partwise(bar(FIRST + note("D", 2) + note("C", 2, more=tie("stop")))))) == [
        (0.0, 2.0, 62), (2.0, 2.0, 60),
    ]  # fmt: skip


def test_a_tie_may_be_drawn_only() -> None:
    drawn = "<notations><tied type='{}'/></notations>"
    first = note("C", 2, more=drawn.format("start"))
    assert rows(read(partwise(bar(FIRST + first + note("C", 2, more=drawn.format("stop")))))) == [(0.0, 4.0, 60)]
    assert len(read(partwise(bar(FIRST + first + note("C", 2) + note("D", 2, more=tie("start")))))) == 3
    assert len(read(partwise(bar(FIRST + note("C", 2, more=drawn.format("let-ring")) + note("C", 2))))) == 2


@pytest.mark.parametrize(
    ("second", "lengths"),
    [
        (note("C", 4, more=tie("stop")), [8.0, 8.0, 8.0]),
        (note("C", 4, more='<tie type="stop" time-only="2"/>'), [4.0, 4.0, 8.0, 4.0, 4.0]),
        (note("C", 4, more='<tie type="stop" time-only="1, 3"/>'), [8.0, 4.0, 4.0, 8.0]),
    ],
)
def test_ties_at_some_times_only(second: str, lengths: list[float]) -> None:
    times = "1, 3" if "1, 3" in second else "2" if "2" in second else ""
    start = f'<tie type="start" time-only="{times}"/>' if times else tie("start")
    content = bar(FIRST + FORWARD + note("C", 4, more=start)) + bar(second + repeat("backward", 'times="3"'), 2)
    assert read(partwise(content)).duration_s.tolist() == lengths


def test_notes_at_some_times_only() -> None:
    verse = note("C", 4).replace("<note>", '<note time-only="1">') + "<backup><duration>4</duration></backup>"
    verse += note("D", 4).replace("<note>", '<note time-only="2,3">')
    assert letters(read(partwise(bar(FIRST + verse + repeat("backward", 'times="3"'))))) == "CDD"


def test_ties_into_both_endings_and_not_into_the_repeat() -> None:
    first = ending("1", "start") + note("C", 4, more=tie("stop")) + repeat("backward", ending="1 stop")
    second = ending("2", "start") + note("C", 4, more=tie("stop")) + ending("2", "stop")
    score = bar(FIRST + FORWARD + note("C", 4, more=tie("start"))) + bar(first, 2) + bar(second, 3)
    assert rows(read(partwise(score))) == [(0.0, 8.0, 60), (8.0, 8.0, 60)]


def test_ties_of_two_voices_of_one_pitch() -> None:
    back = "<backup><duration>4</duration></backup>"
    one = note("C", 2, more=tie("start") + "<voice>1</voice>") + note("C", 2, more=tie("stop") + "<voice>1</voice>")
    two = note("C", 2, more="<voice>2</voice>") + note("C", 2, more="<voice>2</voice>")
    assert sorted(rows(read(partwise(bar(FIRST + one + back + two))))) == [
        (0.0, 2.0, 60), (0.0, 4.0, 60), (2.0, 2.0, 60),
    ]  # fmt: skip


def test_grace_notes_come_before_the_beat() -> None:
    grace = (
        note("D", before="<grace/>") + note("E", before='<grace slash="yes"/>') + note("G", before="<grace/><chord/>")
    )
    notes = read(partwise(bar(FIRST + note("C", 2) + grace + note("F", 2))))
    assert rows(notes) == [
        (0.0, 2.0, 60), (1.84, 0.08, 62), (1.92, 0.08, 64), (1.92, 0.08, 67), (2.0, 2.0, 65),
    ]  # fmt: skip
    many = note("D", before="<grace/>") * 20
    crowded = read(partwise(bar(FIRST + note("C", 2) + many + note("F", 2))))
    assert crowded.onset_s[1] == pytest.approx(1.5)
    at_start = read(partwise(bar(FIRST + note("D", before="<grace/>") + note("F", 4))))
    assert at_start.onset_s.tolist() == [0, 0]


def test_concert_pitch() -> None:
    clarinet = attributes(more="<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>")
    horn = attributes(more="<transpose><chromatic>5</chromatic><octave-change>-1</octave-change></transpose>")
    shift = direction('<octave-shift type="down" size="8"/>')
    assert rows(read(partwise(bar(clarinet + tempo(60) + note("D", 4)), bar(horn + note("C", 4))))) == [
        (0.0, 4.0, 53), (0.0, 4.0, 60),
    ]  # fmt: skip
    assert read(partwise(bar(FIRST + shift + note("C", 4, 5)))).pitch.tolist() == [72]
    staves = attributes(more='<transpose number="2"><chromatic>-12</chromatic></transpose>')
    both = note("C", 4, more="<staff>1</staff>") + note("C", 4, more="<staff>2</staff>", before="<chord/>")
    assert read(partwise(bar(staves + both))).pitch.tolist() == [48, 60]


def test_accidentals() -> None:
    score = note("C", alter="1") + note("C", alter="-2") + note("B", alter="1") + note("C", alter="0.5")
    assert read(partwise(bar(FIRST + score))).pitch.tolist() == [61, 58, 72, 61]


def test_silent_and_hidden_notes() -> None:
    hidden = note("E").replace("<note>", '<note print-object="no">')
    score = note("C") + note("D", before="<cue/>") + hidden + "<note><rest/><duration>1</duration></note>"
    assert rows(read(partwise(bar(FIRST + score)))) == [(0.0, 1.0, 60), (2.0, 1.0, 64)]


def test_percussion_is_kept_apart() -> None:
    hat = '<midi-instrument id="I1"><midi-unpitched>43</midi-unpitched></midi-instrument>'
    listed = f'<score-part id="P0"/><score-part id="P1">{hat}</score-part>'
    stroke = "<note><unpitched/><duration>4</duration>{}</note>"
    score = partwise(
        bar(FIRST + note("C", 4)), bar(attributes() + stroke.format('<instrument id="I1"/>')), part_list=listed
    )
    notes = read(score)
    assert notes.pitch.tolist() == [60]
    assert notes.drums is not None
    assert notes.drums.pitch.tolist() == [42]
    unnamed = read(partwise(bar(FIRST + note("C", 4)), bar(stroke.format(""))))
    assert unnamed.drums is not None
    assert unnamed.drums.pitch.tolist() == [38]


def test_note_ids_and_dynamics() -> None:
    named = note("C", 2).replace("<note>", '<note id="n1">')
    score = (
        FIRST + direction("<dynamics><p/></dynamics>") + named + direction("<dynamics><ff/></dynamics>") + note("D", 2)
    )
    notes = read(partwise(bar(score)))
    assert notes.id is not None
    assert notes.id.tolist() == ["n1", ""]
    assert notes.velocity.tolist() == [49, 112]
    assert read(partwise(bar(FIRST + note("C", 4)))).id is None


def test_notes_outside_midi_are_left_out() -> None:
    with pytest.warns(InputWarning, match="1 notes outside the MIDI range 0–127 are left out"):
        assert rows(read(partwise(bar(FIRST + note("C", 2, 12) + note("D", 2))))) == [(2.0, 2.0, 62)]


# MusicXML: files

PLAIN = partwise(bar(FIRST + note("C", 4)))


def packed(files: dict[str, str]) -> bytes:
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return file.getvalue()


CONTAINER = '<container><rootfiles><rootfile full-path="in/a.xml"/></rootfiles></container>'
DOCTYPE = '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 3.1//EN" "http://nowhere.invalid/partwise.dtd">'


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        b"\n  " + PLAIN.encode(),
        ('<?xml version="1.0" encoding="UTF-16"?>' + PLAIN).encode("utf-16"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><!-- é -->' + PLAIN).encode("latin-1"),
        ('<?xml version="1.0" encoding="windows-1252"?><!-- “ -->' + PLAIN).encode("cp1252"),
        (DOCTYPE + PLAIN).encode(),
        PLAIN.replace("<note>", '<note xlink:href="x">').encode(),
        packed({"META-INF/container.xml": CONTAINER, "in/a.xml": PLAIN}),
        packed({"other.txt": "", "b.musicxml": PLAIN}),
    ],
)
def test_encodings_and_containers(data: bytes) -> None:
    assert rows(read(data)) == [(0.0, 4.0, 60)]


def test_timewise() -> None:
    score = PLAIN.replace("partwise", "timewise").replace('<part id="P0">', "").replace("</part>", "")
    score = score.replace('<measure number="1" >', '<measure number="7"><part id="P0">')
    score = score.replace("</measure>", "</part></measure>")
    notes = read(score)
    assert rows(notes) == [(0.0, 4.0, 60)]
    assert notes.bar is not None
    assert notes.bar.tolist() == [7]


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]><score-partwise>&b;</score-partwise>'
REFUSED = {
    "its XML declares an entity .'a'., which is not expanded for safety": BOMB,
    r"not well-formed XML: .* \(cut or damaged\?\)": PLAIN[:-30],
    "nested more than 500 deep": "<a>" * 600,
    "its XML is <html>, neither MusicXML nor MEI": "<html/>",
    "neither MusicXML, MEI, kern nor ABC": "plain text",
    "it has no bars": "<score-partwise/>",
    "it holds no notes": partwise(bar(FIRST)),
    "a number in it cannot be read: 'x'": PLAIN.replace("<duration>4", "<duration>x"),
    "a number in it cannot be read: bar 1 lasts 999999999 quarters": PLAIN.replace(
        "<duration>4", "<duration>999999999"
    ),
    "it contains no .musicxml or .xml file": packed({"a.txt": "x"}),
    "not a readable compressed score": packed({"b.musicxml": PLAIN})[:60],
    "not kern: no ..kern column in it": "!! **kern\n",
    "line 3 has 1 columns where 2 are open": "**kern\t**kern\n4c\t4d\n4e\n*-\t*-\n",
    "not ABC that abc2midi can read": "T:x\nK:\n",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_read_is_named(words: str) -> None:
    with pytest.raises(UnreadableInput, match=words) as raised:
        read(REFUSED[words])
    assert "\n" not in str(raised.value)


# kern


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("**kern\n4c\n8.d\n16e\n2f\n*-", [(0, 0.5, 60), (0.5, 0.375, 62), (0.875, 0.125, 64), (1, 1, 65)]),
        (
            "**kern\n*MM60\n12c\n12d\n12e\n*MM120\n4f\n*-",
            [(0, 1 / 3, 60), (1 / 3, 1 / 3, 62), (2 / 3, 1 / 3, 64), (1, 0.5, 65)],
        ),
        ("**kern\n*MM60\n4CC-\n4ccc##\n*-", [(0, 1, 35), (1, 1, 86)]),
        ("**kern\n*MM60\n[4c\n=2\n4c_\n=3\n4c]\n4c\n*-", [(0, 3, 60), (3, 1, 60)]),
        ("**kern\n*MM60\n4c\n8qd\n4e\n*-", [(0, 1, 60), (0.92, 0.08, 62), (1, 1, 64)]),
        ("**kern\n*MM60\n0c\n3%2d\n*-", [(0, 8, 60), (8, 8 / 3, 62)]),
        ("**kern\n*MM60\n=1\n4c\n=:|!|:\n4d\n=:|!\n*-", [(0, 1, 60), (1, 1, 60), (2, 1, 62), (3, 1, 62)]),
        ("**kern\n*>[A,B,A]\n*>norep[A,B]\n*MM60\n*>A\n4c\n*>B\n4d\n*-", [(0, 1, 60), (1, 1, 62), (2, 1, 60)]),
        ("**kern\t**kern\n*MM60\t*\n4c\t4e\n*x\t*x\n4f\t4d\n*-\t*-", [(0, 1, 60), (0, 1, 64), (1, 1, 62), (1, 1, 65)]),
        ("**dynam\t**kern\n*\t*MM60\np\t4c 4e\n*-\t*-", [(0, 1, 60), (0, 1, 64)]),
        ("**kern\n*MM60\n*^\n2c\t4e\n.\t4f\n*v\t*v\n4g\n*-", [(0, 2, 60), (0, 1, 64), (1, 1, 65), (2, 1, 67)]),
        ("**kern\n*MM60\n4c\n*+\n*\t**kern\n4d\t4f\n*-\t*-", [(0, 1, 60), (1, 1, 62), (1, 1, 65)]),
    ],
)
def test_kern(text: str, found: list[tuple[float, float, int]]) -> None:
    assert rows(read(text, "a.krn")) == [pytest.approx(row, abs=1e-6) for row in found]


def test_kern_bars_and_beats() -> None:
    notes = read(KERN.replace("\n", "\r\n").replace("=1\t=1\t=1", "=1-\t=1-\t=1-"), "a.krn")
    assert notes.bar is not None
    assert notes.beat is not None
    assert notes.id is None
    assert notes.bar.tolist() == [1, 1, 1, 1, 1, 1, 1, 2]
    assert notes.beat.tolist() == [1, 1, 1, 2, 2, 2, 2.5, 1]
    pickup = read("**kern\n*M3/4\n4g\n=1\n4c\n4d\n4e\n*-", "a.krn")
    assert pickup.bar is not None
    assert pickup.beat is not None
    assert (pickup.bar.tolist(), pickup.beat.tolist()) == ([0, 1, 1, 1], [3, 1, 2, 3])


# MEI

TWO = mei_bar(mei_note("c") + mei_note("d"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (mei(TWO), "CD"),
        (mei(TWO, version="3.0.0"), "CD"),
        (mei(mei_bar(mei_note("c", "2"), "1", 'right="rptend"') + mei_bar(mei_note("d", "2"), "2")), "CCD"),
        (
            mei(
                mei_bar(mei_note("c", "2"))
                + mei_bar(mei_note("d", "2"), "2", 'left="rptstart" right="rptend"')
                + mei_bar(mei_note("e", "2"), "3")
            ),
            "CDDE",
        ),
        (
            mei(
                mei_bar(mei_note("c", "2"), "1", 'left="rptstart"')
                + f'<ending n="1">{mei_bar(mei_note("d", "2"), "2", "right=" + chr(34) + "rptend" + chr(34))}</ending>'
                + f'<ending n="2">{mei_bar(mei_note("e", "2"), "3")}</ending>'
            ),
            "CDCE",
        ),
        (
            mei(
                '<expansion plist="#A #B #A"/>'
                + f'<section xml:id="A">{mei_bar(mei_note("c", "2"))}</section>'
                + f'<section xml:id="B">{mei_bar(mei_note("d", "2"), "2")}</section>'
            ),
            "CDC",
        ),
        (
            mei(
                mei_bar(mei_note("c", "2"), after='<repeatMark func="fine"/>')
                + mei_bar(mei_note("d", "2"), "2", after="<dir>D.C. al Fine</dir>")
            ),
            "CDC",
        ),
        (mei(mei_bar(f"<app><lem>{mei_note('c', '2')}</lem><rdg>{mei_note('d', '2')}</rdg></app>")), "C"),
        (mei(mei_bar(f"<choice><sic>{mei_note('c', '2')}</sic><corr>{mei_note('d', '2')}</corr></choice>")), "D"),
        (mei(mei_bar("<mRest/>") + mei_bar(mei_note("d", "2"), "2")), "D"),
        (mei(TWO + mei_bar("<mRpt/>", "2")), "CDCD"),
        (mei(TWO).replace("<mei ", "<mei:mei ").replace("</mei>", "</mei:mei>").replace("xmlns=", "xmlns:mei="), "CD"),
    ],
)
def test_mei_order(text: str, found: str) -> None:
    notes = read(text, "a.mei")
    assert letters(notes) == found
    assert not notes.tempo_is_guessed


@pytest.mark.parametrize(
    ("layer", "after", "found"),
    [
        (mei_note("c", "4", 'dots="1"') + mei_note("d", "8"), "", [(0, 1.5, 60), (1.5, 0.5, 62)]),
        (
            f'<tuplet num="3" numbase="2">{mei_note("c") * 3}</tuplet>',
            "",
            [(0, 2 / 3, 60), (2 / 3, 2 / 3, 60), (4 / 3, 2 / 3, 60)],
        ),
        ('<chord dur="2"><note pname="c" oct="4"/><note pname="e" oct="4"/></chord>', "", [(0, 2, 60), (0, 2, 64)]),
        (mei_note("c", "4", 'tie="i"') + mei_note("c", "4", 'tie="t"'), "", [(0, 2, 60)]),
        (
            mei_note("c", "4", 'xml:id="a"') + mei_note("c", "4", 'xml:id="b"'),
            '<tie startid="#a" endid="#b"/>',
            [(0, 2, 60)],
        ),
        (
            mei_note("c") + mei_note("d", "8", 'grace="unacc"') + mei_note("e"),
            "",
            [(0, 1, 60), (0.92, 0.08, 62), (1, 1, 64)],
        ),
        (
            f"{mei_note('c')}<graceGrp>{mei_note('d', '8')}</graceGrp>{mei_note('e')}",
            "",
            [(0, 1, 60), (0.92, 0.08, 62), (1, 1, 64)],
        ),
        (
            mei_note("c", "4", 'accid="s"') + '<note pname="d" oct="4" dur="4"><accid accid.ges="f"/></note>',
            "",
            [(0, 1, 61), (1, 1, 61)],
        ),
        (mei_note("c") + mei_note("d", "4", 'cue="true"'), "", [(0, 1, 60)]),
        (mei_note("c") + mei_note("d"), '<tempo tstamp="2" mm="60" mm.unit="2"/>', [(0, 1, 60), (1, 0.5, 62)]),
        (mei_note("c") + mei_note("d"), '<tempo midi.bpm="120"/>', [(0, 0.5, 60), (0.5, 0.5, 62)]),
        ('<note pname="c" oct="5" oct.ges="4" dur="2"/>', "", [(0, 2, 60)]),
    ],
)
def test_mei_notes(layer: str, after: str, found: list[tuple[float, float, int]]) -> None:
    assert rows(read(mei(mei_bar(layer, after=after)), "a.mei")) == [pytest.approx(row, abs=1e-6) for row in found]


def test_mei_ids_transposition_and_percussion() -> None:
    notes = read(mei(mei_bar(mei_note("d", "2", 'xml:id="n1"')), '<staffDef n="1" trans.semi="-2"/>'), "a.mei")
    assert notes.id is not None
    assert (notes.id.tolist(), notes.pitch.tolist()) == (["n1"], [60])
    drums = read(mei(mei_bar('<note loc="4" dur="2"/>'), '<staffDef n="1" clef.shape="perc"/>'), "a.mei")
    assert len(drums) == 0
    assert drums.drums is not None
    assert drums.drums.pitch.tolist() == [38]


def mei_octave(more: str) -> str:
    return f'<octave staff="1" dis="8" {more}/>'


@pytest.mark.parametrize(
    ("octave", "pitches"),
    [
        (mei_octave('dis.place="above" tstamp="1" tstamp2="0m+2"'), [72, 74, 64, 65]),
        (mei_octave('dis.place="below" tstamp="2" tstamp2="1m+1"'), [60, 50, 52, 65]),
        (mei_octave('dis.place="above" startid="#n2" endid="#n3"').replace("8", "15"), [60, 86, 88, 65]),
        (mei_octave('dis.place="above" tstamp="1" tstamp2="1m+2"').replace('staff="1"', 'staff="2"'), [60, 62, 64, 65]),
        (mei_octave('dis.place="above" tstamp="1"'), [60, 62, 64, 65]),
    ],
)
def test_mei_octaves(octave: str, pitches: list[int]) -> None:
    first = mei_bar(mei_note("c") + mei_note("d", more='xml:id="n2"'), after=octave)
    second = mei_bar(mei_note("e", more='xml:id="n3"') + mei_note("f"), "2")
    assert read(mei(first + second), "a.mei").pitch.tolist() == pitches


def test_mei_octaves_of_sounding_notes_and_outside_midi() -> None:
    octave = mei_octave('dis.place="above" tstamp="1" tstamp2="2"')
    sounding = mei_note("c", more='oct.ges="5"') + mei_note("d")
    assert read(mei(mei_bar(sounding, after=octave)), "a.mei").pitch.tolist() == [72, 74]
    high = mei_note("c").replace('oct="4"', 'oct="9"') + mei_note("d")
    with pytest.warns(InputWarning, match="1 notes without a pitch in the MIDI range"):
        assert read(mei(mei_bar(high, after=octave)), "a.mei").pitch.tolist() == [74]


@pytest.mark.parametrize(
    ("marks", "velocities"),
    [
        ("", [80, 80, 80, 80]),
        ('<dynam tstamp="1">p</dynam>', [49, 49, 49, 49]),
        ('<dynam tstamp="2" staff="1">ff</dynam><dynam tstamp="1">p</dynam>', [49, 112, 112, 112]),
        ('<dynam startid="#n2">mf.</dynam><dynam tstamp="1" staff="2">ppp</dynam>', [80, 80, 80, 80]),
        ('<dynam startid="#n2">f</dynam><dynam tstamp="1">dolce</dynam>', [80, 96, 96, 96]),
    ],
)
def test_mei_dynamics(marks: str, velocities: list[int]) -> None:
    first = mei_bar(mei_note("c") + mei_note("d", more='xml:id="n2"'), after=marks)
    second = mei_bar(mei_note("e") + mei_note("f"), "2")
    assert read(mei(first + second), "a.mei").velocity.tolist() == velocities
    stated = mei_bar(mei_note("c", more='vel="5"') + mei_note("d", more='xml:id="n2"'), after=marks)
    assert read(mei(stated), "a.mei").velocity.tolist() == [5, velocities[1]]


def test_kern_dynamics() -> None:
    lines = (
        "**kern\t**kern\t**dynam\t**kern\t**dynam",
        "4C\t4c\tp\t4cc\t.",
        "4D\t4d\t<\t4dd\tff",
        "*\t*^\t*\t*\t*",
        "4E\t4e\t4g\tmf\t4ee\t.",
        "*-\t*-\t*-\t*-\t*-\t*-",
    )
    notes = read("\n".join(lines), "a.krn")
    found = dict(zip(notes.pitch.tolist(), notes.velocity.tolist(), strict=True))
    assert found == {48: 49, 60: 49, 72: 80, 50: 49, 62: 49, 74: 112, 52: 80, 64: 80, 67: 80, 76: 112}


# ABC

HEAD = "X:1\nM:4/4\nL:1/4\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (HEAD + "Q:1/4=60\nK:C\nCDEF|", [(0, 1, 60), (1, 1, 62), (2, 1, 64), (3, 1, 65)]),
        (HEAD + "Q:3/8=60\nK:C\nC3|", [(0, 2, 60)]),
        (HEAD + "Q:60\nK:Am\n^A,=b|", [(0, 1, 58), (1, 1, 83)]),
        (HEAD + 'Q:"Allegro" 1/2=60\nK:D\nF2 C2|', [(0, 1, 66), (1, 1, 61)]),
        (
            HEAD + "Q:1/4=60\nK:C\n(3CDE F>G|",
            [(0, 2 / 3, 60), (2 / 3, 2 / 3, 62), (4 / 3, 2 / 3, 64), (2, 1.5, 65), (3.5, 0.5, 67)],
        ),
        (HEAD + "Q:1/4=60\nK:C\n|:C4|[1D4:|[2E4|]", [(0, 4, 60), (4, 4, 62), (8, 4, 60), (12, 4, 64)]),
        (HEAD + "Q:1/4=60\nK:C\n[CEG]4|C4-|C4|", [(0, 4, 60), (0, 4, 64), (0, 4, 67), (4, 8, 60)]),
        (HEAD + "Q:1/4=60\nK:C\nC2[Q:1/4=120]D2|E4|", [(0, 2, 60), (2, 1, 62), (3, 2, 64)]),
        (HEAD + "Q:1/4=60\nK:C\nV:1\nc4|\nV:2\nC4|\n", [(0, 4, 60), (0, 4, 72)]),
        (HEAD + 'Q:1/4=60\nK:C\n"Am"c4|\nw: la\n[K:G]F4|', [(0, 4, 72), (4, 4, 66)]),
        ("M:4/4\nL:1/4\nQ:1/4=60\nK:C\nC4|", [(0, 4, 60)]),
    ],
)
def test_abc(text: str, found: list[tuple[float, float, int]]) -> None:
    notes = read(text, "a.abc")
    assert rows(notes) == [pytest.approx(row, abs=1e-4) for row in found]
    assert (notes.bar, notes.beat, notes.tempo_is_guessed) == (None, None, False)


def test_abc_without_a_tempo_is_a_guess_and_the_first_tune_counts() -> None:
    with pytest.warns(InputWarning, match="it holds 2 tunes; the first, 'One', is read"):
        notes = read("X:1\nT:One\nL:1/4\nK:C\nC4|\n\nX:2\nT:Two\nK:C\nDEF|\n", "a.abc")
    assert notes.tempo_is_guessed
    assert rows(notes) == [pytest.approx((0, 2, 60), abs=1e-4)]


# Files


def test_every_kind_is_read_from_a_file() -> None:
    files = sorted(CASES.iterdir())
    assert {path.suffix for path in files} == {".abc", ".krn", ".mei", ".musicxml", ".mxl"}
    ends = {path.suffix: round(read_notes(path).end_s, 3) for path in files}
    assert ends == {".abc": 10.667, ".krn": 6.0, ".mei": 7.333, ".musicxml": 22.0, ".mxl": 22.0}


def test_a_wrong_suffix_does_not_matter(tmp_path: Path) -> None:
    for name in ("small.mei", "small.mxl", "small.krn"):
        other = tmp_path / "score.xml"
        other.write_bytes((CASES / name).read_bytes())
        assert rows(read_notes(other)) == rows(read_notes(CASES / name))


def test_mutated_files_are_read_or_refused() -> None:
    """`python -m benchmarks --only read-fuzz-scores` does the same with 1 000 files."""
    outcome = fuzz(seeds(), 150, seed=1)
    assert outcome.failures == []
    assert outcome.read > 30
    assert outcome.refused.total() > 50
