"""Fixtures of the tests and of the examples in docstrings: a cache folder and a working folder of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Derived data goes to a folder of this run, one for all workers, and never to the user's cache."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTIPHON_CACHE", str(root / "cache"))
        patch.setenv("XDG_CONFIG_HOME", str(root / "settings"))  # nor do the user's settings matter
        patch.delenv("ANTIPHON_INDEX", raising=False)
        yield root / "cache"


@pytest.fixture(autouse=True)
def _examples_write_elsewhere(request: pytest.FixtureRequest) -> None:
    """Examples in docstrings run in an empty folder, and registrations end with them."""
    if isinstance(request.node, pytest.DoctestItem):
        request.getfixturevalue("monkeypatch").chdir(request.getfixturevalue("tmp_path"))
        request.getfixturevalue("registrations")


@pytest.fixture
def registrations() -> Iterator[None]:
    """Entries, arms and presets that a test registers are removed after it."""
    from antiphon.corpora import CORPUS_KINDS
    from antiphon.models.arms import ARMS
    from antiphon.models.descriptors import DESCRIPTORS
    from antiphon.models.injection import MECHANISMS
    from antiphon.models.towers import TOWERS
    from antiphon.training.losses import LOSSES
    from antiphon.training.presets import PRESETS
    from antiphon.training.schedules import SCHEDULES

    registries = (CORPUS_KINDS, DESCRIPTORS, MECHANISMS, TOWERS, LOSSES, SCHEDULES)
    names = [set(registry) for registry in registries]
    tables = [(table, dict(table)) for table in (ARMS._known, PRESETS._known)]
    yield
    for registry, before in zip(registries, names, strict=True):
        for name in set(registry) - before:
            registry.unregister(name)
    for table, earlier in tables:
        table.clear()
        table.update(earlier)
