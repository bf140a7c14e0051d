"""The match record: which stretch of a library file is the same music as which stretch of a query.

`search`, `pair`, their JSON and CSV, and the server's API all have these fields; each adds only fields of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Match:
    """One result of a search: a stretch of a library file that matches a stretch of the query.

    Attributes
    ----------
    file : str
        Path of the file in the library.
    start_s, end_s : float
        Seconds in the file.
    query_start_s, query_end_s : float
        Seconds in the query, counted from the beginning of its file.
    tempo : float
        Library seconds per query second.
    semitones : int
        Transposition of the query relative to the file.
    score : float
        Mean cosine similarity of the onsets of both along the match.
    confidence : float
        Estimated probability that both are the same music, 0 to 1.
    work, composer, title : str
        Empty where they are not known.
    gone : bool
        The file no longer exists; the match is with the notes that the index contains.

    Examples
    --------
    >>> import antiphon
    >>> match = antiphon.Match("a.mid", 10.0, 20.0, 0.0, 10.0, 1.0, 0, 0.5, 0.9)
    >>> match.end_s - match.start_s, match.as_dict()["confidence"]
    (10.0, 0.9)
    """

    file: str
    start_s: float
    end_s: float
    query_start_s: float
    query_end_s: float
    tempo: float
    semitones: int
    score: float
    confidence: float
    work: str = ""
    composer: str = ""
    title: str = ""
    gone: bool = False

    def match_fields(self) -> dict[str, Any]:
        """The fields of the match by name, without those that a subclass adds."""
        return {name: getattr(self, name) for name in MATCH_FIELDS}

    def as_dict(self) -> dict[str, Any]:
        """The match as JSON: its fields by name, without `work`, `composer` and `title` where they are not known, and
        without `gone` where the file exists.

        >>> match = Match("a.mid", 10.0, 20.0, 0.0, 10.0, 1.0, 0, 0.5, 0.9, composer="Suk")
        >>> match.as_dict()["confidence"], match.as_dict()["composer"], "title" in match.as_dict()
        (0.9, 'Suk', False)
        """
        known = {name: value for name, value in self.match_fields().items() if value != ""}
        return known | {"gone": True} if self.gone else known


MATCH_FIELDS = tuple(field.name for field in fields(Match) if field.name != "gone")
"""Names of the fields in the order of tables, which do not have `gone`."""
