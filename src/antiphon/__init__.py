"""Find the MIDI for a recording and the recording for a MIDI.

The public names of the package. Each is imported when it is first used, so that `import antiphon` is quick.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from antiphon import openmp  # noqa: F401  # before anything imports torch or faiss
from antiphon.version import __version__ as __version__

# A new public name is one row here and one import below; tests/test_public_api.py compares the two.
_HOME = {
    "Alignment": "alignment.alignment_table",
    "AntiphonError": "errors",
    "Arm": "models.arms",
    "Between": "index.between",
    "BuildReport": "index.build",
    "CacheReport": "io.cache",
    "CampaignStatus": "experiments.campaign.runner",
    "CheckReport": "experiments.check.report",
    "Comparison": "experiments.comparison.run",
    "Corpus": "corpora",
    "DemoResult": "experiments.demo",
    "Embedder": "models.protocol",
    "Embeddings": "models.protocol",
    "Evaluation": "evaluation.runner",
    "FileList": "index.upkeep",
    "Hint": "index.hints",
    "Index": "index.library",
    "IndexedFile": "index.upkeep",
    "Injected": "models.arms",
    "InputWarning": "errors",
    "LeftOut": "io.folders",
    "Match": "index.match",
    "MoveReport": "index.upkeep",
    "Notes": "io.notes",
    "Pair": "index.pairing_result",
    "Pairing": "index.pairing_result",
    "PruneReport": "index.upkeep",
    "Recording": "corpora",
    "Run": "training.run",
    "SearchOptions": "index.search",
    "SetList": "index.set_list",
    "SetListPiece": "index.set_list",
    "Sound": "io.audio",
    "UnknownName": "errors",
    "Unpaired": "index.partners",
    "UnreadableInput": "errors",
    "align": "alignment.aligning",
    "analyze": "experiments.analysis.run",
    "catalogue": "experiments.listing",
    "check": "experiments.check.run",
    "clear_cache": "io.cache",
    "compare": "experiments.comparison.run",
    "demo": "experiments.demo",
    "describe": "experiments.listing",
    "drum_name": "io.drums",
    "evaluate": "evaluation.runner",
    "list_models": "models.loading",
    "load_arms": "models.arms",
    "load_model": "models.loading",
    "load_presets": "training.presets",
    "open_corpus": "corpora",
    "pair": "index.pairing",
    "read_audio": "io.audio",
    "read_notes": "io.note_files",
    "register_arm": "models.arms",
    "register_corpus_kind": "corpora",
    "register_descriptor": "models.descriptors",
    "register_loss": "training.losses",
    "register_mechanism": "models.injection",
    "register_preset": "training.presets",
    "register_schedule": "training.schedules",
    "register_tower": "models.towers",
    "render": "corpora.render",
    "report_progress": "progress",
    "resume": "training.run",
    "run_campaign": "experiments.campaign.run",
    "sample_cache": "io.cache",
    "serve": "serving.run",
    "setlist": "index.set_list",
    "train": "training.run",
}

__all__ = list(_HOME)

if TYPE_CHECKING:
    from antiphon.alignment.aligning import align as align
    from antiphon.alignment.alignment_table import Alignment as Alignment
    from antiphon.corpora import Corpus as Corpus
    from antiphon.corpora import Recording as Recording
    from antiphon.corpora import open_corpus as open_corpus
    from antiphon.corpora import register_corpus_kind as register_corpus_kind
    from antiphon.corpora.render import render as render
    from antiphon.errors import AntiphonError as AntiphonError
    from antiphon.errors import InputWarning as InputWarning
    from antiphon.errors import UnknownName as UnknownName
    from antiphon.errors import UnreadableInput as UnreadableInput
    from antiphon.evaluation.runner import Evaluation as Evaluation
    from antiphon.evaluation.runner import evaluate as evaluate
    from antiphon.experiments.analysis.run import analyze as analyze
    from antiphon.experiments.campaign.run import run_campaign as run_campaign
    from antiphon.experiments.campaign.runner import CampaignStatus as CampaignStatus
    from antiphon.experiments.check.report import CheckReport as CheckReport
    from antiphon.experiments.check.run import check as check
    from antiphon.experiments.comparison.run import Comparison as Comparison
    from antiphon.experiments.comparison.run import compare as compare
    from antiphon.experiments.demo import DemoResult as DemoResult
    from antiphon.experiments.demo import demo as demo
    from antiphon.experiments.listing import catalogue as catalogue
    from antiphon.experiments.listing import describe as describe
    from antiphon.index.between import Between as Between
    from antiphon.index.build import BuildReport as BuildReport
    from antiphon.index.hints import Hint as Hint
    from antiphon.index.library import Index as Index
    from antiphon.index.match import Match as Match
    from antiphon.index.pairing import pair as pair
    from antiphon.index.pairing_result import Pair as Pair
    from antiphon.index.pairing_result import Pairing as Pairing
    from antiphon.index.partners import Unpaired as Unpaired
    from antiphon.index.search import SearchOptions as SearchOptions
    from antiphon.index.set_list import SetList as SetList
    from antiphon.index.set_list import SetListPiece as SetListPiece
    from antiphon.index.set_list import setlist as setlist
    from antiphon.index.upkeep import FileList as FileList
    from antiphon.index.upkeep import IndexedFile as IndexedFile
    from antiphon.index.upkeep import MoveReport as MoveReport
    from antiphon.index.upkeep import PruneReport as PruneReport
    from antiphon.io.audio import Sound as Sound
    from antiphon.io.audio import read_audio as read_audio
    from antiphon.io.cache import CacheReport as CacheReport
    from antiphon.io.cache import clear_cache as clear_cache
    from antiphon.io.cache import sample_cache as sample_cache
    from antiphon.io.drums import drum_name as drum_name
    from antiphon.io.folders import LeftOut as LeftOut
    from antiphon.io.note_files import read_notes as read_notes
    from antiphon.io.notes import Notes as Notes
    from antiphon.models.arms import Arm as Arm
    from antiphon.models.arms import Injected as Injected
    from antiphon.models.arms import load_arms as load_arms
    from antiphon.models.arms import register_arm as register_arm
    from antiphon.models.descriptors import register_descriptor as register_descriptor
    from antiphon.models.injection import register_mechanism as register_mechanism
    from antiphon.models.loading import list_models as list_models
    from antiphon.models.loading import load_model as load_model
    from antiphon.models.protocol import Embedder as Embedder
    from antiphon.models.protocol import Embeddings as Embeddings
    from antiphon.models.towers import register_tower as register_tower
    from antiphon.progress import report_progress as report_progress
    from antiphon.serving.run import serve as serve
    from antiphon.training.losses import register_loss as register_loss
    from antiphon.training.presets import load_presets as load_presets
    from antiphon.training.presets import register_preset as register_preset
    from antiphon.training.run import Run as Run
    from antiphon.training.run import resume as resume
    from antiphon.training.run import train as train
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
