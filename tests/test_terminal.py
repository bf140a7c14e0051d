"""The terminal of the commands: bars where stderr is a terminal, log records always, and nothing left behind."""

from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console

from antiphon.cli import campaign_table, terminal
from antiphon.experiments.campaign.runner import CampaignStatus
from antiphon.progress import track
from antiphon.training.run_log import Progress


def console(text: io.StringIO, is_terminal: bool) -> Console:
    return Console(file=text, force_terminal=is_terminal, width=80, highlight=False)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_bars_are_drawn_on_a_terminal_only(is_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    monkeypatch.setattr(terminal, "console", console(text, is_terminal))
    with terminal.progress_on_stderr():
        assert list(track("abc", "spelling")) == ["a", "b", "c"]
        for letter in track("abc", "interrupted"):
            if letter == "b":
                break
        assert list(track(iter("de"), "counting")) == ["d", "e"]
    for task in ("spelling", "interrupted", "counting"):
        assert (task in text.getvalue()) is is_terminal
    written = len(text.getvalue())
    assert list(track("f", "afterwards")) == ["f"]
    assert len(text.getvalue()) == written


def test_log_records_are_lines_on_stderr_while_a_command_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    monkeypatch.setattr(terminal, "console", console(text, False))
    log = logging.getLogger("antiphon.experiments")
    with terminal.progress_on_stderr():
        log.info("[template], %s: 3 s", "paper")
        log.debug("not shown")
    log.info("not shown either")
    assert text.getvalue() == "[template], paper: 3 s\n"


def test_a_campaign_has_a_live_table_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    record = {"run": "D0", "training": {"steps": 10, "segments_per_second": 7.0}, "evaluations": [{"S": 41.2}]}
    status = CampaignStatus([record], 3, {"A4": Progress(5, 20, 8.0), "A7": Progress(20, 20, 9.0)}, 120.0)
    for is_terminal in (True, False):
        text = io.StringIO()
        monkeypatch.setattr(campaign_table, "console", console(text, is_terminal))
        with campaign_table.live_table() as show:
            assert (show is not None) is is_terminal
            if show is not None:
                show(status)
        for part in ("41.2", "evaluating", "1 of 3 runs finished, about 2 min left"):
            assert (part in text.getvalue()) is is_terminal
