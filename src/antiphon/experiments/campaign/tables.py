"""The tables of a campaign's report, and the rows of its CSV file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from antiphon.experiments.campaign.results import (
    SETTINGS,
    UNCHANGED,
    EvaluationKey,
    Results,
    S,
    arm_name,
    difference,
    in_order,
    interval_of,
    s_on,
    setting_text,
)
from antiphon.experiments.campaign.statistics import Group, compare, holm, number_at, sample_sd, value_at
from antiphon.experiments.published import CONTROLS, REFERENCE
from antiphon.experiments.reporting import Table, cell

_WAYS = {"a2m": "audio→notes", "m2a": "notes→audio"}
_DESCRIPTORS = {"d4a4": "real", "d4a4-zero": "zeros", "d4a4-noise": "random", "d4a4-shuffle": "shuffled"}


def arms_table(results: Results) -> Table:
    """One row for each group, best first; D0 is marked."""
    columns = ["arm", *(SETTINGS[name] for name in results.varying), "seeds", "S", "S in the paper"]
    columns += ["to D0", "to D0 in the paper", *(f"R@1 {way}" for way in _WAYS.values())]
    columns += [*(f"MRR {way}" for way in _WAYS.values())]
    columns += [*(f"S on {results.key_text(key)}" for key in results.further), "trainable parameters", "segments/s"]
    rows = []
    for group in results.everything:
        scored, runs = len(group.values(*S)), len(group.records)
        rows.append(
            [
                arm_name(group),
                *(setting_text(group.setting, name) for name in results.varying),
                str(runs) if scored == runs else f"{scored} of {runs}",
                _score(group),
                _paper_score(results, group),
                cell(results.gain(group), signed=True),
                cell(results.paper_gain(group), signed=True),
                *(cell(group.mean("evaluations", 0, way, "R@1")) for way in _WAYS),
                *(cell(group.mean("evaluations", 0, way, "MRR"), 3) for way in _WAYS),
                *(_further_score(group, key) for key in results.further),
                cell(group.mean("training", "parameters", "trainable"), 0),
                cell(group.mean("training", "segments_per_second")),
            ]
        )
    marked = (n for n, group in enumerate(results.everything) if group.arm == REFERENCE and not group.is_init_run)
    return Table(columns, rows, frozenset(marked))


def controls_table(results: Results) -> Table | None:
    """Real descriptors against uninformative ones of the same size; None without a run with uninformative ones."""
    found = {(group.arm.lower(), group.setting): group for group in results.groups}
    settings = dict.fromkeys(setting for arm, setting in found if arm in CONTROLS and arm != "d4a4")
    rows = []
    for setting in settings:
        real = found.get(("d4a4", setting))
        base = None if real is None else real.mean(*S)
        for arm, descriptors in _DESCRIPTORS.items():
            group = found.get((arm, setting))
            s = None if group is None else group.mean(*S)
            change = None if s is None or base is None or arm == "d4a4" else s - base
            paper_change = None if arm == "d4a4" else CONTROLS[arm] - CONTROLS["d4a4"]
            row = [arm, *(setting_text(setting, name) for name in results.varying), descriptors]
            row += ["–" if group is None else _score(group), cell(CONTROLS[arm])]
            rows.append([*row, cell(change, signed=True), cell(paper_change, signed=True)])
    columns = ["arm", *(SETTINGS[name] for name in results.varying), "descriptors", "S", "S in the paper"]
    return Table([*columns, "to real", "to real in the paper"], rows) if rows else None


def changes_table(results: Results) -> Table | None:
    """The change of each arm by each variant, over the same arm unchanged; None without variants."""
    scores: dict[str, tuple[str | int, ...]] = {"S": S}
    scores |= {f"R@1 {title}": ("evaluations", 0, way, "R@1") for way, title in _WAYS.items()}
    rows = []
    for group in results.groups:
        if (plain := results.unchanged(group)) is not None:
            changes = (cell(difference(group, plain, *path), signed=True) for path in scores.values())
            rows.append([results.label(group), *changes])
    return Table(["arm", *scores], rows) if rows else None


def variants_table(results: Results) -> Table | None:
    """The gain of each arm over D0 within each variant; None where D0 is the only arm of every variant."""
    members: dict[str, dict[str | None, Group]] = {}
    for group in results.groups:
        if group.arm != REFERENCE:
            members.setdefault(results.label(group, without="variant"), {})[group.setting.variant] = group
    found = {name for by_variant in members.values() for name in by_variant}
    names = sorted(found, key=lambda name: (name is not None, str(name)))
    if not any(names):
        return None
    rows = []
    for label, by_variant in members.items():
        gains = [results.gain(by_variant[name]) if name in by_variant else None for name in names]
        in_paper = results.paper_gain(next(iter(by_variant.values())))
        rows.append([label, *(cell(gain, signed=True) for gain in [*gains, in_paper])])
    return Table(["arm", *(name or UNCHANGED for name in names), "in the paper"], rows)


def tests_table(results: Results) -> Table | None:
    """The tests of every arm against D0 over seeds; None before an arm and its D0 have two seeds each."""
    tests = []
    for group in results.repeated:
        reference = results.reference(group)
        if reference is not None and reference is not group and reference in results.repeated:
            tests.append((group, compare(group.values(*S), reference.values(*S))))
    adjusted = iter(holm([c.p for _, c in tests if not math.isnan(c.p)]))
    rows = []
    for group, c in tests:
        low, high = (cell(end, signed=True) for end in c.interval)
        row = [results.label(group), f"{c.n_a} and {c.n_b}", f"{c.mean_a:.1f} ± {c.sd_a:.1f}"]
        row += [f"{c.mean_b:.1f} ± {c.sd_b:.1f}", cell(c.difference, signed=True), f"{low} to {high}"]
        row += [cell(results.paper_gain(group), signed=True), cell(c.t, 2), cell(c.df), p_text(c.p)]
        rows.append([*row, p_text(c.p if math.isnan(c.p) else next(adjusted)), cell(c.cohens_d, 2)])
    columns = ["arm", "seeds", "S", "S of D0", "difference", "95 % bootstrap", "difference in the paper"]
    return Table([*columns, "Welch's t", "df", "p", "p, Holm", "Cohen's d"], rows) if rows else None


def seeds_table(results: Results) -> Table:
    """S of every run, for the groups with several runs."""
    groups = results.repeated
    seeds = sorted({record.get("seed") for group in groups for record in group.records}, key=in_order)
    rows = [[results.label(group), *(_s_of_seed(group, seed) for seed in seeds), _score(group)] for group in groups]
    return Table(["arm", *(f"seed {seed}" for seed in seeds), "mean ± sd"], rows)


def csv_rows(results: Results) -> Iterator[list[Any]]:
    """A header and one row for each run. A missing value is empty."""
    settings = ("run", "arm", "variant", "seed", "schedule", "epochs", "preset", "init_from")
    first: dict[str, tuple[str | int, ...]] = {name: (name,) for name in ("corpus", "split", "protocol", "S")}
    first |= {f"S_{end}": ("intervals_95", "pieces", "S", index) for index, end in enumerate(("low", "high"))}
    first |= {f"{way}_{score}": (way, score) for way in _WAYS for score in ("R@1", "R@5", "R@10", "R@20", "MRR")}
    first |= {"chance_R@10": ("chance", "R@10")}
    training: dict[str, tuple[str | int, ...]] = {
        name: (name,) for name in ("steps", "segments", "seconds", "segments_per_second")
    }
    training |= {f"parameters_{name}": ("parameters", name) for name in ("total", "trainable")}
    further = (f"S on {', '.join(part for part in key if part)}" for key in results.further)
    yield ["campaign", *settings, *first, *further, *training]
    for record in results.records:
        yield [
            record.get("campaign", results.campaign),
            *(record.get(name) for name in settings),
            *(value_at(record, "evaluations", 0, *path) for path in first.values()),
            *(s_on(record, key) for key in results.further),
            *(value_at(record, "training", *path) for path in training.values()),
        ]


def _score(group: Group) -> str:
    """S with its standard deviation over seeds, or with its interval over pieces."""
    values, interval = group.values(*S), interval_of(group)
    brackets = f" [{cell(interval[0])}, {cell(interval[1])}]" if interval is not None and len(values) == 1 else ""
    return _mean_and_sd(values) + brackets


def _paper_score(results: Results, group: Group) -> str:
    """The paper's S, with its schedule or section where these differ from the group's."""
    figure = results.paper(group)
    if figure is None:
        return "–"
    other_schedule = figure.schedule is not None and figure.schedule != group.setting.schedule
    remarks = [str(figure.schedule)] * other_schedule + [figure.section] * (figure.campaign != results.campaign)
    sd = "" if figure.sd is None else f" ± {figure.sd:.1f}"
    return f"{figure.s:.1f}{sd}" + (f" ({', '.join(remarks)})" if remarks else "")


def _further_score(group: Group, key: EvaluationKey) -> str:
    return _mean_and_sd([s for record in group.records if (s := s_on(record, key)) is not None])


def _s_of_seed(group: Group, seed: Any) -> str:
    found = (number_at(record, *S) for record in group.records if record.get("seed") == seed)
    return ", ".join(cell(s) for s in found if s is not None) or "–"


def _mean_and_sd(values: Sequence[float]) -> str:
    """The mean, with ± standard deviation for several values."""
    sd = f" ± {sample_sd(values):.1f}" if len(values) > 1 else ""
    return cell(float(np.mean(values)) if values else None) + sd


def p_text(p: float) -> str:
    """A p-value in a table; "–" where it is undefined."""
    return "< 0.001" if p < 0.001 else cell(p, 3)
