"""The live table of a campaign on a terminal: finished runs with their scores, running ones with their progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from antiphon.cli.terminal import console

if TYPE_CHECKING:
    from antiphon import CampaignStatus


@contextmanager
def live_table() -> Iterator[Callable[[CampaignStatus], None] | None]:
    """Yield a callback that shows the status of a campaign; None where stderr is no terminal."""
    if not console.is_terminal:
        yield None
        return
    from rich.live import Live

    live = Live(console=console, transient=True, auto_refresh=False)

    def show(status: CampaignStatus) -> None:
        if not live.is_started:  # only now, because a terminal shows one live display at a time
            live.start()
        live.update(status_table(status), refresh=True)

    try:
        yield show
    finally:
        live.stop()


def status_table(status: CampaignStatus) -> Group:
    """The table of a status, with a line below it for the number of finished runs and the time left."""
    table = Table(box=None)
    for column in ("run", "step", "of", "windows/s", "S %"):
        table.add_column(column, justify="left" if column == "run" else "right")
    for record in status.records:
        training = record["training"]
        steps, speed = str(training["steps"]), f"{training['segments_per_second']:.0f}"
        table.add_row(escape(record["run"]), steps, steps, speed, f"{record['evaluations'][0]['S']:.1f}")
    for name, now in status.running.items():
        step = "evaluating" if now.share == 1 else str(now.step)
        table.add_row(f"[bold]{escape(name)}", step, str(now.steps or "–"), f"{now.segments_per_second:.0f}", "")
    left = "" if status.left_s is None else f", about {status.left_s / 60:.0f} min left"
    return Group(table, f"{len(status.records)} of {status.planned} runs finished{left}")
