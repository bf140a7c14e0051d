"""The paper's figures, typed in a second time from the paper."""

from __future__ import annotations

import pytest

from antiphon.experiments import published as paper
from antiphon.experiments.published import published, published_arms, published_gain, published_s

IN_CAMPAIGNS = [
    ("screening", "d4a4", None, 5, 69.8),
    ("screening", "A4r", "cosine", 5, 68.6),
    ("screening", "D4r", None, 5, 64.2),
    ("screening", "D4", None, 5, 63.6),
    ("screening", "A4x", None, 5, 62.6),
    ("screening", "A7x", None, 5, 62.2),
    ("screening", "D0", None, 5, 60.2),
    ("screening", "D4x", None, 5, 60.0),
    ("screening", "A7", None, 5, 58.8),
    ("screening", "A8", None, 5, 57.4),
    ("screening", "d4a4cm", None, 5, 52.4),
    ("families", "t3-wt", None, 5, 67.6),
    ("families", "t3-tri", None, 5, 65.0),
    ("families", "moe-a4-v2", None, 5, 60.2),
    ("families", "moe-a4-v3", None, 5, 59.2),
    ("families", "moe-a4-v4", None, 5, 59.4),
    ("families", "film-d4", None, 5, 58.6),
    ("families", "t3-anc", None, 5, 42.2),
    ("families", "d4a4", "cosine", 30, 83.6),
    ("families", "t3-wt", "cosine", 30, 79.8),
    ("families", "d4a4r", "cosine", 30, 74.4),
    ("families", "moe-dual", "cosine", 30, 72.6),
    ("schedules", "d4a4", "stretched", 60, 83.8),
    ("schedules", "D0", "stretched", 60, 72.8),
    ("schedules", "a4r", "cosine", 60, 79.4),
    ("schedules", "moe-dual", "stretched", 60, 73.0),
    ("schedules", "t3-wt", "trapezoid", 50, 81.2),
    ("schedules", "d4a4", "cosine_tail", 60, 83.4),
    ("schedules", "D0", "cosine_tail", 60, 73.4),
    ("seeds", "d4a4", "cosine", 30, 84.0),
    ("seeds", "D0", "cosine", 30, 75.2),
    ("seeds", "d4-a4r", "cosine", 30, 81.2),
    ("seeds", "a4r", "cosine", 30, 80.7),
    ("controls", "d4a4-zero", None, 30, 75.0),
    ("controls", "d4a4-noise", None, 30, 73.6),
    ("controls", "d4a4-shuffle", None, 30, 73.6),
    ("controls", "d4a4", None, 30, 83.0),
    ("heads", "a4r-pcd", "cosine", 30, 84.2),
    ("heads", "a4r-pca", "cosine", 30, 82.6),
    ("heads", "a4r-pcm", "cosine", 30, 80.0),
    ("heads", "a4r-pcd-zero", "cosine", 30, 81.8),
    ("heads", "a4r", "cosine", 30, 79.2),
]


@pytest.mark.parametrize(("campaign", "arm", "schedule", "epochs", "s"), IN_CAMPAIGNS)
def test_figures_of_the_campaigns(campaign: str, arm: str, schedule: str | None, epochs: int, s: float):
    assert published_s(campaign, arm, schedule, epochs) == s
    assert published_s(campaign, arm.upper(), schedule, epochs) == s


def test_figures_of_the_evaluation_and_the_analyses():
    d0, a4r = paper.SCORES["D0"], paper.SCORES["a4r"]
    assert (d0.a2m.r1, d0.a2m.r20, d0.m2a.r5, d0.m2a.mrr, d0.same_piece) == (22.2, 90.0, 56.0, 0.372, 94.6)
    assert (a4r.s, a4r.a2m.r5, a4r.m2a.r20, a4r.a2m.mrr, a4r.random_piece) == (82.0, 64.8, 93.8, 0.438, 98.8)
    assert paper.ABLATION["d4a4"]["zero A4"] == 7.8
    assert paper.ABLATION["d4a4"]["shuffle A4"] == 46.6
    assert paper.ABLATION["a4r"]["noise A4"] == 29.0
    assert paper.ABLATION["d4-a4r"]["zero D4"] == 79.4
    assert paper.SIMILARITY["d4-a4r"] == {"CKA": 0.794, "RSA": 0.719, "CKA of the last layers": 0.873}
    assert paper.PERTURBATION["d4-a4r"][6] == 1.092
    assert paper.PERTURBATION["a4r"][7] == 0.933
    assert paper.TRANSPOSITION["a4r"][3] == 51.0
    assert paper.TRANSPOSITION["D0"][-1] == 65.6
    assert paper.OCTAVES["d4a4"][-12] == 16.0
    assert paper.VELOCITY["d4a4"][1.5] == 12.8
    assert paper.NOISE["a4r"][5] == 31.8
    assert paper.NOISE["d4a4"][10] == 52.2
    assert paper.TIME_SHIFT["d4a4"][8000] == 79.0
    assert paper.PROBES["d4a4"]["midi to centroid"] == 0.637


def test_the_papers_figures_agree_with_each_other():
    assert published_gain("seeds", "d4a4") == 8.8
    assert paper.SIMILARITY["d4-a4r"]["CKA"] / paper.SIMILARITY["D0"]["CKA"] == pytest.approx(1.82, abs=0.01)  # +82 %
    assert (len(paper.SCREENING), len(paper.FAMILIES_5), len(paper.SEEDS)) == (13, 11, 5)
    for arm, scores in paper.SCORES.items():
        assert scores.s == min(scores.a2m.r10, scores.m2a.r10), arm
        for way in (scores.a2m, scores.m2a):
            assert way.r1 < way.r5 < way.r10 < way.r20, arm
    for arm, curve in paper.TRANSPOSITION.items():
        assert curve[0] == paper.SCORES[arm].s == max(curve.values())
    for arm in ("d4a4", "a4r", "d4-a4r"):
        assert paper.ABLATION[arm]["none"] == paper.SCORES[arm].s
        assert len(paper.PERTURBATION[arm]) == len(paper.PERTURBED_BANDS_HZ) == 8
    for arms in (paper.SCREENING, paper.FAMILIES_5, paper.FAMILIES_30):
        assert list(arms.values()) == sorted(arms.values(), reverse=True)


def test_shortened_epochs_find_the_papers_length():
    assert published_s("families", "t3-wt", "cosine", 2, init_from=True) == 67.6
    assert published_s("families", "t3-wt", "cosine", 12, init_from=False) == 79.8
    assert published_s("families", "t3-wt", "cosine", 12) is None  # either
    assert published_s("screening", "A4", "cosine", 1) == 63.6
    assert published_s("families", "t3-wt", "cosine", 5, init_from=False) == 79.8  # 30, shortened
    assert published_s("schedules", "d4a4", "cosine-tail", 8) == 83.4
    assert published_s("schedules", "a4r", "cosine", 30) == 79.4  # 60, shortened
    assert published_s("what-ifs", "d4a4", "cosine", 3) == 84.0


def test_figures_that_the_paper_lacks_are_none():
    assert published_s("screening", "D9") is None
    assert published_s("nothing", "D0") is None
    assert published_s("seeds", "D0", "trapezoid", 30) is None
    assert published_s("schedules", "d4a4", "trapezoid", 50) is None
    assert published_gain("controls", "d4a4") is None  # no D0 among the controls
    assert published_arms("nothing") == ()


def test_an_arm_of_another_campaign_has_that_campaigns_section():
    found = published("families", "D0", "cosine", 30)
    assert found is not None
    assert (found.s, found.sd, found.section) == (75.2, 2.3, "§5.4")
