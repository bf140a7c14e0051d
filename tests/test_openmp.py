"""OpenMP threads wait passively unless a user says otherwise, and importing the package stays light."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from antiphon.openmp import wait_passively


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A new interpreter without the settings that this one has inherited."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
    return subprocess.run(
        [sys.executable, "-c", code], env=own | environment, capture_output=True, text=True, check=True
    )


@pytest.mark.parametrize(
    "chosen",
    [("OMP_WAIT_POLICY", "ACTIVE"), ("GOMP_SPINCOUNT", "9"), ("KMP_BLOCKTIME", "5"), ("KMP_LIBRARY", "serial")],
)
def test_a_users_own_choice_stays(chosen: tuple[str, str]):
    environment = dict([chosen])
    wait_passively(environment)
    assert environment == dict([chosen])


@pytest.mark.parametrize(
    "module", ["antiphon", "antiphon.cli", "antiphon.index.neighbours", "antiphon.models.embedder"]
)
def test_waiting_is_passive_whatever_is_imported_first(module: str):
    code = f"import os, {module}; print(os.environ['OMP_WAIT_POLICY'], os.environ['KMP_BLOCKTIME'])"
    assert run_python(code).stdout.split() == ["PASSIVE", "0"]
    assert run_python(code, OMP_WAIT_POLICY="ACTIVE", KMP_BLOCKTIME="7").stdout.split() == ["ACTIVE", "7"]


@pytest.mark.skipif(sys.platform != "linux", reason="GNU's runtime, which says what it has read")
def test_the_runtime_that_torch_brings_has_read_it():
    spins = [
        re.search(r"GOMP_SPINCOUNT = '(\d+)'", run_python(f"import {module}", OMP_DISPLAY_ENV="verbose").stderr)
        for module in ("antiphon.models.embedder", "torch")
    ]
    passive, usual = (int(found[1]) for found in spins if found is not None)
    assert passive == 0 < usual


def test_importing_the_package_is_light():
    """Processor time of the import alone; 0.001 s when this was written."""
    code = (
        "import sys, time; before = time.process_time(); import antiphon; print(time.process_time() - before); "
        "print([name for name in ('torch', 'faiss', 'numpy', 'scipy') if name in sys.modules])"
    )
    seconds, heavy = run_python(code).stdout.splitlines()
    assert heavy == "[]"
    assert float(seconds) <= 0.1
