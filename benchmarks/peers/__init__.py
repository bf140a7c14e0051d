"""Other ways to find a recording's notes, put to the queries that `benchmarks.search` leaves in CACHE/exchange.

They run in an environment of their own, from the root of the checkout, and are nothing that the package imports:

    python -m venv peers-venv
    peers-venv/bin/pip install uv
    peers-venv/bin/uv pip install --python peers-venv/bin/python --constraint constraints.txt \\
        --override benchmarks/peers/overrides.txt -e . -r benchmarks/peers/requirements.txt
    peers-venv/bin/python -m benchmarks.peers.chroma CACHE/exchange/real.queries.json answers/real.chroma.json \\
        --queries 50 --library 100
    peers-venv/bin/python -m benchmarks.peers.template …      peers-venv/bin/python -m benchmarks.peers.transcribe …
    python -m benchmarks.search --rows --peers answers …

`--queries` takes the first of a row's queries and `--library` so many of its files, the same for every peer that is
given the same numbers; a smaller library is easier. Answers are counted by `benchmarks.search`, as ours are.
"""
