"""Training by names: `train` begins a run, `resume` continues one, `Run` is its folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antiphon.checks import MIN_0, SEED
from antiphon.corpora import Corpus
from antiphon.errors import AntiphonError
from antiphon.models.loading import load_model
from antiphon.models.protocol import Embedder
from antiphon.models.saving import RUN_MODEL
from antiphon.training.config import RESULT, prepare_run
from antiphon.training.loop import resume_run, start_run
from antiphon.training.recipes import find_recipe

Source = Corpus | str | Path
DEFAULT_PRESET = "medium"


@dataclass(frozen=True)
class Run:
    """The folder of a training run.

    Attributes
    ----------
    folder : Path
        The folder. It contains the config, the checkpoints and the log, and at the end the result and the model.

    Examples
    --------
    >>> from pathlib import Path
    >>> import antiphon
    >>> run = antiphon.Run(Path("mine"))
    >>> run.model_folder.name
    'model'
    >>> run.result
    Traceback (most recent call last):
    antiphon.errors.AntiphonError: mine: this run has no result yet; finish it with antiphon.resume
    """

    folder: Path

    @property
    def result(self) -> dict[str, Any]:
        """The result of the finished run: arm, preset, losses, counts and speed, as in `result.json`.

        Raises `AntiphonError` for a run that has not finished.
        """
        path = self.folder / RESULT
        if not path.is_file():
            raise AntiphonError(f"{self.folder}: this run has no result yet; finish it with antiphon.resume")
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return result

    @property
    def model_folder(self) -> Path:
        """The folder of the trained model, which exists once the run has finished."""
        return self.folder / RUN_MODEL

    def load_model(self) -> Embedder:
        """Load the trained model. Raises `AntiphonError` for a run that has not finished."""
        return load_model(self.folder)


def train(
    corpus: Source | Sequence[Source],
    *,
    out: str | Path,
    recipe: str | None = None,
    arm: str | None = None,
    preset: str | None = None,
    audio: str | Path | None = None,
    split: str | None = None,
    epochs: int | None = None,
    schedule: str | None = None,
    variant: str | None = None,
    init_from: str | Path | None = None,
    seed: int = 42,
) -> Run:
    """Train a model. A stopped run can be continued by `resume` and then ends like an uninterrupted one.

    Parameters
    ----------
    corpus
        A corpus, the spec of one, or several of them, which are joined. A corpus with a split `train` contributes that
        split unless `split` names another.
    out
        New or empty folder of the run.
    recipe
        Name of a recipe, which determines arm and preset: `default` is that of the shipped model.
    arm, preset
        Instead of a recipe: the arm (see `catalogue("arms")`), and the preset of sizes and settings, `medium` unless
        given.
    audio
        A parallel folder of sound, for one spec without sound of its own.
    split
        Train on this split.
    epochs, schedule
        Instead of those of the preset. With `epochs=0` and `init_from` only the late fusion of an arm is computed.
    variant
        A change of the preset, see `catalogue("variants")`.
    init_from
        A model whose weights the run starts from: a name, a model folder or a run folder.
    seed
        Seed of everything drawn at random, 0 or more.

    Returns
    -------
    Run
        The finished run, with its result and its model.

    Raises
    ------
    UnknownName
        For an unknown recipe, arm, preset, schedule or variant.
    AntiphonError
        For both a recipe and an arm or preset, or none of them; for a folder that is not empty; and for data without
        sound.

    Examples
    --------
    >>> import antiphon
    >>> run = antiphon.train("demo", arm="D0", preset="tiny", split="test", epochs=1, out="run")
    >>> run.result["steps"], sorted(run.result["loss"]), run.load_model().dimensions
    (10, ['covariance', 'invariance', 'variance'], 32)
    """
    MIN_0.check("epochs", epochs)
    SEED.check("seed", seed)
    if not isinstance(corpus, Corpus | str | Path) and not len(corpus):
        raise AntiphonError("corpus is an empty list; training needs a corpus")
    arm, preset = _arm_and_preset(recipe, arm, preset)
    prepared = prepare_run(
        _listed(corpus),
        arm,
        preset,
        audio=None if audio is None else Path(audio),
        split=split,
        epochs=epochs,
        schedule=schedule,
        variant=variant,
        init_from=init_from,
        seed=seed,
    )
    run = Run(Path(out))
    start_run(run.folder, *prepared)
    return run


def resume(
    run: Run | str | Path,
    *,
    corpus: Source | Sequence[Source] = (),
    audio: str | Path | None = None,
    init_from: str | Path | None = None,
) -> Run:
    """Continue a stopped run from its last checkpoint. A finished run is returned as it is.

    Parameters
    ----------
    run
        The run or its folder.
    corpus, audio, init_from
        New locations of data and model that have been moved since the run began. A corpus that `train` received as
        an object and that is not a whole split of its spec has to be given again.

    Returns
    -------
    Run
        The finished run.

    Raises
    ------
    AntiphonError
        For a folder that is not a run, and for data or a model other than those that the run began with.

    Examples
    --------
    >>> import antiphon
    >>> run = antiphon.train("demo", arm="D0", preset="tiny", split="test", epochs=1, out="run")
    >>> antiphon.resume("run").result == run.result
    True
    """
    run = run if isinstance(run, Run) else Run(Path(run))
    resume_run(run.folder, corpora=_listed(corpus), audio=None if audio is None else Path(audio), init_from=init_from)
    return run


def _arm_and_preset(recipe: str | None, arm: str | None, preset: str | None) -> tuple[str, str]:
    if recipe is not None:
        if arm is not None or preset is not None:
            raise AntiphonError("a recipe has an arm and a preset; give either it or them")
        found = find_recipe(recipe)
        return found.arm, found.preset
    if arm is None:
        raise AntiphonError("a new run needs an arm or a recipe")
    return arm, preset or DEFAULT_PRESET


def _listed(corpus: Source | Sequence[Source]) -> Sequence[Source]:
    return [corpus] if isinstance(corpus, Corpus | str | Path) else corpus
