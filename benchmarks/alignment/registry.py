"""The rows of the benchmark, in the order of the report. A new row is one module and one entry here."""

from __future__ import annotations

from benchmarks.alignment import row_asap, row_lost, row_maps, row_repeats, row_speed

ROWS = (row_asap.ROW, row_lost.ROW, row_maps.ROW, row_repeats.ROW, row_speed.ROW)
