"""Resolve a MODEL: every command and every function that takes a model does so here.

A MODEL is the name of a model that comes with the package (`default`), a baseline (`template`), a model folder, or a
run folder, which stands for its `model/`. A name takes precedence over a folder of that name; write `./default` for the
folder.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.checks import check_path
from antiphon.errors import AntiphonError, UnknownName
from antiphon.models.protocol import Embedder
from antiphon.models.saving import RUN_MODEL, is_model_folder, is_run_folder, load_dual_encoder
from antiphon.models.zoo import shipped_models

if TYPE_CHECKING:
    from antiphon.models.embedder import ModelEmbedder

BASELINES = ("template",)


def list_models() -> list[str]:
    """List the models that come with the package.

    Returns
    -------
    list of str
        Names that `load_model` accepts: trained models, then baselines without learned parameters.

    Examples
    --------
    >>> import antiphon
    >>> "default" in antiphon.list_models()
    True
    """
    return [*shipped_models(), *BASELINES]


def is_model(model: str | Path) -> bool:
    """Whether `model` is a name, a model folder or a run folder, finished or not; reads no weights."""
    return str(model) in list_models() or is_model_folder(Path(model)) or is_run_folder(Path(model))


def load_model(model: str | Path | Embedder = "default") -> Embedder:
    """Load a model that is ready to embed, on the GPU where there is one.

    Parameters
    ----------
    model
        A name from `list_models`, a model folder, a run folder (its `model/` is loaded), or a loaded model, which is
        returned as it is. The name takes precedence over a folder of that name; write `./default` for the folder.

    Returns
    -------
    Embedder
        The model of a folder is named after its arm.

    Raises
    ------
    AntiphonError
        There is no such model, `UnknownName` where it is similar to a name; or the run has not finished.
    UnreadableInput
        The files of the folder are damaged.

    Examples
    --------
    >>> import antiphon
    >>> model = antiphon.load_model("template")
    >>> model.window_s, model.dimensions
    (4.0, 4800)
    """
    if isinstance(model, Embedder):
        return model
    check_path("model", "a name, a folder or an Embedder", model)
    if str(model) in BASELINES:
        from antiphon.models.template import TemplateEmbedder

        return TemplateEmbedder()
    return load_trained(model, "this")


def load_trained(model: str | Path, purpose: str) -> ModelEmbedder:
    """Load a MODEL with a network, `ModelEmbedder.model`. Raises as `load_model` and `trained_folder` do."""
    from antiphon.models.embedder import ModelEmbedder

    network = load_dual_encoder(trained_folder(model, purpose))
    embedder = ModelEmbedder(network, str(model) if str(model) in shipped_models() else network.config.arm.name)
    embedder.origin = lasting_name(model)
    return embedder


def trained_folder(model: str | Path, purpose: str) -> Path:
    """The model folder of a trained MODEL.

    Raises `AntiphonError` for a baseline (the message names the `purpose` that needs a network), for an unfinished run,
    and when there is no such model.
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
        if Path(model).name == str(model) and get_close_matches(str(model), list_models(), cutoff=0.6):
            raise UnknownName("model", str(model), list_models())
        names = ", ".join(list_models())
        raise AntiphonError(f"{model}: no such model: neither a model folder, a run folder nor one of {names}")
    return folder


def lasting_name(model: str | Path) -> str:
    """A MODEL as indexes and runs record it: a name unchanged, a folder as its absolute path."""
    return str(model) if str(model) in list_models() else str(Path(model).resolve())
