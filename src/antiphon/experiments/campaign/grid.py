"""Grids: the runs of a campaign, as TOML. Built-in grids are in `grids/`; a path names a grid of your own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import field
from importlib import resources
from pathlib import Path

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from antiphon.errors import AntiphonError, UnknownName, UnreadableInput, look_up
from antiphon.io.definitions import read_toml, validated
from antiphon.models.arms import ARMS, Arm, arms_of
from antiphon.training.presets import Preset, find_preset, presets_of
from antiphon.training.schedules import SCHEDULES
from antiphon.training.variants import find_variant

_STRICT = ConfigDict(extra="forbid")
INIT_FROM = "init_from"


@dataclass(frozen=True, config=_STRICT)
class InitFrom:
    """The initial model of the runs: an arm that is trained first, with the seed 42."""

    arm: str
    epochs: int


@dataclass(frozen=True, config=_STRICT)
class Rows:
    """Every arm with every seed. Runs start from the grid's initial model if it has one, unless `from_scratch`."""

    arms: tuple[str, ...]
    epochs: int
    seeds: tuple[int, ...] = (42,)
    schedule: str = "cosine"
    variant: str | None = None
    from_scratch: bool = False


@dataclass(frozen=True, config=_STRICT)
class Grid:
    """The runs of a campaign and the question that they answer."""

    title: str
    question: str
    runs: tuple[Rows, ...]
    init_from: InitFrom | None = None
    arms: dict[str, Arm] = field(default_factory=dict)
    presets: dict[str, Preset] = field(default_factory=dict)

    def find_arm(self, name: str) -> Arm:
        """An arm of the grid or of the package. Raises `UnknownName`."""
        return look_up("arm", name, {**ARMS, **self.arms})

    def find_preset(self, name: str) -> Preset:
        """A preset of the grid or of the package, or one of a TOML file. Raises as `find_preset` does."""
        return self.presets[name] if name in self.presets else find_preset(name)


@dataclass(frozen=True, config=_STRICT)
class PlannedRun:
    """One training run: its name in the campaign, and the arguments of the training."""

    name: str
    arm: str
    seed: int
    epochs: int
    schedule: str = "cosine"
    variant: str | None = None
    from_init: bool = field(default=False)


def builtin_grids() -> Mapping[str, str]:
    """The grids that come with the package: name → TOML."""
    folder = resources.files("antiphon.experiments.campaign") / "grids"
    found = {entry.name.removesuffix(".toml"): entry for entry in folder.iterdir() if entry.name.endswith(".toml")}
    return {name: found[name].read_text(encoding="utf-8") for name in sorted(found)}


def load_grid(name: str) -> Grid:
    """A grid by its name or by the path of a TOML file.

    Raises `UnknownName` for an unknown grid, arm, schedule or variant, and `UnreadableInput` for a file that is not a
    grid.
    """
    path = Path(name)
    if path.suffix == ".toml":
        document = read_toml(path)
    else:
        grids = builtin_grids()
        if name not in grids:
            raise UnknownName("campaign", name, grids)
        document = tomllib.loads(grids[name])
    own = {"arms": arms_of(document, path), "presets": presets_of(document, path)}
    grid = validated(Grid, document | own, path)
    if not grid.runs:
        raise UnreadableInput(path, "not a grid (it has no runs)")
    if grid.init_from is not None:
        grid.find_arm(grid.init_from.arm)
    for rows in grid.runs:
        for arm in rows.arms:
            grid.find_arm(arm)
        if rows.variant is not None:
            find_variant(rows.variant)
        if rows.schedule not in SCHEDULES:
            raise UnknownName("schedule", rows.schedule, SCHEDULES)
    return grid


def plan(grid: Grid, epochs_scale: float = 1.0) -> list[PlannedRun]:
    """The grid's runs in order, the initial model first. Epochs are multiplied by the scale; a run has at least one.

    The name of a run is its arm, with variant, schedule, epochs and seed where the grid has several. Raises
    `AntiphonError` when two runs are equal.
    """

    def scaled(epochs: int) -> int:
        return max(1, round(epochs * epochs_scale))

    runs = []
    if grid.init_from is not None:
        runs.append(PlannedRun(INIT_FROM, grid.init_from.arm, 42, scaled(grid.init_from.epochs)))
    varies = {
        "epochs": len({rows.epochs for rows in grid.runs}) > 1,
        "schedule": len({rows.schedule for rows in grid.runs}) > 1,
        "seed": any(len(rows.seeds) > 1 for rows in grid.runs),
    }
    # Seeds are the outermost loop: every arm is trained with its first seed before any is trained with its second.
    for turn in range(max(len(rows.seeds) for rows in grid.runs)):
        for rows in grid.runs:
            for arm in rows.arms if turn < len(rows.seeds) else ():
                seed = rows.seeds[turn]
                parts = [
                    arm,
                    rows.variant,
                    rows.schedule if varies["schedule"] else None,
                    f"e{rows.epochs}" if varies["epochs"] else None,
                    f"s{seed}" if varies["seed"] else None,
                ]
                runs.append(
                    PlannedRun(
                        name=".".join(part for part in parts if part),
                        arm=arm,
                        seed=seed,
                        epochs=scaled(rows.epochs),
                        schedule=rows.schedule,
                        variant=rows.variant,
                        from_init=grid.init_from is not None and not rows.from_scratch,
                    )
                )
    names = [run.name for run in runs]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise AntiphonError(f"the grid has the run {sorted(repeated)[0]!r} twice")
    return runs


def own_arms(grid: Grid, runs: Sequence[PlannedRun]) -> dict[str, Arm]:
    """The arms of the runs that do not come with the package, by name: a campaign's folder contains them."""
    found = {run.arm: grid.find_arm(run.arm) for run in runs}
    return {name: arm for name, arm in found.items() if not ARMS.is_built_in(arm)}
