"""One record of a match: the command's JSON, pairs, the server's models and the page's types have the same fields."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import get_type_hints

import pytest
from pydantic import TypeAdapter

from antiphon.index.match import MATCH_FIELDS, Match
from antiphon.index.pairing_result import Pair
from antiphon.serving import models

CONTRACT = ("file", "start_s", "end_s", "query_start_s", "query_end_s", "tempo", "confidence")
"""What the documented JSON of `antiphon search` has, whatever else."""
UNKNOWN = Match("a.mid", 10.0, 20.0, 0.0, 10.0, 1.0, 2, 0.5, 0.9)


def test_json_has_the_documented_fields_and_nothing_unknown():
    assert set(CONTRACT) <= set(UNKNOWN.as_dict())
    assert not {"work", "composer", "title"} & set(UNKNOWN.as_dict())
    known = Match(**UNKNOWN.match_fields() | {"title": "Jaro"})
    assert known.as_dict() == UNKNOWN.as_dict() | {"title": "Jaro"}
    assert replace(UNKNOWN, gone=True).as_dict() == UNKNOWN.as_dict() | {"gone": True}


@pytest.mark.parametrize("other", [Pair, models.Hit, models.Pair])
def test_others_are_matches_with_fields_of_their_own(other: type[Match]):
    assert issubclass(other, Match)
    names = tuple(field.name for field in fields(other))
    assert names[: len(MATCH_FIELDS)] == MATCH_FIELDS
    assert not set(vars(other).get("__annotations__", ())) & set(MATCH_FIELDS), "a field is declared twice"


@pytest.mark.parametrize("model", [models.Hit, models.Pair])
def test_the_servers_json_has_every_field_in_its_type(model: type[Match]):
    properties = TypeAdapter(model).json_schema(mode="serialization")["properties"]
    types = {float: "number", int: "integer", str: "string", bool: "boolean"}
    for name, type_ in get_type_hints(Match).items():
        assert properties[name]["type"] == types[type_], name


def test_the_server_rates_a_confidence_in_words():
    recording = models.Recording(id=1, kind="notes", file="a.mid", composer="", title="", work="", duration_s=9.0)
    said = [
        (hit.likely, hit.words)
        for confidence in (0.99, 0.9, 0.6, 0.2)
        for hit in [models.Hit(**UNKNOWN.match_fields() | {"confidence": confidence}, recording=recording)]
    ]
    assert said == [(True, "almost certainly"), (True, "very likely"), (True, "likely"), (False, "doubtful")]
