"""Comparison of several models by a suite of tasks. Each result is written at once, so a stopped suite resumes.

results/MODEL.TASK.json   one result each, computed again only when model, data, seed or settings differ
suite.json, suite.md      the table, written after every model; earlier models with the same inputs keep their rows
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from antiphon.checks import COUNT, SEED
from antiphon.corpora import Corpus, as_corpus
from antiphon.errors import AntiphonError, look_up
from antiphon.evaluation.runner import choose, origin
from antiphon.experiments.comparison.report import summarise, summary_as_markdown
from antiphon.experiments.comparison.tasks import SUITES, Competitor, Record, Role, Run, Task
from antiphon.experiments.results import ResultStore
from antiphon.io.files import write_json, write_text_atomic
from antiphon.models.loading import load_model
from antiphon.models.protocol import Embedder
from antiphon.types import JsonResult

Corpora = Mapping[Role, tuple[Corpus, str | None]]
"""The recordings of each role, and the split that they belong to."""
_log = logging.getLogger(__name__)
ROBUSTNESS_RECORDINGS = 46
"""Default number of recordings for the robustness task."""


class Comparison(JsonResult):
    """The table of a suite, as `suite.json` holds it: a read-only mapping; `str()` is the same as Markdown.

    Attributes
    ----------
    suite : str
        A key, as the following ones: the name of the suite.
    tasks : dict of str to dict
        The question of each task by name, and the data, seed and settings of its results.
    models : list of dict
        For each model `name`, `parameters`, `model_hash`, `robustness` and `figures`; a figure has its `value` in
        percent and its 95 % interval, and is None where the result is missing.
    skipped : list of str
        The files that could not be used, each with the reason.

    Examples
    --------
    >>> import antiphon
    >>> from antiphon.experiments.comparison.report import summarise
    >>> rows = [{"name": "template", "parameters": 0, "results": {}}]
    >>> table = antiphon.Comparison(summarise("default", {"paper": "the protocol of the paper"}, rows))
    >>> table["models"][0]["figures"]
    {'paper S': None, 'paper R@1': None}
    >>> print(str(table).splitlines()[0])
    # Suite default
    """

    def __str__(self) -> str:
        return summary_as_markdown(self.as_dict())


def compare(
    models: Sequence[str | Path | Embedder] | Mapping[str, str | Path | Embedder],
    corpus: Corpus | str | Path,
    *,
    out: str | Path,
    real: Corpus | str | Path | None = None,
    suite: str = "default",
    split: str | None = None,
    recordings: int | None = None,
    robustness_recordings: int | None = None,
    seed: int = 42,
) -> Comparison:
    """Run the tasks of a suite on several models and write one table to `out`. A stopped suite resumes.

    Models of an earlier table in `out` keep their rows where data, seed and settings are the same.

    Parameters
    ----------
    models
        Names, model folders, run folders, embedders, or texts "NAME=MODEL"; a mapping gives each model its name.
    corpus
        A corpus, or the spec of one, of rendered recordings.
    out
        Folder of `suite.json`, `suite.md` and `results/`.
    real
        A corpus of real recordings for the tasks that need them; without it these tasks are left out.
    suite
        Name of the suite.
    split
        The split of `corpus`; by default `test`, or all recordings where the corpus does not have it.
    recordings
        Use this many recordings of each corpus, evenly spread; by default all.
    robustness_recordings
        Number of recordings for the robustness task, 46 by default.
    seed
        Seed of everything drawn at random, 0 or more.

    Returns
    -------
    Comparison
        A mapping of the table; `str()` prints it as Markdown.

    Raises
    ------
    UnknownName
        For an unknown suite.
    AntiphonError
        For an unknown model or corpus, two models of one name, and a name that cannot be a file name.

    Examples
    --------
    >>> import antiphon
    >>> table = antiphon.compare(["template", "default"], "demo", out="suite", recordings=2)  # doctest: +SKIP
    >>> [model["name"] for model in table["models"]]  # doctest: +SKIP
    ['template', 'default']
    """
    SEED.check("seed", seed)
    COUNT.check("recordings", recordings)
    COUNT.check("robustness_recordings", robustness_recordings)
    out = Path(out)
    planned = look_up("suite", suite, SUITES)
    competitors = load_competitors(models)
    rendered, split = choose(as_corpus(corpus), "strict", split, recordings)
    corpora: dict[Role, tuple[Corpus, str | None]] = {
        "rendered": (rendered, split),
        "sample": (rendered.spread(robustness_recordings or ROBUSTNESS_RECORDINGS), split),
    }
    if real is not None:
        corpora["real"] = choose(as_corpus(real), "strict", None, recordings)
    tasks = [task for task in planned if task.corpus in corpora]
    questions = {task.name: task.question for task in tasks}
    rows = _earlier_rows(out, tasks, corpora, seed)
    summary: Record = {}
    for competitor in competitors:
        found = _run_tasks(competitor, tasks, corpora, out, seed)
        parameters = competitor.embedder.parameters
        rows[competitor.name] = {"name": competitor.name, "parameters": parameters, "results": found}
        summary = summarise(suite, questions, list(rows.values()))
        write_json(out / "suite.json", summary)
        write_text_atomic(out / "suite.md", summary_as_markdown(summary))
    return Comparison(summary)


def load_competitors(
    models: Sequence[str | Path | Embedder] | Mapping[str, str | Path | Embedder],
) -> list[Competitor]:
    """Load each MODEL or NAME=MODEL. Without a name it has the embedder's own; a folder's name may contain "=".

    Raises `AntiphonError` when two have one name, or a name that cannot be a file name.
    """
    if not models:
        raise AntiphonError("a suite needs a model")
    if isinstance(models, Mapping):
        competitors = [Competitor(name, load_model(model)) for name, model in models.items()]
    else:
        competitors = [_load_competitor(model) for model in models]
    names = [competitor.name for competitor in competitors]
    for name in names:
        if names.count(name) > 1:
            raise AntiphonError(f"{names.count(name)} models are named {name!r}; tell them apart with NAME=MODEL")
        if Path(name).name != name:
            raise AntiphonError(f"{name!r} cannot be a model's name: its results are files of that name")
    return competitors


def _load_competitor(model: str | Path | Embedder) -> Competitor:
    name, named, location = model.partition("=") if isinstance(model, str) else ("", "", "")
    if not named or Path(str(model)).is_dir():
        embedder = load_model(model)
        return Competitor(embedder.name, embedder)
    embedder = load_model(location)
    return Competitor(name or embedder.name, embedder)


def _earlier_rows(out: Path, tasks: Sequence[Task], corpora: Corpora, seed: int) -> dict[str, Record]:
    """The rows of the table in `out` by model, with those results whose inputs are the same as now."""
    table, store = ResultStore(out).read("suite"), _results(out)
    rows = {}
    for model in [] if table is None else table["models"]:
        found = {}
        for task in tasks:
            corpus, _ = corpora[task.corpus]
            result = store.find(_key(model["name"], task), _identity(model["model_hash"], corpus, seed, task))
            if result is not None:
                found[task.name] = result
        if found:
            rows[model["name"]] = {"name": model["name"], "parameters": model["parameters"], "results": found}
    return rows


def _run_tasks(
    competitor: Competitor, tasks: Sequence[Task], corpora: Corpora, out: Path, seed: int
) -> dict[str, Record]:
    """The results of a model by task. Those that the folder lacks are computed and written there."""
    store, results = _results(out), {}
    for role, together in groupby(tasks, key=lambda task: task.corpus):
        corpus, split = corpora[role]
        run = Run(competitor, corpus, seed)
        for task in together:
            if task.network_only and competitor.network is None:
                continue
            key, identity = _key(competitor.name, task), _identity(competitor.embedder.fingerprint, corpus, seed, task)
            result = store.find(key, identity)
            if result is None:
                began = time.perf_counter()
                result = origin(competitor.embedder, corpus, split) | identity | task.measure(run)
                store.put(key, identity, result)
                _log.info("%s, %s: %.0f s", competitor.name, task.name, time.perf_counter() - began)
            results[task.name] = result
    return results


def _results(out: Path) -> ResultStore:
    return ResultStore(out / "results")


def _key(model: str, task: Task) -> str:
    return f"{model}.{task.name}"


def _identity(model_hash: str, corpus: Corpus, seed: int, task: Task) -> Record:
    """The inputs of a result: it is computed again when one of them changes."""
    return {
        "model_hash": model_hash,
        "data_hash": corpus.manifest_hash,
        "seed": seed,
        "settings": task.measure.settings,
    }
