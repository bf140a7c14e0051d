"""Recipes: an arm and a preset for each trained model that comes with the package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from antiphon.errors import look_up


@dataclass(frozen=True)
class Recipe:
    """The arm and the preset that `antiphon train --recipe NAME` trains."""

    arm: str
    preset: str


RECIPES: Mapping[str, Recipe] = MappingProxyType({"default": Recipe(arm="D0", preset="default")})


def find_recipe(name: str) -> Recipe:
    """A recipe by name. Raises `UnknownName`."""
    return look_up("recipe", name, RECIPES)
