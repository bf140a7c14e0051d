"""Search with what is not music, or too little of it, and count how often something is found.

python -m benchmarks.nonmusic --notes MAESTRO SUPRA --sizes 50 1700 --sound RENDERED --drums FREEDOOM --music POP909

Every kind of `benchmarks.nonmusic.kinds` gives `--count` queries, drawn with `--seed`. The development of the
confidence used seeds 1 and 2; the default is 3. Outcomes are kept below `--cache`, so a stopped run goes on.
`--search EXCHANGE` names a folder with the queries and results of `benchmarks.search`, which give the reliability of
the confidence for music: stated confidence against the share of right works.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from antiphon.corpora import open_corpus
from antiphon.errors import AntiphonError, UnknownName
from antiphon.io.files import write_json
from antiphon.models.loading import load_model
from antiphon.provenance import code_version
from benchmarks.nonmusic.every_kind import KINDS
from benchmarks.nonmusic.of_files import register_files
from benchmarks.nonmusic.report import (
    found_as_markdown,
    reliability,
    reliability_as_markdown,
    summary,
)
from benchmarks.nonmusic.running import run_kinds, some_of
from benchmarks.report import replace_section
from benchmarks.search.queries import Library, outcome_from_dict, read_queries
from benchmarks.search.querying import Indexes
from benchmarks.search.scoring import score_all

TEST_SEED = 3


def main() -> None:
    """Parse the command line, run the kinds, print the tables."""
    parser = _parser()
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    try:
        text = _run(options)
    except AntiphonError as error:
        parser.error(str(error))
    print(text)
    if options.update:
        replace_section(options.update, "nonmusic", text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nonmusic", description=__doc__.splitlines()[0])
    parser.add_argument("--notes", nargs="+", type=Path, default=[], metavar="DIR", help="folders of note files")
    parser.add_argument("--sizes", nargs="+", type=int, default=[50, 1700], help="files of the note libraries")
    parser.add_argument("--sound", metavar="DIR", help="a corpus with audio: a library of recordings")
    parser.add_argument("--sound-size", type=int, default=50, help="recordings of that library (50)")
    parser.add_argument("--drums", type=Path, metavar="DIR", help="note files with drums, for kind drum-pattern")
    parser.add_argument("--music", nargs="*", type=Path, default=[], metavar="DIR", help="note files of other music")
    parser.add_argument("--kinds", nargs="+", metavar="KIND", help="only these kinds")
    parser.add_argument("--count", type=int, default=200, help="queries per kind and library (200)")
    parser.add_argument("--seed", type=int, default=TEST_SEED, help=f"of the queries ({TEST_SEED})")
    parser.add_argument("--model", default="default")
    parser.add_argument("--threads", type=int, default=1, help="PyTorch's threads (1)")
    parser.add_argument("--cache", type=Path, default=Path("runs/nonmusic"), metavar="DIR", help="indexes and outcomes")
    parser.add_argument("--search", type=Path, metavar="DIR", help="queries and results of benchmarks.search")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the results to FILE")
    parser.add_argument("--update", type=Path, metavar="FILE", help="replace the tables in FILE")
    return parser


def _run(options: argparse.Namespace) -> str:
    register_files(options.drums, options.music)
    kinds = list(KINDS) if options.kinds is None else options.kinds
    for name in kinds:
        if name not in KINDS:
            raise UnknownName("kind", name, list(KINDS))
    embedder = load_model(options.model)
    indexes = Indexes(options.cache / options.model.replace("/", "_"), options.model, embedder)
    libraries: dict[str, Any] = {}
    for name, library in _libraries(options).items():
        out = options.cache / "answers" / f"{name}-seed{options.seed}.json".replace(" ", "-")
        with indexes.open(library) as store:
            libraries[name] = summary(run_kinds(kinds, options.count, options.seed, library, store, embedder, out))
    of_search = {} if options.search is None else reliability_of_search(options.search)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        facts = {"model_hash": embedder.fingerprint, "code": code_version(), "seed": options.seed}
        write_json(options.out, facts | {"libraries": libraries, "search": of_search})
    tables = [found_as_markdown(libraries)] if libraries else []
    return "\n\n".join([*tables, *([reliability_as_markdown(of_search)] if of_search else [])])


def _libraries(options: argparse.Namespace) -> dict[str, Library]:
    """The libraries by name: note files in every size, and recordings."""
    found: dict[str, Library] = {}
    if options.notes:
        files = Library.below(options.notes).files
        for size in options.sizes:
            own = some_of(files, size, options.seed)
            found[f"{len(own)} note files"] = Library(own)
    if options.sound:
        recordings = open_corpus(options.sound).with_sound().recordings
        paths = sorted(one.audio_path.resolve() for one in recordings if one.audio_path is not None)
        own = some_of(paths, options.sound_size, options.seed)
        found[f"{len(own)} recordings"] = Library(own, modality="audio")
    return found


def reliability_of_search(exchange: Path) -> dict[str, list[dict[str, Any]]]:
    """Row → bins of the confidence of the best match; a match is right when it is of the query's work."""
    found = {}
    for path in sorted(exchange.glob("*.answers.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        _, _, query_set = read_queries(path.with_name(f"{content['row']}.queries.json"))
        outcomes = [outcome_from_dict(one) for one in content["answers"]]
        scored = score_all(query_set, outcomes, content["likely"])
        matched = [one for one in scored if one.outcome.match is not None]
        stated = [one.outcome.match.confidence or 0.0 for one in matched if one.outcome.match is not None]
        found[content["row"]] = reliability(stated, [one.work and bool(one.query.file) for one in matched])
    return found


if __name__ == "__main__":
    main()
