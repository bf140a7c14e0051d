"""Other methods that find the notes of a recording, run on the queries that `benchmarks.search` writes.

The queries lie in CACHE/exchange. The package does not import the peers. They run in a separate environment, from the
root of the checkout:

    python -m venv peers-venv
    peers-venv/bin/pip install uv
    peers-venv/bin/uv pip install --python peers-venv/bin/python --constraint constraints.txt \\
        --override benchmarks/peers/overrides.txt -e . -r benchmarks/peers/requirements.txt
    peers-venv/bin/python -m benchmarks.peers.chroma CACHE/exchange/real.queries.json answers/real.chroma.json \\
        --queries 50 --library 100
    peers-venv/bin/python -m benchmarks.peers.template …      peers-venv/bin/python -m benchmarks.peers.transcribe …
    python -m benchmarks.search --rows --peers answers …

`--queries N` takes the first N queries of a row and `--library N` searches N of its files, the same ones for every peer
with the same numbers. A smaller library is easier. `benchmarks.search` scores the results of peers as it scores ours.

The peers of `benchmarks.alignment` have an environment of their own too. That command starts them itself:

    python -m venv align-venv
    align-venv/bin/pip install --constraint constraints.txt -r benchmarks/peers/requirements-alignment.txt
    python -m benchmarks.alignment … --peers align-venv/bin/python

The measures of `mir_eval` need it in the environment of the command itself; without it they are left out.
"""
