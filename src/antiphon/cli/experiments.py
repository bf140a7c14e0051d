"""Commands for researchers: train, evaluate, campaign, analyze."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import antiphon
from antiphon.checks import COUNT, MIN_0, SEED, check_not_input
from antiphon.cli.campaign_table import live_table
from antiphon.cli.shared import (
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
    write_output,
)
from antiphon.wording import counted, shown_path

if TYPE_CHECKING:
    from antiphon import Comparison, Evaluation

_SEED = 42


@app.command()
def train(
    corpora: Annotated[
        list[str] | None, typer.Argument(metavar="CORPUS", help="what to train on; several are joined")
    ] = None,
    arm: Annotated[str | None, typer.Option(help="a name of antiphon list arms, or FILE.toml:NAME")] = None,
    preset: Annotated[
        str | None, typer.Option(help="paper, medium (unless given), small, tiny, default, or FILE.toml:NAME")
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="instead of --arm and --preset; see antiphon list recipes")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="RUN", help="folder of the run", callback=output_folder)
    ] = None,
    audio: AudioOption = None,
    split: SplitOption = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            callback=within(MIN_0), help="instead of the preset's; 0 computes only the late fusion on --init-from"
        ),
    ] = None,
    schedule: Annotated[str | None, typer.Option(help="see antiphon list schedules")] = None,
    variant: Annotated[str | None, typer.Option(help="a change of the preset; see antiphon list variants")] = None,
    init_from: Annotated[
        str | None, typer.Option(metavar="MODEL", help=f"start from a trained model's weights: {TRAINED_MODEL_HELP}")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="42 unless given", callback=within(SEED))] = None,
    resume: Annotated[Path | None, typer.Option("--resume", metavar="RUN", help="continue a stopped run")] = None,
    json_: JsonOption = False,
) -> None:
    """Train an arm. A stopped run continues with --resume and ends like an uninterrupted one.

    Give the corpora, --audio or --init-from again with --resume where they have been moved.

    Example: antiphon train maestro-v3.0.0 --audio rendered --arm d4a4 --preset medium --out runs/d4a4

    Example: antiphon train train-fluidr3 train-salamander --recipe default --out runs/default
    """
    if resume is not None:
        given = (arm, preset, recipe, out, split, epochs, schedule, variant, seed)
        if any(option is not None for option in given):
            raise typer.BadParameter(
                "--resume takes no option except --audio and --init-from: the run folder contains the others"
            )
        run = antiphon.resume(resume, corpus=corpora or (), audio=audio, init_from=init_from)
    else:
        if not corpora or out is None or (arm is None and recipe is None):
            raise typer.BadParameter("a new run needs CORPUS, --arm or --recipe, and --out (or --resume RUN)")
        run = antiphon.train(
            corpora,
            out=out,
            recipe=recipe,
            arm=arm,
            preset=preset,
            audio=audio,
            split=split,
            epochs=epochs,
            schedule=schedule,
            variant=variant,
            init_from=init_from,
            seed=_SEED if seed is None else seed,
        )
    result = run.result
    if json_:
        print_json(result)
    else:
        typer.echo(
            f"{result['arm']} ({result['preset']}): {result['segments']} windows in {result['seconds']:.0f} s, "
            f"{result['segments_per_second']} a second; model in {run.model_folder}"
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
    suite: Annotated[str | None, typer.Option(help="name of a suite of tasks for several models (default)")] = None,
    real: Annotated[
        str | None, typer.Option(metavar="CORPUS", help="with --suite: also score on these real recordings")
    ] = None,
    robustness_recordings: Annotated[
        int | None,
        typer.Option(
            help="with --suite: number of recordings for robustness (46)", callback=within(COUNT), metavar="N"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE|DIR", help="also write the JSON there; with --suite, its folder"),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Score a model: how often each window finds its counterpart among 256 and among all windows.

    With --suite several models get the same tasks. A stopped suite resumes, and later models join its table.

    Example: antiphon evaluate maestro-v3.0.0 --audio rendered --model template --protocol paper

    Example: antiphon evaluate test-timgm --suite default --model template --model ours=runs/d4a4/model --out suite
    """
    if suite is None:
        if len(model) > 1 or real is not None or robustness_recordings is not None:
            raise typer.BadParameter("a second --model, --real and --robustness-recordings need --suite")
        output_file(out)
        opened = antiphon.open_corpus(corpus, audio=audio)
        if out is not None:
            files = [path for one in opened.recordings for path in (one.audio_path, one.notes_path) if path is not None]
            check_not_input(out, [*files, *Path(corpus).glob("*.*"), *Path(model[0]).glob("*.*")])
            if out.suffix.lower() != ".json":
                raise typer.BadParameter(f"--out {out}: the scores are written as .json")
        result: Evaluation | Comparison = antiphon.evaluate(
            model[0],
            opened,
            protocol=protocol or "paper",
            split=split,
            seed=seed,
            recordings=recordings,
        )
        if out is not None:
            write_output(out, json.dumps(result.as_dict(), indent=1) + "\n")
    else:
        if out is None or protocol is not None:
            raise typer.BadParameter("--suite needs --out DIR, and no --protocol: its tasks determine it")
        output_folder(out)
        result = antiphon.compare(
            model,
            antiphon.open_corpus(corpus, audio=audio),
            out=out,
            real=real,
            suite=suite,
            split=split,
            recordings=recordings,
            robustness_recordings=robustness_recordings,
            seed=seed,
        )
    report_skipped(result["skipped"])
    print_json(result.as_dict()) if json_ else typer.echo(str(result))


@app.command()
def campaign(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="see antiphon list campaigns, or the path of a TOML grid")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="DIR",
            help="folder of the campaign, which resumes when given again",
            callback=output_folder,
        ),
    ],
    corpora: Annotated[
        list[str] | None, typer.Argument(metavar="CORPUS", help="what to train on; several are joined (demo)")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="paper, medium, small, tiny, one that the grid defines, or FILE.toml:NAME")
    ] = "small",
    audio: AudioOption = None,
    evaluate_on: Annotated[
        list[str] | None,
        typer.Option("--evaluate", metavar="CORPUS", help="what to score on, the headline first (the same)"),
    ] = None,
    recordings: RecordingsOption = None,
    epochs_scale: Annotated[float, typer.Option(help="multiply the grid's epochs", callback=within(MIN_0))] = 1.0,
    jobs: Annotated[
        int, typer.Option(help="number of runs at the same time, which share the cores", callback=within(COUNT))
    ] = 1,
    json_: JsonOption = False,
) -> None:
    """Train and score every run of a grid, and report them with the paper's figures. Stopped, it resumes.

    Give the new locations of data that have been moved.

    Example: antiphon campaign screening --preset tiny --out screening
    """
    with live_table() as show:
        found = antiphon.run_campaign(
            name,
            corpora or "demo",
            out=out,
            preset=preset,
            audio=audio,
            evaluate_on=evaluate_on or None,
            recordings=recordings,
            epochs_scale=epochs_scale,
            jobs=jobs,
            on_status=show,
        )
    if json_:
        print_json(found)
    else:
        runs = len(found["campaign"]["runs"])
        report = shown_path(out / "report.html"), shown_path(out / "report.md")
        typer.echo(f"{counted(runs, 'run')}; report in {report[0]} and {report[1]}")


@app.command()
def analyze(
    name: Annotated[str, typer.Argument(metavar="ANALYSIS|all", help="see antiphon list analyses")],
    corpus: CorpusArgument,
    model: Annotated[str, typer.Option("--model", metavar="MODEL", help=f"a trained model: {TRAINED_MODEL_HELP}")],
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="DIR", help="folder for JSON, CSV, pictures and a report", callback=output_folder
        ),
    ],
    audio: AudioOption = None,
    split: SplitOption = None,
    recordings: RecordingsOption = None,
    seed: SeedOption = 42,
    json_: JsonOption = False,
) -> None:
    """Measure what a trained model has learned and which input it depends on. Stopped, it resumes.

    Example: antiphon analyze all demo --model runs/d4a4/model --out analysis
    """
    found = antiphon.analyze(
        name,
        antiphon.open_corpus(corpus, audio=audio),
        model=model,
        out=out,
        split=split,
        recordings=recordings,
        seed=seed,
    )
    print_json(found) if json_ else typer.echo(
        f"{', '.join(found['analyses'])}: report in {shown_path(out / 'report.html')}"
    )
