"""Types that several rooms share; nothing here computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

Modality = Literal["audio", "notes"]
"""One of the two kinds of material of a recording."""

MODALITIES: tuple[Modality, Modality] = ("audio", "notes")

_SLOWEST, _FASTEST = 0.5, 2.0
_FARTHEST_SEMITONES = 12


@dataclass(frozen=True)
class Playback:
    """Tempo and transposition of a recording: `tempo` times as fast at unchanged pitch, then `semitones` higher.

    Raises `ValueError` for a tempo outside 0.5–2 and for more than 12 semitones either way.
    """

    tempo: float = 1.0
    semitones: int = 0

    def __post_init__(self) -> None:
        if not _SLOWEST <= self.tempo <= _FASTEST:
            raise ValueError(f"tempo is within {_SLOWEST:g}–{_FASTEST:g}, got {self.tempo} (percent, beats a minute?)")
        if not -_FARTHEST_SEMITONES <= self.semitones <= _FARTHEST_SEMITONES:
            raise ValueError(f"semitones are within ±{_FARTHEST_SEMITONES}, got {self.semitones} (cents?)")

    def __str__(self) -> str:
        return f"tempo {self.tempo:g}, {self.semitones:+d} semitones"


AS_RECORDED = Playback()


@dataclass(frozen=True, eq=False)
class Overlap:
    """The source of B windows: `samples` float32 [S] of one recording; window b begins at `begin[b]`, int64 [B].

    A front end may compute the common parts of overlapping windows once.
    """

    samples: Tensor
    begin: Tensor


class SampleArray(Protocol):
    """Mono samples [n] that are read in slices: an array, or a sound of which only parts are in memory.

    The parts that are read may overlap, but should follow each other: to go back can mean to decode again.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> NDArray[np.float32]: ...


class JsonResult(Mapping[str, Any]):
    """A result as it is written to JSON: a read-only mapping; `as_dict` gives the plain dict."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._values!r})"

    def as_dict(self) -> dict[str, Any]:
        """A copy of the result as a plain dict."""
        return dict(self._values)
