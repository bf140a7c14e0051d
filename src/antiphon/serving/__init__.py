"""An index over HTTP, and the page that uses it. `antiphon serve` starts it; `docs/reference/server.md` describes the
API."""
