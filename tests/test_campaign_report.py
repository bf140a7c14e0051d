"""Reports of invented runs: every figure is in its cell, and missing figures are dashes."""

from __future__ import annotations

import base64
import csv
import random
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from antiphon.experiments import published as paper
from antiphon.experiments.campaign.plots import Mark, draw_against_paper, draw_plots
from antiphon.experiments.campaign.report import CampaignFacts, write_report
from antiphon.experiments.reporting import Heading, Paragraph, Table, as_html, as_markdown, cell

SCREENING = CampaignFacts(
    name="screening",
    title="Screening <13 arms>",
    question="Which descriptor helps most?",
    preset="tiny",
    corpora=("made-up-train",),
    evaluated_on=("made-up-val", "made-up-far"),
    finished=4,
    planned=14,
)


def evaluation(s: float, corpus: str) -> dict[str, Any]:
    """Recalls that identify their direction: R@1 of audio→notes ends in .1, of notes→audio in .2."""
    a2m, m2a = ({"R@1": int(s / 3) + end, "R@5": s - 5, "R@10": s, "R@20": s + 5} for end in (0.1, 0.2))
    return {
        "corpus": corpus,
        "split": "validation",
        "protocol": "paper",
        "recordings": 12,
        "queries": 500,
        "pool_size": 256.0,
        "code": {"version": "0.1.0", "commit": "0123456789ab"},
        "S": s,
        "a2m": a2m | {"MRR": 0.311},
        "m2a": m2a | {"MRR": 0.322},
        "chance": {"R@1": 0.390625, "R@10": 3.90625},
        "intervals_95": {"pieces": {"S": [s - 4.5, s + 3.5]}},
    }


def run(arm: str, s: float, seed: int = 42, **more: Any) -> dict[str, Any]:
    record = {"campaign": "screening", "run": f"{arm}-{seed}", "arm": arm, "seed": seed, "variant": None}
    record |= {"schedule": "cosine", "epochs": 5, "preset": "tiny", "init_from": "init_from"}
    parameters = {"total": 2113600, "trainable": 1917056}
    record["training"] = {"steps": 20, "segments": 160, "segments_per_second": 17.8, "parameters": parameters}
    record["evaluations"] = [evaluation(s, "made-up-val"), evaluation(s / 2, "made-up-far")]
    return record | more


def screening() -> list[dict[str, Any]]:
    records = [run("D0", 50.0), run("d4a4", 55.5), run("A4", 52.0)]
    return [*records, run("D0", 51.0, run="init_from", init_from=None, epochs=3)]


def facts(name: str, **more: Any) -> CampaignFacts:
    given = {"title": name, "question": "?", "preset": "tiny", "corpora": (), "evaluated_on": ()}
    return CampaignFacts(**(given | {"name": name, "finished": 1, "planned": 1} | more))


def tables(text: str) -> list[list[dict[str, str]]]:
    """The tables of a Markdown text; a row is a dict of its cells by column."""
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    split = [[[one.strip() for one in line.strip("|").split("|")] for line in block] for block in found if block]
    return [[dict(zip(block[0], row, strict=True)) for row in block[2:]] for block in split]


def report_of(folder: Path, campaign: CampaignFacts, records: list[dict[str, Any]]) -> str:
    write_report(folder, campaign, records)
    return (folder / "report.md").read_text(encoding="utf-8")


class WellFormed(HTMLParser):
    """Every tag is closed in order; keeps text by tag, and every address that the document points to."""

    EMPTY = ("meta", "img")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.text: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.text.append((self.open[-1], data))


def parsed(path: Path) -> WellFormed:
    parser = WellFormed()
    parser.feed(path.read_text(encoding="utf-8"))
    parser.close()
    assert not parser.open
    return parser


def test_figures_are_in_their_cells(tmp_path: Path):
    text = report_of(tmp_path, SCREENING, screening())
    rows = tables(text)[0]
    assert [row["arm"] for row in rows] == ["d4a4", "A4", "D0 (initial model)", "**D0**"]  # by S, D0 marked
    best = rows[0]
    assert best["S"] == "55.5 [51.0, 59.0]"
    assert (best["S in the paper"], best["to D0"], best["to D0 in the paper"]) == ("69.8", "+5.5", "+9.6")
    assert (best["R@1 audio→notes"], best["R@1 notes→audio"]) == ("18.1", "18.2")
    assert (best["MRR audio→notes"], best["MRR notes→audio"]) == ("0.311", "0.322")
    assert best["S on made-up-far, validation"] == "27.8"
    assert (best["trainable parameters"], best["segments/s"], best["seeds"]) == ("1 917 056", "17.8", "1")
    assert (rows[2]["S in the paper"], rows[2]["to D0"]) == ("61.8", "–")
    assert (rows[3]["S in the paper"], rows[3]["to D0"], rows[3]["to D0 in the paper"]) == ("60.2", "–", "–")
    assert "4 of 14 runs are finished." in text
    assert "Chance level: R@10 3.9 %, R@1 0.39 % on made-up-far, validation;" in text
    assert "ρ = 1.00 (n = 3)" in text  # d4a4, A4, D0; the initial model is no arm
    assert "Unfinished runs: 10 of 14." in text
    assert "Arms of the paper's table without a run: A4r, D4r, D4, A4x" in text
    assert "Code, by commit: 0123456789ab." in text
    assert "12 recordings, 500 queries, 256 candidates each" in text


def test_the_csv_has_one_row_for_each_run(tmp_path: Path):
    report_of(tmp_path, SCREENING, [*screening(), {"arm": "A8", "run": "A8-42"}])
    with (tmp_path / "report.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"D0-42", "d4a4-42", "A4-42", "init_from", "A8-42"}
    row = rows["d4a4-42"]
    assert (row["S"], row["S_low"], row["S_high"], row["a2m_R@1"]) == ("55.5", "51.0", "59.0", "18.1")
    assert (row["S on made-up-far, validation, paper"], row["parameters_trainable"]) == ("27.75", "1917056")
    assert rows["A8-42"]["S"] == rows["A8-42"]["steps"] == ""


def test_html_is_well_formed_and_self_contained(tmp_path: Path):
    write_report(tmp_path, SCREENING, screening())
    document = parsed(tmp_path / "report.html")
    assert ("title", "Screening <13 arms>") in document.text  # escaped, and read back
    assert ("td", "55.5 [51.0, 59.0]") in document.text
    assert ("td", "69.8") in document.text
    pictures = [(tmp_path / "plots" / name).read_bytes() for name in ("scores.png", "against-paper.png")]
    assert [base64.b64decode(address.split(",", 1)[1]) for address in document.addresses] == pictures
    assert all(address.startswith("data:image/png;base64,") for address in document.addresses)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in text
    assert not any(word in text for word in ("http:", "https:", "@import", "url(", "<script"))


def test_the_order_of_the_records_changes_nothing(tmp_path: Path):
    records = screening()
    write_report(tmp_path / "one", SCREENING, records)
    random.Random(1).shuffle(records)
    write_report(tmp_path / "other", SCREENING, records)
    names = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(names) == 5
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes() for name in names)


def test_no_record_makes_a_report_without_figures(tmp_path: Path):
    write_report(tmp_path, SCREENING, screening())
    text = report_of(tmp_path, facts("screening", finished=0, planned=13), [])
    assert "0 of 13 runs are finished." in text
    assert tables(text) == []
    assert list((tmp_path / "plots").iterdir()) == []  # those of the earlier report are gone
    parsed(tmp_path / "report.html")
    assert len((tmp_path / "report.csv").read_text(encoding="utf-8").splitlines()) == 1


def test_one_record_makes_a_report(tmp_path: Path):
    text = report_of(tmp_path, SCREENING, [run("A4", 52.0)])
    row = tables(text)[0][0]
    assert (row["S"], row["to D0"], row["to D0 in the paper"]) == ("52.0 [47.5, 55.5]", "–", "+3.4")
    assert "ρ = – (n = 1)" in text
    assert not (tmp_path / "plots/against-paper.png").exists()


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"arm": "A4"},
        {"arm": "A4", "evaluations": None, "training": None, "epochs": 5},
        {"arm": "A4", "evaluations": [None, {}], "training": {"parameters": None, "code": None, "device": {}}},
        {"arm": "A4", "evaluations": [{"S": "52"}], "training": []},
        {"arm": "A4", "evaluations": [{"S": float("nan"), "a2m": {"R@1": None}, "intervals_95": {}}]},
        {"arm": "A4", "evaluations": [{}, {"corpus": "far", "S": None}], "seed": None},
    ],
)
def test_a_partial_record_has_dashes_and_is_listed(tmp_path: Path, broken: dict[str, Any]):
    text = report_of(tmp_path, SCREENING, [*screening(), broken])
    name = broken.get("arm", "?")
    row = next(row for row in tables(text)[0] if row["arm"] == name and row["seeds"] == "0 of 1")
    shown = {row[column] for column in ("S", "to D0", "R@1 audio→notes", "MRR notes→audio", "trainable parameters")}
    assert shown == {"–"}
    assert f"Runs without score: {name}." in text
    assert next(row for row in tables(text)[0] if row["arm"] == "d4a4")["S"] == "55.5 [51.0, 59.0]"
    parsed(tmp_path / "report.html")


def test_an_interval_that_is_missing_is_left_out(tmp_path: Path):
    text = report_of(tmp_path, SCREENING, [run("A4", 0.0, evaluations=[{"S": 52.0}])])
    assert tables(text)[0][0]["S"] == "52.0"


def over_seeds() -> list[dict[str, Any]]:
    values = {"D0": (75.0, 76.0, 80.0), "d4a4": (84.0, 86.0, 88.0), "a4r": (80.0, 76.0, 78.0)}
    return [
        run(arm, s, seed, campaign="seeds", epochs=6, init_from=None)
        for arm, of_arm in values.items()
        for s, seed in zip(of_arm, (42, 123, 1337), strict=True)
    ]


def test_seeds_are_tested_against_d0(tmp_path: Path):
    text = report_of(tmp_path, facts("seeds"), [*over_seeds(), run("d4-a4r", 81.0, epochs=6, init_from=None)])
    main, tests, by_seed = tables(text)
    assert {row["arm"]: row["S"] for row in main} == {
        "d4a4": "86.0 ± 2.0",
        "d4-a4r": "81.0 [76.5, 84.5]",
        "a4r": "78.0 ± 2.0",
        "**D0**": "77.0 ± 2.6",
    }
    assert main[0]["S in the paper"] == "84.0 ± 2.7"
    assert [row["arm"] for row in tests] == ["d4a4", "a4r"]
    first = tests[0]
    assert (first["S of D0"], first["difference"], first["difference in the paper"]) == ("77.0 ± 2.6", "+9.0", "+8.8")
    assert (first["Welch's t"], first["df"], first["Cohen's d"]) == ("4.70", "3.7", "3.84")
    assert (first["p"], first["p, Holm"]) == ("0.011", "0.022")
    low, high = (float(end) for end in first["95 % bootstrap"].split(" to "))
    assert 4.0 < low < 9.0 < high < 13.0
    assert by_seed[0] == {
        "arm": "d4a4",
        "seed 42": "84.0",
        "seed 123": "86.0",
        "seed 1337": "88.0",
        "mean ± sd": "86.0 ± 2.0",
    }
    assert "Epochs differ from the paper's: 6 here for 30 in the paper." in text


def test_without_seeds_of_d0_there_is_no_test(tmp_path: Path):
    records = [one for one in over_seeds() if one["arm"] != "D0" or one["seed"] == 42]
    text = report_of(tmp_path, facts("seeds"), records)
    assert "No test yet" in text
    assert len(tables(text)) == 2  # arms, and every run


def test_equal_seeds_have_no_p(tmp_path: Path):
    records = [run(arm, s, seed, init_from=None) for arm, s in (("D0", 70.0), ("A4", 71.0)) for seed in (1, 2)]
    row = tables(report_of(tmp_path, facts("seeds"), records))[1][0]
    assert (row["difference"], row["Welch's t"], row["p"], row["p, Holm"], row["Cohen's d"]) == (
        "+1.0",
        "–",
        "–",
        "–",
        "–",
    )


def test_uninformative_descriptors_are_compared_with_the_papers(tmp_path: Path):
    records = [run("d4a4", 60.0), run("d4a4-zero", 54.0), run("d4a4-noise", 53.0)]
    rows = tables(report_of(tmp_path, facts("controls"), records))[1]
    shown = [(row["descriptors"], row["S"].split()[0], row["S in the paper"]) for row in rows]
    assert shown == [
        ("real", "60.0", "83.0"),
        ("zeros", "54.0", "75.0"),
        ("random", "53.0", "73.6"),
        ("shuffled", "–", "73.6"),
    ]
    assert [row["to real"] for row in rows] == ["–", "−6.0", "−7.0", "–"]
    assert [row["to real in the paper"] for row in rows] == ["–", "−8.0", "−9.4", "−9.4"]


def test_variants_are_compared_with_their_own_d0(tmp_path: Path):
    records = [run("D0", 50.0), run("A4", 52.0)]
    records += [run("D0", 70.0, variant="logmel"), run("A4", 69.0, variant="logmel"), run("A7", 71.5, variant="logmel")]
    text = report_of(tmp_path, SCREENING, records)
    main, changes, gains = tables(text)
    assert [(row["arm"], row["variant"], row["to D0"]) for row in main] == [
        ("A7", "logmel", "+1.5"),
        ("**D0**", "logmel", "–"),
        ("A4", "logmel", "−1.0"),
        ("A4", "unchanged", "+2.0"),
        ("**D0**", "unchanged", "–"),
    ]
    assert main[0]["S in the paper"] == "–"  # a variant is not the paper's model
    assert changes == [  # A7 was not trained without the variant
        {"arm": "D0 · logmel", "S": "+20.0", "R@1 audio→notes": "+7.0", "R@1 notes→audio": "+7.0"},
        {"arm": "A4 · logmel", "S": "+17.0", "R@1 audio→notes": "+6.0", "R@1 notes→audio": "+6.0"},
    ]
    assert gains == [
        {"arm": "A7", "unchanged": "–", "logmel": "+1.5", "in the paper": "−1.4"},
        {"arm": "A4", "unchanged": "+2.0", "logmel": "−1.0", "in the paper": "+3.4"},
    ]


def test_variants_of_d0_alone_have_a_table_of_changes(tmp_path: Path):
    records = [run("D0", 50.0), run("A4", 52.0), run("D0", 41.0, variant="in-tune")]
    _, changes = tables(report_of(tmp_path, SCREENING, records))
    assert [(row["arm"], row["S"]) for row in changes] == [("D0 · in-tune", "−9.0")]


def test_schedules_have_a_column_and_their_own_d0(tmp_path: Path):
    records = [
        run(arm, s, schedule=schedule, epochs=epochs, init_from=None)
        for arm, s, schedule, epochs in (
            ("D0", 70.0, "cosine", 12),
            ("d4a4", 78.0, "cosine", 12),
            ("D0", 71.0, "cosine_tail", 12),
            ("d4a4", 80.0, "cosine_tail", 12),
            ("t3-wt", 79.0, "trapezoid", 10),
        )
    ]
    text = report_of(tmp_path, facts("schedules"), records)
    rows = {(row["arm"], row["schedule"]): row for row in tables(text)[0]}
    assert rows["d4a4", "cosine_tail"]["to D0"] == "+9.0"
    assert rows["d4a4", "cosine_tail"]["S in the paper"] == "83.4"
    assert rows["d4a4", "cosine"]["to D0 in the paper"] == "+11.0"
    assert rows["d4a4", "cosine"]["S in the paper"] == "83.8 (stretched)"
    assert (rows["t3-wt", "trapezoid"]["S in the paper"], rows["t3-wt", "trapezoid"]["to D0"]) == ("81.2", "–")
    assert "cosine, 12 epochs: ρ = – (n = 2)" in text


def test_families_find_the_papers_length_by_their_initial_model(tmp_path: Path):
    records = [run("D0", 60.0, epochs=1), run("t3-wt", 62.0, epochs=1)]
    records += [run("D0", 70.0, epochs=5, init_from=None), run("t3-wt", 77.0, epochs=5, init_from=None)]
    text = report_of(tmp_path, facts("families"), records)
    rows = {(row["arm"], row["start"]): row for row in tables(text)[0]}
    assert rows["t3-wt", "initial model"]["S in the paper"] == "67.6"
    assert rows["t3-wt", "scratch"]["S in the paper"] == "79.8"
    assert rows["**D0**", "initial model"]["S in the paper"] == "60.2 (§5.1)"
    assert rows["**D0**", "scratch"]["S in the paper"] == "75.2 ± 2.3 (§5.4)"
    assert rows["t3-wt", "scratch"]["to D0"] == "+7.0"
    assert "1 here for 5 in the paper, 5 here for 30 in the paper" in text


def test_headline_figures_of_several_corpora_are_listed(tmp_path: Path):
    other = run("A4", 52.0, evaluations=[evaluation(52.0, "elsewhere")])
    text = report_of(tmp_path, SCREENING, [run("D0", 50.0), other])
    assert "cannot be compared: elsewhere, validation; made-up-val, validation." in text


def test_cells():
    assert [cell(value) for value in (None, float("nan"), 0.04, -3.26)] == ["–", "–", "0.0", "−3.3"]
    assert cell(0.25, 2, signed=True) == "+0.25"


def test_a_pipe_in_a_name_stays_in_its_cell(tmp_path: Path):
    table = Table(["arm", "S"], [["a|b", "1.0"]])
    assert "| a\\|b | 1.0 |" in as_markdown("t", [table])
    text = as_html("<t>", [Heading("a & b"), Paragraph("<b>"), table], tmp_path)
    assert "<h2>a &amp; b</h2>" in text
    assert "<p>&lt;b&gt;</p>" in text


def test_names_on_the_plot_do_not_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    boxes = []

    def keep(figure: Any, path: Path) -> None:
        figure.canvas.draw()
        axes = figure.axes[0]
        boxes.extend(text.get_window_extent() for text in axes.texts if text.get_text())

    monkeypatch.setattr("antiphon.experiments.campaign.plots.save_plot", keep)
    marks = [Mark(arm, 40 + s / 3, None, (), s) for arm, s in paper.SCREENING.items()]
    draw_against_paper(tmp_path / "plot.png", marks)
    assert len(boxes) == 13
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


def test_dollars_in_a_name_are_drawn_unchanged(tmp_path: Path):
    marks = [Mark("a$b", 50.0, None, (), 60.0), Mark("$\\frac$", 51.0, (50.0, 52.0), (50.0, 52.0), 61.0, True)]
    assert len(draw_plots(tmp_path, marks, None)) == 2


def under_conditions() -> list[dict[str, Any]]:
    """d4a4 is 2 points above D0 with one condition and 8 with 16, each ± 1 over three seeds."""
    return [
        run(arm, s, seed, run=f"{arm}.{count}.{seed}", variant=f"conditions-{count}", init_from=None, epochs=30)
        for count, gain in ((1, 2.0), (16, 8.0))
        for seed, level in ((42, 40.0), (123, 50.0), (456, 30.0))
        for arm, s in (("D0", level), ("d4a4", level + gain + (level - 40.0) / 10))
    ]


def test_the_gain_over_d0_has_a_curve_over_the_number_of_conditions(tmp_path: Path):
    text = report_of(tmp_path, facts("conditions"), under_conditions())
    rows = next(table for table in tables(text) if "conditions" in table[0])
    assert [(row["arm"], row["conditions"], row["seeds"], row["to D0"]) for row in rows] == [
        ("d4a4", "1", "3", "+2.0"),
        ("d4a4", "16", "3", "+8.0"),
    ]
    assert rows[1]["95 % interval"] == "[+5.5, +10.5]"  # 8 ± 4.303 / √3
    assert rows[1]["p"] == "0.005"
    assert rows[1]["to D0 in the paper"] == "+8.8"
    assert "* d4a4: +1.50 [+1.50, +1.50] (n = 3)" in text
    assert (tmp_path / "plots" / "conditions.png").stat().st_size > 5000
    assert "plots/conditions.png" in text


def test_without_a_d0_of_the_same_seed_a_run_is_not_on_the_curve(tmp_path: Path):
    records = [one for one in under_conditions() if (one["arm"], one["seed"]) != ("D0", 456)]
    rows = next(
        table for table in tables(report_of(tmp_path, facts("conditions"), records)) if "conditions" in table[0]
    )
    assert [row["seeds"] for row in rows] == ["2", "2"]
    records = [one for one in records if one["arm"] == "d4a4"]
    assert "Recording conditions" not in report_of(tmp_path, facts("conditions"), records)
    assert not (tmp_path / "plots" / "conditions.png").exists()
