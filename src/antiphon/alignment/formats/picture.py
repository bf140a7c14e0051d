"""PNG: the path of an alignment over the time of the recording, its tempo below, and the lost stretches shaded."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from antiphon.alignment.alignment_table import Alignment, AlignmentFormat
from antiphon.errors import AntiphonError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {"played": "tab:blue", "unsure": "tab:orange"}
_TEMPO_STEP_S = 2.0
_TEMPO_WITHIN = (1 / 3, 3.0)


def _write(alignment: Alignment) -> bytes:
    if not alignment.path:
        raise AntiphonError(f"{alignment.recording}: nothing of {alignment.notes} was found in it")
    from matplotlib.figure import Figure  # here, because it takes a second to import

    figure = Figure(figsize=(11, 7), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    figure.suptitle(
        f"confidence {alignment.confidence:.2f}, of the path {alignment.path_confidence:.2f}", parse_math=False
    )
    _draw_path(above, alignment)
    _draw_tempo(below, alignment)
    for axes in (above, below):
        for number, (begin_s, end_s) in enumerate(alignment.lost):
            axes.axvspan(begin_s, end_s, color="tab:red", alpha=0.15, label="path lost" if number == 0 else None)
    if above.get_legend_handles_labels()[0]:
        above.legend(loc="upper left")
    below.set_xlabel("seconds of the recording")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=90)
    return file.getvalue()


def _draw_path(axes: Axes, alignment: Alignment) -> None:
    """The path as a line, and a point for each note of the file with a time, in the colour of its state."""
    for warp in alignment.path:
        axes.plot(warp.library_s, warp.query_s, color="0.5", linewidth=0.8)
    for state, colour in _COLOURS.items():
        rows = (alignment.state == state) & np.isfinite(alignment.recording_s)
        if rows.any():
            axes.plot(
                alignment.recording_s[rows], alignment.onset_s[rows], ".", markersize=3, color=colour, label=state
            )
    axes.set_ylabel("seconds of the notes")


def _draw_tempo(axes: Axes, alignment: Alignment) -> None:
    """Seconds of the notes in a second of the recording, over 2 s each, as percent of the notes' own tempo."""
    for warp in alignment.path:
        begin_s, end_s = float(warp.library_s[0]), float(warp.library_s[-1])
        edges_s = np.arange(begin_s, end_s, _TEMPO_STEP_S)
        if len(edges_s) < 2:
            continue
        tempo = np.diff(np.interp(edges_s, warp.library_s, warp.query_s)) / _TEMPO_STEP_S
        axes.step(edges_s[1:], 100 * np.clip(tempo, *_TEMPO_WITHIN), color="tab:green", linewidth=1.2, where="pre")
    axes.set_ylabel("tempo, %")


FORMAT = AlignmentFormat("picture", (".png",), _write)
