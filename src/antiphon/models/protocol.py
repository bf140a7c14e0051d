"""The protocol that evaluation, index and search need of a model: windows of sound or notes in, unit vectors out."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from antiphon.io.notes import Notes
from antiphon.types import AS_RECORDED, Playback


class Embedder(Protocol):
    """A model as its users see it.

    Rows are unit vectors, float32; a window with nothing in it (silence, no notes) gives a row of zeros, which an
    index leaves out and evaluation counts as a miss.

    `samples` is any sequence of numbers [n], mono, from −1 to 1; `starts_s` is one of seconds [w]. An embedder passes
    them through `antiphon.models.inputs`, which raises `ValueError` for anything else. A window that reaches out of the
    sound, at either end, has zeros there.

    With a `playback` a recording is embedded as if it were played at another tempo and transposed. Starts stay seconds
    of the recording as it is, of which a window then takes window_s · tempo.
    """

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """Hash of everything the vectors depend on: equal fingerprints, comparable vectors."""
        ...

    @property
    def sample_rate_hz(self) -> int: ...

    @property
    def window_s(self) -> float: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def parameters(self) -> int:
        """How many numbers it has learned."""
        ...

    @property
    def query_hop_s(self) -> float:
        """How far apart a query's windows may lie: about twice what two windows of one music may be shifted by and
        still be near each other."""
        ...

    @property
    def elastic(self) -> bool:
        """Whether `embed_audio` takes another playback; `embed_notes` always does."""
        ...

    def embed_audio(
        self, samples: ArrayLike, starts_s: ArrayLike, playback: Playback = AS_RECORDED
    ) -> NDArray[np.float32]:
        """Embed windows of one recording's mono samples: [n, dimensions].

        The tempo may be rounded to the nearest that the model can hear. Raises `AntiphonError` for a playback that it
        cannot.
        """
        ...

    def embed_notes(self, notes: Notes, starts_s: ArrayLike, playback: Playback = AS_RECORDED) -> NDArray[np.float32]:
        """Embed windows of one recording's notes: [n, dimensions]."""
        ...

    def embed_pairs(
        self, samples: ArrayLike, notes: Notes, starts_s: ArrayLike
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embed both sides of the same windows of a recording: what evaluation asks for."""
        ...
