"""Hints: what may help a search that found nothing likely, each with the value that was measured or counted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from antiphon.alignment.content import FEWEST_ONSETS, Content, content_of
from antiphon.alignment.onset_features import FRAME_HZ
from antiphon.alignment.passes import FIRST
from antiphon.errors import collect_input_warnings
from antiphon.index.presence import explain_missing
from antiphon.index.query import CENTS_TO_AN_OCTAVE, SHORTEST_S, Query, Source, kind_of, open_query
from antiphon.index.search import DEFAULT, SearchOptions, default_modality
from antiphon.index.view import IndexView
from antiphon.models.protocol import Embedder
from antiphon.types import Modality
from antiphon.wording import counted

_FEW_ONSETS = 8
_FEW_DISTINCT = 2.0
_ENOUGH_S = 10.0
_DETUNED_CENTS = 30.0
_SILENCE_S = 2.0
_SILENT = 1e-3  # of the loudest frame: −60 dB
_MEASURED_S = 60.0
_NAMES: Mapping[Modality, str] = {"audio": "recordings", "notes": "note files"}


@dataclass(frozen=True)
class Hint:
    """A reason why a search may not have found the music of its query.

    `str` gives it as one line.

    Attributes
    ----------
    fact : str
        The measured or counted value, in words.
    option : str
        The option of `antiphon search` that may help; empty where there is none.

    Examples
    --------
    >>> import antiphon
    >>> print(antiphon.Hint("the recording is tuned 43 cents above A = 440 Hz", "--transpose"))
    the recording is tuned 43 cents above A = 440 Hz: try --transpose
    """

    fact: str
    option: str = ""

    def __str__(self) -> str:
        return f"{self.fact}: try {self.option}" if self.option else self.fact

    def as_dict(self) -> dict[str, str]:
        """The hint as JSON."""
        return asdict(self)


def hints_for(
    query: Source,
    libraries: Mapping[Modality, IndexView],
    embedder: Embedder,
    start_s: float = 0.0,
    length_s: float | None = None,
    options: SearchOptions = DEFAULT,
    begins_s: float = 0.0,
) -> list[Hint]:
    """Hints for a search with these arguments, without the names of any files.

    `libraries` are all modalities of the index. The query itself begins at second `begins_s` of its file. Of a long
    query the first minute is measured. Raises as `search` does.
    """
    against = options.against or default_modality(kind_of(query), libraries)
    with collect_input_warnings():  # the search issues them
        of_query = list(_of_query(query, embedder, start_s, length_s, options.transpose, begins_s))
    return [*of_query, *_of_library(kind_of(query), against, libraries, options)]


def hints_of_missing(missing: Sequence[str], of: int, index: Path) -> list[Hint]:
    """The causes why files are missing among `of` files, each with the command that helps."""
    return [Hint(line) for line in explain_missing(missing, of, index)]


def hints_of_failed(failed: Mapping[str, str]) -> list[Hint]:
    """How many files could not be indexed; `failed` maps them to the reason."""
    if not failed:
        return []
    path, reason = next(iter(failed.items()))
    return [Hint(f"{counted(len(failed), 'file')} could not be indexed, the first {path}: {reason}")]


def _of_query(
    query: Source, embedder: Embedder, start_s: float, length_s: float | None, transpose: bool, begins_s: float
) -> Iterator[Hint]:
    """Hints from the query alone."""
    kind = kind_of(query)
    measured_s = _MEASURED_S if length_s is None else min(length_s, _MEASURED_S)
    opened = open_query(query, embedder, start_s, measured_s)
    yield from _of_content(content_of(opened.frames(0.0, opened.duration_s)), opened.duration_s)
    silence_s = _silence_s(opened)
    if silence_s >= _SILENCE_S and opened.duration_s - silence_s >= SHORTEST_S:
        first_s = math.floor(10 * (begins_s + start_s + silence_s)) / 10
        yield Hint(f"the query begins with {silence_s:.1f} s of silence", f"--start {first_s:g}")
    if opened.duration_s < _ENOUGH_S:
        longer_s = open_query(query, embedder, start_s, _ENOUGH_S).duration_s if length_s is not None else 0.0
        more = longer_s > opened.duration_s + 1 / FRAME_HZ
        fact = f"the query lasts {opened.duration_s:.1f} s, and {_ENOUGH_S:g} s or more are found more often"
        yield Hint(fact, f"--length {_ENOUGH_S:g}" if more else "")
    if not transpose:
        cents = _detuning_cents(query, embedder, start_s, measured_s) if kind == "audio" else 0.0
        if abs(cents) >= _DETUNED_CENTS:
            side = "above" if cents > 0 else "below"
            yield Hint(f"the recording is tuned {abs(cents):.0f} cents {side} A = 440 Hz", "--transpose")
        else:
            yield Hint("only the key of the query was searched, and 12 others can be", "--transpose")


def _of_content(content: Content, duration_s: float) -> Iterator[Hint]:
    """A hint where the query has too little to compare; `content` is that of all its `duration_s` seconds."""
    amount = f"{counted(content.onsets, 'onset')} in {duration_s:.1f} s of the query"
    if content.onsets < max(_FEW_ONSETS, FEWEST_ONSETS * FIRST.stretches(duration_s)):
        yield Hint(f"{amount} are too few to tell music apart")
    elif content.distinct < _FEW_DISTINCT:
        yield Hint(
            f"{amount} are too much alike to tell music apart: they count as {content.distinct:.1f} different ones"
        )


def _of_library(
    kind: Modality, against: Modality, libraries: Mapping[Modality, IndexView], options: SearchOptions
) -> Iterator[Hint]:
    """Hints about files that were not searched."""
    searched = libraries[against]
    for other, library in libraries.items():
        if other != against:
            fact = f"the query was compared with {_files(against, searched)} only, and the index also has"
            yield Hint(f"{fact} {_files(other, library)}", f"--against {other}")
    if len(libraries) == 1 and against == kind:
        other = "notes" if kind == "audio" else "audio"
        fact = f"the query was compared with {_NAMES[kind]} only, because the index has no {_NAMES[other]}"
        yield Hint(f"{fact}; add some with: antiphon index add FOLDER --index DIR")
    names = [name for name in ("composer", "split", "folder") if getattr(options.filters, name)]
    left_out = len(searched.paths) - int(searched.among(options.filters).sum()) if names else 0
    if left_out:
        of = len(searched.paths)
        yield Hint(f"{left_out} of {of} files were left out", f"without {' and '.join(f'--{name}' for name in names)}")


def _silence_s(query: Query) -> float:
    """The silence at the start of the query, in seconds."""
    levels = query.levels(0.0, query.duration_s)
    return float(np.argmax(levels > _SILENT * levels.max(initial=0.0))) / FRAME_HZ


def _detuning_cents(query: Source, embedder: Embedder, start_s: float, length_s: float) -> float:
    return -CENTS_TO_AN_OCTAVE * math.log2(open_query(query, embedder, start_s, length_s, retune=True).speed)


def _files(kind: Modality, library: IndexView) -> str:
    return f"{len(library.paths)} {_NAMES[kind]}"
