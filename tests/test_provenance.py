"""Which code made a result: of its own checkout or of none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from antiphon import provenance


def test_code_in_anothers_checkout_is_of_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    git("commit", "--allow-empty", "-m", "another")
    (tmp_path / "provenance.py").write_text("", encoding="utf-8")
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    assert provenance.code_version()["commit"] is None
    git("add", "provenance.py")
    git("commit", "-m", "its own")
    commit = provenance.code_version()["commit"]
    assert commit is not None
    assert len(commit) == 12
