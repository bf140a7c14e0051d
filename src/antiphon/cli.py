"""The command line: parse, call, print. Heavy imports stay inside the commands that need them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

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


def report_skipped(skipped: Sequence[UnreadableInput]) -> None:
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
    corpus: Annotated[str | None, typer.Argument(metavar="CORPUS", help="as for the other commands")] = None,
    arm: Annotated[str | None, typer.Option(help="which descriptors go where; see antiphon list arms")] = None,
    preset: Annotated[str, typer.Option(help="paper, small or tiny")] = "small",
    out: Annotated[Path | None, typer.Option("--out", metavar="RUN", help="folder of the run")] = None,
    audio: AudioOption = None,
    split: SplitOption = None,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    seed: int = 42,
    resume: Annotated[Path | None, typer.Option("--resume", metavar="RUN", help="go on with a stopped run")] = None,
    json_: JsonOption = False,
) -> None:
    """Train an arm. A stopped run goes on with --resume and ends as if it had not been stopped.

    Example: antiphon train maestro-v3.0.0 --audio rendered --arm d4a4 --preset small --out runs/d4a4
    """
    from antiphon.training.run import MODEL, prepare_run, resume_run, start_run

    if resume is not None:
        if corpus or arm or out:
            raise typer.BadParameter("--resume takes no corpus, arm or --out: the run folder knows them")
        folder, result = resume, resume_run(resume)
    else:
        if corpus is None or arm is None or out is None:
            raise typer.BadParameter("a new run needs CORPUS, --arm and --out (or --resume RUN)")
        folder, result = out, start_run(out, *prepare_run(corpus, audio, split, arm, preset, epochs, seed))
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
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="also write the JSON here")] = None,
    json_: JsonOption = False,
) -> None:
    """Score a model: can it find each window's other side among 256, and among all?

    Example: antiphon evaluate maestro-v3.0.0 --audio rendered --model template --protocol paper
    """
    from antiphon.corpora import open_corpus
    from antiphon.embedding import embed_corpus, load_embedder
    from antiphon.evaluation.protocols import default_split, evaluate, scores_as_text
    from antiphon.provenance import code_version

    source = open_corpus(corpus, audio)
    split = split or default_split(protocol, source.splits)
    source = source.split(split).with_sound() if split is not None else source.with_sound()
    embedder = load_embedder(model)
    segments = embed_corpus(embedder, source)
    report_skipped(segments.skipped)
    result = {
        "model": embedder.name,
        "model_hash": embedder.fingerprint,
        "corpus": source.name,
        "split": split,
        "recordings": len(segments.table.recordings),
        "data_hash": source.manifest_hash,
        "code": code_version(),
        **evaluate(segments, protocol, seed),
        "skipped": [str(error) for error in segments.skipped],
    }
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(result, indent=1) + "\n")
    print_json(result) if json_ else typer.echo(scores_as_text(result))


if __name__ == "__main__":
    main()
