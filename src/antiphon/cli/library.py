"""Commands for those who have files: index, search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from antiphon.cli.shared import (
    JsonOption,
    KeepGoingOption,
    ModelOption,
    app,
    index_app,
    output_folder,
    positive,
    print_json,
    report_skipped,
    within,
)
from antiphon.cli.terminal import console

WorksOption = Annotated[
    str | None,
    typer.Option(
        metavar="folders|FILE",
        help="which files perform one work: those of a folder, or a CSV: file, work[, composer, title, split]",
    ),
]


@index_app.command("build")
def index_build(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER…", help="sound and note files, at any depth")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder of the index", callback=output_folder)],
    model: ModelOption = "default",
    only: Annotated[str | None, typer.Option(help="audio or notes: index one kind only")] = None,
    works: WorksOption = None,
    keep_going: KeepGoingOption = True,
    json_: JsonOption = False,
) -> None:
    """Embed every file below the folders. A stopped build goes on where it was; a second one follows changes.

    Composer, title, split and work are taken from MAESTRO's table where the files lie in such a folder.

    Example: antiphon index build scores/ recordings/ --out library
    """
    _fill_index(folders, out, model, only, works, keep_going, json_)


@index_app.command("add")
def index_add(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER…", help="sound and note files, at any depth")],
    index: Annotated[Path, typer.Option("--index", metavar="DIR", help="an index that was built before")],
    only: Annotated[str | None, typer.Option(help="audio or notes: index one kind only")] = None,
    works: WorksOption = None,
    keep_going: KeepGoingOption = True,
    json_: JsonOption = False,
) -> None:
    """Add more folders to an index, embedded by the model it was built with.

    Example: antiphon index add new-scores/ --index library
    """
    from antiphon.index.store import Store

    with Store(index) as store:
        model = store.meta("model")
    _fill_index(folders, index, model, only, works, keep_going, json_)


def _fill_index(
    folders: list[Path],
    out: Path,
    model: str,
    only: str | None,
    works: str | None,
    keep_going: bool,
    json_: bool,
) -> None:
    from antiphon.index.build import build_index
    from antiphon.index.metadata import Works
    from antiphon.index.query import SUFFIXES
    from antiphon.models.loading import lasting_name, load_model

    if only is not None and only not in SUFFIXES:
        raise typer.BadParameter(f"--only takes audio or notes, not {only!r}")
    side = next((kind for kind in SUFFIXES if kind == only), None)
    source: Works | None = "folders" if works == "folders" else Path(works) if works else None
    report = build_index(folders, load_model(model), lasting_name(model), out, side, source)
    report_skipped(report.failed)
    facts = {
        "embedded": report.embedded,
        "unchanged": report.unchanged,
        "taken_over": report.taken_over,
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
            f"{report.unchanged} unchanged, {report.taken_over} renamed or copied, {report.removed} removed, "
            f"{len(report.failed)} failed; index in {out}"
        )
    if report.failed and (not keep_going or report.embedded + report.taken_over + report.unchanged == 0):
        raise typer.Exit(2)


@index_app.command("relocate")
def index_relocate(
    moves: Annotated[list[str], typer.Argument(metavar="OLD=NEW…", help="where a folder was, and where it is now")],
    index: Annotated[Path, typer.Option("--index", metavar="DIR", help="the index of its files")],
) -> None:
    """Tell an index that folders of its library have moved. Nothing is embedded again.

    Example: antiphon index relocate /mnt/old/scores=/media/new/scores --index library
    """
    from antiphon.index.store import Store

    pairs = [move.partition("=") for move in moves]
    for old, _, new in pairs:
        if not old or not new:
            raise typer.BadParameter(f"{old or new!r}: two folders with = between them, OLD=NEW")
    with Store(index) as store:
        for old, _, new in pairs:
            typer.echo(f"{store.relocate(old, new)} files, now below {new}")


@app.command("search")
def search_command(
    query: Annotated[Path, typer.Argument(metavar="QUERY", help="a sound file or a note file")],
    index: Annotated[Path, typer.Option("--index", metavar="DIR", help="the library to search")],
    start: Annotated[
        float, typer.Option("--start", help="where the query begins, seconds", callback=within(0.0))
    ] = 0.0,
    length: Annotated[float | None, typer.Option("--length", help="how long it is, seconds", callback=positive)] = None,
    top: Annotated[int, typer.Option("--top", help="how many hits", callback=within(1))] = 10,
    against: Annotated[str | None, typer.Option(help="audio or notes; by default the other kind")] = None,
    composer: Annotated[str, typer.Option(help="only works of this composer; part of the name will do")] = "",
    split: Annotated[str, typer.Option(help="only recordings of this split")] = "",
    folder: Annotated[Path | None, typer.Option(metavar="DIR", help="only files below this folder")] = None,
    by_work: Annotated[bool, typer.Option("--by-work", help="the best hit of each work")] = False,
    repeats: Annotated[
        bool, typer.Option("--repeats", help="several hits of one file before other files that are less likely")
    ] = False,
    transpose: Annotated[
        bool, typer.Option("--transpose", help="also up to 6 semitones higher or lower, and out of tune")
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Find where a recording comes from among note files, or notes among recordings.

    Hits that are more likely wrong than right are marked with a question mark.

    Example: antiphon search take1.flac --index library --start 10 --length 20
    """
    from antiphon.alignment.confidence import LIKELY
    from antiphon.index.query import SUFFIXES, kind_of
    from antiphon.index.search import SearchOptions, search, what_to_search
    from antiphon.index.store import Store
    from antiphon.index.view import Filters
    from antiphon.models.loading import load_model

    if against is not None and against not in SUFFIXES:
        raise typer.BadParameter(f"--against takes audio or notes, not {against!r}")
    side = next((kind for kind in SUFFIXES if kind == against), None)
    with Store(index) as store:
        searched = side or what_to_search(kind_of(query), store.counts())
        options = SearchOptions(top, by_work, repeats, searched, Filters(composer, split, folder), transpose)
        hits = search(query, store, load_model(store.meta("model")), start, length, options)
        library = store.library(searched)
    _report_missing(library.missing_files(), len(library.paths), index)
    if json_:
        print_json([hit.as_dict() for hit in hits])
        return
    if not hits or hits[0].confidence < LIKELY:
        typer.echo("nothing in the library is likely to be this" + ("; the nearest:" if hits else ""))
    if hits:
        typer.echo(f"{'from s':>9}{'to s':>9}{'query from':>12}{'to':>9}{'tempo':>7}{'key':>5}{'sure':>7}  file")
    for hit in hits:
        places = f"{hit.start_s:9.2f}{hit.end_s:9.2f}{hit.query_start_s:12.2f}{hit.query_end_s:9.2f}"
        key = f"{hit.semitones:+d}" if hit.semitones else "="
        doubt = " " if hit.confidence >= LIKELY else "?"
        typer.echo(f"{places}{hit.tempo:7.2f}{key:>5}{100 * hit.confidence:5.0f} %{doubt} {hit.file}")


def _report_missing(missing: list[str], of: int, index: Path) -> None:
    """Say on stderr that files of the library are gone, which no search can find."""
    if missing:
        console.print(
            f"{len(missing)} of {of} files of the library are gone and cannot be found, the first {missing[0]}; update "
            f"it with: antiphon index add FOLDER --index {index}, or antiphon index relocate OLD=NEW --index {index}",
            markup=False,
            soft_wrap=True,
        )
