"""Commands for researchers: train, evaluate, campaign, analyze."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from antiphon.cli.shared import (
    MAX_SEED,
    MODEL_HELP,
    TRAINED_MODEL_HELP,
    AudioOption,
    CorpusArgument,
    JsonOption,
    RecordingsOption,
    SeedOption,
    SplitOption,
    app,
    output_file,
    output_folder,
    print_json,
    report_skipped,
    within,
)


@app.command()
def train(
    corpora: Annotated[
        list[str] | None, typer.Argument(metavar="CORPUS…", help="as for the other commands; several are joined")
    ] = None,
    arm: Annotated[str | None, typer.Option(help="a name of antiphon list arms, or FILE.toml:NAME")] = None,
    preset: Annotated[
        str | None, typer.Option(help="paper, medium (unless given), small, tiny, default, or FILE.toml:NAME")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="instead of arm and preset: how the model of that name is trained (default)")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="RUN", help="folder of the run", callback=output_folder)
    ] = None,
    audio: AudioOption = None,
    split: SplitOption = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            callback=within(0), help="instead of the preset's; 0: only the map of what is beside a foundation"
        ),
    ] = None,
    schedule: Annotated[str | None, typer.Option(help="see antiphon list schedules")] = None,
    variant: Annotated[str | None, typer.Option(help="a what-if of the design; see antiphon list variants")] = None,
    init_from: Annotated[
        str | None, typer.Option(metavar="MODEL", help=f"start from a trained model's weights: {TRAINED_MODEL_HELP}")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="42 unless given", callback=within(0, MAX_SEED))] = None,
    resume: Annotated[Path | None, typer.Option("--resume", metavar="RUN", help="go on with a stopped run")] = None,
    json_: JsonOption = False,
) -> None:
    """Train an arm. A stopped run goes on with --resume and ends as if it had not been stopped.

    If its data or foundation have been moved, name them again with --resume.

    Example: antiphon train maestro-v3.0.0 --audio rendered --arm d4a4 --preset medium --out runs/d4a4

    Example: antiphon train train-fluidr3 train-salamander --recipe default --out runs/default
    """
    from antiphon.models.saving import RUN_MODEL
    from antiphon.training.config import prepare_run
    from antiphon.training.loop import resume_run, start_run
    from antiphon.training.recipes import find_recipe

    if resume is not None:
        given = (arm, preset, recipe, out, split, epochs, schedule, variant, seed)
        if any(option is not None for option in given):
            raise typer.BadParameter(
                "--resume takes no option except --audio and --foundation: the run folder knows the others"
            )
        result = resume_run(resume, corpora=corpora or (), audio=audio, init_from=init_from)
        folder = resume
    else:
        if recipe is not None:
            if arm is not None or preset is not None:
                raise typer.BadParameter("a --recipe has an arm and a preset; give either it or them")
            found = find_recipe(recipe)
            arm, preset = found.arm, found.preset
        if not corpora or arm is None or out is None:
            raise typer.BadParameter("a new run needs CORPUS, --arm or --recipe, and --out (or --resume RUN)")
        prepared = prepare_run(
            corpora,
            arm,
            preset or "medium",
            audio=audio,
            split=split,
            epochs=epochs,
            schedule=schedule,
            variant=variant,
            init_from=init_from,
            seed=42 if seed is None else seed,
        )
        folder, result = out, start_run(out, *prepared)
    if json_:
        print_json(result)
    else:
        typer.echo(
            f"{result['arm']} ({result['preset']}): {result['segments']} windows in {result['seconds']:.0f} s, "
            f"{result['segments_per_second']} a second; model in {folder / RUN_MODEL}"
        )


@app.command()
def evaluate(
    corpus: CorpusArgument,
    model: Annotated[
        list[str],
        typer.Option("--model", metavar="[NAME=]MODEL", help=f"{MODEL_HELP}; with --suite several"),
    ],
    audio: AudioOption = None,
    split: SplitOption = None,
    protocol: Annotated[str | None, typer.Option(help="paper (as published, the default) or strict")] = None,
    seed: SeedOption = 42,
    recordings: RecordingsOption = None,
    suite: Annotated[str | None, typer.Option(help="default: every task for every model, in one table")] = None,
    real: Annotated[
        str | None, typer.Option(metavar="CORPUS", help="with --suite: real recordings to score on as well")
    ] = None,
    robustness_recordings: Annotated[
        int | None,
        typer.Option(
            help="with --suite: recordings that robustness is measured on (46)", callback=within(1), metavar="N"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE|DIR", help="also write the JSON here; a suite's folder")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Score a model: can it find each window's other side among 256, and among all?

    With --suite several models get the same tasks; stopped, it goes on, and later models join its table.

    Example: antiphon evaluate maestro-v3.0.0 --audio rendered --model template --protocol paper

    Example: antiphon evaluate test-timgm --suite default --model template --model ours=runs/d4a4/model --out suite
    """
    from antiphon.corpora import open_corpus

    if suite is None:
        from antiphon.evaluation.protocols import scores_as_text
        from antiphon.evaluation.runner import evaluate_model
        from antiphon.io.files import write_json
        from antiphon.models.loading import load_model

        if len(model) > 1 or real is not None or robustness_recordings is not None:
            raise typer.BadParameter("a second --model, --real and --robustness-recordings need --suite")
        output_file(out)
        embedder = load_model(model[0])
        result = evaluate_model(
            embedder, open_corpus(corpus, audio=audio), protocol or "paper", split, seed, recordings
        )
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            write_json(out, result)
        text = scores_as_text(result)
    else:
        from antiphon.experiments.comparison.report import summary_as_markdown
        from antiphon.experiments.comparison.run import run_suite

        if out is None or protocol is not None:
            raise typer.BadParameter("--suite needs --out DIR, and no --protocol: its tasks have their own")
        output_folder(out)
        result = run_suite(
            suite,
            model,
            open_corpus(corpus, audio=audio),
            out,
            real=None if real is None else open_corpus(real),
            split=split,
            recordings=recordings,
            robustness_recordings=robustness_recordings,
            seed=seed,
        )
        text = summary_as_markdown(result)
    report_skipped(result["skipped"])
    print_json(result) if json_ else typer.echo(text)


@app.command()
def campaign(
    name: Annotated[str, typer.Argument(metavar="NAME", help="antiphon list campaigns, or the path of a TOML grid")],
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="DIR", help="folder of the campaign; named again, it goes on", callback=output_folder
        ),
    ],
    corpora: Annotated[
        list[str] | None, typer.Argument(metavar="CORPUS…", help="what to train on; several are joined (demo)")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="paper, medium, small, tiny, one that the grid defines, or FILE.toml:NAME")
    ] = "small",
    audio: AudioOption = None,
    evaluate_on: Annotated[
        list[str] | None,
        typer.Option("--evaluate", metavar="CORPUS", help="what to score on, the first for the headline (as trained)"),
    ] = None,
    recordings: RecordingsOption = None,
    epochs_scale: Annotated[float, typer.Option(help="multiply the grid's epochs", callback=within(0.0))] = 1.0,
    jobs: Annotated[int, typer.Option(help="runs side by side, sharing the cores", callback=within(1))] = 1,
    json_: JsonOption = False,
) -> None:
    """Train and score every run of a grid, and report them beside the paper's figures. Stopped, it goes on.

    If its data have been moved, name them where they are now.

    Example: antiphon campaign screening --preset tiny --out screening
    """
    from dataclasses import asdict

    from antiphon.experiments.campaign.grid import load_grid, own_arms, plan
    from antiphon.experiments.campaign.layout import Campaign, load_records
    from antiphon.experiments.campaign.runner import run_campaign
    from antiphon.training.presets import is_built_in

    grid = load_grid(name)
    size = grid.find_preset(preset)
    runs = tuple(plan(grid, epochs_scale))
    trained_on = tuple(corpora or ["demo"])
    planned = Campaign(
        name=Path(name).stem,
        title=grid.title,
        question=grid.question,
        preset=size.name,
        corpora=trained_on,
        audio=None if audio is None else str(audio),
        evaluate_on=tuple(evaluate_on or trained_on),
        recordings=recordings,
        runs=runs,
        arms=own_arms(grid, runs),
        own_preset=None if is_built_in(size) else size,
    )
    run_campaign(out, planned, jobs)
    if json_:
        print_json({"campaign": asdict(planned), "records": load_records(out, planned)})
    else:
        typer.echo(f"{len(planned.runs)} runs; report in {out / 'report.html'} and {out / 'report.md'}")


@app.command()
def analyze(
    name: Annotated[str, typer.Argument(metavar="ANALYSIS|all", help="see antiphon list analyses")],
    corpus: CorpusArgument,
    model: Annotated[str, typer.Option("--model", metavar="MODEL", help=f"a trained model: {TRAINED_MODEL_HELP}")],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="JSON, CSV, pictures and a report go here", callback=output_folder),
    ],
    audio: AudioOption = None,
    split: SplitOption = None,
    recordings: RecordingsOption = None,
    seed: SeedOption = 42,
    json_: JsonOption = False,
) -> None:
    """Ask a trained model what it has learned and what it rests on. Stopped, it goes on.

    Example: antiphon analyze all demo --model runs/d4a4/model --out analysis
    """
    from antiphon.corpora import open_corpus
    from antiphon.evaluation.runner import choose
    from antiphon.experiments.analysis import ANALYSES, ModelUnderTest
    from antiphon.experiments.analysis.report import run_analyses
    from antiphon.models.loading import load_trained

    names = list(ANALYSES) if name == "all" else [ANALYSES[name].name]
    source, _ = choose(open_corpus(corpus, audio=audio), "paper", split, recordings)
    embedder = load_trained(model, "analyze")
    facts = run_analyses(names, ModelUnderTest(embedder.model, embedder.name, source, seed), out)
    print_json(facts) if json_ else typer.echo(f"{', '.join(names)}: report in {out / 'report.html'}")
