"""HTTP server of an index, with a web page. `docs/serving.md` describes the API; `antiphon serve` starts the server."""
