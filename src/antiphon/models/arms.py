"""The arms as data, the paper's and one of ours: the descriptors that each injects, where and by which mechanism.

An arm is one row of `ARMS`. `antiphon list arms` counts its parameters; `antiphon train --arm NAME` trains it.
"""

from __future__ import annotations

from dataclasses import field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import ArgsKwargs

from antiphon.checks import wrong_type
from antiphon.errors import AntiphonError
from antiphon.io.definitions import Definitions, Document, read_toml, validated
from antiphon.models.batch import MAX_NOTES
from antiphon.models.descriptors import DESCRIPTORS
from antiphon.models.descriptors.alter import Values
from antiphon.models.injection import MECHANISMS
from antiphon.types import Modality

_STRICT = ConfigDict(extra="forbid")


class _OneLineErrors:
    """A base of dataclasses whose constructor raises `AntiphonError` of one line for a wrong argument."""

    @model_validator(mode="wrap")
    @classmethod
    def _in_one_line(cls, values: Any, handler: Any) -> Any:
        try:
            return handler(values)
        except ValidationError as error:
            if not isinstance(values, ArgsKwargs):  # of a file, whose reader names the key
                raise
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise AntiphonError(f"{cls.__name__}: {where}: {first['msg']}, got {first['input']!r}") from None


@dataclass(frozen=True, config=_STRICT)
class Injected(_OneLineErrors):
    """One descriptor injected into a tower or its head by a mechanism.

    Attributes
    ----------
    descriptor : str
        A name of `antiphon list descriptors`.
    into : {"audio", "notes"}
        The tower.
    by : str
        A name of `antiphon list mechanisms`.
    options : dict
        Options of the mechanism.
    values : {"real", "zero", "noise", "shuffle"}
        Values other than `real` replace the descriptor in training and in inference: a control condition (paper §7).

    Examples
    --------
    >>> import antiphon
    >>> antiphon.Injected("a4", into="audio").by
    'concat'
    """

    descriptor: str
    into: Modality
    by: str = "concat"
    options: dict[str, Any] = field(default_factory=dict)
    values: Values = "real"


@dataclass(frozen=True, config=_STRICT)
class Branch(_OneLineErrors):
    """A third encoder, of descriptors, that serves the training loss only; embedding a window does not use it."""

    descriptors: tuple[str, ...]
    by: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, config=_STRICT)
class LateFusion(_OneLineErrors):
    """A descriptor of each modality, of equal shapes, concatenated with the embeddings. One linear projection, the same
    for both modalities, maps the result to `dimensions` numbers (`antiphon.models.late_fusion`)."""

    audio: str
    notes: str
    dimensions: int


@dataclass(frozen=True, config=_STRICT)
class Pair(_OneLineErrors):
    """Two embeddings that the loss matches, and the weight of that term."""

    one: Literal["audio", "notes", "branch"]
    other: Literal["audio", "notes", "branch"]
    weight: float = 1.0


_AUDIO_NOTES = Pair("audio", "notes")


@dataclass(frozen=True, config=_STRICT)
class Arm(_OneLineErrors):
    """A row of the paper's tables: the baseline model plus injections.

    Attributes
    ----------
    name : str
    injected : tuple of Injected
        In the order in which they act.
    branch : Branch, optional
        Descriptors that are embedded for the loss alone.
    pairs : tuple of Pair
        The pairs of embeddings that the loss matches; by default audio and notes.
    late_fusion : LateFusion, optional
        Descriptors that are concatenated with the embeddings.

    Examples
    --------
    >>> import antiphon
    >>> arm = antiphon.Arm("mine", (antiphon.Injected("a4", into="audio", by="film"),))
    >>> arm.injections_in_words
    ['a4 into audio by film']
    """

    name: str
    injected: tuple[Injected, ...] = ()
    branch: Branch | None = None
    pairs: tuple[Pair, ...] = (_AUDIO_NOTES,)
    late_fusion: Annotated[LateFusion | None, Field(exclude_if=lambda late_fusion: late_fusion is None)] = None

    @property
    def taken(self) -> tuple[tuple[str, Modality], ...]:
        """Each descriptor that embedding needs, once, with the modality whose embedding needs it."""
        used = [(injected.descriptor, injected.into) for injected in self.injected]
        if self.late_fusion is not None:
            used += [(self.late_fusion.audio, "audio"), (self.late_fusion.notes, "notes")]
        return tuple(dict.fromkeys(used))

    @property
    def injections_in_words(self) -> list[str]:
        """Each injection as text: descriptor, tower and mechanism."""
        texts = [
            f"{one.descriptor}{'' if one.values == 'real' else f' ({one.values})'} into {one.into} by {one.by}"
            for one in self.injected
        ]
        if self.late_fusion is not None:
            texts.append(f"{self.late_fusion.audio} and {self.late_fusion.notes} by late fusion")
        return texts


def _reverse(descriptor: str, into: Modality) -> Injected:
    options = {"positions": MAX_NOTES} if into == "notes" else {}
    return Injected(descriptor, into, "reverse_cross_attention", options)


def _third(name: str, injected: tuple[Injected, ...], audio_notes: float, branch: float) -> Arm:
    """A third tower over A4 and D4; `branch` is the weight of each pair that includes it."""
    pairs = (Pair("audio", "notes", audio_notes), Pair("audio", "branch", branch), Pair("notes", "branch", branch))
    return Arm(name, injected, Branch(("a4", "d4"), "third_tower"), tuple(pair for pair in pairs if pair.weight))


def _auxiliary(descriptor: str) -> Arm:
    """A branch embeds a descriptor of the notes, and VICReg of weight 0.1 matches it with the audio embedding."""
    return Arm(
        descriptor, (), Branch((descriptor,), "auxiliary"), (Pair("audio", "notes"), Pair("audio", "branch", 0.1))
    )


def _moe(descriptor: str, into: Modality, **options: Any) -> Injected:
    return Injected(descriptor, into, "moe", options)


_A4, _D4 = Injected("a4", "audio"), Injected("d4", "notes")
_D4A4 = (_D4, _A4)
_A4R, _D4R = _reverse("a4", "audio"), _reverse("d4", "notes")
_FILM_A4, _FILM_D4 = Injected("a4", "audio", "film"), Injected("d4", "notes", "film")
_HEAD_AUDIO = Injected("band_energy", "audio", "conditioned_head")
_HEAD_NOTES = Injected("d4", "notes", "conditioned_head")
_MOE_V2 = {"expert_std": 0.02, "noise": (0.5, 0.05)}
_MOE_V3 = _MOE_V2 | {"entropy_weight": 0.01}
_MOE_V4 = _MOE_V3 | {"top_1": True}


def _check(arm: Arm) -> None:
    """Raises `UnknownName` where an arm names a descriptor or mechanism that does not exist."""
    branch = () if arm.branch is None else arm.branch.descriptors
    for descriptor in (*(name for name, _ in arm.taken), *branch):
        DESCRIPTORS[descriptor]
    for mechanism in (*(injected.by for injected in arm.injected), *(() if arm.branch is None else (arm.branch.by,))):
        MECHANISMS[mechanism]


_BUILT_IN = (
    # The thirteen arms of the paper's screening.
    Arm("D0"),
    Arm("D4", (_D4,)),
    Arm("A4", (_A4,)),
    Arm("A7", (Injected("a7", "audio"),)),
    Arm("A8", (Injected("a8", "audio"),)),
    Arm("A9", (Injected("a9", "audio"),)),
    Arm("A4x", (Injected("a4", "audio", "cross_attention"),)),
    Arm("A7x", (Injected("a7", "audio", "cross_attention"),)),
    Arm("D4x", (Injected("d4", "notes", "cross_attention"),)),
    Arm("A4r", (_A4R,)),
    Arm("D4r", (_D4R,)),
    Arm("d4a4", _D4A4),
    Arm("d4a4cm", (Injected("d4", "audio"), Injected("a4", "notes"))),
    # Families.
    Arm("a4r", (_A4R,)),
    Arm("d4a4r", (_D4R, _A4R)),
    Arm("d4-a4r", (_D4, _A4R)),
    _third("t3-tri", _D4A4, audio_notes=1 / 3, branch=1 / 3),
    _third("t3-anc", (), audio_notes=0.0, branch=0.5),
    _third("t3-wt", _D4A4, audio_notes=1.0, branch=0.15),
    Arm("film-a4", (_FILM_A4,)),
    Arm("film-d4", (_FILM_D4,)),
    Arm("film-dual", (_FILM_D4, _FILM_A4)),
    Arm("moe-a4", (_moe("a4", "audio"),)),
    Arm("moe-dual", (_moe("d4", "notes"), _moe("a4", "audio"))),
    Arm("moe-a4-v2", (_moe("a4", "audio", **_MOE_V2),)),
    Arm("moe-a4-v3", (_moe("a4", "audio", **_MOE_V3),)),
    Arm("moe-a4-v4", (_moe("a4", "audio", **_MOE_V4),)),
    _auxiliary("d1"),
    _auxiliary("d2"),
    _auxiliary("d3"),
    # Later work: conditioned heads on a4r, and attention bias.
    Arm("a4r-pca", (_A4R, _HEAD_AUDIO)),
    Arm("a4r-pcm", (_A4R, _HEAD_NOTES)),
    Arm("a4r-pcd", (_A4R, _HEAD_AUDIO, _HEAD_NOTES)),
    Arm(
        "a4r-pcd-zero",
        (_A4R, *(replace(head, values="zero") for head in (_HEAD_AUDIO, _HEAD_NOTES))),
    ),
    Arm("a4-bias", (Injected("a4", "audio", "attention_bias"),)),
    # Not in the paper: late fusion of onset descriptors, for towers that keep time.
    Arm("onsets", late_fusion=LateFusion("onset_strength", "predicted_onsets", dimensions=192)),
    # Controls: equal parameters, descriptors without information.
    *(
        Arm(f"d4a4-{values}", tuple(replace(injected, values=values) for injected in _D4A4))
        for values in ("zero", "noise", "shuffle")
    ),
)

ARMS = Definitions("an arm", _BUILT_IN, _check)
"""All arms by name: those of the package and those that `register_arm` added."""


def register_arm(arm: Arm, *, replace: bool = False) -> Arm:
    """Add an arm for the running process, and return it.

    Saved models, run folders and campaigns contain the whole arm; only its descriptors and mechanisms must be available
    where they are opened.

    Parameters
    ----------
    arm
        The arm; its name must not be that of an arm of the package.
    replace
        Permits a name that an earlier call registered, as when a notebook cell runs twice.

    Returns
    -------
    Arm
        The arm that was added.

    Raises
    ------
    AntiphonError
        When the name is taken.
    UnknownName
        For a descriptor or a mechanism that does not exist.

    Examples
    --------
    >>> import antiphon
    >>> film = antiphon.Injected("a4", into="audio", by="film")
    >>> arm = antiphon.register_arm(antiphon.Arm("mine", (film,)))
    >>> arm.name, arm.injections_in_words
    ('mine', ['a4 into audio by film'])
    >>> antiphon.register_arm(antiphon.Arm("D0", (film,)))
    Traceback (most recent call last):
    antiphon.errors.AntiphonError: an arm named 'D0' exists already; choose another name
    """
    if not isinstance(arm, Arm):
        raise wrong_type("arm", "an antiphon.Arm", arm)
    return ARMS.register(arm, replace)


def load_arms(path: str | Path) -> dict[str, Arm]:
    """The arms that a TOML file defines in its tables `[arms.NAME]`, by name.

    Parameters
    ----------
    path
        The TOML file.

    Returns
    -------
    dict of str to Arm
        The arms by name; `register_arm` adds one to those that `train` knows.

    Raises
    ------
    UnreadableInput
        For an unknown key, descriptor or mechanism (with the nearest valid names), and for the name of an arm of the
        package. The message names file and key.

    Examples
    --------
    >>> from pathlib import Path
    >>> import antiphon
    >>> text = 'arms.mine.injected = [{descriptor = "a4", into = "audio", by = "film"}]'
    >>> _ = Path("arms.toml").write_text(text, encoding="utf-8")
    >>> antiphon.load_arms("arms.toml")["mine"].injections_in_words
    ['a4 into audio by film']
    """
    path = Path(path)
    return arms_of(read_toml(path), path)


def arms_of(document: Document, path: Path) -> dict[str, Arm]:
    """As `load_arms`, for a document that was read from `path`."""
    return ARMS.read(document, path, partial(validated, Arm))


def find_arm(name: str) -> Arm:
    """An arm by name, or by reference to a TOML file: `FILE.toml:NAME`, or `FILE.toml` where it defines one arm.

    Raises `UnknownName`, and `UnreadableInput` as `load_arms` does.
    """
    return ARMS.find(name, load_arms)
