"""`python -m benchmarks.results`: write the tables of README.md, docs/background/results.md and
docs/background/model-card.md from the JSON files in results/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from antiphon.experiments.comparison.report import summary_as_markdown
from benchmarks.report import markdown_table, replace_section

_MODELS = {"template": "template, nothing learned", "D0": "D0, preset medium", "d4a4": "d4a4, preset medium"}
_SOUND = {
    "val-fluidr3": "validation, FluidR3 (used in training)",
    "val-timgm": "validation, TimGM6mb (unseen in training)",
    "test-timgm": "test, TimGM6mb (unseen in training)",
}


def main() -> None:
    """Read all results and write the tables."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(Path("results/evaluation").glob("*.json"))]
    if not found:
        raise SystemExit("results/evaluation holds no JSON; run from the root of the checkout")
    paper = sorted((one for one in found if one["protocol"] == "paper"), key=_order)
    strict = sorted((one for one in found if one["protocol"] == "strict"), key=_order)
    replace_section(Path("docs/background/results.md"), "paper", _long(paper))
    replace_section(Path("docs/background/results.md"), "strict", _long(strict))
    suite = (
        summary_as_markdown(json.loads(Path("results/suite/suite.json").read_text(encoding="utf-8")))
        .split("\n", 2)[2]
        .strip()
    )
    first_table = next(part for part in suite.split("\n\n") if part.startswith("|"))
    replace_section(Path("README.md"), "suite", first_table)
    replace_section(Path("docs/background/model-card.md"), "suite", suite.replace("\n## ", "\n### "))
    print(first_table)


def _order(result: dict[str, Any]) -> tuple[int, int]:
    return list(_SOUND).index(result["corpus"]), list(_MODELS).index(result["model"])


def _pair(scores: dict[str, Any], name: str, digits: int = 1) -> str:
    return f"{scores['a2m'][name]:.{digits}f} / {scores['m2a'][name]:.{digits}f}"


def _long(results: list[dict[str, Any]]) -> str:
    columns = (
        "model",
        "sound",
        "pool",
        "R@1",
        "R@5",
        "R@10",
        "R@20",
        "MRR",
        "S or worse R@1, 95 % over pieces",
        "chance R@1",
    )
    rows = []
    for result in results:
        for title, scores in (("256", result), (f"{result['whole_pool']['n']}", result["whole_pool"])):
            within = scores["intervals_95"]["pieces"]
            if scores is result:
                shown = f"S {result['S']:.1f} [{within['S'][0]:.1f}, {within['S'][1]:.1f}]"
            else:
                worse = min(("a2m", "m2a"), key=lambda direction: scores[direction]["R@1"])
                low, high = within[worse]["R@1"]
                shown = f"{scores[worse]['R@1']:.1f} [{low:.1f}, {high:.1f}]"
            rows.append(
                (
                    _MODELS[result["model"]],
                    _SOUND[result["corpus"]],
                    title,
                    *(_pair(scores, f"R@{k}") for k in (1, 5, 10, 20)),
                    _pair(scores, "MRR", 3),
                    shown,
                    f"{scores['chance']['R@1']:.2f}",
                )
            )
    return markdown_table(columns, rows)


if __name__ == "__main__":
    main()
