"""How many planted faults `antiphon.check` finds, and how many clean pairs it suspects.

python -m benchmarks.alignment_check rendered/ --soundfont TimGM6mb --count 46 --out results/check.json

CORPUS is a rendered corpus; the SoundFont is the one of its sound. Each pair is measured as it is, and once with each
fault: an offset of 50 ms, a drift of 100 ppm, the notes of the next pair, a bar (1 to 2.5 s) cut from the notes or from
the sound, and one hand (the notes below or above the median pitch) missing in the notes or in the sound. Signs, places
and hands are drawn by the seed. A run that is stopped goes on where it was; other code needs another --cache.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.aligning import Side, read_side
from antiphon.corpora import Recording, open_corpus
from antiphon.experiments.check.evidence import Evidence, measure
from antiphon.experiments.check.findings import (
    ANOTHER_PERFORMANCE,
    MAX_DRIFT_PPM,
    MAX_OFFSET_MS,
    OTHER_MUSIC,
    Finding,
    Norms,
    findings_of,
)
from antiphon.experiments.check.lag import pitch_classes
from antiphon.experiments.check.partners import find_partners
from antiphon.io.audio import read_samples, write_flac
from antiphon.io.files import write_json
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.progress import track
from antiphon.rendering import make_renderer
from benchmarks.report import markdown_table

CLEAN = "clean"
_RATE_HZ = 24_000
_OFFSET_S, _DRIFT = 0.05, 1e-4
_BAR_S = (1.0, 2.5)
_PLACE_TOLERANCE_S, _LENGTH_TOLERANCE_S = 2.0, 0.1


@dataclass(frozen=True, eq=False)
class Pair:
    """A clean pair, the notes of the next one, and what is drawn for its faults."""

    recording: Recording
    side: Side
    notes: Notes
    other: Notes
    sign: int
    at_s: float
    bar_s: float

    def hand(self) -> NDArray[np.bool_]:
        """Which notes are of the hand that is missing."""
        middle = np.median(self.notes.pitch)
        return self.notes.pitch < middle if self.sign > 0 else self.notes.pitch >= middle

    def in_bar(self) -> NDArray[np.bool_]:
        """Which notes begin in the bar that is cut."""
        return (self.notes.onset_s >= self.at_s) & (self.notes.onset_s < self.at_s + self.bar_s)


@dataclass(frozen=True, eq=False)
class Measured:
    """The evidence of one case, and the place and length of its cut."""

    evidence: Evidence
    at_s: float
    bar_s: float
    classes: NDArray[np.float32] | None


Planted = tuple[Side, Notes]


def _moved(notes: Notes, onset_s: NDArray[np.float64], kept: NDArray[np.bool_] | None = None) -> Notes:
    kept = np.ones(len(notes), bool) if kept is None else kept
    return Notes.of(onset_s[kept], notes.duration_s[kept], notes.pitch[kept], notes.velocity[kept])


def _offset(pair: Pair, sound: SoundFont) -> Planted:
    return pair.side, _moved(pair.notes, np.maximum(pair.notes.onset_s + pair.sign * _OFFSET_S, 0.0))


def _drift(pair: Pair, sound: SoundFont) -> Planted:
    return pair.side, _moved(pair.notes, pair.notes.onset_s * (1 + pair.sign * _DRIFT))


def _swapped(pair: Pair, sound: SoundFont) -> Planted:
    return pair.side, pair.other


def _cut_notes(pair: Pair, sound: SoundFont) -> Planted:
    later = pair.notes.onset_s >= pair.at_s + pair.bar_s
    return pair.side, _moved(pair.notes, pair.notes.onset_s - later * pair.bar_s, ~pair.in_bar())


def _cut_sound(pair: Pair, sound: SoundFont) -> Planted:
    assert pair.recording.audio_path is not None
    samples = read_samples(pair.recording.audio_path, _RATE_HZ)
    first, last = (round(edge_s * _RATE_HZ) for edge_s in (pair.at_s, pair.at_s + pair.bar_s))
    return sound.side(np.concatenate([samples[:first], samples[last:]])), pair.notes


def _hand_of_notes(pair: Pair, sound: SoundFont) -> Planted:
    return pair.side, _moved(pair.notes, pair.notes.onset_s, ~pair.hand())


def _hand_of_sound(pair: Pair, sound: SoundFont) -> Planted:
    played = _moved(pair.notes, pair.notes.onset_s, ~pair.hand())
    return sound.side(sound.renderer.render(played, pair.recording.duration_s)), pair.notes


class SoundFont:
    """The renderer of missing hands, and a way to read samples as a file would be read."""

    def __init__(self, name: str) -> None:
        self.renderer = make_renderer(name, _RATE_HZ)

    def side(self, samples: NDArray[np.float32]) -> Side:
        """The side of an alignment that a file of these samples gives."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "planted.flac"
            write_flac(path, samples, _RATE_HZ)
            return read_side(path)


FAULTS: dict[str, tuple[str, Callable[[Pair, SoundFont], Planted]]] = {
    "offset of 50 ms": ("offset", _offset),
    "drift of 100 ppm": ("drift", _drift),
    "swapped file": (OTHER_MUSIC, _swapped),
    "bar cut from the notes": ("cut", _cut_notes),
    "bar cut from the sound": ("cut", _cut_sound),
    "hand missing in the notes": ("unwritten notes", _hand_of_notes),
    "hand missing in the sound": ("unplayed notes", _hand_of_sound),
}
"""Fault → the kind of finding that tells it, and the function that plants it."""


def main() -> None:
    """Measure clean pairs and planted faults, and print and write what is found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alignment_check")
    parser.add_argument("corpus")
    parser.add_argument("--soundfont", required=True, help="of the corpus's sound")
    parser.add_argument("--count", type=int, help="pairs, evenly spread (all)")
    parser.add_argument("--faulty", type=int, help="of these, pairs with planted faults, evenly spread (all)")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--cache", type=Path, default=Path("runs/check"))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    corpus = open_corpus(options.corpus).with_sound().spread(options.count)
    cache = options.cache / f"{corpus.manifest_hash[:12]}-{options.seed}"
    cache.mkdir(parents=True, exist_ok=True)
    faulty = {one.id for one in corpus.spread(options.faulty).recordings}
    sound = SoundFont(options.soundfont)
    cases: dict[str, dict[str, Measured]] = {name: {} for name in (CLEAN, *FAULTS)}
    for number, one in enumerate(track(corpus.recordings, "measuring")):
        other = corpus.recordings[(number + 1) % len(corpus)]
        faults = FAULTS if one.id in faulty else {}
        for name, measured in _measured(one, other, number, faults, sound, options.seed, cache).items():
            cases[name][one.id] = measured
    norms = Norms.of([one.evidence for one in cases[CLEAN].values()], MAX_OFFSET_MS, MAX_DRIFT_PPM)
    result = {
        "corpus": corpus.name,
        "manifest": corpus.manifest_hash,
        "pairs": len(corpus),
        "seed": options.seed,
        "norms": vars(norms),
        "clean": _false_alarms(cases[CLEAN], norms),
        "faults": {name: _found(name, cases[name], norms) for name in FAULTS},
        "partners": _partners(corpus.recordings, cases["swapped file"]),
    }
    print(_as_markdown(result))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        write_json(options.out, result)


def _measured(
    one: Recording,
    other: Recording,
    number: int,
    faults: dict[str, tuple[str, Callable[[Pair, SoundFont], Planted]]],
    sound: SoundFont,
    seed: int,
    cache: Path,
) -> dict[str, Measured]:
    """The clean pair and the pair with each fault, from the cache where they are there."""
    paths = {name: cache / f"{number:04}-{name.replace(' ', '-')}.pickle" for name in (CLEAN, *faults)}
    if not all(path.exists() for path in paths.values()):
        assert one.audio_path is not None
        rng = np.random.default_rng((seed, number))
        duration_s = one.duration_s
        pair = Pair(
            recording=one,
            side=read_side(one.audio_path),
            notes=read_notes(one.notes_path, sustain=True),
            other=read_notes(other.notes_path, sustain=True),
            sign=int(rng.choice([-1, 1])),
            at_s=float(rng.uniform(0.15, 0.8) * duration_s),
            bar_s=float(rng.uniform(*_BAR_S)),
        )
        for name in (CLEAN, *faults):
            if not paths[name].exists():
                side, notes = (pair.side, pair.notes) if name == CLEAN else faults[name][1](pair, sound)
                evidence = measure(side, notes, str(one.audio_path), str(one.notes_path))
                classes = pitch_classes(side.onsets) if name == "swapped file" else None
                part = paths[name].with_suffix(".part")
                part.write_bytes(pickle.dumps(Measured(evidence, pair.at_s, pair.bar_s, classes)))
                part.replace(paths[name])
    return {name: pickle.loads(path.read_bytes()) for name, path in paths.items()}


def _false_alarms(cases: dict[str, Measured], norms: Norms) -> dict[str, Any]:
    found = {id_: findings_of(one.evidence, norms) for id_, one in cases.items()}
    alarms = {id_: [vars(finding) for finding in findings] for id_, findings in found.items() if findings}
    drift = np.array([one.evidence.clocks.drift_ppm for one in cases.values()])
    error = np.array([one.evidence.clocks.drift_error_ppm for one in cases.values()])
    offset = np.array([1e3 * one.evidence.clocks.offset_s for one in cases.values()])
    return {
        "pairs": len(cases),
        "false_alarms": len(alarms),
        "alarms": alarms,
        "drift_ppm_rms": round(float(np.sqrt(np.nanmean(drift**2))), 1),
        "drift_ppm_greatest": round(float(np.nanmax(np.abs(drift))), 1),
        "drift_by_error_rms": round(float(np.sqrt(np.nanmean((drift / error) ** 2))), 2),
        "offset_ms_from": round(float(np.nanmin(offset)), 2),
        "offset_ms_to": round(float(np.nanmax(offset)), 2),
    }


def _found(name: str, cases: dict[str, Measured], norms: Norms) -> dict[str, Any]:
    kind = FAULTS[name][0]
    told, missed, kinds = 0, {}, Counter[str]()
    for id_, one in cases.items():
        findings = findings_of(one.evidence, norms)
        kinds.update({finding.kind for finding in findings})
        if _tells(findings, kind, one):
            told += 1
        else:
            missed[id_] = [vars(finding) for finding in findings]
    return {
        "pairs": len(cases),
        "found": told,
        "suspect": len(cases) - sum(1 for findings in missed.values() if not findings),
        "kinds": dict(kinds),
        "missed": missed,
    }


def _tells(findings: Sequence[Finding], kind: str, one: Measured) -> bool:
    """Whether a finding is of that kind; a cut must be told at its place, with its length."""
    kinds = {kind, ANOTHER_PERFORMANCE} if kind == OTHER_MUSIC else {kind}
    right = [finding for finding in findings if finding.kind in kinds]
    if kind != "cut":
        return bool(right)
    return any(
        abs(abs(jump.by_s) - one.bar_s) <= _LENGTH_TOLERANCE_S
        and min(jump.recording_s) - _PLACE_TOLERANCE_S <= one.at_s <= max(jump.recording_s) + _PLACE_TOLERANCE_S
        for jump in one.evidence.clocks.jumps
    )


def _partners(recordings: Sequence[Recording], cases: dict[str, Measured]) -> dict[str, int]:
    """How many of the swapped recordings get their own notes back."""
    by_id = {one.id: one for one in recordings}
    suspects = {Path(id_): one.classes for id_, one in cases.items() if one.classes is not None}
    found = find_partners(suspects, [one.notes_path for one in recordings], ())
    right = sum(found[Path(id_)].file == by_id[id_].notes_path for id_ in cases if Path(id_) in found)
    return {"swapped": len(cases), "right": right, "wrong": len(found) - right}


def _as_markdown(result: dict[str, Any]) -> str:
    rows = [
        (name, str(row["pairs"]), str(row["found"]), str(row["suspect"]), _kinds(row["kinds"]))
        for name, row in result["faults"].items()
    ]
    clean = result["clean"]
    return "\n".join(
        [
            markdown_table(("fault", "pairs", "found", "suspect", "findings"), rows),
            "",
            f"Clean pairs: {clean['false_alarms']} of {clean['pairs']} suspect; "
            f"drift {clean['drift_ppm_rms']} ppm rms, "
            f"at most {clean['drift_ppm_greatest']}, {clean['drift_by_error_rms']} standard errors rms; "
            f"offsets {clean['offset_ms_from']} to {clean['offset_ms_to']} ms.",
            f"Partners of swapped files: {result['partners']}.",
        ]
    )


def _kinds(kinds: dict[str, int]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))


if __name__ == "__main__":
    main()
