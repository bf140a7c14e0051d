"""Where pairs come from: recordings with their notes, metadata and splits.

A corpus is named on the command line by a folder or by the word `demo`; each kind of corpus is one module here that
defines `CORPUS_KIND`. Opening a corpus reads metadata and sound-file headers only.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.io.audio import AUDIO_SUFFIXES, audio_info
from antiphon.io.files import utf8_name
from antiphon.registry import Registry


@dataclass(frozen=True)
class Recording:
    """One performance: its notes, its sound if there is any, and what is known of it.

    `duration_s` is the stretch that both sides cover. `work` is equal for performances of the same composition.
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
    """Recordings in a fixed order, and the files that had to be left out with the reason for each.

    `spec` is what `open_corpus` opened: an absolute path or a word. It is empty for a corpus made otherwise.
    """

    name: str
    recordings: tuple[Recording, ...]
    skipped: tuple[UnreadableInput, ...] = ()
    spec: str = field(default="", compare=False)

    def __len__(self) -> int:
        return len(self.recordings)

    @property
    def duration_s(self) -> float:
        return sum(recording.duration_s for recording in self.recordings)

    @property
    def splits(self) -> dict[str, int]:
        """Recordings per split; a corpus without splits has the single split ''."""
        return dict(Counter(recording.split for recording in self.recordings))

    def split(self, name: str) -> Corpus:
        """The recordings of one split. Raises `AntiphonError` when there are none."""
        kept = tuple(recording for recording in self.recordings if recording.split == name)
        if not kept:
            known = ", ".join(split or "(none)" for split in sorted(self.splits))
            raise AntiphonError(f"{self.name}: no recordings in split {name!r}; its splits are: {known}")
        return replace(self, recordings=kept)

    def spread(self, count: int | None) -> Corpus:
        """At most this many recordings, evenly spread over the corpus; all of them for None."""
        if count is None or count >= len(self):
            return self
        kept = tuple(self.recordings[index * len(self) // count] for index in range(count))
        return replace(self, recordings=kept)

    def with_sound(self) -> Corpus:
        """The recordings that have sound. Raises `AntiphonError` when none has."""
        kept = tuple(recording for recording in self.recordings if recording.audio_path is not None)
        if not kept:
            raise AntiphonError(
                f"{self.name}: none of its {len(self)} recordings has sound beside its notes; "
                "name a parallel folder with --audio DIR, or make one with: antiphon render"
            )
        return replace(self, recordings=kept)

    @cached_property
    def manifest_hash(self) -> str:
        """SHA-256 over ids, metadata, note files' bytes and sound files' sizes: equal hashes, equal data.

        Every field that evaluation reads is hashed. Hashes recorded before the composer was included differ from
        those computed now for the same data.
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
    """How to recognise and open one kind of corpus; kinds are tried by ascending `rank`."""

    name: str
    rank: int
    recognises: Callable[[str], bool]
    open: Callable[[str], Corpus]


CORPUS_KINDS: Registry[CorpusKind] = Registry("kind of corpus", "antiphon.corpora", "CORPUS_KIND")


def open_corpus(spec: str | Path, audio: Path | None = None) -> Corpus:
    """Open a MAESTRO folder, a rendered corpus, a folder of pairs, or `demo`.

    `audio` names a parallel folder whose sound files, of any format, replace the corpus's own, see `match_by_name`.
    Raises `AntiphonError` when nothing is there.
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
    return corpus if audio is None else with_audio_folder(corpus, audio)


def as_corpus(corpus: Corpus | str | Path) -> Corpus:
    """A corpus as it is, or the one that `open_corpus` opens by a spec."""
    return corpus if isinstance(corpus, Corpus) else open_corpus(corpus)


def absolute_spec(spec: str | Path) -> str:
    """The spec as it reads in any working folder: a path made absolute; a word, or what is no corpus, as it is.

    Raises `UnreadableInput` for a path that is not UTF-8.
    """
    absolute = utf8_name(Path(spec).absolute())
    for kind in sorted(CORPUS_KINDS.values(), key=lambda kind: kind.rank):
        if kind.recognises(str(spec)):
            return absolute if kind.recognises(absolute) else str(spec)
    return str(spec)


def with_audio_folder(corpus: Corpus, folder: Path) -> Corpus:
    """The corpus with sound taken from a parallel folder; recordings without a match have none."""
    if not folder.is_dir():
        raise AntiphonError(f"{folder}: no such folder of sound files")
    files = files_by_stem(folder, AUDIO_SUFFIXES)
    partner = match_by_name([recording.id for recording in corpus.recordings], files)
    matched, skipped = [], list(corpus.skipped)
    for recording in corpus.recordings:
        try:
            matched.append(with_sound_file(recording, partner.get(recording.id)))
        except UnreadableInput as error:
            skipped.append(error)
    if not any(recording.audio_path for recording in matched):
        raise AntiphonError(f"{folder}: none of its {len(files)} sound files matches a recording of {corpus.name}")
    skipped += other_suffixes(folder, AUDIO_SUFFIXES, files, "sound")
    return replace(corpus, recordings=tuple(matched), skipped=tuple(skipped))


def with_sound_file(recording: Recording, path: Path | None) -> Recording:
    """The recording with this sound, its duration cut to what the sound covers."""
    if path is None:
        return replace(recording, audio_path=None)
    return replace(recording, audio_path=path, duration_s=min(recording.duration_s, audio_info(path).duration_s))


def files_below(folder: Path, suffixes: frozenset[str]) -> set[Path]:
    """Files of these suffixes, in either case, at any depth; a file in a folder's place stands for itself."""
    candidates = [folder] if folder.is_file() else folder.rglob("*")
    return {path for path in candidates if path.suffix.lower() in suffixes and path.is_file()}


def files_by_stem(folder: Path, suffixes: frozenset[str]) -> dict[str, Path]:
    """Files below a folder by relative path without suffix; of several that differ in suffix only, the last."""
    found = sorted(files_below(folder, suffixes))
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in found}


def other_suffixes(
    folder: Path, suffixes: frozenset[str], taken: Mapping[str, Path], kind: str
) -> list[UnreadableInput]:
    """The files that `files_by_stem` dropped because another of the same name, the one in `taken`, was kept."""
    dropped = sorted(files_below(folder, suffixes) - {*taken.values()})
    return [UnreadableInput(path, f"another {kind} file has the same name") for path in dropped]


def match_by_name(names: Collection[str], files: Mapping[str, Path]) -> dict[str, Path]:
    """The file of each name that has one, both known by relative path without suffix.

    That is the file of the same path, else the one whose bare name is the same, where nothing else on either side has
    that bare name.

    >>> match_by_name(["midi/a", "midi/b"], {"midi/a": Path("midi/a.wav"), "audio/b": Path("audio/b.wav")})
    {'midi/a': PosixPath('midi/a.wav'), 'midi/b': PosixPath('audio/b.wav')}
    >>> match_by_name(["1/a", "2/a"], {"1/a": Path("1/a.wav")})
    {'1/a': PosixPath('1/a.wav')}
    """
    named, heard = (Counter(Path(path).name for path in paths) for paths in (names, files))
    by_bare_name = {Path(path).name: file for path, file in files.items()}
    partner = {}
    for name in names:
        bare = Path(name).name
        if name in files:
            partner[name] = files[name]
        elif named[bare] == heard[bare] == 1:
            partner[name] = by_bare_name[bare]
    return partner
