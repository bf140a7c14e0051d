"""The result of a check: a row for each pair, with its measurements and what was found."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from antiphon.errors import InputWarning, UnreadableInput
from antiphon.experiments.check.evidence import Evidence
from antiphon.experiments.check.findings import Finding, Norms
from antiphon.experiments.check.partners import Partner
from antiphon.io.csv_tables import csv_text
from antiphon.io.folders import LeftOut
from antiphon.wording import counted, printable

COLUMNS = (
    "id",
    "recording",
    "notes",
    "verdict",
    "findings",
    "offset_ms",
    "offset_error_ms",
    "offset_from_corpus_ms",
    "drift_ppm",
    "drift_error_ppm",
    "played",
    "written",
    "lost_s",
    "lost",
    "jumps",
    "clock",
    "confidence",
    "path_confidence",
    "recording_s",
    "notes_s",
    "partner",
)


@dataclass(frozen=True, eq=False)
class CheckedPair:
    """A recording and its notes, the measurements, and the findings, none for a clean pair.

    `partner` is the note file of the corpus that fits, where the pair is other music and there is one.
    """

    id: str
    recording: Path
    notes: Path
    evidence: Evidence
    findings: tuple[Finding, ...] = ()
    partner: Partner | None = None

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def clock(self) -> str:
        """Whether the times of both sides differ by offset, drift and cuts only: same, other, or empty if unknown."""
        return ("same" if self.evidence.one_clock else "other") if self.evidence.same_music else ""

    def as_dict(self, norms: Norms) -> dict[str, Any]:
        """The pair as JSON. Values that are not known are None; those of the clock for pairs of one clock only."""
        one = self.evidence
        clocks = one.clocks if self.clock == "same" else None
        offset_ms = None if clocks is None else 1e3 * clocks.offset_s
        return {
            "id": self.id,
            "recording": str(self.recording),
            "notes": str(self.notes),
            "verdict": "clean" if self.is_clean else "suspect",
            "findings": [vars(finding) for finding in self.findings],
            "offset_ms": _rounded(offset_ms, 2),
            "offset_error_ms": _rounded(None if clocks is None else 1e3 * clocks.offset_error_s, 2),
            "offset_from_corpus_ms": _rounded(None if offset_ms is None else offset_ms - norms.reference_ms, 2),
            "drift_ppm": _rounded(None if clocks is None else clocks.drift_ppm, 1),
            "drift_error_ppm": _rounded(None if clocks is None else clocks.drift_error_ppm, 1),
            "played": _rounded(one.registers.played_share, 4),
            "written": _rounded(one.registers.written_share, 4),
            "lost_s": round(one.lost_s, 2),
            "lost": [[round(begin_s, 2), round(end_s, 2)] for begin_s, end_s in one.lost],
            "jumps": [_jump(jump.by_s, jump.recording_s) for jump in clocks.jumps] if clocks else [],
            "clock": self.clock,
            "confidence": round(one.confidence, 4),
            "path_confidence": round(one.path_confidence, 4),
            "recording_s": round(one.recording_s, 2),
            "notes_s": round(one.notes_s, 2),
            "partner": None if self.partner is None else str(self.partner.file),
        }


def _jump(by_s: float, recording_s: tuple[float, float]) -> dict[str, float]:
    return {"by_s": round(by_s, 4), "from_s": round(min(recording_s), 2), "to_s": round(max(recording_s), 2)}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None or math.isnan(value) else round(float(value), digits)


@dataclass(frozen=True, eq=False, repr=False)
class CheckReport:
    """The checked pairs of a corpus, which iterating yields.

    Attributes
    ----------
    corpus : str
        Name of the corpus.
    pairs : tuple of CheckedPair
        In the order of the corpus. `pair.findings` is empty for a clean pair; a finding has `kind`, `text`, `from_s`
        and `to_s`; `pair.partner` is the note file that fits in place of a wrong one.
    norms : Norms
        The medians of the corpus against which pairs are judged, and the limits.
    skipped : tuple of UnreadableInput
        The files that could not be used, each with the reason.
    warnings : tuple of InputWarning
        Files that were used, but in part or with an assumption.
    left_out : LeftOut
        Numbers of files of other kinds.
    without_sound : int
        Number of note files without a recording.

    Examples
    --------
    >>> import antiphon
    >>> corpus = antiphon.open_corpus("demo", split="test").spread(2)
    >>> report = antiphon.check(corpus)
    >>> len(report), report.suspects
    (2, ())
    >>> report.as_dict()["pairs"][0]["verdict"]
    'clean'
    """

    corpus: str
    pairs: tuple[CheckedPair, ...]
    norms: Norms
    skipped: tuple[UnreadableInput, ...] = ()
    warnings: tuple[InputWarning, ...] = ()
    left_out: LeftOut = field(default_factory=LeftOut)
    without_sound: int = 0

    def __repr__(self) -> str:
        return f"<CheckReport of {self.corpus}: {self.summary}>"

    def __iter__(self) -> Iterator[CheckedPair]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def suspects(self) -> tuple[CheckedPair, ...]:
        """The pairs with findings."""
        return tuple(pair for pair in self.pairs if not pair.is_clean)

    @property
    def summary(self) -> str:
        """One line: how many pairs are clean and suspect, and how many files could not be used."""
        suspects = len(self.suspects)
        checked = f"{counted(len(self), 'pair')}: {len(self) - suspects} clean, {suspects} suspect"
        return f"{checked}; {counted(len(self.skipped), 'file')} skipped"

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON."""
        return {
            "corpus": self.corpus,
            "offset_ms": _rounded(self.norms.offset_ms, 2),
            "offset_spread_ms": _rounded(self.norms.spread_ms, 2),
            "played": _rounded(self.norms.played, 4),
            "written": _rounded(self.norms.written, 4),
            "clean": len(self) - len(self.suspects),
            "suspect": len(self.suspects),
            "pairs": [pair.as_dict(self.norms) for pair in self.pairs],
            "without_sound": self.without_sound,
            "skipped": [{"file": printable(error.path), "reason": error.reason} for error in self.skipped],
            "warnings": [str(warning) for warning in self.warnings],
            "left_out": self.left_out.as_dict(),
        }

    def to_json(self) -> str:
        """`as_dict` as JSON text."""
        return json.dumps(self.as_dict(), indent=1, ensure_ascii=False) + "\n"

    def to_csv(self) -> str:
        """CSV text: a row for each pair; findings, lost stretches and jumps are each one cell."""
        rows = []
        for pair in self.pairs:
            row = pair.as_dict(self.norms)
            row["findings"] = "; ".join(f"{one.kind}: {one.text}" for one in pair.findings)
            row["lost"] = "; ".join(f"{begin_s}-{end_s}" for begin_s, end_s in row["lost"])
            row["jumps"] = "; ".join(f"{one['by_s']} at {one['from_s']}-{one['to_s']}" for one in row["jumps"])
            rows.append(row)
        return csv_text(COLUMNS, rows)

    def write_pictures(self, folder: str | Path) -> list[Path]:
        """Draw the deviation of each suspect over time as PNG below `folder`, and return the paths."""
        from antiphon.experiments.check.pictures import draw_deviation  # matplotlib takes a second

        written = []
        for pair in self.suspects:
            path = Path(folder) / f"{pair.id}.png"
            draw_deviation(path, pair.id, pair.evidence, pair.findings)
            written.append(path)
        return written
