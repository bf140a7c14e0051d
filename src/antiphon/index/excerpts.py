"""Search of a whole recording by excerpts: a short one in one piece, a longer one by three to six parts of 20 s."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from antiphon.alignment.confidence import LIKELY
from antiphon.errors import UnreadableInput
from antiphon.index.match import Match
from antiphon.index.search import SearchOptions, search_library
from antiphon.index.view import Filters, IndexView
from antiphon.io.audio import audio_info
from antiphon.models.protocol import Embedder

EXCERPT_S = 20.0
_WHOLE_S = 40.0
_EXCERPT_EVERY_S, _FEWEST, _MOST = 60.0, 3, 6
_TOP = 30


@dataclass(frozen=True)
class ExcerptMatches:
    """The matches of each excerpt of a recording, without the excerpts that could not be searched with."""

    recording: Path
    duration_s: float
    excerpts: tuple[list[Match], ...]

    def mean(self, of: str) -> dict[str, float]:
        """File → mean over the excerpts of its best match's `confidence` or `score`, 0 where it has none."""
        total: dict[str, float] = defaultdict(float)
        for matches in self.excerpts:
            best: dict[str, float] = defaultdict(float)
            for match in matches:
                best[match.file] = max(best[match.file], getattr(match, of))
            for file, value in best.items():
                total[file] += value / len(self.excerpts)
        return total

    def likely(self, file: str) -> int:
        """The number of excerpts that are likely to be the music of a file."""
        return sum(file in files for files in self._likely_files())

    def likely_elsewhere(self, file: str) -> set[str]:
        """The best file of each excerpt that is likely to be other music than that of a file."""
        return {next(iter(files)) for files in self._likely_files() if files and file not in files}

    def _likely_files(self) -> list[dict[str, None]]:
        """The files that each excerpt is likely to be, best first."""
        return [{match.file: None for match in one if match.confidence >= LIKELY} for one in self.excerpts]


def search_excerpts(
    recording: Path, library: IndexView, embedder: Embedder, filters: Filters, transpose: bool
) -> ExcerptMatches:
    """Search with every usable excerpt. Raises `UnreadableInput` where none is, or the file cannot be read."""
    duration_s = audio_info(recording).duration_s
    options = SearchOptions(_TOP, repeats=True, filters=filters, transpose=transpose)
    found, faults = [], []
    for start_s, length_s in excerpts(duration_s):
        try:
            matches = search_library(recording, library, embedder, start_s, length_s, options)
        except UnreadableInput as error:
            faults.append(error)
        else:
            found.append(matches)
    if not found:
        raise faults[0]
    return ExcerptMatches(recording, duration_s, tuple(found))


def excerpts(duration_s: float) -> list[tuple[float, float | None]]:
    """Start and length in seconds of the excerpts of a recording; no length for one that reaches its end.

    >>> excerpts(30.0), excerpts(100.0)
    ([(0.0, None)], [(0.0, 20.0), (40.0, 20.0), (80.0, 20.0)])
    """
    if duration_s <= _WHOLE_S:
        return [(0.0, None)]
    count = min(_MOST, max(_FEWEST, round(duration_s / _EXCERPT_EVERY_S)))
    return [(round(float(at), 3), EXCERPT_S) for at in np.linspace(0.0, duration_s - EXCERPT_S, count)]
