"""CSV: a row for each note with all columns of `Alignment.rows`."""

from __future__ import annotations

from antiphon.alignment.alignment_table import AlignmentFormat

FORMAT = AlignmentFormat("csv", (".csv",), lambda alignment: alignment.to_csv().encode("utf-8", "backslashreplace"))
