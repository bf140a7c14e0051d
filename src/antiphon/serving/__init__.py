"""An index over HTTP, and the page that uses it. `docs/reference/server.md` describes the API; `antiphon serve` starts it."""
