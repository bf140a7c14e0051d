"""Corpora: recordings with their notes, audio, metadata and splits.

A corpus is specified by a folder or by the word `demo`. Each kind of corpus is one module of this package, which
defines `CORPUS_KIND`. Opening a corpus reads metadata and the headers of audio files only.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.io.audio import audio_info
from antiphon.io.files import utf8_name
from antiphon.io.folders import LeftOut, list_folders
from antiphon.io.kinds import suffix_of, without_suffix
from antiphon.io.note_files import GZIP
from antiphon.io.scores import SCORE_SUFFIXES
from antiphon.registry import Registry


@dataclass(frozen=True)
class Recording:
    """One performance: its notes, its audio if there is any, and its metadata.

    Attributes
    ----------
    id : str
        Unique within the corpus: the relative path without suffix.
    notes_path : Path
        MIDI file, score or table of notes.
    audio_path : Path or None
        Audio file, None where there is none.
    duration_s : float
        Seconds from the start that both notes and audio cover.
    composer, title : str
        Metadata, empty where unknown.
    split : str
        "train", "validation" or "test"; empty in a corpus without splits.
    work : str
        The composition; equal for all its performances.

    Examples
    --------
    >>> import antiphon
    >>> recording = antiphon.open_corpus("demo").recordings[0]
    >>> recording.composer, recording.title, recording.split
    ('Aurel Hinterbach', 'Chorale No. 1 in G major', 'train')
    """

    id: str
    notes_path: Path
    audio_path: Path | None
    duration_s: float
    composer: str
    title: str
    split: str
    work: str


@dataclass(frozen=True)
class Corpus:
    """Recordings in a fixed order.

    Attributes
    ----------
    name : str
        Name for messages and reports.
    recordings : tuple of Recording
    skipped : tuple of UnreadableInput
        The files that could not be used, each with the reason.
    spec : str
        The absolute path or the word that `open_corpus` opened. Empty for a corpus made otherwise.
    left_out : LeftOut
        Numbers of files of other kinds, where the corpus is a folder of files.

    Examples
    --------
    >>> import antiphon
    >>> corpus = antiphon.open_corpus("demo")
    >>> len(corpus), corpus.splits
    (41, {'train': 25, 'validation': 8, 'test': 8})
    >>> len(corpus.split("test").with_sound().spread(3))
    3
    """

    name: str
    recordings: tuple[Recording, ...]
    skipped: tuple[UnreadableInput, ...] = ()
    spec: str = field(default="", compare=False)
    left_out: LeftOut = field(default_factory=LeftOut, compare=False)

    def __len__(self) -> int:
        return len(self.recordings)

    @property
    def duration_s(self) -> float:
        """Total duration of the recordings in seconds."""
        return sum(recording.duration_s for recording in self.recordings)

    @property
    def splits(self) -> dict[str, int]:
        """Number of recordings per split; a corpus without splits has the single split ''."""
        return dict(Counter(recording.split for recording in self.recordings))

    def split(self, name: str) -> Corpus:
        """Select the recordings of one split. Raises `AntiphonError` when there are none."""
        kept = tuple(recording for recording in self.recordings if recording.split == name)
        if not kept:
            known = ", ".join(split or "(none)" for split in sorted(self.splits))
            raise AntiphonError(f"{self.name}: no recordings in split {name!r}; its splits are: {known}")
        return replace(self, recordings=kept)

    def spread(self, count: int | None) -> Corpus:
        """Select at most `count` recordings, evenly spread over the corpus; None selects all."""
        if count is None or count >= len(self):
            return self
        kept = tuple(self.recordings[index * len(self) // count] for index in range(count))
        return replace(self, recordings=kept)

    def with_sound(self) -> Corpus:
        """Select the recordings that have audio. Raises `AntiphonError` when none has."""
        kept = tuple(recording for recording in self.recordings if recording.audio_path is not None)
        if not kept:
            raise AntiphonError(
                f"{self.name}: none of its {len(self)} recordings has sound; "
                "name a parallel folder with --audio DIR, or make one with: antiphon render"
            )
        return replace(self, recordings=kept)

    @cached_property
    def manifest_hash(self) -> str:
        """SHA-256 of ids, metadata, contents of the note files and sizes of the audio files: equal hashes, equal data.

        Every field that evaluation reads is included. Older releases left out the composer, so their hashes differ.
        """
        digest = hashlib.sha256()
        for one in self.recordings:
            size = one.audio_path.stat().st_size if one.audio_path else None
            fields = (one.id, one.split, one.composer, one.work, round(one.duration_s, 3), size)
            digest.update(json.dumps(fields).encode())
            digest.update(hashlib.sha256(one.notes_path.read_bytes()).digest())
        return digest.hexdigest()


@dataclass(frozen=True)
class CorpusKind:
    """A kind of corpus: a test whether a specification is of this kind, and a function that opens it.

    Kinds are tried in ascending order of `rank`.
    """

    name: str
    rank: int
    recognises: Callable[[str], bool]
    open: Callable[[str], Corpus]


CORPUS_KINDS = Registry("kind of corpus", CorpusKind, "antiphon.corpora", "CORPUS_KIND", "antiphon.corpora")


def register_corpus_kind(kind: CorpusKind, *, replace: bool = False) -> CorpusKind:
    """Add a kind of corpus for the running process, and return it.

    Other processes, such as campaign workers, see it only where an installed package declares it as an entry point of
    group `antiphon.corpora`.

    Parameters
    ----------
    kind
        Its name, a rank (kinds are tried in ascending order), a function that recognises a spec, and a function that
        opens a spec as a `Corpus`.
    replace
        Permits a name that an earlier call registered, as when a notebook cell runs twice.

    Returns
    -------
    CorpusKind
        The entry that was added.

    Raises
    ------
    AntiphonError
        When the name is taken.
    TypeError
        For an entry of another class.

    Examples
    --------
    >>> import antiphon
    >>> from antiphon.corpora import CorpusKind
    >>> def open_excerpt(spec):
    ...     return antiphon.open_corpus("demo").spread(int(spec.removeprefix("demo-")))
    >>> kind = antiphon.register_corpus_kind(
    ...     CorpusKind("excerpt", rank=1, recognises=lambda spec: spec.startswith("demo-"), open=open_excerpt)
    ... )
    >>> len(antiphon.open_corpus("demo-5"))
    5
    """
    return CORPUS_KINDS.register(kind, replace=replace)


def open_corpus(spec: str | Path, *, audio: str | Path | None = None, split: str | None = None) -> Corpus:
    """Open a corpus. Reads metadata and the headers of the audio files only.

    Parameters
    ----------
    spec
        A MAESTRO folder, a corpus made by `antiphon render`, a folder of audio and note files with equal names, or the
        word `demo`. The demo corpus is composed and rendered at first use, in a few seconds.
    audio
        A parallel folder whose audio files, in any format, replace those of the corpus; `match_by_name` pairs them.
        Links to folders are followed in it and in a folder of audio and note files.
    split
        The split to keep; by default all.

    Returns
    -------
    Corpus
        Files that cannot be used are listed in `skipped`.

    Raises
    ------
    AntiphonError
        `spec` is not a corpus or contains no usable recordings, or has no such split, or no file of `audio` matches.

    Examples
    --------
    >>> import antiphon
    >>> corpus = antiphon.open_corpus("demo", split="test")
    >>> corpus.name, len(corpus), len(corpus) < len(antiphon.open_corpus("demo"))
    ('demo', 8, True)
    >>> antiphon.open_corpus("no-such-folder")
    Traceback (most recent call last):
    antiphon.errors.AntiphonError: no-such-folder: not a corpus: neither a folder nor the word 'demo'
    """
    for kind in sorted(CORPUS_KINDS.values(), key=lambda kind: kind.rank):
        if kind.recognises(str(spec)):
            corpus = replace(kind.open(str(spec)), spec=absolute_spec(spec))
            break
    else:
        raise AntiphonError(f"{spec}: not a corpus: neither a folder nor the word 'demo'")
    if not corpus.recordings:
        reason = f"; {len(corpus.skipped)} skipped, the first: {corpus.skipped[0]}" if corpus.skipped else ""
        raise AntiphonError(f"{spec}: no recordings found{reason}")
    corpus = corpus if audio is None else with_audio_folder(corpus, Path(audio))
    return corpus if split is None else corpus.split(split)


def as_corpus(corpus: Corpus | str | Path) -> Corpus:
    """A corpus as it is, or the one that `open_corpus` opens by a spec."""
    return corpus if isinstance(corpus, Corpus) else open_corpus(corpus)


def absolute_spec(spec: str | Path) -> str:
    """The specification of a corpus, valid in any working folder.

    A path becomes absolute. A word, or a specification that no kind of corpus recognises, stays as it is. Raises
    `UnreadableInput` for a path that is not UTF-8.
    """
    absolute = utf8_name(Path(spec).absolute())
    for kind in sorted(CORPUS_KINDS.values(), key=lambda kind: kind.rank):
        if kind.recognises(str(spec)):
            return absolute if kind.recognises(absolute) else str(spec)
    return str(spec)


def with_audio_folder(corpus: Corpus, folder: Path) -> Corpus:
    """Replace the audio of a corpus by that of a parallel folder; recordings without a match have no audio.

    Raises `AntiphonError` when the folder does not exist or no file matches.
    """
    if not folder.is_dir():
        raise AntiphonError(f"{folder}: no such folder of sound files")
    listing = list_folders([folder], follow_links=True).only(["audio"])
    files, dropped = files_by_stem(listing.files, folder, "sound")
    partner = match_by_name([recording.id for recording in corpus.recordings], files)
    matched, skipped = [], [*corpus.skipped, *listing.faults]
    for recording in corpus.recordings:
        try:
            matched.append(with_sound_file(recording, partner.get(recording.id)))
        except UnreadableInput as error:
            skipped.append(error)
    if not any(recording.audio_path for recording in matched):
        raise AntiphonError(f"{folder}: none of its {len(files)} sound files matches a recording of {corpus.name}")
    left_out = corpus.left_out + listing.left_out
    return replace(corpus, recordings=tuple(matched), skipped=(*skipped, *dropped), left_out=left_out)


def with_sound_file(recording: Recording, path: Path | None) -> Recording:
    """Replace the audio of a recording and limit its duration to that of the audio.

    Raises `UnreadableInput` when the file cannot be read.
    """
    if path is None:
        return replace(recording, audio_path=None)
    return replace(recording, audio_path=path, duration_s=min(recording.duration_s, audio_info(path).duration_s))


def files_by_stem(files: Iterable[Path], folder: Path, kind: str) -> tuple[dict[str, Path], list[UnreadableInput]]:
    """Files by their path below a folder, without suffix.

    If several differ only in the suffix, the last is taken, and a score only where there is nothing else: other notes
    may be those of the very performance. Returns reports on the others as well; `kind` is the word for such a file.
    """
    found = sorted(files, key=lambda path: (suffix_of(path).removesuffix(GZIP) not in SCORE_SUFFIXES, path))
    taken = {without_suffix(path.relative_to(folder)).as_posix(): path for path in found}
    dropped = sorted({*found} - {*taken.values()})
    reports = [UnreadableInput(path, f"another {kind} file has the same name") for path in dropped]
    return dict(sorted(taken.items())), reports


def match_by_name(names: Collection[str], files: Mapping[str, Path]) -> dict[str, Path]:
    """Match names with files. Both are identified by their relative path without suffix.

    A name gets the file with the same path. Otherwise it gets the file with the same last component, if that component
    is unique among the names and among the files. Names without a file are left out.

    >>> match_by_name(["midi/a", "midi/b"], {"midi/a": Path("midi/a.wav"), "audio/b": Path("audio/b.wav")})
    {'midi/a': PosixPath('midi/a.wav'), 'midi/b': PosixPath('audio/b.wav')}
    >>> match_by_name(["1/a", "2/a"], {"1/a": Path("1/a.wav")})
    {'1/a': PosixPath('1/a.wav')}
    """
    name_count, file_count = (Counter(Path(path).name for path in paths) for paths in (names, files))
    by_bare_name = {Path(path).name: file for path, file in files.items()}
    partner = {}
    for name in names:
        bare = Path(name).name
        if name in files:
            partner[name] = files[name]
        elif name_count[bare] == file_count[bare] == 1:
            partner[name] = by_bare_name[bare]
    return partner
