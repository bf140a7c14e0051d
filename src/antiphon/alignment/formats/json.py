"""JSON: `Alignment.as_dict`."""

from __future__ import annotations

import json

from antiphon.alignment.alignment_table import Alignment, AlignmentFormat


def _write(alignment: Alignment) -> bytes:
    text = json.dumps(alignment.as_dict(), indent=1, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")


FORMAT = AlignmentFormat("json", (".json",), _write)
