"""A lint of words and names: each banned one has a term of the field in its place."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

BANNED = {
    r"heard": "decoded, seen in training, or within the receptive field",
    r"asks?|asked|asking|askers?": "query, request",
    r"wrong answers?": "negatives",
    r"not[_ ]wrong": "false negatives",
    r"but for": "except for",
    r"besides?": "next to, with, or late fusion",
    r"discriminants?": "late fusion",
    r"hubs?": "hubness, CSLS",
    r"foundations?": "initial weights, init_from",
    r"holdings|atlas": "snapshot, library map",
    r"outlined|level[_ ]free": "normalised, level-normalised",
    r"(?:speaks?|spoken|speaking|spoke) for": "the score or the evidence of",
    r"entrants?": "competitor",
}
"""Pattern → the term to use. Matched as whole words, parts of identifiers included."""

ALLOWED = {
    "src/antiphon/models/late_fusion.py": ("discriminant",),  # Fisher's, the source
    # Keys of stored formats.
    "src/antiphon/models/saving.py": ("beside", "discriminant"),
    "src/antiphon/training/config.py": ("beside", "discriminant", "foundation"),
    "src/antiphon/experiments/campaign/earlier_formats.py": ("foundation",),
    "docs/reference/file-formats.md": ("foundation",),
    "src/antiphon/experiments/analysis/geometry.py": ("hubs",),
    "src/antiphon/experiments/analysis/cost.py": ("beside",),
}
CHECKED = ("src", "docs", "examples", "benchmarks", "web/src", "README.md", "CONTRIBUTING.md", "Makefile")
SUFFIXES = frozenset({".py", ".md", ".ts", ".tsx", ".toml", ".html", ""})


def _checked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *CHECKED], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    found = [ROOT / name for name in listed if name and Path(name).suffix in SUFFIXES and (ROOT / name).is_file()]
    assert len(found) > 200
    return found


def _faults(path: Path) -> list[str]:
    name = path.relative_to(ROOT).as_posix()
    lines = path.read_text(encoding="utf-8").splitlines()
    faults = []
    for pattern, instead in BANNED.items():
        # An underscore ends a word here, so that `heard_frames` counts and `unheard` does not.
        word = re.compile(rf"(?<![a-z])(?:{pattern})(?![a-z])", re.IGNORECASE)
        for number, line in enumerate(lines, 1):
            match = word.search(line)
            if match and match[0].lower() not in ALLOWED.get(name, ()):
                faults.append(f"{name}:{number}: {match[0]!r} (use: {instead})")
    return faults


def test_no_banned_words_or_names() -> None:
    faults = [fault for path in _checked_files() for fault in _faults(path)]
    assert not faults, f"{len(faults)} banned words:\n" + "\n".join(faults)


_CLAUSE = re.compile(r"(?:^|[.:] |\"\"\")What [^.?\n]*(?:\.|$)(?! *\?)")


def test_no_sentence_has_a_clause_with_what_as_its_subject() -> None:
    faults = []
    for path in _checked_files():
        if path.suffix in (".py", ".md"):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if _CLAUSE.search(line.strip()) and "?" not in line:
                    faults.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not faults, "name the subject:\n" + "\n".join(faults)


@pytest.mark.parametrize("text", ["heard_frames", "It asks the index.", "all but for one"])
def test_the_lint_finds(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "module.py"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    assert len(_faults(path)) == 1
