"""The paper's published figures as data, for comparison in reports.

Source: M. Fernández Méndez, arXiv 2604.10283; sections are those of our specification of it. S in percent. A figure is
of one run (seed 42) unless it has a standard deviation. The paper writes names of arms in upper and lower case (A4r,
a4r): look-ups ignore case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

REFERENCE = "D0"
"""The arm without descriptors: every gain is over its S."""

SECTIONS: Mapping[str, str] = MappingProxyType(
    {"screening": "§5.1", "families": "§5.2", "schedules": "§5.3", "seeds": "§5.4", "controls": "§7", "heads": "§4"}
)
"""The section with each campaign's figures."""

INITIAL_MODEL_S = 61.8
"""S of the model that every arm of the screening starts from (§5.1)."""

SCREENING: Mapping[str, float] = MappingProxyType(
    {
        "d4a4": 69.8,
        "A4r": 68.6,
        "D4r": 64.2,
        "D4": 63.6,
        "A4": 63.6,
        "A4x": 62.6,
        "A7x": 62.2,
        "D0": 60.2,
        "D4x": 60.0,
        "A7": 58.8,
        "A9": 58.8,
        "A8": 57.4,
        "d4a4cm": 52.4,
    }
)
"""S after 5 epochs from the initial model (§5.1)."""

FAMILIES_5: Mapping[str, float] = MappingProxyType(
    {
        "t3-wt": 67.6,
        "t3-tri": 65.0,
        "moe-a4-v2": 60.2,
        "film-dual": 59.4,
        "moe-a4-v4": 59.4,
        "film-a4": 59.2,
        "moe-dual": 59.2,
        "moe-a4-v3": 59.2,
        "film-d4": 58.6,
        "moe-a4": 58.2,
        "t3-anc": 42.2,
    }
)
"""S after 5 epochs (§5.2)."""

FAMILIES_30: Mapping[str, float] = MappingProxyType(
    {"d4a4": 83.6, "a4r": 82.0, "d4-a4r": 79.8, "t3-wt": 79.8, "d4a4r": 74.4, "moe-dual": 72.6}
)
"""S after 30 epochs from scratch (§5.2)."""

STRETCHED: Mapping[str, float] = MappingProxyType(
    {"d4a4": 83.8, "D0": 72.8, "a4r": 79.4, "d4-a4r": 79.8, "moe-dual": 73.0}
)
"""S with one cosine over 60 epochs (§5.3)."""

TRAPEZOID: Mapping[str, float] = MappingProxyType({"t3-wt": 81.2})
"""S with a constant rate over half of 50 epochs, then a cosine (§5.3)."""

COSINE_TAIL: Mapping[str, float] = MappingProxyType({"d4a4": 83.4, "D0": 73.4})
"""S with the 30-epoch cosine down to a factor of 0.10, then linear to 0.02 at epoch 60 (§5.3)."""

SEEDS = (42, 123, 456, 789, 1337)
"""The seeds of `OVER_SEEDS` (§5.4)."""

OVER_SEEDS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"d4a4": (84.0, 2.7), "D0": (75.2, 2.3), "d4-a4r": (81.2, 2.5), "a4r": (80.7, 1.9)}
)
"""Mean and standard deviation of S over the five seeds, 30 epochs (§5.4)."""

CONTROLS: Mapping[str, float] = MappingProxyType(
    {"d4a4": 83.0, "d4a4-zero": 75.0, "d4a4-noise": 73.6, "d4a4-shuffle": 73.6}
)
"""S of d4a4 trained with real descriptors, zeros, noise and shuffled ones (§7, which does not state the epochs)."""


HEADS: Mapping[str, float] = MappingProxyType(
    {"a4r-pcd": 84.2, "a4r-pca": 82.6, "a4r-pcd-zero": 81.8, "a4r-pcm": 80.0, "a4r": 79.2}
)
"""S of a4r with heads conditioned on both modalities, audio, zeros, notes, and nothing (§4, later work)."""


@dataclass(frozen=True)
class Published:
    """One S of the paper, in percent, with `sd` over seeds if it is a mean; None where the paper does not state it."""

    s: float
    campaign: str
    schedule: str | None
    epochs: int | None
    sd: float | None = None

    @property
    def section(self) -> str:
        """The section of the figure."""
        return SECTIONS[self.campaign]


_Setting = tuple[str | None, int | None]
_FIGURES: Mapping[str, Mapping[_Setting, Mapping[str, float | tuple[float, float]]]] = MappingProxyType(
    {
        "screening": {(None, 5): SCREENING},
        "families": {(None, 5): FAMILIES_5, ("cosine", 30): FAMILIES_30},
        "schedules": {
            ("stretched", 60): STRETCHED,
            ("trapezoid", 50): TRAPEZOID,
            ("cosine_tail", 60): COSINE_TAIL,
        },
        "seeds": {("cosine", 30): OVER_SEEDS},
        "controls": {(None, None): CONTROLS},
        "heads": {(None, None): HEADS},
    }
)
_LENGTH = {"stretched": 60, "trapezoid": 50, "cosine_tail": 60}
_LIKE = {"what-ifs": "seeds", "conditions": "seeds", "conditions-ends": "seeds"}
"""Our campaigns with the training of one of the paper's."""


def published(
    campaign: str, arm: str, schedule: str | None = None, epochs: int | None = None, init_from: bool | None = None
) -> Published | None:
    """The paper's S for one of our runs, or None where the paper has none.

    Our epochs may differ from the paper's, because a small preset shortens them. The campaign selects the figure.
    Where it has several lengths, so does the schedule (in `schedules`, cosine means the stretched one) or `init_from`
    (in `families`, 5 epochs from the initial model, 30 from scratch); without `init_from`, `epochs` decides. The figure
    of an arm that the campaign lacks is taken from a campaign of the same length: families and screening have 5 epochs,
    families and seeds 30.

    >>> published("families", "d4a4", "cosine", 30)
    Published(s=83.6, campaign='families', schedule='cosine', epochs=30, sd=None)
    >>> published("families", "D0", "cosine", 12, init_from=False)
    Published(s=75.2, campaign='seeds', schedule='cosine', epochs=30, sd=2.3)
    """
    setting = _setting(campaign, schedule, epochs, init_from)
    if setting is None:
        return None
    campaign = _LIKE.get(campaign, campaign)
    others = (name for name in _FIGURES if name != campaign and setting[1] is not None)
    for name in (campaign, *others):
        for key, figure in _FIGURES[name].get(setting, {}).items():
            if key.lower() == arm.lower():
                s, sd = figure if isinstance(figure, tuple) else (figure, None)
                return Published(s, name, *setting, sd)
    return None


def published_s(
    campaign: str, arm: str, schedule: str | None = None, epochs: int | None = None, init_from: bool | None = None
) -> float | None:
    """S of `published`, in percent.

    >>> published_s("screening", "a4R")
    68.6
    """
    found = published(campaign, arm, schedule, epochs, init_from)
    return None if found is None else found.s


def published_gain(
    campaign: str, arm: str, schedule: str | None = None, epochs: int | None = None, init_from: bool | None = None
) -> float | None:
    """The paper's gain of an arm over D0, in percentage points; None where either figure is missing.

    >>> published_gain("seeds", "d4a4")
    8.8
    """
    one, reference = (published_s(campaign, name, schedule, epochs, init_from) for name in (arm, REFERENCE))
    return None if one is None or reference is None else round(one - reference, 1)


def published_arms(campaign: str) -> tuple[str, ...]:
    """The arms that the paper reports in a campaign, best first; empty for a campaign that is not the paper's.

    >>> published_arms("controls")
    ('d4a4', 'd4a4-zero', 'd4a4-noise', 'd4a4-shuffle')
    """
    return tuple(dict.fromkeys(arm for arms in _FIGURES.get(campaign, {}).values() for arm in arms))


def _setting(campaign: str, schedule: str | None, epochs: int | None, init_from: bool | None) -> _Setting | None:
    """The paper's setting that corresponds to a run."""
    known = list(_FIGURES.get(_LIKE.get(campaign, campaign), {}))
    schedule = None if schedule is None else schedule.lower().replace("-", "_")
    if campaign == "schedules":
        schedule = "stretched" if schedule == "cosine" else schedule
        return None if schedule not in _LENGTH else (schedule, _LENGTH[schedule])
    if campaign == "families":
        short, long = known
        if init_from is None:
            known = [short] if epochs == 5 else [long] if epochs == 30 else []
        else:
            known = [short] if init_from else [long]
    return next((key for key in known if key[0] is None or schedule in (None, key[0])), None)


@dataclass(frozen=True)
class Direction:
    """Scores of one direction: recalls in percent, MRR as a fraction."""

    r1: float
    r5: float
    r10: float
    r20: float
    mrr: float


@dataclass(frozen=True)
class Scores:
    """A column of the table in §6; pairwise accuracies in percent."""

    s: float
    a2m: Direction
    m2a: Direction
    same_piece: float
    random_piece: float


SCORES: Mapping[str, Scores] = MappingProxyType(
    {
        "D0": Scores(
            73.4, Direction(22.2, 56.2, 74.8, 90.0, 0.380), Direction(21.2, 56.0, 73.4, 89.0, 0.372), 94.6, 98.4
        ),
        "d4a4": Scores(
            83.8, Direction(28.0, 67.8, 84.4, 93.6, 0.458), Direction(27.6, 65.6, 83.8, 93.0, 0.442), 95.4, 99.0
        ),
        "a4r": Scores(
            82.0, Direction(27.6, 64.8, 82.6, 93.6, 0.438), Direction(25.8, 63.0, 82.0, 93.8, 0.424), 94.4, 98.8
        ),
        "d4-a4r": Scores(
            79.8, Direction(25.2, 65.8, 81.4, 94.4, 0.426), Direction(24.0, 64.4, 79.8, 91.4, 0.420), 94.2, 99.4
        ),
    }
)
"""The models of about 50 epochs, both directions (§6)."""

_ByArm = Mapping[str, Mapping[str, float]]

ABLATION: _ByArm = MappingProxyType(
    {
        "d4a4": {
            "none": 83.8,
            "zero A4": 7.8,
            "zero D4": 84.4,
            "noise A4": 22.0,
            "noise D4": 84.4,
            "shuffle A4": 46.6,
            "shuffle D4": 83.8,
            "zero both": 7.6,
        },
        "a4r": {"none": 82.0, "zero A4": 4.4, "noise A4": 29.0, "shuffle A4": 49.8},
        "d4-a4r": {"none": 79.8, "zero A4": 4.4, "zero D4": 79.4},
        "d4": {
            "none": 63.6,
            "zero D4": 62.8,
        },  # the paper does not state the replacement; we take zeros
    }
)
"""S after a descriptor is replaced at inference (§7)."""

SIMILARITY: _ByArm = MappingProxyType(
    {
        "D0": {"CKA": 0.435, "RSA": 0.363, "CKA of the last layers": 0.722},
        "d4a4": {"CKA": 0.659, "RSA": 0.589, "CKA of the last layers": 0.827},
        "a4r": {"CKA": 0.766, "RSA": 0.684, "CKA of the last layers": 0.863},
        "d4-a4r": {"CKA": 0.794, "RSA": 0.719, "CKA of the last layers": 0.873},
    }
)
"""Similarity of the towers: means over the 16 pairs of layers, and the last layers alone (§7)."""

PERTURBED_BANDS_HZ = (47, 94, 188, 375, 750, 1500, 3000, 6000)
"""Lower edges of A4's octaves; the paper states the first and the last."""
PERTURBATION: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "d4a4": (0.087, 0.113, 0.187, 0.526, 0.664, 0.662, 0.414, 0.271),
        "a4r": (0.067, 0.099, 0.155, 0.280, 0.375, 0.570, 0.875, 0.933),
        "d4-a4r": (0.076, 0.093, 0.202, 0.462, 0.773, 0.540, 1.092, 0.582),
    }
)
"""Mean L2 change of the embedding when one band is raised by 0.1 (§7)."""

_Curves = Mapping[str, Mapping[float, float]]

TRANSPOSITION: _Curves = MappingProxyType(
    {
        "D0": {-6: 13.8, -3: 26.6, -1: 65.6, 0: 73.4, 1: 64.0, 3: 27.4, 6: 13.4},
        "d4a4": {-6: 24.2, -3: 41.4, -1: 75.2, 0: 83.8, 1: 75.6, 3: 44.6, 6: 25.6},
        "a4r": {-6: 27.0, -3: 46.2, -1: 76.6, 0: 82.0, 1: 76.8, 3: 51.0, 6: 27.6},
    }
)
"""S by transposition of the notes in semitones (§7)."""

OCTAVES: _Curves = MappingProxyType({"d4a4": {-24: 9.8, -12: 16.0, 12: 13.8, 24: 7.4}})
"""S by transposition of the notes in semitones, whole octaves (§7)."""

VELOCITY: _Curves = MappingProxyType(
    {
        "D0": {0.5: 5.2, 0.8: 37.2, 1.2: 54.0, 1.5: 18.4},
        "d4a4": {0.5: 8.8, 0.8: 46.8, 1.2: 55.2, 1.5: 12.8},
    }
)
"""S by the factor on every velocity (§7)."""

NOISE: _Curves = MappingProxyType(
    {
        "D0": {40: 73.4, 30: 73.4, 20: 73.0, 10: 46.8, 5: 17.8},
        "d4a4": {40: 79.8, 30: 67.0, 20: 54.8, 10: 52.2, 5: 25.0},
        "a4r": {40: 66.0, 30: 47.2, 20: 41.2, 10: 40.4, 5: 31.8},
    }
)
"""S by signal-to-noise ratio of the audio, in dB (§7)."""

TIME_SHIFT: _Curves = MappingProxyType({"d4a4": {-8000: 76.6, -4000: 80.8, 4000: 81.2, 8000: 79.0}})
"""S by time shift of the audio in samples, zero-filled (§7; we read its order as −8000 −4000 | 4000 8000)."""

PROBES: _ByArm = MappingProxyType(
    {
        "D0": {
            "midi to chroma": 0.330,
            "midi to centroid": 0.616,
            "audio to pitch histogram": 0.181,
            "audio to interval histogram": 0.094,
        },
        "d4a4": {
            "midi to chroma": 0.245,
            "midi to centroid": 0.637,
            "audio to pitch histogram": 0.174,
            "audio to interval histogram": 0.112,
        },
    }
)
"""R² of ridge regression from the embedding (§7)."""
