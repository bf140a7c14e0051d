"""The report of a campaign: our figures and the paper's, as Markdown, HTML, CSV and plots.

A record is the result of one run (`results/RUN.json`). Before a campaign has finished, runs are missing and records may
be partial: the report shows the present figures and lists the missing ones. A cell without a value is "–".
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antiphon.evaluation.scores import rank_correlation
from antiphon.experiments.campaign.conditions import conditions_blocks
from antiphon.experiments.campaign.plots import Mark, draw_plots
from antiphon.experiments.campaign.results import (
    SETTINGS,
    Record,
    Results,
    S,
    evaluation_key,
    evaluations_of,
    in_order,
    interval_of,
    s_on,
    setting_text,
    setting_word,
)
from antiphon.experiments.campaign.statistics import Group, Setting, number_at, value_at
from antiphon.experiments.campaign.tables import (
    arms_table,
    changes_table,
    controls_table,
    csv_rows,
    seeds_table,
    tests_table,
    variants_table,
)
from antiphon.experiments.published import REFERENCE, published_arms
from antiphon.experiments.reporting import Block, Bullets, Heading, Paragraph, Picture, as_html, as_markdown, cell
from antiphon.io.files import atomic_file, write_text_atomic


@dataclass(frozen=True)
class CampaignFacts:
    """The facts about a campaign in its report. `name` selects the paper's figures, `question` is a paragraph.

    `corpora` are for training and `evaluated_on` for evaluation, the first of these for the headline figures.
    `finished` and `planned` are numbers of runs.
    """

    name: str
    title: str
    question: str
    preset: str
    corpora: tuple[str, ...]
    evaluated_on: tuple[str, ...]
    finished: int
    planned: int


def write_report(folder: Path, campaign: CampaignFacts, records: list[Record]) -> None:
    """Write report.md, report.html, report.csv and plots/*.png. The order of the records does not matter."""
    folder.mkdir(parents=True, exist_ok=True)
    results = Results(campaign.name, records)
    marks = [mark for group in results.everything if (mark := _mark(results, group)) is not None]
    levels = (number_at(record, "evaluations", 0, "chance", "R@10") for record in results.records)
    pictures = draw_plots(folder, marks, next((level for level in levels if level is not None), None))
    blocks = _blocks(campaign, results, pictures, conditions_blocks(results, folder))
    for name, text in (
        ("report.md", as_markdown(campaign.title, blocks)),
        ("report.html", as_html(campaign.title, blocks, folder)),
    ):
        write_text_atomic(folder / name, text)
    with atomic_file(folder / "report.csv") as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(csv_rows(results))


def _mark(results: Results, group: Group) -> Mark | None:
    """The mark of a group in the plots; None without a score."""
    s, found = group.mean(*S), results.paper(group)
    if s is None:
        return None
    reference = group.arm == REFERENCE and not group.is_init_run
    paper = None if found is None else found.s
    return Mark(results.label(group), s, interval_of(group), group.values(*S), paper, reference)


def _blocks(
    facts: CampaignFacts, results: Results, pictures: Sequence[Picture], conditions: Sequence[Block]
) -> list[Block]:
    """All blocks of the report, in order."""
    progress = f"{facts.finished} of {facts.planned} runs are finished."
    if facts.finished != len(results.records):
        progress += f" Records exist of {len(results.records)} runs."
    parts: list[Block] = [Paragraph(facts.question), Paragraph(progress)]
    if results.records:
        parts += [Heading("Arms"), arms_table(results), _notes(results), *pictures]
    parts += [*conditions, *_agreement(results), *_controls(results), *_variants(results), *_seeds(results)]
    return [*parts, *_missing(facts, results), *_origin(facts, results)]


def _notes(results: Results) -> Paragraph:
    """Notes on reading the table of arms."""
    text = [
        "S is the worse direction's recall at 10, in percent. One run has its 95 % interval over pieces, several seeds"
        " have mean ± standard deviation; all other figures are means over seeds. D0, without descriptors, is marked."
        " Gains are over the D0 of the same setting, in percentage points."
    ]
    figures = [(group.setting.epochs, found) for group in results.groups if (found := results.paper(group))]
    if any(found.campaign != results.campaign for _, found in figures):
        text.append("A figure of the paper with a section number is from another of its campaigns, of the same length.")
    lengths = {(ours, found.epochs) for ours, found in figures if ours and found.epochs and ours != found.epochs}
    if lengths:
        pairs = (f"{ours} here for {theirs} in the paper" for ours, theirs in sorted(lengths))
        text.append(f"Epochs differ from the paper's: {', '.join(pairs)}.")
    chances = {
        f"R@10 {cell(number_at(e, 'chance', 'R@10'))} %, R@1 {cell(number_at(e, 'chance', 'R@1'), 2)} % on "
        + results.key_text(evaluation_key(e))
        for e in results.evaluations
        if number_at(e, "chance", "R@10") is not None
    }
    text.append(f"Chance level: {'; '.join(sorted(chances)) or '–'}.")
    return Paragraph(" ".join(text))


def _agreement(results: Results) -> list[Block]:
    """Rank correlation of our S and the paper's."""
    pairs: dict[Setting, list[tuple[float, float]]] = {}
    for group in results.groups:
        s, found = group.mean(*S), results.paper(group)
        if s is not None and found is not None:
            pairs.setdefault(group.setting, []).append((s, found.s))
    if not pairs:
        return []
    lines = []
    for setting, both in pairs.items():
        within = ", ".join(setting_word(setting, name) for name in results.varying)
        rho = rank_correlation([ours for ours, _ in both], [theirs for _, theirs in both])
        lines.append(f"{within + ': ' if within else ''}ρ = {cell(rho, 2)} (n = {len(both)})")
    text = "Spearman's rank correlation of our S and the paper's, over the arms with both (at least three)."
    return [Heading("Agreement with the paper"), Paragraph(text), Bullets(lines)]


def _controls(results: Results) -> list[Block]:
    table = controls_table(results)
    if table is None:
        return []
    text = "Loss of S when d4a4 is trained with uninformative descriptors (paper §7)."
    return [Heading("Uninformative descriptors of the same size"), Paragraph(text), table]


def _variants(results: Results) -> list[Block]:
    tables = {
        "Change of each arm by each variant, over the unchanged arm, in percentage points.": changes_table(results),
        "Gain of each arm over the D0 of the same variant, in percentage points of S.": variants_table(results),
    }
    blocks = [block for text, table in tables.items() if table is not None for block in (Paragraph(text), table)]
    return [Heading("Variants"), *blocks] if blocks else []


def _seeds(results: Results) -> list[Block]:
    """The tests of every arm against D0 over seeds, and S of every run."""
    if not results.repeated:
        return []
    tests: list[Block] = [Paragraph("No test yet: a test needs two seeds of D0 and two of another arm in one setting.")]
    if (table := tests_table(results)) is not None:
        text = (
            "Every arm against D0: difference of means with its bootstrap interval (10 000 resamples of the seeds),"
            " Welch's two-sided t-test, p also adjusted by Holm's method over the rows of this table, Cohen's d."
        )
        tests = [Paragraph(text), table]
    return [Heading("Seeds"), *tests, Paragraph("S of every run."), seeds_table(results)]


def _missing(facts: CampaignFacts, results: Results) -> list[Block]:
    """Runs, figures and arms that are missing."""
    items = []
    if facts.finished < facts.planned:
        items.append(f"Unfinished runs: {facts.planned - facts.finished} of {facts.planned}.")
    for figure, path in (("score", S), ("training figures", ("training", "segments_per_second"))):
        items += _without(figure, [record for record in results.records if number_at(record, *path) is None])
    for key in results.further:
        text = f"score on {results.key_text(key)}"
        items += _without(text, [record for record in results.records if s_on(record, key) is None])
    first = {evaluation_key(found[0]) for record in results.records if (found := evaluations_of(record))}
    if len(first) > 1:
        names = "; ".join(sorted(map(results.key_text, first)))
        items.append(f"The headline figures are of different evaluations and cannot be compared: {names}.")
    here = {group.arm.lower() for group in results.groups}
    absent = [arm for arm in published_arms(facts.name) if arm.lower() not in here]
    if absent:
        items.append(f"Arms of the paper's table without a run: {', '.join(absent)}.")
    return [Heading("Missing"), Bullets(items)] if items else []


def _without(figure: str, records: Sequence[Record]) -> list[str]:
    names = ", ".join(str(record.get("run") or record.get("arm") or "?") for record in records)
    return [f"Runs without {figure}: {names}."] if names else []


def _origin(facts: CampaignFacts, results: Results) -> list[Block]:
    """Data, settings and code behind the figures."""
    items = [
        f"Preset {facts.preset}; trained on {', '.join(facts.corpora) or '–'}.",
        f"Evaluated on {', '.join(facts.evaluated_on) or '–'}; the first gives the headline figures.",
    ]
    if results.groups:
        fixed = [name for name in SETTINGS if name not in (*results.varying, "preset")]
        same = (f"{SETTINGS[name]} {setting_text(results.groups[0].setting, name)}" for name in fixed)
        items.append(f"Equal for every arm: {', '.join(same) or '–'}.")
    for title, name in (("Steps of a run", "steps"), ("Windows of a run", "segments"), ("Device", "device")):
        if found := _listed(value_at(record, "training", name) for record in results.records):
            items.append(f"{title}: {found}.")
    for key in dict.fromkeys(map(evaluation_key, results.evaluations)):
        parts = [part for part in key if part]
        for unit, name in (("recordings", "recordings"), ("queries", "queries"), ("candidates each", "pool_size")):
            counts = {cell(number_at(e, name), 0) for e in results.evaluations if evaluation_key(e) == key} - {"–"}
            parts += [f"{' or '.join(sorted(counts))} {unit}"] if counts else []
        items.append(f"Evaluation: {', '.join(parts)}.")
    items.append(f"Seeds: {_listed(record.get('seed') for record in results.records) or '–'}.")
    parts_with_code = [*(record.get("training") for record in results.records), *results.evaluations]
    items.append(f"Code, by commit: {_listed(value_at(part, 'code', 'commit') for part in parts_with_code) or '–'}.")
    items.append(
        "The paper (arXiv 2604.10283) trained 74–79 M parameters on MAESTRO's own recordings. With another preset"
        " or other audio, compare the order of the arms and their gains, not levels of S."
    )
    items.append("The figures of every run are in report.csv.")
    return [Heading("Data, settings and code"), Bullets(items)]


def _listed(values: Iterable[Any]) -> str:
    found = {value for value in values if isinstance(value, str | int | float)}
    return ", ".join(map(str, sorted(found, key=in_order)))
