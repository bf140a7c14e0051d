# make demo   a recording finds its notes          make test   linter, types, tests
# make check  linter, types, and the quick tests, before a commit
# make venv   only the environment                 make bench  measured speeds, with peers
# make docs   the documentation, in site/      make notebooks  the notebooks of the examples, after a change of those
# make web    the page of `antiphon serve`, bundled into the package; needs Node 18 or newer, with npm
# make matrix the package with every Python at hand, and with the lowest versions of its dependencies
# make api    the API's OpenAPI document and the page's types, after a change of the server's models or routes
PYTHON ?= python3
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export UV_CONSTRAINT := $(CURDIR)/constraints.txt
export UV_FIND_LINKS := $(PIP_FIND_LINKS)
BIN := .venv/bin
JOBS ?= 2

.PHONY: demo test check venv lint types matrix bench docs notebooks web api clean
venv: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Antiphon needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[dev]'
	touch $@

demo: venv
	$(BIN)/antiphon demo

# One thread a worker, or they wait for each other. Neighbouring tests, which share fixtures, stay on one worker.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal

test: lint types
	$(PYTEST)

check: lint types
	$(PYTEST) -m "not slow" tests

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv
	$(BIN)/mypy

matrix: venv
	$(BIN)/python tests/matrix.py $(MATRIX)

bench: venv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r benchmarks/requirements.txt
	$(BIN)/python -m benchmarks

docs: venv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

notebooks: venv
	$(BIN)/python -m docs.notebooks

PAGE := src/antiphon/serving/page
web: $(PAGE)/app.js

$(PAGE)/app.js: $(shell find web -path web/node_modules -prune -o -type f -print)
	@command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' || \
		{ echo "The page is bundled by Node 18 or newer with npm, which is not here; an installed package needs neither." >&2; exit 1; }
	cd web && npm ci && npm test && npm run build

api: venv
	$(BIN)/python -c 'import json; from antiphon.serving.app import openapi_document as document; print(json.dumps(document(), indent=1, ensure_ascii=False))' >web/openapi.json
	cd web && npm ci && npm run api

clean:
	rm -rf .venv .matrix .mypy_cache .ruff_cache .pytest_cache dist site web/node_modules $(PAGE)
