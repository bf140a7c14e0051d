"""Names and folders of models: what a MODEL on the command line and in `load_embedder` may be."""

from __future__ import annotations

from pathlib import Path

from antiphon.embedding import Embedder
from antiphon.errors import AntiphonError
from antiphon.models import shipped_models

BASELINES = ("template",)


def load_embedder(name: str | Path) -> Embedder:
    """A model that comes with the package (`default`), a baseline (`template`), or a model folder."""
    if str(name) in BASELINES:
        from antiphon.baselines.template import TemplateEmbedder

        return TemplateEmbedder()
    shipped = shipped_models()
    if str(name) in shipped or Path(name).is_dir():
        from antiphon.model_embedder import load_model

        return load_model(shipped.get(str(name), Path(name)), str(name) if str(name) in shipped else None)
    raise AntiphonError(f"{name}: no such model: neither a model folder nor one of {', '.join((*shipped, *BASELINES))}")


def lasting_name(model: str) -> str:
    """A model as an index remembers it: a folder by its full path, since the index is used from other places too."""
    return model if model in (*shipped_models(), *BASELINES) else str(Path(model).resolve())
