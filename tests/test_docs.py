"""The documents are true: commands exist, blocks run, links lead somewhere, references are complete."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

import antiphon
from antiphon.cli import app
from antiphon.corpora import Corpus
from antiphon.index.build import build_index
from antiphon.models.descriptors import View
from antiphon.models.loading import load_model
from builders import random_batch
from doc_blocks import blocks_to_run, matches, pages, run_blocks, shell_lines

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = list(pages(ROOT, "*.md", "docs/*.md", "docs/*/*.md"))
EXECUTED = list(pages(ROOT, "README.md", "docs/index.md", "docs/tutorial/*.md", "docs/how-to/*.md"))
SHELL = [
    (path.relative_to(ROOT).as_posix(), line)
    for path in DOCUMENTS
    for line in shell_lines(path.read_text(encoding="utf-8"))
]


def lines_beginning(word: str) -> list[tuple[str, str]]:
    found = [(name, line) for name, line in SHELL if line.split()[0] == word]
    assert found, f"no document shows a {word} command"
    return found


@pytest.mark.parametrize(("document", "line"), lines_beginning("antiphon"))
def test_every_command_shown_is_one_that_exists(document: str, line: str):
    command, words = typer.main.get_command(app), shlex.split(line)[1:]
    context = command.make_context("antiphon", list(words))
    while hasattr(command, "get_command"):
        name = words.pop(0)
        command = command.get_command(context, name)
        assert command is not None, f"{document}: no command {name}"
        context = command.make_context(name, list(words), parent=context)  # raises for an unknown option


@pytest.mark.parametrize(("document", "line"), lines_beginning("make"))
def test_every_make_target_shown_exists(document: str, line: str):
    target = line.split()[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M), (
        f"{document}: no target {target}"
    )


@pytest.fixture(scope="session")
def music(demo: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the pages assume: scores/ and recordings/ of the tutorial, single files, and their index."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "scores").mkdir()
    (folder / "recordings").mkdir()
    recordings = demo.split("test").recordings[:4]
    for number, one in enumerate(recordings, start=1):
        assert one.audio_path is not None
        shutil.copy(one.notes_path, folder / "scores")
        shutil.copy(one.audio_path, folder / "recordings" / f"take{number}.flac")
    first, second = recordings[0], recordings[1]
    assert first.audio_path is not None
    for path, names in ((first.audio_path, ["take1.flac", "tape.flac"]), (first.notes_path, ["bwv858.mid"])):
        for name in names:
            shutil.copy(path, folder / name)
    shutil.copy(second.notes_path, folder / "sonata.mid")
    build_index([folder / "scores"], load_model("default"), "default", folder / "library")
    return folder


@pytest.mark.parametrize("page", EXECUTED, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_blocks_run_and_give_the_outputs_shown(page: Path, music: Path, tmp_path: Path):
    blocks = blocks_to_run(page)
    folder = tmp_path / "work"
    shutil.copytree(music, folder)
    if any("index build" in block.code for block in blocks):
        shutil.rmtree(folder / "library")
    run_blocks(blocks, folder)


def test_most_pages_have_blocks_that_run():
    without = {page.stem for page in EXECUTED if not blocks_to_run(page)}
    assert without <= {"serve", "campaign", "add-a-descriptor"}


@pytest.mark.parametrize(
    ("shown", "output", "same"),
    [
        ("a  b\n", "a b", True),
        ("a ... c", "a b b c", True),
        ("a ...", "a b\nc\n", True),
        ("a...", "b", False),
        ("1.00", "1.01", False),
        ("1...0", "1.230", True),
    ],
)
def test_outputs_are_compared(shown: str, output: str, same: bool):
    assert matches(shown, output) is same


def test_a_block_that_fails_is_named(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text('# Page\n\n```python\nprint(1)\n```\n\n```text title="Output"\n2\n```\n', encoding="utf-8")
    with pytest.raises(AssertionError, match=r"page.md:3: the output is\n1"):
        run_blocks(blocks_to_run(page), tmp_path)
    page.write_text("```sh\nantiphon search a.flac --index nowhere\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"page.md:1: antiphon search a.flac --index nowhere ended with 2"):
        run_blocks(blocks_to_run(page), tmp_path)


def test_the_example_of_a_new_descriptor_works():
    pattern = r"```python\n# (src/antiphon/models/descriptors/\w+\.py)\n(.*?)```"
    blocks = [
        block
        for page in ("CONTRIBUTING.md", "docs/how-to/add-a-descriptor.md")
        for block in re.findall(pattern, (ROOT / page).read_text(encoding="utf-8"), re.S)
    ]
    assert blocks
    for _, code in blocks:
        module: dict[str, object] = {}
        exec(code, module)
        tokens = module["DESCRIPTOR"].compute(View(random_batch(), 24_000))  # type: ignore[attr-defined]
        assert tokens.values.shape == (3, 188, 1)


def test_links_and_pictures_lead_somewhere():
    links = [
        (path, target)
        for path in DOCUMENTS
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    ]
    generated = {"cli.md"}
    lost = [(path.name, target) for path, target in links if not (path.parent / target).exists()]
    assert len(links) > 50
    assert not [(name, target) for name, target in lost if Path(target).name not in generated]


def test_every_public_name_is_on_one_page_of_the_reference():
    from docs.generate import api_pages

    shown = re.findall(r"^::: antiphon\.(\w+)$", "\n".join(api_pages().values()), re.M)
    assert sorted(shown) == sorted(set(antiphon.__all__) - {"__version__"})
    assert len(shown) >= 15


def test_every_command_and_option_is_in_the_reference():
    from docs.generate import cli_page

    sections = dict(re.findall(r"^## `([^`]+)`\n(.*?)(?=^## |\Z)", cli_page(), re.M | re.S))
    waiting = [("antiphon", typer.main.get_command(app))]
    for path, command in waiting:
        words = [word for parameter in command.params for word in parameter.opts if word.startswith("-")]
        missing = [word for word in [*words, "--help"] if not re.search(rf"`[^`]*{word}\b", sections[path])]
        assert not missing, f"{path}: {missing}"
        assert command.help is None or command.help.split("\n")[0].strip() in sections[path]
        waiting += [(f"{path} {name}", one) for name, one in getattr(command, "commands", {}).items()]
    assert len(waiting) == len(sections) > 10


def test_the_site_builds_and_loads_nothing_from_other_hosts(tmp_path: Path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    built = list(pages(tmp_path / "site", "**/*.html", "**/*.css"))
    assert len(built) > 30
    foreign = re.compile(
        r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^>]*"
        r"|<link\b(?![^>]*rel=[\"']?(?:canonical|prev|next))[^>]*\bhref=[\"']?(?:https?:)?//[^>]*"
        r"|(?:url\(|@import )[\"']?(?:https?:)?//[^)]*"
    )
    found = [(path.name, loaded) for path in built for loaded in foreign.findall(path.read_text(encoding="utf-8"))]
    assert not found


def test_the_citation_names_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    paper = citation["preferred-citation"]
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"] == "Antiphon"
    assert citation["license"] == "Apache-2.0"
    assert paper["title"].startswith("Descriptor-Injected Cross-Modal Learning")
    assert [f"{one['given-names']} {one['family-names']}" for one in paper["authors"]] == ["Mariano Fernández Méndez"]
    assert {"type": "other", "value": "arXiv:2604.10283"} in paper["identifiers"]
    assert citation["version"] == antiphon.__version__
