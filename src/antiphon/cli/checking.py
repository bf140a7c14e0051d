"""The command that audits a data set: check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import antiphon
from antiphon.checks import SECONDS, check_not_input
from antiphon.cli.shared import (
    AudioOption,
    CorpusArgument,
    CsvOption,
    JsonOption,
    SplitOption,
    TableOption,
    app,
    check_one_form,
    check_table_name,
    give_table,
    output_folder,
    report_unused,
    within,
)

if TYPE_CHECKING:
    from antiphon import CheckReport


@app.command()
def check(
    corpus: CorpusArgument,
    audio: AudioOption = None,
    split: SplitOption = None,
    max_offset_ms: Annotated[
        float, typer.Option(help="offset from the corpus's median that is accepted", callback=within(SECONDS))
    ] = 20.0,
    max_drift_ppm: Annotated[
        float, typer.Option(help="drift between the clocks that is accepted", callback=within(SECONDS))
    ] = 50.0,
    partners: Annotated[
        bool, typer.Option("--partners/--no-partners", help="search the right notes of a recording with wrong ones")
    ] = True,
    pictures: Annotated[
        Path | None,
        typer.Option("--pictures", metavar="DIR", help="draw each suspect there as PNG", callback=output_folder),
    ] = None,
    out: TableOption = None,
    fail: Annotated[bool, typer.Option("--fail", help="exit code 1 when there are suspects or skipped files")] = False,
    csv_: CsvOption = False,
    json_: JsonOption = False,
) -> None:
    """Audit pairs of recordings and notes: offset, clock drift, cuts, wrong partners, notes that are not played.

    Example: antiphon check recordings-and-notes/ --csv --out check.csv --pictures suspects
    """
    check_one_form(csv_, json_)
    opened = antiphon.open_corpus(corpus, audio=audio, split=split)
    if out is not None:
        check_not_input(out, [path for one in opened.recordings for path in (one.notes_path, one.audio_path) if path])
    check_table_name(out, csv_, json_)
    report = antiphon.check(
        opened,
        max_offset_ms=max_offset_ms,
        max_drift_ppm=max_drift_ppm,
        partners=partners,
    )
    report_unused(report.skipped, report.warnings, report.left_out)
    give_table(report, report.summary, lambda: _as_text(report), out, csv_, json_)
    if pictures is not None:
        report.write_pictures(pictures)
    if fail and (report.suspects or report.skipped):
        raise typer.Exit(1)


def _as_text(report: CheckReport) -> str:
    lines = [f"{'offset ms':>14}{'drift ppm':>14}{'played %':>9}{'written %':>11}{'lost s':>8}  pair"]
    for pair in report:
        row = pair.as_dict(report.norms)
        cells = f"{_plus_minus(row, 'offset', 'ms'):>14}{_plus_minus(row, 'drift', 'ppm'):>14}"
        cells += f"{_percent(row['played']):>9}{_percent(row['written']):>11}{row['lost_s']:8.1f}"
        clock = "; another clock (a score?): offset, drift and cuts are not judged" if pair.clock == "other" else ""
        lines.append(f"{cells}  {pair.id}: {row['verdict']}{clock}")
        indent = " " * 58
        lines += [f"{indent}{finding.kind}: {finding.text}" for finding in pair.findings]
        if pair.partner is not None:
            lines.append(f"{indent}its notes are {pair.partner.file}")
    norms = report.norms
    if norms.offset_ms == norms.offset_ms:  # NaN differs from itself
        lines.append(f"median offset {norms.offset_ms:+.1f} ms, of which the method's own bias is -15 to +25 ms")
    return "\n".join([*lines, report.summary])


def _plus_minus(row: dict[str, float | None], name: str, unit: str) -> str:
    value, error = row[f"{name}_{unit}"], row[f"{name}_error_{unit}"]
    return "–" if value is None or error is None else f"{value:+.1f} ± {error:.1f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f}"
