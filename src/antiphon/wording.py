"""Numbers, times and paths in words: one form for all messages and tables, and times as users write them."""

from __future__ import annotations

import re
from pathlib import Path

_CLOCK = re.compile(r"(?:(?P<hours>\d+):(?=\d\d:))?(?P<minutes>\d+):(?P<seconds>[0-5]\d(?:\.\d*)?)")


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun; the plural has an s unless it is given.

    >>> counted(1, "file"), counted(1200, "file"), counted(0, "entry", "entries")
    ('1 file', '1200 files', '0 entries')
    """
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def clock(seconds: float) -> str:
    """Seconds as m:ss, from an hour on as h:mm:ss, rounded to the nearest second. Negative times are 0:00.

    >>> clock(5.02), clock(65.5), clock(3599.6), clock(7384)
    ('0:05', '1:06', '1:00:00', '2:03:04')
    """
    whole = max(int(float(seconds) + 0.5), 0)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def seconds_of(text: str | float) -> float:
    """The seconds of a time that is written as seconds, m:ss or h:mm:ss, each with decimals or without.

    Raises `ValueError` for other texts.

    >>> seconds_of("65.5"), seconds_of("1:05.5"), seconds_of("90:00"), seconds_of("1:02:03")
    (65.5, 65.5, 5400.0, 3723.0)
    """
    if isinstance(text, str) and ":" in text:
        found = _CLOCK.fullmatch(text.strip())
        if found is None or (found["hours"] and int(found["minutes"]) > 59):
            raise ValueError(f"{text!r} is no time; it takes seconds, m:ss or h:mm:ss")
        return 3600.0 * int(found["hours"] or 0) + 60.0 * int(found["minutes"]) + float(found["seconds"])
    try:
        return float(text)
    except (TypeError, ValueError):  # a settings file may hold a value of any type
        raise ValueError(f"{text!r} is no time; it takes seconds, m:ss or h:mm:ss") from None


def shown_path(path: str | Path) -> str:
    """A path relative to the working folder where it lies below it, else as it is, in a form that can be printed.

    >>> shown_path(Path.cwd() / "scores" / "op. 2.mid"), shown_path("/nowhere/a.mid"), shown_path("a.mid")
    ('scores/op. 2.mid', '/nowhere/a.mid', 'a.mid')
    """
    path = Path(path)
    folder = Path.cwd()
    shown = path.relative_to(folder) if path.is_absolute() and path != folder and path.is_relative_to(folder) else path
    return printable(shown)


def printable(path: str | Path) -> str:
    """A path, or a text with one, for tables and JSON: bytes of a name that are not UTF-8 are escaped.

    >>> printable("caf\\udce9.mid")
    'caf\\\\udce9.mid'
    """
    return str(path).encode(errors="backslashreplace").decode()
