"""HTTP server of an index, with a web page, started by `antiphon serve`; described in `docs/reference/server.md`."""
