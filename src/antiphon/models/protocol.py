"""The interface that evaluation, index and search need of a model: audio or notes in, unit vectors out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from antiphon.checks import SECONDS, check_path
from antiphon.corpora.segment_table import WindowGrid
from antiphon.io.audio import Sound
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.models.inputs import as_samples
from antiphon.models.streaming import blocks_of, file_blocks, sound_parts
from antiphon.types import AS_RECORDED, Playback


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Embeddings of W windows of one recording.

    Attributes
    ----------
    vectors : float32 array [W, D]
        Unit vectors; a row of zeros where a window is silent or has no notes.
    start_s : float64 array [W]
        Start of each window in seconds.
    window_s : float
        Length of each window in seconds.

    Examples
    --------
    >>> import antiphon
    >>> notes = antiphon.Notes.of([0.0, 5.5], [1.0, 1.0], [60, 64], [80, 80])
    >>> embeddings = antiphon.load_model("template").embed_notes(notes)
    >>> len(embeddings), embeddings.vectors.shape, embeddings.start_s.tolist(), embeddings.window_s
    (3, (3, 4800), [0.0, 1.0, 2.0], 4.0)
    """

    vectors: NDArray[np.float32]
    start_s: NDArray[np.float64]
    window_s: float

    def __len__(self) -> int:
        return len(self.vectors)


class Embedder(ABC):
    """A model that embeds windows of audio and of notes in one space.

    `embed_audio` and `embed_notes` cut a whole recording into windows. The methods with `windows` in their names are
    given the start of each window; a subclass implements these and `embed_pairs`, and sets the attributes. It converts
    its arguments by `antiphon.models.inputs`, which raises `ValueError` for other shapes and types.

    Rows are unit vectors, float32. A window without content (silence, no notes) has a row of zeros: an index leaves it
    out, and evaluation counts it as a miss. A window may reach beyond the recording at either end; there it contains
    zeros. A vector depends on no samples farther than a second from its window: long recordings are embedded part by
    part.

    With a `playback` a recording is embedded as if it were played at another tempo and transposed. Starts are still
    seconds of the recording as it is, of which a window then covers window_s · tempo.

    Attributes
    ----------
    name : str
        A name from `list_models`, or the arm of the model.
    fingerprint : str
        Hash of everything the vectors depend on; vectors of models with equal fingerprints can be compared.
    sample_rate_hz : int
        Sample rate of the audio that the low-level methods take.
    window_s : float
        Length of a window in seconds.
    dimensions : int
        Length D of a vector.
    parameters : int
        Number of learned parameters.
    query_hop_s : float
        Hop between the windows of a query in seconds: about twice the largest time shift at which windows of the same
        music have similar embeddings.
    elastic : bool
        Whether `embed_audio_windows` accepts another playback; `embed_notes_windows` always does.
    origin : str
        The name or absolute folder that `load_model` loaded it from; empty for a model of another origin.

    Examples
    --------
    >>> import antiphon
    >>> model = antiphon.load_model("template")
    >>> recording = antiphon.open_corpus("demo").recordings[0]
    >>> audio, notes = model.embed_audio(recording.audio_path), model.embed_notes(recording.notes_path)
    >>> similarity = audio.vectors[:8] @ notes.vectors[:8].T
    >>> similarity.argmax(axis=1).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7]
    """

    name: str
    fingerprint: str
    sample_rate_hz: int
    window_s: float
    dimensions: int
    parameters: int
    query_hop_s: float
    elastic: bool
    origin: str = ""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {self.dimensions} dimensions, windows of {self.window_s:g} s>"

    def embed_audio(self, sound: Sound | str | Path, *, hop_s: float = 1.0) -> Embeddings:
        """Embed a recording of sound in windows.

        Parameters
        ----------
        sound
            A `Sound` of any sample rate, or the path of an audio file.
        hop_s
            Seconds between the starts of consecutive windows.

        Returns
        -------
        Embeddings
            The whole windows of the recording. A recording shorter than a window is one window that zeros fill up.
            A file is read part by part: only its vectors are in memory as a whole.

        Raises
        ------
        UnreadableInput
            The file cannot be read.
        AntiphonError
            The model cannot embed audio without notes, or the hop is not positive.
        ValueError
            The samples are not finite.

        Examples
        --------
        >>> import antiphon, numpy as np
        >>> noise = np.random.default_rng(0).normal(0, 0.1, 16_000 * 6).astype(np.float32)
        >>> model = antiphon.load_model("template")
        >>> model.embed_audio(antiphon.Sound(noise, 16_000), hop_s=0.5).start_s.tolist()
        [0.0, 0.5, 1.0, 1.5, 2.0]
        """
        if not isinstance(sound, Sound):
            check_path("sound", "a Sound or the path of an audio file", sound)
            blocks = file_blocks(Path(sound), self.sample_rate_hz)
        else:
            samples = as_samples(sound.samples)
            blocks = blocks_of(Sound(samples, sound.sample_rate_hz).resampled(self.sample_rate_hz))
        SECONDS.check("hop_s", hop_s)
        parts = [
            (part.starts_s, self.embed_audio_windows(part.samples, part.within_s))
            for part in sound_parts(blocks, self.sample_rate_hz, self.window_s, hop_s)
        ]
        starts_s, vectors = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Embeddings(vectors, starts_s, self.window_s)

    def embed_notes(self, notes: Notes | str | Path, *, hop_s: float = 1.0) -> Embeddings:
        """Embed the notes of a recording in windows.

        Parameters
        ----------
        notes
            `Notes`, or the path of a MIDI file or a note table.
        hop_s
            Seconds between the starts of consecutive windows.

        Returns
        -------
        Embeddings
            The whole windows up to the end of the last note, at least one.

        Raises
        ------
        UnreadableInput
            The file cannot be read.
        AntiphonError
            The model cannot embed notes without audio, or the hop is not positive.

        Examples
        --------
        >>> import antiphon
        >>> notes = antiphon.Notes.of([0.0, 4.0], [1.0, 1.0], [60, 64], [80, 80])
        >>> antiphon.load_model("template").embed_notes(notes).vectors.shape
        (2, 4800)
        """
        if not isinstance(notes, Notes):
            check_path("notes", "Notes or the path of a note file", notes)
            notes = read_notes(notes)
        SECONDS.check("hop_s", hop_s)
        starts_s = WindowGrid(self.window_s, hop_s, None).starts_s(max(self.window_s, notes.end_s))
        return Embeddings(self.embed_notes_windows(notes, starts_s), starts_s, self.window_s)

    @abstractmethod
    def embed_audio_windows(
        self, samples: ArrayLike, starts_s: ArrayLike, playback: Playback = AS_RECORDED
    ) -> NDArray[np.float32]:
        """Embed windows of the mono samples [n] of one recording, at `sample_rate_hz`: [w, D] for starts [w].

        The tempo may be rounded to the nearest that the model supports. Raises `AntiphonError` for a playback that it
        does not support.
        """

    @abstractmethod
    def embed_notes_windows(
        self, notes: Notes, starts_s: ArrayLike, playback: Playback = AS_RECORDED
    ) -> NDArray[np.float32]:
        """Embed windows of the notes of one recording: [w, D] for starts [w]."""

    @abstractmethod
    def embed_pairs(
        self, samples: ArrayLike, notes: Notes, starts_s: ArrayLike
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embed both modalities of the same windows of one recording, as evaluation needs it: two arrays [w, D]."""
