"""MkDocs hooks: the API pages and the CLI page are generated from the code; links to files outside of docs/ resolve.

`cli_page()` and `api_pages()` return Markdown, so that tests can check that they are complete. Every build checks
the table of all names in `reference/python-api.md` and makes links of its subjects.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import antiphon
from antiphon.cli import app

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = "repository"
"""Folder of the site for files of the repository that lie outside of docs/ and that a page links to."""

_TITLES = {
    "models": "Models",
    "io": "Reading audio and notes",
    "index": "Search, pairs and alignment",
    "alignment": "Alignments",
    "corpora": "Corpora",
    "training": "Training",
    "evaluation": "Evaluation",
    "experiments": "Experiments",
    "serving": "Server",
    "registry": "Extension",
    "errors": "Errors",
    "progress": "Progress",
}
"""Subpackage → title of its API page, in the order of the navigation. Others follow under their own names."""
_NAMES_PAGE = "reference/python-api.md"
_NAMES_TABLE = re.compile(r"(?<=<!-- names: begin -->\n).*?(?=<!-- names: end -->)", re.S)
_LINK = re.compile(r"(\]\()([^)\s]+)(\))")


def api_pages() -> dict[str, str]:
    """File name → Markdown: one page for each subpackage that defines public names, with all of them."""
    names: dict[str, list[str]] = {room: [] for room in _TITLES}
    for name in antiphon.__all__:
        if name != "__version__":
            names.setdefault(getattr(antiphon, name).__module__.split(".")[1], []).append(name)
    pages = {}
    for room, members in names.items():
        if members:
            title = _TITLES.get(room, room.capitalize())
            blocks = "\n\n".join(f"::: antiphon.{name}" for name in sorted(members, key=str.casefold))
            pages[f"reference/api/antiphon.{room}.md"] = f"# {title}\n\n{blocks}\n"
    return pages


def names_table(*, links: bool) -> str:
    """Markdown: the subjects and names of `api_pages`, a row for each page, with `links` to them."""
    rows = ["| subject | names |", "|---|---|"]
    for path, text in api_pages().items():
        title = text.splitlines()[0].removeprefix("# ")
        names = ", ".join(f"`{name}`" for name in re.findall(r"^::: antiphon\.(\w+)$", text, re.M))
        rows.append(f"| {f'[{title}](api/{Path(path).name})' if links else title} | {names} |")
    return "\n".join(rows) + "\n"


def _with_linked_names(markdown: str) -> str:
    """The page of all names with links in its table. Raises `PluginError` where its table is out of date."""
    if (table := _NAMES_TABLE.search(markdown)) is None or table[0] != names_table(links=False):
        raise PluginError(f"{_NAMES_PAGE}: its table of names is out of date; it should be\n{names_table(links=False)}")
    return _NAMES_TABLE.sub(lambda _: names_table(links=True), markdown)


def cli_page() -> str:
    """Markdown: every command with its help, arguments and options."""
    parts = [
        "# Command line\n\nEvery command with its arguments and options. `antiphon COMMAND --help` prints the same."
        " An expected failure is one line on stderr and exit code 2."
    ]
    for path, command, context in _commands(typer.main.get_command(app), "antiphon", None):
        parts.append(f"## `{path}`\n\n{_help(command.help or '')}")
        records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
        rows = [f"| `{name}` | {_cell(meaning)} |" for name, meaning in filter(None, records)]
        parts.append("| argument or option | meaning |\n|---|---|\n" + "\n".join(rows))
    return "\n\n".join(parts) + "\n"


def _commands(command: Any, path: str, parent: Any) -> Iterator[tuple[str, Any, Any]]:
    """Each command below one, itself first: how it is called, the command, its context."""
    context = command.context_class(command, info_name=path.rsplit(" ", 1)[-1], parent=parent)
    yield path, command, context
    if hasattr(command, "list_commands"):
        for name in command.list_commands(context):
            yield from _commands(command.get_command(context, name), f"{path} {name}", context)


def _help(text: str) -> str:
    """A help text with its `Example:` lines as code."""
    return re.sub(r"(?m)^ *Example: (.+)$", r"```text\n\1\n```", text.strip())


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the API pages to the navigation."""
    assert config.nav is not None
    reference = next(section["Reference"] for section in config.nav if "Reference" in section)
    reference.insert(0, {"Python API": list(api_pages())})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and every file outside of docs/ that a page links to, links of those included."""
    for name, text in {**api_pages(), "reference/cli.md": cli_page()}.items():
        files.append(File.generated(config, name, content=text))
    waiting = [(ROOT / "docs" / page.src_uri, page.content_string) for page in files.documentation_pages()]
    added: set[Path] = set()
    while waiting:
        source, text = waiting.pop()
        for _, target, _ in _LINK.findall(text):
            path = _outside(source, target)
            if path is not None and path not in added:
                added.add(path)
                name = f"{OUTSIDE}/{path.relative_to(ROOT).as_posix()}"
                files.append(File.generated(config, name, abs_src_path=str(path)))
                if path.suffix == ".md":
                    waiting.append((path, path.read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to files outside of docs/ lead to their copies in the site, and link the table of names."""
    uri = PurePosixPath(page.file.src_uri)
    if page.file.src_uri == _NAMES_PAGE:
        markdown = _with_linked_names(markdown)
    outside = uri.parts[0] == OUTSIDE
    source = ROOT / uri.relative_to(OUTSIDE) if outside else ROOT / "docs" / uri

    def resolved(match: re.Match[str]) -> str:
        target, _, anchor = match[2].partition("#")
        path = _outside(source, match[2])
        if path is None:
            if not outside or not target or ":" in target:
                return match[0]
            path = (source.parent / target).resolve()  # from a file outside to a page of docs/
            name = path.relative_to(ROOT / "docs").as_posix()
        else:
            name = f"{OUTSIDE}/{path.relative_to(ROOT).as_posix()}"
        relative = os.path.relpath(name, uri.parent)
        return f"{match[1]}{relative}{'#' + anchor if anchor else ''}{match[3]}"

    return _LINK.sub(resolved, markdown)


def _outside(source: Path, target: str) -> Path | None:
    """The file of the repository outside of docs/ that a link names; None for any other link."""
    target = target.partition("#")[0]
    if not target or ":" in target:
        return None
    path = (source.parent / target).resolve()
    inside = path.is_relative_to(ROOT / "docs")
    return path if path.is_relative_to(ROOT) and not inside and path.is_file() else None
