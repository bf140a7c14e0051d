"""Hand-crafted descriptors: pure functions of a window, without learned parameters and without gradient (paper §3).

Each module of this package defines one descriptor, `DESCRIPTOR`. Its input is a `View` of a batch, which computes the
spectrogram once for all descriptors that use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import overload

import torch
from torch import Tensor

from antiphon.checks import wrong_type
from antiphon.errors import AntiphonError, UnknownName
from antiphon.models.batch import Batch, NoteBatch, Tokens
from antiphon.registry import Registry
from antiphon.signal.spectra import in_parts, power, stft
from antiphon.types import MODALITIES, Modality

N_FFT = 2048
HOP = 512
_ROWS_AT_A_TIME = 4


class View:
    """The input of descriptors: audio, notes and playback of a batch, and its spectrogram, computed at first use."""

    def __init__(self, batch: Batch, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.audio = batch.audio
        self.notes: NoteBatch = batch.notes
        self.playback = batch.playback

    @cached_property
    def magnitude(self) -> Tensor:
        """|STFT| float32 [B, 1025, T]: n_fft 2048, hop 512, Hann, centred, zeros beyond the ends (T = 188 for 4 s)."""
        window = torch.hann_window(N_FFT, device=self.audio.device)
        return in_parts(lambda audio: power(stft(audio, window, HOP)).sqrt_(), self.audio, _ROWS_AT_A_TIME)


@dataclass(frozen=True)
class Descriptor:
    """A named function View → Tokens [B, T, K], finite on silence and on windows without notes.

    `dimensions` names its K values. `frames` is T where it is equal for all windows. A descriptor of the audio is
    `elastic` when it applies the view's playback; the others describe the audio as recorded.
    """

    name: str
    side: Modality
    dimensions: tuple[str, ...]
    compute: Callable[[View], Tokens]
    frames: int | None = None
    elastic: bool = False

    def __post_init__(self) -> None:
        _check_parts(self.name, self.side, self.dimensions, self.compute)

    def tokens(self, view: View) -> Tokens:
        """Compute the descriptor. Raises `AntiphonError` for a result of another shape than the declared one."""
        found = self.compute(view)
        shape = tuple(found.values.shape) if isinstance(found.values, Tensor) else ()
        expected = (len(view.audio), shape[1] if self.frames is None and len(shape) == 3 else self.frames)
        if shape != (*expected, len(self.dimensions)):
            returned = f"shape {list(shape)}" if shape else type(found.values).__name__
            raise AntiphonError(
                f"descriptor {self.name!r}: its function returned {returned}, expected [{expected[0]}, "
                f"{self.frames or 'T'}, {len(self.dimensions)}]: windows, frames, dimensions"
            )
        return found


def _check_parts(name: object, modality: object, dimensions: object, compute: object) -> None:
    """Raise `AntiphonError` for a part of another type than a descriptor needs, `UnknownName` for the modality."""
    if not isinstance(name, str) or not name:
        raise wrong_type("name", "a text that is not empty", name)
    if modality not in MODALITIES:
        raise UnknownName("modality", str(modality), MODALITIES)
    if not isinstance(dimensions, list | tuple) or not all(isinstance(one, str) for one in dimensions):
        raise AntiphonError(f"descriptor {name!r}: dimensions is {dimensions!r}; expected a list of names")
    if not callable(compute):
        raise AntiphonError(f"descriptor {name!r}: compute is {compute!r}; expected a function of a View")


DESCRIPTORS = Registry("descriptor", Descriptor, "antiphon.models.descriptors", "DESCRIPTOR", "antiphon.descriptors")


@overload
def register_descriptor(descriptor: Descriptor, *, replace: bool = False) -> Descriptor: ...


@overload
def register_descriptor(
    *,
    name: str,
    modality: Modality,
    dimensions: Sequence[str],
    compute: Callable[[View], Tokens | Tensor],
    frames: int | None = None,
    elastic: bool = False,
    replace: bool = False,
) -> Descriptor: ...


def register_descriptor(
    descriptor: Descriptor | None = None,
    *,
    name: str = "",
    modality: Modality = "audio",
    dimensions: Sequence[str] = (),
    compute: Callable[[View], Tokens | Tensor] | None = None,
    frames: int | None = None,
    elastic: bool = False,
    replace: bool = False,
) -> Descriptor:
    """Add a descriptor for the running process, and return it.

    Other processes, such as campaign workers, see it only where an installed package declares it as an entry point of
    group `antiphon.descriptors`.

    Parameters
    ----------
    descriptor
        A `Descriptor`; or its parts, by keyword:
    name
        The name that arms use.
    modality
        The modality that the descriptor reads: "audio" or "notes".
    dimensions
        The names of its K dimensions.
    compute
        A function of the `View` of B windows that returns float32 [B, T, K], as a tensor or as `Tokens`. The values
        must be finite for silence and for windows without notes.
    frames
        T, where it is the same for every window.
    elastic
        Whether `compute` takes the playback of the view into account.
    replace
        Permits a name that an earlier call registered, as when a notebook cell runs twice.

    Returns
    -------
    Descriptor
        The descriptor that was added.

    Raises
    ------
    AntiphonError
        When the name is taken, and for a part of another type; `UnknownName` for another modality.
    TypeError
        When parts are missing, or given together with a `Descriptor`.

    Examples
    --------
    >>> import torch
    >>> import antiphon
    >>> level = antiphon.register_descriptor(
    ...     name="level",
    ...     modality="audio",
    ...     dimensions=["level"],
    ...     compute=lambda view: torch.log1p(view.magnitude).mean(dim=1).unsqueeze(-1),
    ... )
    >>> [one for one in antiphon.catalogue("descriptors") if one["name"] == "level"]
    [{'name': 'level', 'side': 'audio', 'dimensions': 1}]
    """
    given = bool(name or dimensions or compute is not None)
    if descriptor is not None and not given:
        return DESCRIPTORS.register(descriptor, replace=replace)
    if descriptor is not None or not (name and dimensions and compute is not None):
        raise TypeError("register_descriptor takes a Descriptor, or name, modality, dimensions and compute by keyword")
    _check_parts(name, modality, dimensions, compute)
    made = Descriptor(name, modality, tuple(dimensions), partial(_as_tokens, compute), frames, elastic)
    return DESCRIPTORS.register(made, replace=replace)


def _as_tokens(compute: Callable[[View], Tokens | Tensor], view: View) -> Tokens:
    found = compute(view)
    return found if isinstance(found, Tokens) else Tokens(found)


@torch.no_grad()
def describe(batch: Batch, names: Iterable[str], sample_rate_hz: int) -> dict[str, Tokens]:
    """Each named descriptor of the batch, computed once: name → Tokens [B, T, K].

    Raises `UnknownName`, and `AntiphonError` where a descriptor has another shape than it declares.
    """
    view = View(batch, sample_rate_hz)
    return {name: DESCRIPTORS[name].tokens(view) for name in dict.fromkeys(names)}
