"""Waits of tests end when their condition holds, and none has a limit of its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import waiting
from waiting import LIMIT_S, until

WAITS = {"sleep", "wait", "join", "wait_for", "wait_for_timeout", "set_default_timeout"}
"""Calls whose first argument is a number of seconds or milliseconds."""
CLOCKS = {"perf_counter", "monotonic", "time", "process_time"}


def test_until_gives_the_first_true_value():
    values = iter([0, None, "", "there", "later"])
    assert until(lambda: next(values), "a value") == "there"


def test_until_names_what_did_not_come(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(waiting, "LIMIT_S", 0.05)
    with pytest.raises(AssertionError, match=r"the server: not within 0\.05 s"):
        until(lambda: False, "the server")


def test_the_limit_is_beyond_what_a_busy_machine_needs():
    assert LIMIT_S >= 120


def own_limits(source: str) -> list[int]:
    """Lines that wait for a number of their own, or read a clock."""
    lines = []
    for call in ast.walk(ast.parse(source)):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
            continue
        given = [one.value for one in call.keywords if one.arg in ("timeout", "timeout_s")]
        if call.func.attr in WAITS:
            given += call.args[:1]
        module = call.func.value.id if isinstance(call.func.value, ast.Name) else ""
        if any(isinstance(one, ast.Constant) and isinstance(one.value, int | float) and one.value for one in given) or (
            module == "time" and call.func.attr in CLOCKS
        ):
            lines.append(call.lineno)
    return lines


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("time.sleep(0.1)", [1]),
        ("process.wait(20)", [1]),
        ("\nsubprocess.run(command, timeout=60)", [2]),
        ("page.wait_for_timeout(300)", [1]),
        ("began = time.monotonic()", [1]),
        ("process.wait(LIMIT_S); thread.join(); ', '.join(words); lock.acquire(timeout=0)", []),
    ],
)
def test_own_limits_are_found(source: str, found: list[int]):
    assert own_limits(source) == found


def test_no_test_has_a_limit_of_its_own():
    files = [path for path in sorted(Path(__file__).parent.glob("*.py")) if path.name != "waiting.py"]
    assert len(files) > 50
    assert [f"{path.name}:{line}" for path in files for line in own_limits(path.read_text(encoding="utf-8"))] == [
        f"test_page.py:{line}" for line in pauses_of_until()
    ]


def pauses_of_until() -> list[int]:
    """Where the page's `until` pauses between two looks: a poll, not a wait."""
    text = (Path(__file__).parent / "test_page.py").read_text(encoding="utf-8")
    return [number for number, line in enumerate(text.splitlines(), 1) if "waiting.until(" in line]
