"""Lists of arms, models and other named things, and facts about a corpus, an index or a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from antiphon.corpora import CORPUS_KINDS, open_corpus
from antiphon.corpora.segment_table import PAPER_GRID, SegmentTable
from antiphon.errors import AntiphonError, look_up
from antiphon.experiments.campaign.grid import builtin_grids, load_grid, plan
from antiphon.index.library import Index
from antiphon.index.store import is_index
from antiphon.models.arms import ARMS
from antiphon.models.descriptors import DESCRIPTORS
from antiphon.models.embedder import ModelEmbedder
from antiphon.models.injection import MECHANISMS
from antiphon.models.loading import is_model, list_models, load_model
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.models.protocol import Embedder
from antiphon.models.towers import TOWERS
from antiphon.training.losses import LOSSES
from antiphon.training.presets import PRESETS
from antiphon.training.rates import apply_rates, count_parameters
from antiphon.training.recipes import RECIPES
from antiphon.training.schedules import SCHEDULES
from antiphon.training.variants import VARIANTS

if TYPE_CHECKING:
    from antiphon.experiments.analysis import Analysis


def _arms() -> list[dict[str, Any]]:
    import torch

    rows = []
    preset = PRESETS["paper"]
    for arm in ARMS.values():
        with torch.device("meta"):  # counts parameters without making them
            model = DualEncoder(ModelConfig(arm, preset.sizes))
        apply_rates(model, preset.training.rates)
        counts = count_parameters(model)
        rows.append(
            {
                "name": arm.name,
                "injected": arm.injections_in_words,
                "branch": f"{' and '.join(arm.branch.descriptors)} by {arm.branch.by}" if arm.branch else "",
                "total_parameters": counts["total"],
                "trainable_parameters": counts["trainable"],
            }
        )
    return rows


def _analyses() -> Mapping[str, Analysis]:
    from antiphon.experiments.analysis import ANALYSES  # brings matplotlib

    return ANALYSES


def _first_line(documented: Callable[..., Any]) -> str:
    return (documented.__doc__ or "").splitlines()[0]


LISTS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "arms": _arms,
    "descriptors": lambda: [
        {"name": one.name, "side": one.side, "dimensions": len(one.dimensions)} for one in DESCRIPTORS.values()
    ],
    "mechanisms": lambda: [{"name": one.name, "place": one.place} for one in MECHANISMS.values()],
    "towers": lambda: [{"name": one.name, "side": one.side} for one in TOWERS.values()],
    "losses": lambda: [{"name": name} for name in LOSSES],
    "schedules": lambda: [{"name": name} for name in SCHEDULES],
    "models": lambda: [{"name": name, "parameters": load_model(name).parameters} for name in list_models()],
    "analyses": lambda: [{"name": one.name, "question": one.question} for one in _analyses().values()],
    "campaigns": lambda: [
        {"name": name, "title": load_grid(name).title, "runs": len(plan(load_grid(name)))} for name in builtin_grids()
    ],
    "presets": lambda: [{"name": name} for name in PRESETS],
    "recipes": lambda: [{"name": name, "arm": one.arm, "preset": one.preset} for name, one in RECIPES.items()],
    "variants": lambda: [{"name": name, "what": _first_line(change)} for name, change in VARIANTS.items()],
}


def catalogue(kind: str) -> list[dict[str, Any]]:
    """List the names of one kind that commands and functions accept.

    Parameters
    ----------
    kind
        `arms`, `descriptors`, `mechanisms`, `towers`, `losses`, `schedules`, `models`, `analyses`, `campaigns`,
        `presets`, `recipes` or `variants`.

    Returns
    -------
    list of dict
        An entry for each name: `name` and facts about it.

    Raises
    ------
    UnknownName
        For an unknown kind.

    Examples
    --------
    >>> import antiphon
    >>> antiphon.catalogue("recipes")
    [{'name': 'default', 'arm': 'D0', 'preset': 'default'}]
    """
    return look_up("list", kind, LISTS)()


def describe(what: str | Path, *, split: str | None = None, files: bool = False) -> dict[str, Any]:
    """Describe a corpus, an index or a model.

    Parameters
    ----------
    what
        A model's name, a model folder, a run folder, an index folder, or the spec of a corpus, in this order.
    split
        Count the recordings of this split of a corpus only.
    files
        List the files of an index.

    Returns
    -------
    dict
        `kind` is `corpus`, `index` or `model`. A corpus and an index have counts of `recordings`, `hours` and
        `segments`, which are windows: of the index's model, or 4 s long each second in a corpus. With `files`, an index
        has a list of them, as `Index.files` gives them.

    Raises
    ------
    AntiphonError
        Where `what` is none of these, and for an unknown split.

    Examples
    --------
    >>> import antiphon
    >>> facts = antiphon.describe("template")
    >>> facts["kind"], facts["dimensions"], facts["window_s"]
    ('model', 4800, 4.0)
    >>> antiphon.describe("demo", split="test")["recordings"]
    8
    """
    spec = str(what)
    if is_model(spec) and not files:
        return _describe_model(load_model(spec))
    if is_index(Path(spec)):
        with Index.open(spec) as index:
            return index.facts() | ({"files": [one.as_dict() for one in index.files()]} if files else {})
    if files:
        raise AntiphonError(f"{spec}: not an index, whose files could be listed")
    if not any(kind.recognises(spec) for kind in CORPUS_KINDS.values()):
        raise AntiphonError(f"{spec}: neither a model, an index nor a corpus")
    corpus = open_corpus(spec)
    skipped, left_out = [str(error) for error in corpus.skipped], corpus.left_out.as_dict()
    corpus = corpus if split is None else corpus.split(split)
    return {
        "kind": "corpus",
        "recordings": len(corpus),
        "with_sound": sum(recording.audio_path is not None for recording in corpus.recordings),
        "hours": round(corpus.duration_s / 3600, 3),
        "segments": len(SegmentTable.over(corpus.recordings, PAPER_GRID)),
        "splits": corpus.splits,
        "works": len({recording.work for recording in corpus.recordings}),
        "skipped": skipped,
        "left_out": left_out,
    }


def _describe_model(embedder: Embedder) -> dict[str, Any]:
    """Trained models have an `arm`; baselines do not."""
    arm = {"arm": embedder.model.config.arm.name} if isinstance(embedder, ModelEmbedder) else {}
    return {
        "kind": "model",
        "name": embedder.name,
        **arm,
        "dimensions": embedder.dimensions,
        "window_s": embedder.window_s,
        "sample_rate_hz": embedder.sample_rate_hz,
        "parameters": embedder.parameters,
    }
