"""Campaign folders of earlier formats, in which the run of the initial model had another name."""

from __future__ import annotations

from pathlib import Path

from antiphon.experiments.campaign.grid import INIT_FROM
from antiphon.experiments.results import ResultStore
from antiphon.io.formats import Document, renamed

_NAME = "foundation"
_FIELDS = {_NAME: INIT_FROM, f"from_{_NAME}": "from_init"}


def plan_from_0(document: Document) -> Document:
    """Format 0 has no hash of the data."""
    return document | {"data_hash": None}


def plan_from_1(document: Document) -> Document:
    """Format 1 has the earlier name of the initial run and of the field that refers to it."""
    return document | {"runs": [_with_names_of_today(run, "name") for run in document["runs"]]}


def rename_files(runs: Path, records: ResultStore) -> None:
    """Give the files of a campaign of format 0 or 1 the names of today; files that have them already stay."""
    for suffix in ("", ".log"):
        old, new = (runs / f"{name}{suffix}" for name in (_NAME, INIT_FROM))
        if old.exists() and not new.exists():
            old.rename(new)
    for path in sorted(records.folder.glob("*.json")):
        record = records.read(path.stem)
        if record is not None and _NAME in record:
            key = INIT_FROM if path.stem == _NAME else path.stem
            records.put(key, {}, _with_names_of_today(record, "run"))
    records.path(_NAME).unlink(missing_ok=True)


def _with_names_of_today(document: Document, name: str) -> Document:
    """`document` with renamed fields, and with renamed values in the field `name` and in `init_from`."""
    found = renamed(document, _FIELDS)
    return found | {key: INIT_FROM for key in (name, INIT_FROM) if found.get(key) == _NAME}
