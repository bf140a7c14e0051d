"""`check`: the audit of a corpus of pairs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from antiphon.alignment.aligning import read_side
from antiphon.checks import Range
from antiphon.corpora import Corpus, Recording, as_corpus, with_audio_folder
from antiphon.errors import AntiphonError, UnreadableInput, collect_input_warnings
from antiphon.experiments.check.evidence import Evidence, measure
from antiphon.experiments.check.findings import (
    ANOTHER_PERFORMANCE,
    MAX_DRIFT_PPM,
    MAX_OFFSET_MS,
    Finding,
    Norms,
    findings_of,
)
from antiphon.experiments.check.lag import pitch_classes
from antiphon.experiments.check.partners import Partner, find_partners
from antiphon.experiments.check.report import CheckedPair, CheckReport
from antiphon.io.note_files import read_notes
from antiphon.models.note_onsets import OnsetMap
from antiphon.progress import track

_FEW_PAIRS = 200  # of a corpus of scores, in which each recording is tried with all files
_LIMIT = Range(0, above=True)


def check(
    corpus: Corpus | str | Path,
    *,
    audio: str | Path | None = None,
    split: str | None = None,
    max_offset_ms: float = MAX_OFFSET_MS,
    max_drift_ppm: float = MAX_DRIFT_PPM,
    partners: bool = True,
) -> CheckReport:
    """Audit a data set: is each recording in time with its notes, and does it play them?

    Parameters
    ----------
    corpus
        A corpus, or what `open_corpus` opens: a MAESTRO folder, a rendered corpus, or a folder of pairs.
    audio
        A parallel folder with the audio.
    split
        The split to check; by default all.
    max_offset_ms
        The greatest offset from the median of the corpus that is accepted.
    max_drift_ppm
        The greatest drift between the clocks that is accepted, in parts per million.
    partners
        Search the corpus for the right note file of each recording whose notes are other music. Above 5000 files there
        is no search.

    Returns
    -------
    CheckReport
        A row for each pair: offset, drift, cuts, lost stretches, shares of notes played and of onsets written, and the
        findings. Where notes are a score, whose clock is another, offset, drift and cuts are not judged.

    Raises
    ------
    AntiphonError
        For a corpus that cannot be opened, holds no pair with sound, or none that can be used.

    Examples
    --------
    >>> import shutil
    >>> from pathlib import Path
    >>> import antiphon
    >>> one, two, three = antiphon.open_corpus("demo").recordings[:30:10]
    >>> Path("set").mkdir()
    >>> for name, sound, notes in (("a", one, one), ("b", two, three), ("c", three, two)):
    ...     _ = shutil.copy(sound.audio_path, f"set/{name}.flac")
    ...     _ = shutil.copy(notes.notes_path, f"set/{name}.mid")
    >>> for pair in antiphon.check("set"):
    ...     print(pair.id, [finding.kind for finding in pair.findings], pair.partner and pair.partner.file.name)
    a [] None
    b ['other music'] c.mid
    c ['other music'] b.mid
    """
    _LIMIT.check("max_offset_ms", max_offset_ms)
    _LIMIT.check("max_drift_ppm", max_drift_ppm)
    opened = as_corpus(corpus)
    opened = opened if audio is None else with_audio_folder(opened, Path(audio))
    opened = opened if split is None else opened.split(split)
    sounding = opened.with_sound()
    with collect_input_warnings() as warned:
        measured, skipped = _measured(sounding.recordings)
        if not measured:
            raise AntiphonError(
                f"{opened.name}: none of its {len(sounding)} pairs can be used; the first: {skipped[0]}"
            )
        norms = Norms.of([one.evidence for one in measured], max_offset_ms, max_drift_ppm)
        suspects = {
            one.recording: one.classes
            for one in measured
            if one.classes is not None
            and (norms.one_clock or not one.evidence.same_music or len(measured) <= _FEW_PAIRS)
        }
        unknown = {one.recording for one in measured if not one.evidence.same_music}
        files = [one.notes_path for one in opened.recordings]
        found = find_partners(suspects, files, unknown) if partners else {}
    return CheckReport(
        corpus=opened.name,
        pairs=tuple(_checked(one, norms, found.get(one.recording)) for one in measured),
        norms=norms,
        skipped=(*opened.skipped, *skipped),
        warnings=tuple(warned),
        left_out=opened.left_out,
        without_sound=len(opened) - len(sounding),
    )


@dataclass(frozen=True, eq=False)
class _Measured:
    """A pair with its evidence and, where the notes may be wrong, the pitch classes of its sound."""

    id: str
    recording: Path
    notes: Path
    evidence: Evidence
    classes: OnsetMap | None


def _measured(recordings: tuple[Recording, ...]) -> tuple[list[_Measured], list[UnreadableInput]]:
    measured, skipped = [], []
    for one in track(recordings, "checking"):
        assert one.audio_path is not None
        try:
            side, notes = read_side(one.audio_path), read_notes(one.notes_path, sustain=True)
            if len(notes) == 0:
                raise UnreadableInput(one.notes_path, "it has no notes")
        except UnreadableInput as error:
            skipped.append(error)
            continue
        evidence = measure(side, notes, str(one.audio_path), str(one.notes_path))
        classes = None if evidence.same_music and evidence.one_clock else pitch_classes(side.onsets)
        measured.append(_Measured(one.id, one.audio_path, one.notes_path, evidence, classes))
    return measured, skipped


def _checked(one: _Measured, norms: Norms, partner: Partner | None) -> CheckedPair:
    own = partner is not None and partner.file == one.notes
    findings = findings_of(one.evidence, norms)
    if partner is not None and not own and one.evidence.same_music:
        text = f"another note file is of this performance: {partner.file}"
        findings = [Finding(ANOTHER_PERFORMANCE, text)]
    if own and not one.evidence.same_music:  # the tempo of a score may be too far from that of the recording
        text = "a search finds these notes for the recording, but they could not be aligned"
        findings = [Finding("lost", text, 0.0, one.evidence.recording_s)]
    return CheckedPair(
        id=one.id,
        recording=one.recording,
        notes=one.notes,
        evidence=one.evidence,
        findings=tuple(findings),
        partner=None if own else partner,
    )
