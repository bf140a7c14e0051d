"""The package's own search with another model: the untrained `template` or any other, in the same library.

python -m benchmarks.peers.template QUERIES OUT [--model template] [--index DIR] [--queries N] [--library N]
"""

from __future__ import annotations

from pathlib import Path

from antiphon.alignment.confidence import LIKELY
from benchmarks.peers.common import parser_for, run_peer
from benchmarks.peers.library import open_search


def main() -> None:
    """Parse the command line, index the library, run the queries."""
    parser = parser_for("template", "The package's search with another model.")
    parser.add_argument("--model", default="template")
    parser.add_argument("--index", type=Path, metavar="DIR", help="keep the index there (a temporary folder)")
    options = parser.parse_args()
    run_peer(
        options,
        f"antiphon, {Path(options.model).name}",
        lambda library: open_search(library, options.model, options.index),
        LIKELY,
    )


if __name__ == "__main__":
    main()
