"""Entries from outside the package: entry points of installed packages and registration by a call."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from antiphon.errors import AntiphonError, UnknownName
from antiphon.models.batch import Tokens
from antiphon.models.descriptors import DESCRIPTORS, Descriptor, View, register_descriptor
from antiphon.registry import Registry
from builders import random_batch

GROUP = "antiphon.things"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages; one package of things, which defines the thing `inner`."""
    package = tmp_path / "inside"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "one.py").write_text(
        "from types import SimpleNamespace\nTHING = SimpleNamespace(name='inner')\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:  # the next test has other modules of these names
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def install(site: Path, distribution: str, module: str, text: str, *points: str) -> None:
    """A distribution of one module, as an installer leaves it, with entry points in the group of things."""
    (site / f"{module}.py").write_text(text, encoding="utf-8")
    info = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *points, ""]), encoding="utf-8")


def things() -> Registry[SimpleNamespace]:
    return Registry("thing", SimpleNamespace, "inside", "THING", GROUP)


NAMED = "from types import SimpleNamespace\nmade = SimpleNamespace(name={!r})\nother = 3\n"


def test_an_entry_point_adds_an_entry_and_its_source_is_known(site: Path):
    install(site, "more-things", "more_things", NAMED.format("outer"), "outer = more_things:made")
    registry = things()
    assert list(registry) == ["inner", "outer"]
    assert registry.source("outer").distribution == "more-things 1.2"
    assert registry.source("inner").kind == "package"


@pytest.mark.parametrize(
    ("text", "point", "fault"),
    [
        ("import not_to_be_found\n", "bad = broken_things:made", "ModuleNotFoundError: No module named"),
        ("raise RuntimeError('first\\nsecond')\n", "bad = broken_things:made", "RuntimeError: first second"),
        (NAMED.format("x"), "bad = broken_things:missing", "AttributeError"),
        (NAMED.format("x"), "bad = broken_things:other", "is of type int; a thing is a SimpleNamespace"),
    ],
)
def test_a_broken_entry_point_is_one_line_and_the_others_load(
    site: Path, caplog: pytest.LogCaptureFixture, text: str, point: str, fault: str
):
    install(site, "broken-things", "broken_things", text, point)
    install(site, "more-things", "more_things", NAMED.format("outer"), "outer = more_things:made")
    with caplog.at_level(logging.WARNING):
        assert list(things()) == ["inner", "outer"]
    (line,) = caplog.messages
    assert line.startswith("broken-things 1.2: entry point 'bad'")
    assert fault in line
    assert "\n" not in line


@pytest.mark.parametrize("name", ["inner", "outer"])
def test_a_name_from_two_sources_is_an_error_that_names_both(site: Path, name: str):
    install(site, "more-things", "more_things", NAMED.format(name), "outer = more_things:made")
    registry = things()
    with pytest.raises(AntiphonError, match=f"two things are named '{name}'") as caught:
        registry.register(SimpleNamespace(name=name))
    first, second = ("inside.one", "more-things 1.2") if name == "inner" else ("more-things 1.2", "test_extension.py")
    assert first in str(caught.value)
    assert second in str(caught.value)


class TestRegister:
    def test_adds_and_removes(self, site: Path):
        registry = things()
        made = registry.register(SimpleNamespace(name="mine"))
        assert registry["mine"] is made
        assert "test_extension.py:" in registry.source("mine").text
        registry.unregister("mine")
        assert list(registry) == ["inner"]
        with pytest.raises(AntiphonError, match=r"it comes from inside\.one"):
            registry.unregister("inner")

    def test_replaces_only_an_earlier_call(self, site: Path):
        registry = things()
        registry.register(SimpleNamespace(name="mine"))
        again = registry.register(SimpleNamespace(name="mine"), replace=True)
        assert registry["mine"] is again
        with pytest.raises(AntiphonError, match="two things are named 'inner'"):
            registry.register(SimpleNamespace(name="inner"), replace=True)
        assert list(registry) == ["inner", "mine"]

    def test_refuses_another_class(self, site: Path):
        with pytest.raises(TypeError, match="a thing is a SimpleNamespace, got int"):
            things().register(3)

    def test_works_in_a_module_that_the_registry_itself_imports(self, site: Path, monkeypatch: pytest.MonkeyPatch):
        registry = things()
        monkeypatch.setattr("antiphon.registry.SHARED_BY_TEST", registry, raising=False)
        text = (
            "from types import SimpleNamespace\nfrom antiphon import registry\n"
            "made = SimpleNamespace(name='by entry point')\n"
            "registry.SHARED_BY_TEST.register(SimpleNamespace(name='by call'))\n"
        )
        install(site, "calling-things", "calling_things", text, "made = calling_things:made")
        assert list(registry) == ["inner", "by call", "by entry point"]


class TestRegisterDescriptor:
    def test_takes_a_descriptor_or_its_parts(self):
        def level(view: View) -> torch.Tensor:
            return view.magnitude.mean(dim=1).unsqueeze(-1)

        whole = register_descriptor(Descriptor("whole_level", "audio", ("level",), lambda view: Tokens(level(view))))
        parts = register_descriptor(name="level_by_parts", modality="audio", dimensions=["level"], compute=level)
        view = View(random_batch(), 24_000)
        assert torch.equal(parts.compute(view).values, whole.compute(view).values)
        assert parts.dimensions == ("level",)
        for one in (whole, parts):
            assert DESCRIPTORS[one.name] is one
            DESCRIPTORS.unregister(one.name)
        with pytest.raises(UnknownName):
            DESCRIPTORS["whole_level"]

    def test_names_what_is_missing(self):
        with pytest.raises(TypeError, match="name, modality, dimensions and compute"):
            register_descriptor(name="half", modality="audio", dimensions=["level"])  # type: ignore[call-overload]
