"""Run a campaign by name: plan its grid, then train and score every run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from antiphon.checks import COUNT, MIN_0
from antiphon.experiments.campaign.grid import load_grid, own_arms, plan
from antiphon.experiments.campaign.layout import Campaign, load_records
from antiphon.experiments.campaign.runner import StatusListener, execute_campaign
from antiphon.training.presets import PRESETS


def run_campaign(
    name: str | Path,
    corpora: str | Path | Sequence[str | Path] = "demo",
    *,
    out: str | Path,
    preset: str = "small",
    audio: str | Path | None = None,
    evaluate_on: str | Path | Sequence[str | Path] | None = None,
    recordings: int | None = None,
    epochs_scale: float = 1.0,
    jobs: int = 1,
    on_status: StatusListener | None = None,
) -> dict[str, Any]:
    """Train and score every run of a grid and write a report. A stopped campaign resumes when called again.

    Parameters
    ----------
    name
        Name of a grid of the package (`catalogue("campaigns")`) or the path of a TOML file.
    corpora
        Specs of the corpora to train on; several are joined.
    out
        Folder of the campaign: `campaign.json`, `runs/`, `results/`, and the report.
    preset
        Sizes and settings of all runs: a name of `catalogue("presets")`, a preset of the grid, or `FILE.toml:NAME`.
    audio
        A parallel folder of sound for a corpus that has none.
    evaluate_on
        Specs of the corpora to score on, the headline one first; by default those trained on.
    recordings
        Number of recordings for each evaluation, evenly spread over the split; by default all.
    epochs_scale
        Factor on the epochs of the grid; each run has at least one.
    jobs
        Number of runs that train at the same time and share the cores.
    on_status
        Called with a `CampaignStatus` twice a second.

    Returns
    -------
    dict
        `campaign` is the plan, `records` are the results of its runs in the order of the plan.

    Raises
    ------
    UnknownName
        For an unknown grid, preset, arm, schedule or variant.
    UnreadableInput
        For a TOML file that is not a grid.
    AntiphonError
        When a run fails, or `out` holds another campaign or is in use by another process.

    Examples
    --------
    >>> import antiphon
    >>> found = antiphon.run_campaign("screening", out="screening", preset="tiny")  # doctest: +SKIP
    >>> [record["run"] for record in found["records"]][:2]  # doctest: +SKIP
    ['init_from', 'D0']
    """
    COUNT.check("recordings", recordings)
    COUNT.check("jobs", jobs)
    MIN_0.check("epochs_scale", epochs_scale)
    grid = load_grid(str(name))
    size = grid.find_preset(preset)
    runs = tuple(plan(grid, epochs_scale))
    trained_on = _specs(corpora)
    campaign = Campaign(
        name=Path(name).stem,
        title=grid.title,
        question=grid.question,
        preset=size.name,
        corpora=trained_on,
        audio=None if audio is None else str(audio),
        evaluate_on=trained_on if evaluate_on is None else _specs(evaluate_on),
        recordings=recordings,
        runs=runs,
        arms=own_arms(grid, runs),
        own_preset=None if PRESETS.is_built_in(size) else size,
    )
    execute_campaign(Path(out), campaign, jobs, on_status)
    return {"campaign": asdict(campaign), "records": load_records(Path(out), campaign)}


def _specs(corpora: str | Path | Sequence[str | Path]) -> tuple[str, ...]:
    return (str(corpora),) if isinstance(corpora, str | Path) else tuple(map(str, corpora))
