"""Times, paths and numbers as messages write them, and times as users do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.wording import clock, counted, seconds_of, shown_path


@given(st.integers(0, 400_000))
def test_a_printed_time_is_read_again(seconds: int) -> None:
    assert seconds_of(clock(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0:05", 5.0), ("00:05", 5.0), ("75:30.25", 4530.25), ("1:00:00", 3600.0), ("-1", -1.0), (90, 90.0), ("5.", 5.0)],
)
def test_times(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["1:75", "1:2", ":30", "1:60:00", "1:2:03", "1:02:03:04", "a:bb", "five", "", "-1:00"])
def test_other_texts_are_no_times(text: str) -> None:
    with pytest.raises(ValueError, match="is no time; it takes seconds, m:ss or h:mm:ss"):
        seconds_of(text)


def test_paths_are_short_below_the_working_folder_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert shown_path(tmp_path / "here" / "a" / "b.mid") == "a/b.mid"
    assert shown_path(tmp_path / "hereafter" / "b.mid") == str(tmp_path / "hereafter" / "b.mid")
    assert shown_path("../b.mid") == "../b.mid"
    assert shown_path(tmp_path / "here") == str(tmp_path / "here")
    assert shown_path("\udcff.mid") == "\\udcff.mid"


def test_one_is_not_many() -> None:
    assert [counted(number, "link to a folder", "links to folders") for number in (0, 1, 2)] == [
        "0 links to folders", "1 link to a folder", "2 links to folders",
    ]  # fmt: skip
