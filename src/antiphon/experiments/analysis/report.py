"""Run analyses on a model and write their results: JSON, CSV and PNG of each, Markdown and HTML of all."""

from __future__ import annotations

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
from antiphon.experiments.results import ResultStore
from antiphon.io.csv_tables import csv_text
from antiphon.io.files import atomic_file, write_text_atomic
from antiphon.models.embedder import ModelEmbedder
from antiphon.provenance import code_version

Record = dict[str, Any]
_INPUTS = ("fingerprint", "corpus_hash", "seed")
_FILES = ("csv", "png")


def run_analyses(names: Iterable[str], tested: ModelUnderTest, out: Path) -> Record:
    """Write `NAME.json`, `NAME.csv` and `NAME.png` for each, then `report.md` and `report.html`; return the records.

    An analysis is not run again while weights, recordings, seed and code are the same, so a stopped run resumes; `code`
    does not cover uncommitted changes of a checkout. The record of an analysis that does not apply to the arm holds the
    reason. The report shows every record in `out` with the same weights, recordings and seed; the returned records are
    those of `names`. Raises `UnknownName`, and `AntiphonError` for a corpus without audio.
    """
    analyses = [ANALYSES[name] for name in dict.fromkeys(names)]
    inputs = _inputs(tested)
    out.mkdir(parents=True, exist_ok=True)
    store = ResultStore(out)
    records = {}
    for analysis in analyses:
        record = _find(store, analysis.name, inputs, (*_INPUTS, "code"))
        if record is None or record["reason"] is not None:
            record = _run_analysis(analysis, tested, inputs, store)
        records[analysis.name] = record
    _write_report(tested, inputs, store)
    return inputs | {"analyses": records}


def _inputs(tested: ModelUnderTest) -> Record:
    """The inputs of the results: model, recordings, seed and code."""
    model = tested.model
    corpus = tested.corpus.with_sound()
    return {
        "model": tested.name,
        "arm": tested.arm,
        "fingerprint": ModelEmbedder(model, tested.name, next(model.parameters()).device).fingerprint,
        "corpus": corpus.name,
        "corpus_hash": corpus.manifest_hash,
        "recordings": len(corpus),
        "seed": tested.seed,
        "code": code_version(),
    }


def _find(store: ResultStore, name: str, inputs: Record, keys: Iterable[str]) -> Record | None:
    """The stored record of an analysis if these inputs are the same and its CSV and PNG exist, else None."""
    record = store.find(name, {key: inputs[key] for key in keys})
    if record is None or record["reason"] is not None:
        return record
    return record if all(store.path(name, suffix).is_file() for suffix in _FILES) else None


def _run_analysis(analysis: Analysis, tested: ModelUnderTest, inputs: Record, store: ResultStore) -> Record:
    began = time.perf_counter()
    record: Record = {"analysis": analysis.name, "question": analysis.question, **inputs, "reason": None}
    try:
        result = analysis.run(tested)
    except AntiphonError as error:
        for suffix in _FILES:
            store.path(analysis.name, suffix).unlink(missing_ok=True)
        record |= {"reason": str(error), "summary": "", "facts": {}}
    else:
        _write_files(result, analysis.name, store)
        record |= {"summary": result.summary, "facts": json_ready(result.facts)}
    record["seconds"] = round(time.perf_counter() - began, 2)
    store.put(analysis.name, inputs, record)  # last, so that a record implies that its files exist
    return record


def _write_files(result: AnalysisResult, name: str, store: ResultStore) -> None:
    with atomic_file(store.path(name, "png")) as temporary:
        result.figure.savefig(temporary, format="png")
    write_text_atomic(store.path(name, "csv"), csv_text(list(result.rows[0]) if result.rows else [], result.rows))


def json_ready(value: Any) -> Any:
    """Facts as JSON-ready values: keys as text, arrays as lists, None for a number that is not finite.

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


def _write_report(tested: ModelUnderTest, inputs: Record, store: ResultStore) -> None:
    """The report of all records in the store with the same weights, recordings and seed."""
    found = {name: _find(store, name, inputs, _INPUTS) for name in ANALYSES}
    records = {name: record for name, record in found.items() if record is not None}
    title = f"Analysis of {tested.name}"
    markdown: list[Block] = [_facts(tested, inputs)]
    html = list(markdown)
    for name, record in records.items():
        heading = Heading(f"{name[0].upper()}{name[1:]}: {record['question']}")
        if record["reason"] is not None:
            reason: list[Block] = [heading, Paragraph(f"Does not apply: {record['reason']}")]
            markdown += reason
            html += reason
            continue
        picture = Picture(f"{name}.png", record["question"])
        markdown += [heading, Paragraph(record["summary"]), picture]
        html += [heading, *markdown_blocks(record["summary"]), picture]
    for suffix, text in (("md", as_markdown(title, markdown)), ("html", as_html(title, html, store.folder))):
        write_text_atomic(store.path("report", suffix), text)


def _facts(tested: ModelUnderTest, inputs: Record) -> Table:
    config = tested.model.config
    injected = ", ".join(config.arm.injections_in_words)
    sizes, code = config.sizes, inputs["code"]
    return Table(
        ["", "model and data"],
        [
            ["arm", f"{config.arm.name} ({injected or 'no descriptors'})"],
            ["towers", f"{sizes.audio_tower} and {sizes.notes_tower}, {tested.model.dimensions} common dimensions"],
            ["parameters", cell(sum(one.numel() for one in tested.model.parameters()), 0)],
            ["fingerprint", inputs["fingerprint"][:16]],
            ["corpus", f"{inputs['corpus']}, {inputs['recordings']} recordings with audio"],
            ["corpus hash", inputs["corpus_hash"][:16]],
            ["seed", str(inputs["seed"])],
            ["code", " ".join(filter(None, (code["version"], code["commit"])))],
        ],
    )


def markdown_blocks(text: str) -> list[Block]:
    """The Markdown of a summary as blocks: paragraphs, lists and tables, separated by blank lines.

    A table row whose first cell is bold is marked. All other marks of emphasis and code are removed.

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
