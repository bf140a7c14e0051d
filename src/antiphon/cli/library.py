"""Commands for those who have files: index, search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import antiphon
from antiphon.checks import COUNT, MIN_0, SECONDS
from antiphon.cli.shared import (
    LIKELY,
    AgainstOption,
    ComposerOption,
    FolderOption,
    FollowLinksOption,
    IndexOption,
    JsonOption,
    KeepGoingOption,
    ModelOption,
    OneSplitOption,
    OnlyOption,
    app,
    index_app,
    output_folder,
    print_json,
    report_skipped,
    report_unused,
    time_option,
    within,
)
from antiphon.cli.terminal import console
from antiphon.wording import clock, counted, printable, shown_path

if TYPE_CHECKING:
    from antiphon import BuildReport, Match


FoldersArgument = Annotated[
    list[Path], typer.Argument(metavar="FOLDER", help="audio and note files, or folders with such files at any depth")
]
WorksOption = Annotated[
    str | None,
    typer.Option(
        metavar="folders|FILE",
        help="works: one for each folder, or a CSV table with file, work[, composer, title, split]",
    ),
]


@index_app.command("build")
def index_build(
    folders: FoldersArgument,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder of the index", callback=output_folder)],
    model: ModelOption = "default",
    only: OnlyOption = None,
    works: WorksOption = None,
    follow_links: FollowLinksOption = False,
    keep_going: KeepGoingOption = True,
    json_: JsonOption = False,
) -> None:
    """Embed every file below the folders. A stopped build continues; a second one follows changes.

    Composer, title, split and work are taken from MAESTRO's table where the files are in such a folder.
    Files of other kinds are left out and counted.

    Example: antiphon index build scores/ recordings/ --out library
    """
    with antiphon.Index.build(folders, model, out=out, only=only, works=works, follow_links=follow_links) as built:
        assert built.report is not None
        _print_report(built.report, out, keep_going, json_)


@index_app.command("add")
def index_add(
    folders: FoldersArgument,
    index: IndexOption,
    only: OnlyOption = None,
    works: WorksOption = None,
    follow_links: FollowLinksOption = False,
    keep_going: KeepGoingOption = True,
    json_: JsonOption = False,
) -> None:
    """Add more folders to an index, embedded by the model it was built with.

    Example: antiphon index add new-scores/ --index library
    """
    with antiphon.Index.open(index) as opened:
        report = opened.add(folders, only=only, works=works, follow_links=follow_links)
        _print_report(report, index, keep_going, json_)


def _print_report(report: BuildReport, out: Path, keep_going: bool, json_: bool) -> None:
    """Exits with code 2 when files were skipped and `keep_going` is not set, or when no file could be indexed."""
    report_unused(report.failed, report.warnings, report.left_out)
    if json_:
        print_json(report.as_dict())
    else:
        typer.echo(
            f"{counted(report.embedded, 'file')} embedded ({counted(report.windows, 'window')}, "
            f"{counted(report.empty_windows, 'empty one')} left out), {report.unchanged} unchanged, "
            f"{report.renamed} renamed, {report.copied} copied, {report.removed} removed, "
            f"{len(report.failed)} skipped; index in {shown_path(out)}"
        )
    if report.failed and (not keep_going or not report.usable):
        raise typer.Exit(2)


@app.command("search")
def search_command(
    queries: Annotated[list[Path], typer.Argument(metavar="QUERY", help="audio files or note files")],
    index: IndexOption,
    start: Annotated[
        float, time_option("--start", MIN_0, help="start of the query in its file, in seconds or as m:ss")
    ] = 0.0,
    length: Annotated[
        float | None, time_option("--length", SECONDS, help="length of the query, in seconds or as m:ss")
    ] = None,
    top: Annotated[int, typer.Option("--top", help="number of matches", callback=within(COUNT))] = 10,
    against: AgainstOption = None,
    composer: ComposerOption = "",
    split: OneSplitOption = "",
    folder: FolderOption = None,
    by_work: Annotated[bool, typer.Option("--by-work", help="the best match of each work")] = False,
    repeats: Annotated[
        bool, typer.Option("--repeats", help="several matches in one file before less likely ones in other files")
    ] = False,
    transpose: Annotated[
        bool, typer.Option("--transpose", help="also up to 6 semitones higher or lower, and out of tune")
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Find the notes of a recording in a library, or the recordings of a note file.

    Matches that are more likely false than true are marked with a question mark. Where there are no others, hints on
    stderr name what may help. They also say which files of the library are gone. With several queries each has its
    heading, and those that cannot be used are skipped; in JSON each is an object with its query and its matches.

    Example: antiphon search take1.flac --index library --start 0:10 --length 20
    """
    how: dict[str, Any] = {
        "start_s": start,
        "length_s": length,
        "against": against,
        "transpose": transpose,
        "composer": composer,
        "split": split,
        "folder": folder,
    }
    answers: list[dict[str, Any]] = []
    skipped: list[antiphon.UnreadableInput] = []
    said: set[str] = set()
    missing: dict[str, list[Any]] = {}
    with antiphon.Index.open(index) as opened:
        for query in queries:
            try:
                matches = opened.search(query, top=top, by_work=by_work, repeats=repeats, **how)
                found = bool(matches) and matches[0].confidence >= LIKELY
                searched = against or opened.modality_to_search(query)
                if searched not in missing:
                    missing[searched] = opened.missing_hints(searched)
                of_files = missing[searched]
                hints = of_files if found else opened.hints(query, **how)
            except antiphon.UnreadableInput as error:
                if len(queries) == 1:
                    raise
                report_skipped([error], counts=False)
                skipped.append(error)
                answers.append({"query": printable(query), "skipped": error.reason})
                continue
            heading = shown_path(query) if len(queries) > 1 else ""
            for hint in hints:
                about = f"{heading}: " if heading and hint not in of_files else ""
                if about or str(hint) not in said:  # a hint about the library is given once
                    console.print(f"hint: {about}{hint}", markup=False, soft_wrap=True)
                said.add(str(hint))
            answers.append({"query": printable(query), "matches": [match.as_dict() for match in matches]})
            if not json_:
                _print_matches(matches, heading)
    if json_:
        print_json(answers if len(queries) > 1 else answers[0]["matches"])
    if len(skipped) == len(queries):
        raise typer.Exit(2)


def _print_matches(matches: list[Match], heading: str) -> None:
    """Print the matches of one query, and where there are several queries, its heading."""
    if heading:
        typer.echo(f"{heading}:")
    if not matches or matches[0].confidence < LIKELY:
        typer.echo("nothing in the library is likely to be this" + ("; the nearest:" if matches else ""))
    if matches:
        typer.echo(f"{'from':>8}{'to':>8}{'query from':>12}{'to':>8}{'tempo':>7}{'key':>5}{'sure':>7}  file")
    for match in matches:
        times = f"{clock(match.start_s):>8}{clock(match.end_s):>8}"
        times += f"{clock(match.query_start_s):>12}{clock(match.query_end_s):>8}"
        key = f"{match.semitones:+d}" if match.semitones else "="
        doubt = " " if match.confidence >= LIKELY else "?"
        sure = f"{100 * match.confidence:5.0f} %{doubt}"
        gone = " (gone)" if match.gone else ""
        typer.echo(f"{times}{match.tempo:7.2f}{key:>5}{sure} {shown_path(match.file)}{gone}")
    if heading:
        typer.echo()
