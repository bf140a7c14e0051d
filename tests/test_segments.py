"""Windows contain exactly the samples at their times, and zeros beyond the ends."""

from __future__ import annotations

import numpy as np

from antiphon.corpora.segment_table import SoundWindows, cut_windows


def test_windows_beyond_either_end_are_padded_with_zeros() -> None:
    samples = np.arange(1, 9, dtype=np.float32)
    windows = cut_windows(samples, 4, np.array([-0.5, 0.25, 1.5]), 1.0)
    np.testing.assert_array_equal(windows, [[0, 0, 1, 2], [2, 3, 4, 5], [7, 8, 0, 0]])


def test_an_overlap_contains_the_same_windows() -> None:
    samples = np.arange(1, 9, dtype=np.float32)
    windows = SoundWindows.at(samples, 4, np.array([-0.5, 0.25, 1.5]), 1.0)
    overlap = windows.overlap(np.array([0, 1]))
    cut = [overlap.samples[first : first + 4].tolist() for first in overlap.begin.tolist()]
    assert cut == windows[np.array([0, 1])].tolist()
