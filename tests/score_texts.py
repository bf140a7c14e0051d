"""Small scores as text, for the tests of score reading."""

from __future__ import annotations

MEI_HEAD = '<?xml version="1.0"?><mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="{version}"><meiHead/>'


def pitch(step: str, octave: int = 4, alter: str = "") -> str:
    altered = f"<alter>{alter}</alter>" if alter else ""
    return f"<pitch><step>{step}</step>{altered}<octave>{octave}</octave></pitch>"


def note(step: str, duration: int = 1, octave: int = 4, more: str = "", alter: str = "", before: str = "") -> str:
    """A note; `before` holds what precedes the pitch (chord, grace, cue), `more` what follows the duration."""
    length = "" if "<grace" in before else f"<duration>{duration}</duration>"
    return f"<note>{before}{pitch(step, octave, alter)}{length}{more}</note>"


def bar(content: str, number: int | str = 1, more: str = "") -> str:
    return f'<measure number="{number}" {more}>{content}</measure>'


def attributes(divisions: int = 1, beats: str = "4", unit: str = "4", more: str = "") -> str:
    time = f"<time><beats>{beats}</beats><beat-type>{unit}</beat-type></time>"
    return f"<attributes><divisions>{divisions}</divisions>{time}{more}</attributes>"


def partwise(*parts: str, part_list: str = "") -> str:
    listed = part_list or "".join(f'<score-part id="P{place}"/>' for place in range(len(parts)))
    bodies = "".join(f'<part id="P{place}">{part}</part>' for place, part in enumerate(parts))
    return f'<score-partwise version="4.0"><part-list>{listed}</part-list>{bodies}</score-partwise>'


def tempo(per_minute: float) -> str:
    return f'<sound tempo="{per_minute}"/>'


def direction(content: str, more: str = "") -> str:
    return f"<direction><direction-type>{content}</direction-type>{more}</direction>"


def repeat(direction: str, more: str = "", ending: str = "") -> str:
    """A bar line with a repeat sign; `ending` is "1 start" or "1 stop"."""
    location = "left" if direction == "forward" else "right"
    sign = f'<repeat direction="{direction}" {more}/>' if direction else ""
    return barline(location, _ending(ending) + sign)


def barline(location: str, content: str) -> str:
    return f'<barline location="{location}">{content}</barline>'


def ending(number: str, kind: str) -> str:
    return barline("left" if kind == "start" else "right", _ending(f"{number} {kind}"))


def _ending(text: str) -> str:
    number, _, kind = text.rpartition(" ")
    return f'<ending number="{number}" type="{kind}"/>' if text else ""


def mei(sections: str, definition: str = '<staffDef n="1"/>', more: str = "", version: str = "5.0") -> str:
    """An MEI document in 2/4 with 60 quarters a minute."""
    return (
        f"{MEI_HEAD.format(version=version)}<music><body><mdiv><score>"
        f'<scoreDef meter.count="2" meter.unit="4" midi.bpm="60" {more}><staffGrp>{definition}</staffGrp></scoreDef>'
        f"<section>{sections}</section></score></mdiv></body></music></mei>"
    )


def mei_bar(layer: str, number: str = "1", more: str = "", after: str = "") -> str:
    return f'<measure n="{number}" {more}><staff n="1"><layer n="1">{layer}</layer></staff>{after}</measure>'


def mei_note(name: str, dur: str = "4", more: str = "") -> str:
    return f'<note pname="{name}" oct="4" dur="{dur}" {more}/>'


KERN = """**kern\t**kern\t**text
*M2/4\t*M2/4\t*
*MM60\t*MM60\t*
=1\t=1\t=1
4C\t4c 4e\tla
*\t*^\t*
4D\t[4g\t8f\tla
.\t.\t8e\t.
=2\t=2\t=2\t=2
*\t*v\t*v\t*
2E\t2g]\t.
==\t==\t==
*-\t*-\t*-
"""
