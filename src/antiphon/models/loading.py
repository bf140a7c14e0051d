"""The one meaning of MODEL: every command and every function that takes a model resolves it here.

A MODEL is the name of a model that comes with the package (`default`), a baseline (`template`), a model folder, or a
run folder, which stands for its `model/`. A name comes before a folder of that name; write `./default` for the folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.errors import AntiphonError
from antiphon.models.protocol import Embedder
from antiphon.models.saving import RUN_MODEL, is_model_folder, is_run_folder, load_dual_encoder
from antiphon.models.zoo import shipped_models

if TYPE_CHECKING:
    from antiphon.models.embedder import ModelEmbedder

BASELINES = ("template",)


def model_names() -> tuple[str, ...]:
    """The names of all models that need no training: those that come with the package, then the baselines."""
    return (*shipped_models(), *BASELINES)


def is_model(model: str | Path) -> bool:
    """Whether `load_model` knows `model`, without reading weights; an unfinished run counts as a model."""
    return str(model) in model_names() or is_model_folder(Path(model)) or is_run_folder(Path(model))


def load_model(model: str | Path | Embedder) -> Embedder:
    """Load a MODEL, ready to embed, on the GPU where there is one. An embedder is returned as it is.

    A folder's model is named after its arm. Raises `AntiphonError` when there is no such model or its run has not
    finished, `UnreadableInput` when a folder's files are damaged.

    >>> load_model("template").window_s
    4.0
    """
    if not isinstance(model, str | Path):
        return model
    if str(model) in BASELINES:
        from antiphon.models.template import TemplateEmbedder

        return TemplateEmbedder()
    return load_trained(model, "this")


def load_trained(model: str | Path, purpose: str) -> ModelEmbedder:
    """Load a MODEL that has a network, in `ModelEmbedder.model`. Raises as `load_model` and `trained_folder` do."""
    from antiphon.models.embedder import ModelEmbedder

    network = load_dual_encoder(trained_folder(model, purpose))
    return ModelEmbedder(network, str(model) if str(model) in shipped_models() else network.config.arm.name)


def trained_folder(model: str | Path, purpose: str) -> Path:
    """The model folder of a MODEL that was trained.

    Raises `AntiphonError` for a baseline, with the `purpose` that needs a network, for an unfinished run, and when
    there is no such model.
    """
    shipped = shipped_models()
    if str(model) in shipped:
        return shipped[str(model)]
    if str(model) in BASELINES:
        raise AntiphonError(
            f"{model}: a baseline without a network, but {purpose} needs a trained model: "
            f"{', '.join(shipped)}, a model folder or a run folder"
        )
    folder = Path(model)
    if is_run_folder(folder):
        if not is_model_folder(folder / RUN_MODEL):
            raise AntiphonError(f"{folder}: this run has no model yet; finish it with antiphon train --resume {folder}")
        return folder / RUN_MODEL
    if not folder.is_dir():
        names = ", ".join(model_names())
        raise AntiphonError(f"{model}: no such model: neither a model folder, a run folder nor one of {names}")
    return folder


def lasting_name(model: str | Path | Embedder) -> str:
    """A MODEL as indexes and runs record it: a name as it is, a folder by its absolute path, an embedder's own name."""
    if not isinstance(model, str | Path):
        return model.name
    return str(model) if str(model) in model_names() else str(Path(model).resolve())
