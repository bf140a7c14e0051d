"""An index over HTTP, and the page that uses it. `docs/serving.md` describes the API; `antiphon serve` starts it."""
