"""Where the frames of a stream lie in time: by counting their samples, and by their time stamps where those jump."""

from __future__ import annotations

LEAST_GAP_S = 0.1  # smaller jumps of the time stamps are rounding
_LONGEST_GAP_S = 10.0  # larger ones, past the end that is stated, are a new clock; FFmpeg joins those too
_EXACT_GAP_S = 0.001  # where each frame carries the number of its first sample
LATEST_START_S = 3600


class Clock:
    """Where each frame or packet lies, in samples from second 0; whole numbers while the rate is one.

    The caller sets `expected` to the end of each frame. `steady` is False once the time stamps have jumped otherwise
    than over a gap; `first_gap` is where the first gap begins.
    """

    def __init__(
        self, rate: int, zero_s: float, exact: bool, stated_end_s: float | None, expected: float | None = None
    ) -> None:
        self._rate, self._zero_s = rate, zero_s
        self._least = (_EXACT_GAP_S if exact else LEAST_GAP_S) * rate
        self._latest = max(stated_end_s or 0.0, 0.0) * rate + rate
        self.expected: float | None = expected
        self.steady = True
        self.first_gap: float | None = None

    def place(self, time_s: float | None, after_fault: bool = False) -> float:
        """Position by the time stamp where that shows a gap, else by the count of the samples before."""
        at = None if time_s is None else round((time_s - self._zero_s) * self._rate)
        if self.expected is None:
            self.expected = max(0, at or 0)
            return self.expected
        if at is None:
            return self.expected
        jump = at - self.expected
        if (0 if after_fault else self._least) < jump and (
            jump <= _LONGEST_GAP_S * self._rate or (at <= self._latest and jump <= LATEST_START_S * self._rate)
        ):
            if self.first_gap is None:
                self.first_gap = self.expected
            self.expected = at
        elif abs(jump) > LEAST_GAP_S * self._rate:
            self.steady = False
        return self.expected
