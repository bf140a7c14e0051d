"""The command line: parse, call, print. Heavy imports stay inside the commands that need them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.progress import console as errors
from antiphon.progress import track

app = typer.Typer(
    name="antiphon",
    help="Find the MIDI for a recording and the recording for a MIDI.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
index_app = typer.Typer(help="Make and update a library that can be searched.", no_args_is_help=True)
app.add_typer(index_app, name="index")
stdout = Console(highlight=False)

CorpusArgument = Annotated[
    str, typer.Argument(metavar="CORPUS", help="a MAESTRO folder, a folder of pairs, or the word demo")
]
AudioOption = Annotated[
    Path | None, typer.Option("--audio", metavar="DIR", help="parallel folder of sound, any format")
]
SplitOption = Annotated[str | None, typer.Option("--split", help="train, validation, test, …")]
ModelOption = Annotated[
    str, typer.Option("--model", metavar="MODEL", help="a model folder, or template (nothing learned)")
]
RecordingsOption = Annotated[
    int | None, typer.Option(help="use this many recordings, evenly spread (all)", min=1, metavar="N")
]
KeepGoingOption = Annotated[bool, typer.Option("--keep-going/--strict", help="exit 0 although some files failed, or 2")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON for machines")]


def main() -> None:
    """Entry point: expected failures become one line on stderr and exit code 2."""
    try:
        app()
    except AntiphonError as error:
        errors.print(f"antiphon: {error}", markup=False)
        sys.exit(2)


@app.callback(invoke_without_command=True)
def _options(version: Annotated[bool, typer.Option("--version", help="print the version")] = False) -> None:
    if version:
        from antiphon import __version__

        typer.echo(__version__)
        raise typer.Exit


def report_skipped(skipped: Sequence[UnreadableInput | str]) -> None:
    """Name every file that was left out, then count them."""
    for error in skipped:
        errors.print(f"skipped: {error}", markup=False)
    if skipped:
        errors.print(f"{len(skipped)} skipped")


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False))


@app.command()
def render(
    corpus: CorpusArgument,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder for the sound; it becomes a corpus")],
    soundfont: Annotated[
        str,
        typer.Option("--soundfont", metavar="F", help="a SoundFont file or name, or additive (nothing needed)"),
    ] = "FluidR3_GM",
    split: SplitOption = None,
    max_seconds: Annotated[float | None, typer.Option(help="render only this much of each piece")] = None,
    jobs: Annotated[int, typer.Option(help="processes, each with the font loaded once", min=1)] = 2,
    sample_rate: Annotated[int, typer.Option(help="Hz", min=4000)] = 24_000,
    json_: JsonOption = False,
) -> None:
    """Turn notes into sound. A stopped run goes on where it was.

    Example: antiphon render maestro-v3.0.0 --split validation --max-seconds 104 --out rendered
    """
    from antiphon.corpora import open_corpus
    from antiphon.rendering.corpus import render_corpus

    source = open_corpus(corpus)
    source = source if split is None else source.split(split)
    results = render_corpus(source, out, soundfont, max_seconds, jobs, sample_rate)
    done, skipped = [], list(source.skipped)
    for result in track(results, "rendering", total=len(source)):
        if isinstance(result, UnreadableInput):
            skipped.append(result)
        else:
            done.append(result)
    report_skipped(skipped)
    hours = sum(recording.duration_s for recording in done) / 3600
    summary = {"recordings": len(done), "hours": round(hours, 3), "skipped": len(skipped), "out": str(out)}
    print_json(summary) if json_ else typer.echo(f"{len(done)} recordings, {hours:.2f} h of sound in {out}")


@app.command()
def train(
    corpora: Annotated[
        list[str] | None, typer.Argument(metavar="CORPUS…", help="as for the other commands; several are joined")
    ] = None,
    arm: Annotated[str | None, typer.Option(help="which descriptors go where; see antiphon list arms")] = None,
    preset: Annotated[str, typer.Option(help="paper, medium, small or tiny")] = "medium",
    out: Annotated[Path | None, typer.Option("--out", metavar="RUN", help="folder of the run")] = None,
    audio: AudioOption = None,
    split: SplitOption = None,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    schedule: Annotated[str | None, typer.Option(help="see antiphon list schedules")] = None,
    variant: Annotated[str | None, typer.Option(help="a what-if of the design; see antiphon list variants")] = None,
    foundation: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="start from this model's weights instead of at random")
    ] = None,
    seed: int = 42,
    resume: Annotated[Path | None, typer.Option("--resume", metavar="RUN", help="go on with a stopped run")] = None,
    json_: JsonOption = False,
) -> None:
    """Train an arm. A stopped run goes on with --resume and ends as if it had not been stopped.

    Example: antiphon train maestro-v3.0.0 --audio rendered --arm d4a4 --preset medium --out runs/d4a4
    """
    from antiphon.training.run import MODEL, prepare_run, resume_run, start_run

    if resume is not None:
        if corpora or arm or out:
            raise typer.BadParameter("--resume takes no corpus, arm or --out: the run folder knows them")
        folder, result = resume, resume_run(resume)
    else:
        if not corpora or arm is None or out is None:
            raise typer.BadParameter("a new run needs CORPUS, --arm and --out (or --resume RUN)")
        prepared = prepare_run(
            corpora,
            arm,
            preset,
            audio=audio,
            split=split,
            epochs=epochs,
            schedule=schedule,
            variant=variant,
            foundation=foundation,
            seed=seed,
        )
        folder, result = out, start_run(out, *prepared)
    if json_:
        print_json(result)
    else:
        typer.echo(
            f"{result['arm']} ({result['preset']}): {result['segments']} windows in {result['seconds']:.0f} s, "
            f"{result['segments_per_second']} a second; model in {folder / MODEL}"
        )


@app.command()
def evaluate(
    corpus: CorpusArgument,
    model: ModelOption,
    audio: AudioOption = None,
    split: SplitOption = None,
    protocol: Annotated[str, typer.Option(help="paper (as published) or strict")] = "paper",
    seed: int = 42,
    recordings: RecordingsOption = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="also write the JSON here")] = None,
    json_: JsonOption = False,
) -> None:
    """Score a model: can it find each window's other side among 256, and among all?

    Example: antiphon evaluate maestro-v3.0.0 --audio rendered --model template --protocol paper
    """
    from antiphon.corpora import open_corpus
    from antiphon.embedding import load_embedder
    from antiphon.evaluation.model import evaluate_model
    from antiphon.evaluation.protocols import scores_as_text

    result = evaluate_model(load_embedder(model), open_corpus(corpus, audio), protocol, split, seed, recordings)
    report_skipped(result["skipped"])
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(result, indent=1) + "\n")
    print_json(result) if json_ else typer.echo(scores_as_text(result))


@index_app.command("build")
def index_build(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER…", help="sound and note files, at any depth")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder of the index")],
    model: ModelOption = "template",
    only: Annotated[str | None, typer.Option(help="audio or notes: index one kind only")] = None,
    keep_going: KeepGoingOption = True,
    json_: JsonOption = False,
) -> None:
    """Embed every file below the folders. A stopped build goes on where it was; a second one follows changes.

    Example: antiphon index build scores/ recordings/ --model template --out library
    """
    _fill_index(folders, out, model, only, keep_going, json_)


@index_app.command("add")
def index_add(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER…", help="sound and note files, at any depth")],
    index: Annotated[Path, typer.Option("--index", metavar="DIR", help="an index that was built before")],
    only: Annotated[str | None, typer.Option(help="audio or notes: index one kind only")] = None,
    keep_going: KeepGoingOption = True,
    json_: JsonOption = False,
) -> None:
    """Add more folders to an index, embedded by the model it was built with.

    Example: antiphon index add new-scores/ --index library
    """
    from antiphon.index.store import Store

    with Store(index) as store:
        model = store.meta("model")
    _fill_index(folders, index, model, only, keep_going, json_)


def _fill_index(folders: list[Path], out: Path, model: str, only: str | None, keep_going: bool, json_: bool) -> None:
    from antiphon.embedding import load_embedder
    from antiphon.index.build import SUFFIXES, build_index

    if only is not None and only not in SUFFIXES:
        raise typer.BadParameter(f"--only takes audio or notes, not {only!r}")
    side = next((kind for kind in SUFFIXES if kind == only), None)
    # A model folder is remembered by its full path: the index is used from other places too.
    named = str(Path(model).resolve()) if Path(model).is_dir() else model
    report = build_index(folders, load_embedder(model), named, out, side)
    report_skipped(report.failed)
    facts = {
        "embedded": report.embedded,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "windows": report.windows,
        "empty_windows": report.empty_windows,
        "failed": [str(error) for error in report.failed],
    }
    if json_:
        print_json(facts)
    else:
        typer.echo(
            f"{report.embedded} files embedded ({report.windows} windows, {report.empty_windows} empty ones left out), "
            f"{report.unchanged} unchanged, {report.removed} removed, {len(report.failed)} failed; index in {out}"
        )
    if report.failed and (not keep_going or report.embedded + report.unchanged == 0):
        raise typer.Exit(2)


@app.command("search")
def search_command(
    query: Annotated[Path, typer.Argument(metavar="QUERY", help="a sound file or a note file")],
    index: Annotated[Path, typer.Option("--index", metavar="DIR", help="the library to search")],
    start: Annotated[float, typer.Option("--start", help="where the query begins, seconds", min=0.0)] = 0.0,
    length: Annotated[float | None, typer.Option("--length", help="how long it is, seconds")] = None,
    top: Annotated[int, typer.Option("--top", help="how many hits", min=1)] = 10,
    against: Annotated[str | None, typer.Option(help="audio or notes; by default the other kind")] = None,
    json_: JsonOption = False,
) -> None:
    """Find where a recording comes from among note files, or notes among recordings.

    Example: antiphon search take1.flac --index library --start 10 --length 20
    """
    from dataclasses import asdict

    from antiphon.embedding import load_embedder
    from antiphon.index.build import SUFFIXES
    from antiphon.index.search import search
    from antiphon.index.store import Store

    if against is not None and against not in SUFFIXES:
        raise typer.BadParameter(f"--against takes audio or notes, not {against!r}")
    side = next((kind for kind in SUFFIXES if kind == against), None)
    with Store(index) as store:
        hits = search(query, store, load_embedder(store.meta("model")), start, length, top, side)
    if json_:
        print_json([asdict(hit) for hit in hits])
        return
    typer.echo(f"{'from s':>9}{'to s':>9}{'tempo':>7}{'score':>7}{'confidence':>12}  file")
    for hit in hits:
        place = f"{hit.start_s:9.2f}{hit.end_s:9.2f}{hit.tempo:7.2f}"
        typer.echo(f"{place}{hit.score:7.3f}{hit.confidence:12.2f}  {hit.file}")


@app.command()
def campaign(
    name: Annotated[str, typer.Argument(metavar="NAME", help="antiphon list campaigns, or the path of a TOML grid")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder of the campaign; named again, it goes on")],
    corpora: Annotated[
        list[str] | None, typer.Argument(metavar="CORPUS…", help="what to train on; several are joined (demo)")
    ] = None,
    preset: Annotated[str, typer.Option(help="paper, medium, small or tiny")] = "small",
    audio: AudioOption = None,
    evaluate_on: Annotated[
        list[str] | None,
        typer.Option("--evaluate", metavar="CORPUS", help="what to score on, the first for the headline (as trained)"),
    ] = None,
    recordings: RecordingsOption = None,
    epochs_scale: Annotated[float, typer.Option(help="multiply the grid's epochs", min=0.0)] = 1.0,
    jobs: Annotated[int, typer.Option(help="runs side by side, sharing the cores", min=1)] = 1,
    json_: JsonOption = False,
) -> None:
    """Train and score every run of a grid, and report them beside the paper's figures. Stopped, it goes on.

    Example: antiphon campaign screening --preset tiny --out screening
    """
    from dataclasses import asdict

    from antiphon.campaign.grid import load_grid, plan
    from antiphon.campaign.layout import Campaign, load_records
    from antiphon.campaign.runner import run_campaign
    from antiphon.presets import find_preset

    grid = load_grid(name)
    trained_on = tuple(corpora or ["demo"])
    planned = Campaign(
        name=Path(name).stem,
        title=grid.title,
        question=grid.question,
        preset=find_preset(preset).name,
        corpora=trained_on,
        audio=None if audio is None else str(audio),
        evaluate_on=tuple(evaluate_on or trained_on),
        recordings=recordings,
        runs=tuple(plan(grid, epochs_scale)),
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
    model: Annotated[Path, typer.Option("--model", metavar="MODEL", help="the folder of a trained model")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="JSON, CSV, pictures and a report go here")],
    audio: AudioOption = None,
    split: SplitOption = None,
    recordings: RecordingsOption = None,
    seed: int = 42,
    json_: JsonOption = False,
) -> None:
    """Ask a trained model what it has learned and what it rests on. Stopped, it goes on.

    Example: antiphon analyze all demo --model runs/d4a4/model --out analysis
    """
    from antiphon.analysis import ANALYSES, Subject
    from antiphon.analysis.report import run_analyses
    from antiphon.corpora import open_corpus
    from antiphon.evaluation.protocols import default_split
    from antiphon.model import load_dual_encoder, pick_device

    names = list(ANALYSES) if name == "all" else [ANALYSES[name].name]
    source = open_corpus(corpus, audio)
    split = split or default_split("paper", source.splits)
    source = (source if split is None else source.split(split)).with_sound().spread(recordings)
    network = load_dual_encoder(model).to(pick_device())
    facts = run_analyses(names, Subject(network, network.config.arm.name, source, seed), out)
    print_json(facts) if json_ else typer.echo(f"{', '.join(names)}: report in {out / 'report.html'}")


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="index and pictures go here")] = Path("demo"),
    model: ModelOption = "template",
    queries: Annotated[int | None, typer.Option(help="how many recordings ask (all)", min=1)] = None,
    json_: JsonOption = False,
) -> None:
    """Make a small corpus, render it, index its notes and find them again from sound. Needs nothing but itself.

    Example: antiphon demo
    """
    from antiphon.demo import run_demo, summary

    answers = run_demo(out, model, queries)
    facts = summary(answers)
    if json_:
        print_json(facts)
        return
    table = Table(box=None)
    for title, width in (("10 s of a recording", 25), ("at", 4), ("best hit among the notes", 25), ("at", 4)):
        table.add_column(title, no_wrap=True, width=width)
    table.add_column("", width=10)
    for answer in answers:
        verdict = "right" if answer.right_place else ("same piece" if answer.right_piece else "wrong")
        asked, found = (name.split(" - ", 1)[-1] for name in (answer.recording.id, Path(answer.hit.file).stem))
        table.add_row(escape(asked), f"{answer.start_s:.1f}", escape(found), f"{answer.hit.start_s:.1f}", verdict)
    stdout.print(table)
    typer.echo(
        f"{len(answers)} queries: right piece first {facts['right_piece']:.1f} %, right place within 0.5 s "
        f"{facts['right_place']:.1f} %\npictures in {out / 'pictures'}, index in {out / 'index'}"
    )


@app.command()
def info(
    what: Annotated[str, typer.Argument(metavar="CORPUS|INDEX|MODEL")],
    split: SplitOption = None,
    json_: JsonOption = False,
) -> None:
    """Say what a corpus, an index or a model folder holds.

    Example: antiphon info maestro-v3.0.0 --split validation
    """
    from antiphon.catalogue import describe_path

    facts = describe_path(what, split)
    print_json(facts) if json_ else _print_rows([facts])


@app.command("list")
def list_command(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="arms, descriptors, mechanisms, towers, losses, …")],
    json_: JsonOption = False,
) -> None:
    """List what there is to choose from.

    Example: antiphon list arms --json
    """
    from antiphon.catalogue import list_entries

    rows = list_entries(what)
    print_json(rows) if json_ else _print_rows(rows)


def _print_rows(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        typer.echo("  ".join(f"{key} {_plain(value)}" for key, value in row.items() if value not in ([], {}, "")))


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {inner}" for key, inner in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    main()
