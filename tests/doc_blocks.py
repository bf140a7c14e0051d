"""The code blocks of a document, run in the order of the page, and the outputs that the page shows.

Blocks of the languages `sh` and `python` run, except after a comment `<!-- not run: reason -->`. A block
```text title="Output" after one is its output, in which `...` stands for any text and whitespace is not compared.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from antiphon.cli import main

_FENCE = re.compile(r"(?P<skip><!-- not run: [^>]+ -->\n)?^```(?P<info>[^\n]*)\n(?P<code>.*?)^```$", re.M | re.S)
_OUTPUT = 'text title="Output"'


@dataclass(frozen=True)
class Block:
    """One block to run: where it is, its language, its code, and the output that the page shows, if any."""

    where: str
    language: str
    code: str
    output: str | None


def shell_lines(text: str) -> list[str]:
    """The commands of all `sh` blocks of a text, run or not, without comments."""
    blocks = [match["code"] for match in _FENCE.finditer(text) if match["info"] == "sh"]
    return [line for block in blocks for line in _commands(block)]


def _commands(block: str) -> list[str]:
    lines = [line.split(" #")[0].strip() for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def blocks_to_run(path: Path) -> list[Block]:
    """The blocks of a page that run, in order. Raises `ValueError` for an output without such a block before it."""
    text = path.read_text(encoding="utf-8")
    blocks: list[Block] = []
    runs = False
    for match in _FENCE.finditer(text):
        where = f"{path.name}:{text.count(chr(10), 0, match.start('info')) + 1}"
        if match["info"] == _OUTPUT:
            if not runs:
                raise ValueError(f"{where}: no block before this output runs")
            before = blocks.pop()
            blocks.append(Block(before.where, before.language, before.code, match["code"]))
        runs = match["info"] in {"sh", "python"} and not match["skip"]
        if runs:
            blocks.append(Block(where, match["info"], match["code"], None))
    return blocks


def run_blocks(blocks: list[Block], folder: Path) -> None:
    """Run the blocks in `folder`, Python in one namespace; fails where one fails or gives another output."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PWD", str(folder))
        for block in blocks:
            output = _run_python(block, namespace) if block.language == "python" else _run_shell(block, patch)
            if block.output is not None:
                assert matches(block.output, output), f"{block.where}: the output is\n{output}\nnot\n{block.output}"


def matches(shown: str, output: str) -> bool:
    """Whether an output is the one shown, `...` standing for any text."""
    parts = [re.escape(" ".join(part.split())) for part in shown.split("...")]
    return re.fullmatch(" ?.*? ?".join(parts), " ".join(output.split()), re.S) is not None


def _run_python(block: Block, namespace: dict[str, Any]) -> str:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(block.code, block.where, "exec"), namespace)
    return output.getvalue()


def _run_shell(block: Block, patch: pytest.MonkeyPatch) -> str:
    output = io.StringIO()
    for line in _commands(block.code):
        if line.startswith("antiphon "):  # in this process, which has imported torch already
            patch.setattr(sys, "argv", shlex.split(os.path.expandvars(line)))
            status = 0
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                try:
                    main()
                except SystemExit as end:
                    status = int(end.code or 0)
        else:
            done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
            output.write(done.stdout + done.stderr)
            status = done.returncode
        assert status == 0, f"{block.where}: {line} ended with {status}:\n{output.getvalue()}"
    return output.getvalue()


def pages(root: Path, *patterns: str) -> Iterator[Path]:
    """The documents below a folder that match one of the patterns. Fails where a pattern has none."""
    for pattern in patterns:
        found = sorted(root.glob(pattern))
        assert found, f"no {pattern} below {root}"
        yield from found
