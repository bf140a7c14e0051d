"""Robustness: the loss of S when one modality is changed (paper §7).

Notes are transposed by semitones and by octaves, their velocities are scaled, white noise is added to the audio, and
the audio is shifted in time; nothing is trained again. The paper leaves some details open. Here notes that are
transposed out of 0–127 are left out; velocities are rounded and clamped to 1–127; the level of noise is set for each
window, and the sum is not clipped; a positive shift delays the audio within its window, and the notes stay. In addition
to the paper: the whole file of notes is played slower or faster than the recording, and its windows begin at the same
musical moments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from matplotlib.figure import Figure

from antiphon.experiments.analysis import Analysis, AnalysisResult, ModelUnderTest
from antiphon.experiments.analysis.conditions import Condition, ConditionedScores, embed_conditions, score_conditions
from antiphon.experiments.analysis.drawing import ARM_COLOURS, OURS, Curve, curves, new_figure
from antiphon.experiments.analysis.text import as_table, paper_row
from antiphon.experiments.published import NOISE, OCTAVES, SCORES, TIME_SHIFT, TRANSPOSITION, VELOCITY
from antiphon.experiments.reporting import cell
from antiphon.models.batch import NoteBatch

PAPER_ARMS = ("D0", "d4a4", "a4r")
"""The arms with curves in the paper."""


def transposed(notes: NoteBatch, semitones: int) -> NoteBatch:
    """Every pitch raised. Notes that leave 0–127 are removed, and later notes move up in their place."""
    pitch = notes.pitch + semitones
    padding = notes.padding | (pitch < 0) | (pitch > 127)
    order = torch.argsort(padding.to(torch.int8), dim=1, stable=True)
    moved = replace(notes, pitch=pitch, padding=padding)
    columns = {field.name: getattr(moved, field.name).gather(1, order) for field in fields(NoteBatch)}
    filled = {name: values.masked_fill(columns["padding"], 0) for name, values in columns.items()}
    return NoteBatch(**{**filled, "padding": columns["padding"]})


def with_velocity(notes: NoteBatch, factor: float) -> NoteBatch:
    """Every velocity times `factor`, rounded, at least 1 and at most 127."""
    scaled = (notes.velocity * factor).round().clamp(1, 127).to(notes.velocity.dtype)
    return replace(notes, velocity=scaled.masked_fill(notes.padding, 0))


def with_noise(audio: torch.Tensor, snr_db: float, generator: torch.Generator) -> torch.Tensor:
    """White Gaussian noise added to each window [B, S], at `snr_db` below the window's own mean power.

    Silence stays silence. SNR = 10·log10(mean square of the window / mean square of the noise).
    """
    power = audio.square().mean(dim=1, keepdim=True)
    noise = torch.randn(audio.shape, generator=generator, device=audio.device, dtype=audio.dtype)
    return audio + noise * (power / 10 ** (snr_db / 10)).sqrt()


def shifted(audio: torch.Tensor, samples: int) -> torch.Tensor:
    """Each window [B, S] delayed by `samples` (negative: advanced). Samples shifted in are zero."""
    moved = torch.zeros_like(audio)
    if samples >= 0:
        moved[:, samples:] = audio[:, : audio.shape[1] - samples]
    else:
        moved[:, :samples] = audio[:, -samples:]
    return moved


@dataclass(frozen=True)
class Sweep:
    """One curve: S by the amount of a change. `intact` is the amount without a change.

    `change` returns the condition for a name and an amount. `paper` is the paper's S by arm and amount.
    """

    name: str
    title: str
    unit: str
    amounts: tuple[float, ...]
    intact: float
    change: Callable[[str, float], Condition]
    paper: Mapping[str, Mapping[float, float]]

    def condition_name(self, amount: float) -> str:
        """The name of the condition, such as `velocity 0.8`."""
        return f"{self.name} {amount:g}"

    def conditions(self) -> list[Condition]:
        """One condition for each amount except `intact`."""
        return [self.change(self.condition_name(one), one) for one in self.amounts if one != self.intact]

    def paper_curve(self, arm: str) -> dict[float, float]:
        """The paper's S at each of its amounts for an arm, and without a change; empty where it has none."""
        curve = dict(paper_row(self.paper, arm) or {})
        if curve and arm in SCORES:
            curve.setdefault(self.intact, SCORES[arm].s)
        return {amount: curve[amount] for amount in sorted(curve)}


def _transpose(name: str, semitones: float) -> Condition:
    return Condition(name, "notes", lambda batch, _: replace(batch, notes=transposed(batch.notes, round(semitones))))


def _scale_velocity(name: str, factor: float) -> Condition:
    return Condition(name, "notes", lambda batch, _: replace(batch, notes=with_velocity(batch.notes, factor)))


def _play(name: str, tempo: float) -> Condition:
    return Condition(name, "notes", tempo=tempo)


def _add_noise(name: str, snr_db: float) -> Condition:
    return Condition(
        name, "audio", lambda batch, generator: replace(batch, audio=with_noise(batch.audio, snr_db, generator))
    )


def _shift(name: str, samples: float) -> Condition:
    return Condition(name, "audio", lambda batch, _: replace(batch, audio=shifted(batch.audio, round(samples))))


CLEAN_DB = 50.0
"""Position of audio without noise on the axis of SNR."""

SWEEPS = (
    Sweep("transposition", "Notes transposed", "semitones", (-6, -3, -1, 0, 1, 3, 6), 0, _transpose, TRANSPOSITION),
    Sweep("octaves", "Notes transposed by octaves", "semitones", (-24, -12, 0, 12, 24), 0, _transpose, OCTAVES),
    Sweep("velocity", "Velocities scaled", "factor", (0.5, 0.8, 1.0, 1.2, 1.5), 1.0, _scale_velocity, VELOCITY),
    Sweep("speed", "Notes played slower or faster", "factor", (0.9, 0.95, 1.0, 1.05, 1.1), 1.0, _play, {}),
    Sweep("noise", "White noise in the audio", "SNR, dB", (CLEAN_DB, 40, 30, 20, 10, 5), CLEAN_DB, _add_noise, NOISE),
    Sweep("shift", "Audio shifted, filled with zeros", "samples", (-8000, -4000, 0, 4000, 8000), 0, _shift, TIME_SHIFT),
)


def _run(tested: ModelUnderTest) -> AnalysisResult:
    segments = embed_conditions(tested, [condition for sweep in SWEEPS for condition in sweep.conditions()])
    scores = score_conditions(segments, tested.seed)
    rows = [_row(sweep, amount, scores) for sweep in SWEEPS for amount in sweep.amounts]
    facts = segments.facts() | {"chance": scores.chance, "curves": rows}
    return AnalysisResult(facts, rows, _draw(tested, rows, scores.chance), _summary(tested, facts, rows))


def _row(sweep: Sweep, amount: float, scores: ConditionedScores) -> dict[str, Any]:
    intact = amount == sweep.intact
    score = scores.intact if intact else scores.under[sweep.condition_name(amount)]
    paper = {f"paper_{arm}": sweep.paper_curve(arm).get(amount) for arm in PAPER_ARMS}
    shown = "clean" if intact and sweep.name == "noise" else f"{amount:g}"
    return {"change": sweep.name, "amount": shown, "unit": sweep.unit} | score.row() | paper


def _of(rows: Sequence[Mapping[str, Any]], sweep: Sweep) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["change"] == sweep.name]


def _draw(tested: ModelUnderTest, rows: Sequence[Mapping[str, Any]], chance: float) -> Figure:
    title = f"{tested.name}: S when one modality is changed, at inference; bands: 95 % over pieces"
    figure = new_figure(title, 12, 7.2)
    for axes, sweep in zip(figure.subplots(2, 3).flat, SWEEPS, strict=True):
        found = _of(rows, sweep)
        lines = [
            Curve(f"paper, {arm}", list(curve), list(curve.values()), from_paper=True, colour=ARM_COLOURS[arm])
            for arm in PAPER_ARMS
            if (curve := sweep.paper_curve(arm))
        ]
        band = [(row["low"], row["high"]) for row in found]
        lines.append(Curve(f"here, {tested.arm}", sweep.amounts, [row["S"] for row in found], band, colour=OURS))
        curves(axes, lines, sweep.title, sweep.unit, "S, %")
        axes.axhline(chance, color="black", linewidth=0.9, linestyle=":", label="chance here")
        axes.set_ylim(0, 100)
        axes.set_xticks(sweep.amounts, [row["amount"] for row in found])
        if sweep.name == "noise":
            axes.invert_xaxis()  # from clean to noisy
    named = {
        label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=len(named), frameon=False)
    return figure


def _summary(tested: ModelUnderTest, facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    table = as_table(
        ["change", "amount", "S", "95 % over pieces", "change of S", *(f"paper {arm}" for arm in PAPER_ARMS)],
        [
            [
                row["change"],
                row["amount"],
                cell(row["S"]),
                f"{cell(row['low'])} to {cell(row['high'])}",
                cell(row["difference"], signed=True),
                *(cell(row[f"paper_{arm}"]) for arm in PAPER_ARMS),
            ]
            for row in rows
        ],
    )
    return (
        f"S in percent, protocol `paper`, {facts['windows']} windows of {facts['recordings']} recordings; a random "
        f"order has {facts['chance']:.1f}. Notes are transposed in semitones (those that leave 0–127 are left out); "
        "velocities are multiplied (clamped to 1–127); speed is a multiple of the recording's, without figures in the "
        "paper; noise is white, at the SNR in dB; shifts are in samples at "
        f"{tested.model.config.sizes.sample_rate_hz} Hz, positive ones later. The paper's models are larger and "
        f"trained on other data: compare the shapes of the curves.\n\n{table}"
    )


ANALYSIS = Analysis(
    "robustness", "How much does S fall when one modality is transposed, scaled, played faster, noisy or shifted?", _run
)
