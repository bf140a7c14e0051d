"""Find the MIDI for a recording and the recording for a MIDI.

The public names of the package. Each is imported when it is first used, so that `import antiphon` is quick.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from antiphon import openmp  # noqa: F401  # before anything imports torch or faiss
from antiphon.version import __version__ as __version__

_HOME = {
    "load_arms": "models.arms",
    "load_presets": "training.presets",
    "register_arm": "models.arms",
    "register_corpus_kind": "corpora",
    "register_descriptor": "models.descriptors",
    "register_loss": "training.losses",
    "register_mechanism": "models.injection",
    "register_preset": "training.presets",
    "register_schedule": "training.schedules",
    "register_tower": "models.towers",
}

__all__ = list(_HOME)

if TYPE_CHECKING:
    from antiphon.corpora import register_corpus_kind as register_corpus_kind
    from antiphon.models.arms import load_arms as load_arms
    from antiphon.models.arms import register_arm as register_arm
    from antiphon.models.descriptors import register_descriptor as register_descriptor
    from antiphon.models.injection import register_mechanism as register_mechanism
    from antiphon.models.towers import register_tower as register_tower
    from antiphon.training.losses import register_loss as register_loss
    from antiphon.training.presets import load_presets as load_presets
    from antiphon.training.presets import register_preset as register_preset
    from antiphon.training.schedules import register_schedule as register_schedule
else:  # type checkers must not see it, or they would accept any name

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module 'antiphon' has no attribute {name!r}", name=name, obj=sys.modules[__name__])
        value = getattr(import_module(f"antiphon.{_HOME[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
