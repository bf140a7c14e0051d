"""XML bytes → elements, by expat: no entity is expanded, nothing is fetched, namespaces are not resolved."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from antiphon.errors import UnreadableInput

_DEEPEST = 500


def parse_xml(path: Path, data: bytes) -> Element:
    """The root element. Tags keep their prefix (`xlink:href`), declared or not.

    Raises
    ------
    UnreadableInput
        It is not well-formed, declares entities, has an unknown encoding or is nested more than 500 deep.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise UnreadableInput(path, f"its XML is nested more than {_DEEPEST} deep")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def entity(name: str, *_: object) -> None:
        raise UnreadableInput(path, f"its XML declares an entity ({name[:40]!r}), which is not expanded for safety")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = entity
    try:
        parser.Parse(data, True)
        return builder.close()
    except (expat.ExpatError, LookupError, ValueError, AssertionError) as error:
        raise UnreadableInput(path, f"not well-formed XML: {error} (cut or damaged?)") from None
