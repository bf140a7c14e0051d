"""One run of a campaign in its own process: train, evaluate, write a record.

The runner starts `python -m antiphon.experiments.campaign.worker FOLDER RUN`. A stopped run resumes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from antiphon.corpora import open_corpus
from antiphon.errors import AntiphonError
from antiphon.evaluation.runner import evaluate
from antiphon.experiments.campaign.grid import INIT_FROM
from antiphon.experiments.campaign.layout import (
    Campaign,
    load_campaign,
    record_identity,
    record_store,
    run_folder,
    scored_audio,
    trained_audio,
)
from antiphon.models.loading import load_model
from antiphon.models.saving import RUN_CONFIG, RUN_MODEL
from antiphon.process_memory import keep_freed_memory
from antiphon.training.config import prepare_run
from antiphon.training.loop import resume_run, start_run


def carry_out(folder: Path, name: str) -> dict[str, Any]:
    """Train and evaluate the run `name` of the campaign in `folder`; write and return its record."""
    keep_freed_memory()
    campaign = load_campaign(folder)
    planned = next(run for run in campaign.runs if run.name == name)
    run = run_folder(folder, name)
    init_from = run_folder(folder, INIT_FROM) / RUN_MODEL if planned.from_init else None
    audio = trained_audio(campaign)
    if (run / RUN_CONFIG).exists():  # the locations are those of now, which the campaign knows
        training = resume_run(run, corpora=campaign.corpora, audio=audio, init_from=init_from)
    else:
        prepared = prepare_run(
            campaign.corpora,
            campaign.arm(planned),
            campaign.sizes,
            audio=audio,
            epochs=planned.epochs,
            schedule=planned.schedule,
            variant=planned.variant,
            init_from=init_from,
            seed=planned.seed,
        )
        training = start_run(run, *prepared)
    identity = record_identity(campaign, planned)
    record = identity | {"training": training, "evaluations": _evaluations(campaign, run / RUN_MODEL)}
    record_store(folder).put(name, identity, record)
    return record


def _evaluations(campaign: Campaign, model: Path) -> list[dict[str, Any]]:
    """Evaluate the model by the protocol `paper` on every evaluation corpus. The first gives the headline figures."""
    embedder = load_model(model)
    return [
        evaluate(embedder, open_corpus(spec, audio=scored_audio(campaign)), recordings=campaign.recordings).as_dict()
        for spec in campaign.evaluate_on
    ]


if __name__ == "__main__":
    try:
        carry_out(Path(sys.argv[1]), sys.argv[2])
    except AntiphonError as error:
        sys.exit(f"antiphon: {error}")
