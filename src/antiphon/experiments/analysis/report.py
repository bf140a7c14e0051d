"""Run analyses on a model and write what they find: JSON, CSV and PNG for each, Markdown and HTML for all."""

from __future__ import annotations

import csv
import json
import math
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.errors import AntiphonError
from antiphon.experiments.analysis import ANALYSES, Analysis, AnalysisResult, ModelUnderTest
from antiphon.experiments.reporting import (
    Block,
    Bullets,
    Heading,
    Paragraph,
    Picture,
    Table,
    as_html,
    as_markdown,
    cell,
)
from antiphon.io.files import atomic_file, write_text_atomic
from antiphon.models.embedder import ModelEmbedder
from antiphon.provenance import code_version

Record = dict[str, Any]
_SUBJECT = ("fingerprint", "corpus_hash", "seed")


def run_analyses(names: Iterable[str], subject: ModelUnderTest, out: Path) -> Record:
    """Write `NAME.json`, `NAME.csv` and `NAME.png` for each, then `report.md` and `report.html`; return the records.

    What is there of the same weights, recordings, seed and code is not run again, so that a stopped run goes on where
    it was; changes that a checkout has not committed are not seen. An analysis that does not apply
    to the arm leaves its reason. The report shows all that `out` holds of this subject, whenever it was run, and the
    records are those of `names`. Raises `UnknownName`, and `AntiphonError` for a corpus without sound.
    """
    analyses = [ANALYSES[name] for name in dict.fromkeys(names)]
    about = _about(subject)
    out.mkdir(parents=True, exist_ok=True)
    records = {}
    for analysis in analyses:
        record = _kept(out, analysis.name, about, (*_SUBJECT, "code"))
        if record is None or record["reason"] is not None:
            record = _carry_out(analysis, subject, about, out)
        records[analysis.name] = record
    _write_report(subject, about, out)
    return about | {"analyses": records}


def _about(subject: ModelUnderTest) -> Record:
    """What results depend on."""
    model = subject.model
    corpus = subject.corpus.with_sound()
    return {
        "model": subject.name,
        "arm": subject.arm,
        "fingerprint": ModelEmbedder(model, subject.name, next(model.parameters()).device).fingerprint,
        "corpus": corpus.name,
        "corpus_hash": corpus.manifest_hash,
        "recordings": len(corpus),
        "seed": subject.seed,
        "code": code_version(),
    }


def _kept(out: Path, name: str, about: Record, keys: Iterable[str]) -> Record | None:
    """What an earlier run left, if it is whole and its subject is the same in these keys."""
    try:
        record: Record = json.loads((out / f"{name}.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if any(record.get(key) != about[key] for key in keys):
        return None
    needed = () if record["reason"] is not None else ("csv", "png")
    return record if all((out / f"{name}.{suffix}").is_file() for suffix in needed) else None


def _carry_out(analysis: Analysis, subject: ModelUnderTest, about: Record, out: Path) -> Record:
    began = time.perf_counter()
    record: Record = {"analysis": analysis.name, "question": analysis.question, **about, "reason": None}
    try:
        finding = analysis.run(subject)
    except AntiphonError as error:
        for suffix in ("csv", "png"):
            (out / f"{analysis.name}.{suffix}").unlink(missing_ok=True)
        record |= {"reason": str(error), "summary": "", "facts": {}}
    else:
        _write_finding(finding, analysis.name, out)
        record |= {"summary": finding.summary, "facts": json_ready(finding.facts)}
    record["seconds"] = round(time.perf_counter() - began, 2)
    # Last, so that a record stands for files that are there.
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_text_atomic(out / f"{analysis.name}.json", text)
    return record


def _write_finding(finding: AnalysisResult, name: str, out: Path) -> None:
    with atomic_file(out / f"{name}.png") as aside:
        finding.figure.savefig(aside, format="png")
    with atomic_file(out / f"{name}.csv") as aside, aside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(finding.rows[0]) if finding.rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(finding.rows)


def json_ready(value: Any) -> Any:
    """Facts as JSON has them: keys as text, arrays as lists, None for what is not finite.

    >>> json_ready({1: np.float32(0.5), "b": (math.nan, np.arange(2))})
    {'1': 0.5, 'b': [None, [0, 1]]}
    """
    if isinstance(value, dict):
        return {str(key): json_ready(found) for key, found in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(found) for found in value]
    if isinstance(value, np.ndarray | np.generic):
        return json_ready(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_report(subject: ModelUnderTest, about: Record, out: Path) -> None:
    """Everything in `out` that is of this subject."""
    found = {name: _kept(out, name, about, _SUBJECT) for name in ANALYSES}
    records = {name: record for name, record in found.items() if record is not None}
    title = f"{subject.name}: what it has learned, and what it rests on"
    markdown: list[Block] = [_facts(subject, about)]
    html = list(markdown)
    for name, record in records.items():
        heading = Heading(f"{name[0].upper()}{name[1:]}: {record['question']}")
        if record["reason"] is not None:
            shown: list[Block] = [heading, Paragraph(f"Does not apply: {record['reason']}")]
            markdown += shown
            html += shown
            continue
        picture = Picture(f"{name}.png", record["question"])
        markdown += [heading, Paragraph(record["summary"]), picture]
        html += [heading, *markdown_blocks(record["summary"]), picture]
    for suffix, text in (("md", as_markdown(title, markdown)), ("html", as_html(title, html, out))):
        write_text_atomic(out / f"report.{suffix}", text)


def _facts(subject: ModelUnderTest, about: Record) -> Table:
    config = subject.model.config
    injected = ", ".join(config.arm.injections_in_words)
    sizes, code = config.sizes, about["code"]
    return Table(
        ["", "the model and what it was looked at with"],
        [
            ["arm", f"{config.arm.name} ({injected or 'no descriptors'})"],
            ["towers", f"{sizes.audio_tower} and {sizes.notes_tower}, {subject.model.dimensions} dimensions in common"],
            ["parameters", cell(sum(one.numel() for one in subject.model.parameters()), 0)],
            ["fingerprint", about["fingerprint"][:16]],
            ["corpus", f"{about['corpus']}, {about['recordings']} recordings with sound"],
            ["corpus hash", about["corpus_hash"][:16]],
            ["seed", str(about["seed"])],
            ["code", " ".join(filter(None, (code["version"], code["commit"])))],
        ],
    )


def markdown_blocks(text: str) -> list[Block]:
    """The Markdown of a summary as blocks: paragraphs, lists and tables, which blank lines set apart.

    A table's row whose first cell is bold stands out; other marks of emphasis and code are dropped.

    >>> markdown_blocks("Of `n` windows:\\n\\n| a | b |\\n|---|--:|\\n| **x** | 1 |")[1]
    Table(columns=['a', 'b'], rows=[['x', '1']], marked=frozenset({0}))
    """
    blocks: list[Block] = []
    for part in re.split(r"\n\s*\n", text.strip()):
        lines = part.splitlines()
        if all(line.startswith("|") for line in lines):
            columns, _, *rows = (_cells(line) for line in lines)
            marked = frozenset(number for number, row in enumerate(rows) if row[0].startswith("**"))
            blocks.append(Table([_bare(one) for one in columns], [[_bare(one) for one in row] for row in rows], marked))
        elif all(line.startswith(("* ", "- ")) for line in lines):
            blocks.append(Bullets([_bare(line[2:]) for line in lines]))
        else:
            blocks.append(Paragraph(_bare(part)))
    return blocks


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [one.strip().replace("\\|", "|") for one in re.split(r"(?<!\\)\|", inner)]


def _bare(text: str) -> str:
    return text.replace("**", "").replace("`", "")
