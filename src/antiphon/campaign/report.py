"""The report of a campaign: our figures beside the paper's, as Markdown, HTML, CSV and plots.

A record is what a run leaves behind (`results/RUN.json`). While a campaign goes on, runs are missing and records may
be partial; the report shows what is there and says what is not. A cell without a value is "–".
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.campaign.html import Block, Bullets, Heading, Paragraph, Picture, Table, as_html, as_markdown, cell
from antiphon.campaign.plots import Mark, draw_plots
from antiphon.campaign.published import (
    CONTROLS,
    FOUNDATION_S,
    REFERENCE,
    Published,
    published,
    published_arms,
    published_gain,
)
from antiphon.campaign.statistics import (
    Group,
    Setting,
    compare,
    group_runs,
    holm,
    number_at,
    rank_correlation,
    sample_sd,
    value_at,
)
from antiphon.files import written_aside

Record = dict[str, Any]
_S = ("evaluations", 0, "S")
_AS_PUBLISHED = "as published"
_WAYS = {"a2m": "audio→notes", "m2a": "notes→audio"}
_SETTINGS = {
    "variant": "variant",
    "schedule": "schedule",
    "epochs": "epochs",
    "preset": "preset",
    "from_foundation": "start",
}
_DESCRIPTORS = {"d4a4": "real", "d4a4-zero": "zeros", "d4a4-noise": "random", "d4a4-shuffle": "shuffled"}


@dataclass(frozen=True)
class CampaignFacts:
    """What a report says of its campaign; `name` finds the paper's figures, `question` is a paragraph.

    `corpora` are trained on; `evaluated_on` are scored, the first of them for the headline figures. `finished` and
    `planned` count runs.
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
    """Write report.md, report.html, report.csv and plots/*.png; the same records in any order give the same files."""
    folder.mkdir(parents=True, exist_ok=True)
    report = _Report(campaign, records)
    marks = [mark for group in report.everything if (mark := report.mark(group)) is not None]
    levels = (number_at(record, "evaluations", 0, "chance", "R@10") for record in report.records)
    blocks = report.blocks(draw_plots(folder, marks, next((level for level in levels if level is not None), None)))
    for name, text in (
        ("report.md", as_markdown(campaign.title, blocks)),
        ("report.html", as_html(campaign.title, blocks, folder)),
    ):
        with written_aside(folder / name) as aside:
            aside.write_text(text, encoding="utf-8")
    with written_aside(folder / "report.csv") as aside, aside.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(report.csv_rows())


class _Report:
    """The parts of one report, from its records."""

    def __init__(self, campaign: CampaignFacts, records: list[Record]) -> None:
        self.campaign = campaign
        self.records = sorted(records, key=lambda r: [str(r.get(key)) for key in ("arm", "variant", "seed", "run")])
        self.everything = group_runs(self.records)
        self.everything.sort(key=lambda group: (group.mean(*_S) is None, -(group.mean(*_S) or 0.0)))
        self.evaluations = [evaluation for record in self.records for evaluation in _evaluations(record)]
        self.groups = [group for group in self.everything if not group.is_foundation]

    @cached_property
    def varying(self) -> list[str]:
        """The settings in which groups differ: they get a column, the others a sentence."""
        settings = {group.setting for group in self.groups if group.setting.epochs is not None}
        return [name for name in _SETTINGS if len({getattr(setting, name) for setting in settings}) > 1]

    @cached_property
    def further(self) -> list[tuple[str, str, str]]:
        """Corpus, split and protocol of every evaluation after a record's first."""
        return list(dict.fromkeys(_key(e) for record in self.records for e in _evaluations(record)[1:]))

    def key_text(self, key: tuple[str, str, str]) -> str:
        """A corpus with its split, and with the protocol where there are several."""
        protocols = {_key(e)[2] for e in self.evaluations}
        corpus, split, protocol = key
        return ", ".join(part for part in (corpus, split, protocol if len(protocols) > 1 else "") if part)

    def reference(self, group: Group) -> Group | None:
        """D0 in the same setting."""
        return next((g for g in self.groups if g.arm == REFERENCE and g.setting == group.setting), None)

    def gain(self, group: Group) -> float | None:
        """What an arm gains over D0 here; none for D0 itself and for the foundation."""
        reference, s = self.reference(group), group.mean(*_S)
        base = None if reference is None else reference.mean(*_S)
        return None if s is None or base is None or group.is_foundation or group is reference else s - base

    def paper(self, group: Group) -> Published | None:
        """The paper's figure for a group; variants are not the paper's."""
        one = group.setting
        if group.is_foundation:
            return Published(FOUNDATION_S, "screening", None, None) if self.campaign.name == "screening" else None
        if one.variant is not None:
            return None
        return published(self.campaign.name, group.arm, one.schedule, one.epochs, one.from_foundation)

    def paper_gain(self, group: Group) -> float | None:
        """What the arm gains over D0 in the paper, whatever the variant."""
        one = group.setting
        if group.is_foundation or group.arm == REFERENCE:
            return None
        return published_gain(self.campaign.name, group.arm, one.schedule, one.epochs, one.from_foundation)

    def paper_text(self, group: Group) -> str:
        """The paper's S, with its schedule or section where these are not the group's own."""
        figure = self.paper(group)
        if figure is None:
            return "–"
        other_schedule = figure.schedule is not None and figure.schedule != group.setting.schedule
        remarks = [str(figure.schedule)] * other_schedule + [figure.section] * (figure.campaign != self.campaign.name)
        spread = "" if figure.sd is None else f" ± {figure.sd:.1f}"
        return f"{figure.s:.1f}{spread}" + (f" ({', '.join(remarks)})" if remarks else "")

    def label(self, group: Group, without: str = "") -> str:
        """An arm with what sets its group apart."""
        return " · ".join([_name(group), *(_word(group.setting, one) for one in self.varying if one != without)])

    def blocks(self, pictures: list[Picture]) -> list[Block]:
        """The whole report in order."""
        facts = self.campaign
        progress = f"{facts.finished} of {facts.planned} runs are finished."
        if facts.finished != len(self.records):
            progress += f" Records are here of {len(self.records)}."
        parts: list[Block] = [Paragraph(facts.question), Paragraph(progress)]
        if self.records:
            parts += [Heading("Arms"), self.main_table(), self.notes(), *pictures]
        sections = (self.agreement, self.controls, self.variants, self.seeds, self.missing, self.origin)
        return parts + [block for section in sections for block in section()]

    def main_table(self) -> Table:
        """One row a group, best first."""
        columns = ["arm", *(_SETTINGS[name] for name in self.varying), "seeds", "S", "S in the paper"]
        columns += ["to D0", "to D0 in the paper", *(f"R@1 {way}" for way in _WAYS.values())]
        columns += [*(f"MRR {way}" for way in _WAYS.values()), *(f"S on {self.key_text(key)}" for key in self.further)]
        columns += ["trainable parameters", "segments/s"]
        rows = []
        for group in self.everything:
            scored, runs = len(group.values(*_S)), len(group.records)
            rows.append(
                [
                    _name(group),
                    *(_text(group.setting, name) for name in self.varying),
                    str(runs) if scored == runs else f"{scored} of {runs}",
                    _score(group),
                    self.paper_text(group),
                    cell(self.gain(group), signed=True),
                    cell(self.paper_gain(group), signed=True),
                    *(cell(group.mean("evaluations", 0, way, "R@1")) for way in _WAYS),
                    *(cell(group.mean("evaluations", 0, way, "MRR"), 3) for way in _WAYS),
                    *(_further_text(group, key) for key in self.further),
                    cell(group.mean("training", "parameters", "trainable"), 0),
                    cell(group.mean("training", "segments_per_second")),
                ]
            )
        marked = (n for n, group in enumerate(self.everything) if group.arm == REFERENCE and not group.is_foundation)
        return Table(columns, rows, frozenset(marked))

    def notes(self) -> Paragraph:
        """How to read the main table."""
        text = [
            "S is the worse direction's recall at 10, in percent. Of one run it stands with its 95 % interval over"
            " pieces, of several seeds as mean ± standard deviation; everything else is a mean over seeds. D0, without"
            " descriptors, is marked; gains are over the D0 of the same setting, in percentage points."
        ]
        figures = [(group.setting.epochs, found) for group in self.groups if (found := self.paper(group))]
        if any(found.campaign != self.campaign.name for _, found in figures):
            text.append("A figure of the paper with a section is from another of its campaigns, of the same length.")
        lengths = {(ours, found.epochs) for ours, found in figures if ours and found.epochs and ours != found.epochs}
        if lengths:
            pairs = (f"{ours} here beside {theirs} there" for ours, theirs in sorted(lengths))
            text.append(f"Epochs are not the paper's: {', '.join(pairs)}.")
        chances = {
            f"R@10 {cell(number_at(e, 'chance', 'R@10'))} %, R@1 {cell(number_at(e, 'chance', 'R@1'), 2)} % on "
            + self.key_text(_key(e))
            for e in self.evaluations
            if number_at(e, "chance", "R@10") is not None
        }
        text.append(f"Chance level: {'; '.join(sorted(chances)) or '–'}.")
        return Paragraph(" ".join(text))

    def agreement(self) -> list[Block]:
        """Do arms rank here as in the paper?"""
        pairs: dict[Setting, list[tuple[float, float]]] = {}
        for group in self.groups:
            s, found = group.mean(*_S), self.paper(group)
            if s is not None and found is not None:
                pairs.setdefault(group.setting, []).append((s, found.s))
        if not pairs:
            return []
        lines = []
        for setting, both in pairs.items():
            within = ", ".join(_word(setting, name) for name in self.varying)
            rho = rank_correlation([ours for ours, _ in both], [theirs for _, theirs in both])
            lines.append(f"{within + ': ' if within else ''}ρ = {cell(rho, 2)} (n = {len(both)})")
        text = "Spearman's rank correlation of our S and the paper's, over the arms that have both (three at least)."
        return [Heading("Agreement with the paper"), Paragraph(text), Bullets(lines)]

    def controls(self) -> list[Block]:
        """Real descriptors against fake ones of the same size."""
        found = {(group.arm.lower(), group.setting): group for group in self.groups}
        settings = dict.fromkeys(setting for arm, setting in found if arm in CONTROLS and arm != "d4a4")
        rows = []
        for setting in settings:
            real = found.get(("d4a4", setting))
            base = None if real is None else real.mean(*_S)
            for arm, descriptors in _DESCRIPTORS.items():
                group = found.get((arm, setting))
                s = None if group is None else group.mean(*_S)
                lost = None if s is None or base is None or arm == "d4a4" else s - base
                lost_there = None if arm == "d4a4" else CONTROLS[arm] - CONTROLS["d4a4"]
                row = [arm, *(_text(setting, name) for name in self.varying), descriptors]
                row += ["–" if group is None else _score(group), cell(CONTROLS[arm])]
                rows.append([*row, cell(lost, signed=True), cell(lost_there, signed=True)])
        if not rows:
            return []
        columns = ["arm", *(_SETTINGS[name] for name in self.varying), "descriptors", "S", "S in the paper"]
        text = "What is lost when d4a4 is trained with descriptors that say nothing of their window (paper §7)."
        table = Table([*columns, "to real", "to real in the paper"], rows)
        return [Heading("Fake descriptors of the same size"), Paragraph(text), table]

    def variants(self) -> list[Block]:
        """What each arm gains over D0 within each variant."""
        names = sorted({group.setting.variant for group in self.groups}, key=lambda name: (name is not None, str(name)))
        if not any(names):
            return []
        members: dict[str, dict[str | None, Group]] = {}
        for group in self.groups:
            if group.arm != REFERENCE:
                members.setdefault(self.label(group, without="variant"), {})[group.setting.variant] = group
        rows = []
        for label, by_variant in members.items():
            gains = [self.gain(by_variant[name]) if name in by_variant else None for name in names]
            there = self.paper_gain(next(iter(by_variant.values())))
            rows.append([label, *(cell(gain, signed=True) for gain in [*gains, there])])
        columns = ["arm", *(name or _AS_PUBLISHED for name in names), "in the paper"]
        text = "What each arm gains over the D0 of the same variant, in percentage points of S."
        return [Heading("Variants"), Paragraph(text), Table(columns, rows)]

    def seeds(self) -> list[Block]:
        """Every arm against D0 over seeds, and every run."""
        several = [group for group in self.groups if len(group.values(*_S)) > 1]
        if not several:
            return []
        tests = []
        for group in several:
            reference = self.reference(group)
            if reference is not group and reference in several:
                tests.append((group, compare(group.values(*_S), reference.values(*_S))))
        adjusted = iter(holm([c.p for _, c in tests if not math.isnan(c.p)]))
        rows = []
        for group, c in tests:
            low, high = (cell(end, signed=True) for end in c.interval)
            row = [self.label(group), f"{c.n_a} and {c.n_b}", f"{c.mean_a:.1f} ± {c.sd_a:.1f}"]
            row += [f"{c.mean_b:.1f} ± {c.sd_b:.1f}", cell(c.difference, signed=True), f"{low} to {high}"]
            row += [cell(self.paper_gain(group), signed=True), cell(c.t, 2), cell(c.df), _p_text(c.p)]
            rows.append([*row, _p_text(c.p if math.isnan(c.p) else next(adjusted)), cell(c.cohens_d, 2)])
        columns = ["arm", "seeds", "S", "S of D0", "difference", "95 % bootstrap", "difference in the paper"]
        tested = Table([*columns, "Welch's t", "df", "p", "p, Holm", "Cohen's d"], rows)
        text = (
            "Every arm against D0: difference of the means with its bootstrap interval (10 000 resamples of the seeds),"
            " Welch's two-sided t-test, p also adjusted by Holm's method for the rows of this table, Cohen's d."
            if rows
            else "No test yet: it needs two seeds of D0 and two of another arm in one setting."
        )
        seeds = sorted({record.get("seed") for group in several for record in group.records}, key=_order)
        runs = [[self.label(group), *(_s_of_seed(group, seed) for seed in seeds), _score(group)] for group in several]
        by_seed = Table(["arm", *(f"seed {seed}" for seed in seeds), "mean ± sd"], runs)
        return [Heading("Seeds"), Paragraph(text), *([tested] if rows else []), Paragraph("S of every run."), by_seed]

    def missing(self) -> list[Block]:
        """What is not there yet, or has no figure."""
        facts, items = self.campaign, []
        if facts.finished < facts.planned:
            items.append(f"Runs that are not finished: {facts.planned - facts.finished} of {facts.planned}.")
        for what, path in (("score", _S), ("training figures", ("training", "segments_per_second"))):
            items += _without(what, [record for record in self.records if number_at(record, *path) is None])
        for key in self.further:
            text = f"score on {self.key_text(key)}"
            items += _without(text, [record for record in self.records if _s_on(record, key) is None])
        first = {_key(_evaluations(record)[0]) for record in self.records if _evaluations(record)}
        if len(first) > 1:
            names = "; ".join(sorted(map(self.key_text, first)))
            items.append(f"The headline figures are not all of one evaluation and cannot be compared: {names}.")
        here = {group.arm.lower() for group in self.groups}
        absent = [arm for arm in published_arms(facts.name) if arm.lower() not in here]
        if absent:
            items.append(f"Arms of the paper's table that are not here: {', '.join(absent)}.")
        return [Heading("What is missing"), Bullets(items)] if items else []

    def origin(self) -> list[Block]:
        """How the figures came about."""
        facts = self.campaign
        items = [
            f"Preset {facts.preset}; trained on {', '.join(facts.corpora) or '–'}.",
            f"Evaluated on {', '.join(facts.evaluated_on) or '–'}; the first gives the headline figures.",
        ]
        if self.groups:
            fixed = [name for name in _SETTINGS if name not in (*self.varying, "preset")]
            same = (f"{_SETTINGS[name]} {_text(self.groups[0].setting, name)}" for name in fixed)
            items.append(f"The same for every arm: {', '.join(same) or '–'}.")
        for what, name in (("Steps of a run", "steps"), ("Windows of a run", "segments"), ("Device", "device")):
            if found := _listed(value_at(record, "training", name) for record in self.records):
                items.append(f"{what}: {found}.")
        for key in dict.fromkeys(map(_key, self.evaluations)):
            parts = [part for part in key if part]
            for what, name in (("recordings", "recordings"), ("queries", "queries"), ("candidates each", "pool_size")):
                counts = {cell(number_at(e, name), 0) for e in self.evaluations if _key(e) == key} - {"–"}
                parts += [f"{' or '.join(sorted(counts))} {what}"] if counts else []
            items.append(f"Evaluation: {', '.join(parts)}.")
        items.append(f"Seeds: {_listed(record.get('seed') for record in self.records) or '–'}.")
        made = [*(record.get("training") for record in self.records), *self.evaluations]
        items.append(f"Code, by commit: {_listed(value_at(part, 'code', 'commit') for part in made) or '–'}.")
        items.append(
            "The paper (arXiv 2604.10283) trained 74–79 M parameters on MAESTRO's own recordings. With another preset"
            " or other sound, compare the order of the arms and what they gain, not levels of S."
        )
        items.append("Every run's figures are in report.csv.")
        return [Heading("How these figures came about"), Bullets(items)]

    def mark(self, group: Group) -> Mark | None:
        """A group as the plots show it; None without a score."""
        s, found = group.mean(*_S), self.paper(group)
        if s is None:
            return None
        reference = group.arm == REFERENCE and not group.is_foundation
        paper = None if found is None else found.s
        return Mark(self.label(group), s, _interval(group), group.values(*_S), paper, reference)

    def csv_rows(self) -> Iterable[list[Any]]:
        """A header, and one row a run; what is not there is empty."""
        told = ("run", "arm", "variant", "seed", "schedule", "epochs", "preset", "foundation")
        first: dict[str, tuple[str | int, ...]] = {name: (name,) for name in ("corpus", "split", "protocol", "S")}
        first |= {f"S_{end}": ("intervals_95", "pieces", "S", place) for place, end in enumerate(("low", "high"))}
        first |= {f"{way}_{score}": (way, score) for way in _WAYS for score in ("R@1", "R@5", "R@10", "R@20", "MRR")}
        first |= {"chance_R@10": ("chance", "R@10")}
        training: dict[str, tuple[str | int, ...]] = {
            name: (name,) for name in ("steps", "segments", "seconds", "segments_per_second")
        }
        training |= {f"parameters_{name}": ("parameters", name) for name in ("total", "trainable")}
        further = (f"S on {', '.join(part for part in key if part)}" for key in self.further)
        yield ["campaign", *told, *first, *further, *training]
        for record in self.records:
            yield [
                record.get("campaign", self.campaign.name),
                *(record.get(name) for name in told),
                *(value_at(record, "evaluations", 0, *path) for path in first.values()),
                *(_s_on(record, key) for key in self.further),
                *(value_at(record, "training", *path) for path in training.values()),
            ]


def _evaluations(record: Record) -> list[Record]:
    found = record.get("evaluations")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _key(evaluation: Record) -> tuple[str, str, str]:
    corpus, split, protocol = (str(evaluation.get(name) or "") for name in ("corpus", "split", "protocol"))
    return corpus or "?", split, protocol


def _s_on(record: Record, key: tuple[str, str, str]) -> float | None:
    """S of a record's further evaluation."""
    return next((number_at(e, "S") for e in _evaluations(record)[1:] if _key(e) == key), None)


def _further_text(group: Group, key: tuple[str, str, str]) -> str:
    return _spread([s for record in group.records if (s := _s_on(record, key)) is not None])


def _s_of_seed(group: Group, seed: Any) -> str:
    found = (number_at(record, *_S) for record in group.records if record.get("seed") == seed)
    return ", ".join(cell(s) for s in found if s is not None) or "–"


def _interval(group: Group) -> tuple[float, float] | None:
    """Mean ± standard deviation over seeds; of one run, its 95 % interval over pieces."""
    values = group.values(*_S)
    if len(values) > 1:
        mean, sd = float(np.mean(values)), sample_sd(values)
        return mean - sd, mean + sd
    low, high = (group.values("evaluations", 0, "intervals_95", "pieces", "S", end) for end in (0, 1))
    return (low[0], high[0]) if values and low and high else None


def _spread(values: Sequence[float]) -> str:
    """Mean, with ± standard deviation where there are several."""
    spread = f" ± {sample_sd(values):.1f}" if len(values) > 1 else ""
    return cell(float(np.mean(values)) if values else None) + spread


def _score(group: Group) -> str:
    """S with its spread over seeds, or with its interval over pieces."""
    values, interval = group.values(*_S), _interval(group)
    known = f" [{cell(interval[0])}, {cell(interval[1])}]" if interval is not None and len(values) == 1 else ""
    return _spread(values) + known


def _p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else cell(p, 3)


def _name(group: Group) -> str:
    return f"{group.arm} (foundation)" if group.is_foundation else group.arm


def _text(setting: Setting, name: str) -> str:
    value = getattr(setting, name)
    if name == "from_foundation":
        return "foundation" if value else "scratch"
    return (_AS_PUBLISHED if name == "variant" else "–") if value is None else str(value)


def _word(setting: Setting, name: str) -> str:
    """A setting's value where no column says what it is."""
    return f"{setting.epochs} epochs" if name == "epochs" and setting.epochs is not None else _text(setting, name)


def _without(what: str, records: Sequence[Record]) -> list[str]:
    names = ", ".join(str(record.get("run") or record.get("arm") or "?") for record in records)
    return [f"Runs without {what}: {names}."] if names else []


def _order(value: Any) -> tuple[bool, float, str]:
    """Numbers by size, then the rest by name."""
    number = isinstance(value, int | float)
    return not number, value if number else 0.0, str(value)


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(map(str, sorted({value for value in values if isinstance(value, str | int | float)}, key=_order)))
