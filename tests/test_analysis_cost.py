"""The cost of a window: the paper's 163, counts against PyTorch's own counter, time and memory."""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from antiphon.corpora import Corpus
from antiphon.experiments.analysis import ANALYSES, cost, measuring
from antiphon.experiments.analysis.counting import Count, count_cost, count_of_shapes
from antiphon.experiments.analysis.measuring import (
    Load,
    best_seconds,
    built,
    peak_mib,
    random_windows,
    seconds_per_window,
)
from antiphon.models.arms import ARMS, find_arm
from antiphon.models.batch import Batch
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.training.presets import find_preset
from antiphon.types import MODALITIES
from builders import random_batch
from models_under_test import small_subject, tiny_model

CPU = torch.device("cpu")


@cache
def count_in_paper(arm: str) -> Count:
    return count_of_shapes(ModelConfig(find_arm(arm), find_preset("paper").sizes), notes=40)


def one_window(model: DualEncoder, notes: int = 30) -> Batch:
    return random_windows(model.config, Load(1, notes, learning=False))


def embed(model: DualEncoder, batch: Batch) -> None:
    found = model.describe(batch)
    with torch.no_grad():
        for side in MODALITIES:
            model.encode(side, batch, found)


def test_reverse_cross_attention_saves_what_the_paper_says():
    """2400 frames against 188, on the modules of the paper's size."""
    d0, a4r = count_in_paper("D0"), count_in_paper("a4r")
    assert (d0.tokens("audio"), a4r.tokens("audio")) == (2400, 188)
    assert d0.tokens("audio") / a4r.tokens("audio") == pytest.approx(12.8, abs=0.05)
    inside = "towers.audio."
    ratio = d0.pairs("self-attention", inside) / a4r.pairs("self-attention", inside)
    assert ratio == pytest.approx(2400**2 / 188**2)
    assert round(ratio) == 163
    assert [site.pairs for site in a4r.among("cross-attention")] == [188 * 2400]
    assert d0.among("cross-attention") == []
    for count in (d0, a4r):
        assert count.pairs("self-attention", "towers.notes.") == 4 * 40**2


def test_cross_attention_has_a_query_for_every_frame():
    assert [(site.queries, site.keys) for site in count_in_paper("A4x").among("cross-attention")] == [(2400, 188)]
    assert count_in_paper("D4r").tokens("notes") == 40


def test_a_layer_of_the_paper_by_hand():
    """d = 1024, FFN 4096, T = 2400: 4 d² for the projections, 8 d² for the feed-forward, 2 T d for the scores."""
    layer = count_in_paper("D0").among("self-attention", "towers.audio.layers.0")[0]
    assert layer.projections == 2 * 2400 * 4 * 1024**2
    assert layer.feed_forward == 2 * 2400 * 8 * 1024**2
    assert layer.scores == 2 * 2400 * 2 * 2400 * 1024


def test_towers_of_convolutions_attend_to_nothing_and_cost_their_convolutions():
    count = count_of_shapes(ModelConfig(find_arm("D0"), find_preset("default").sizes), notes=40)
    assert (count.tokens("audio"), count.tokens("notes"), count.pairs("self-attention")) == (0, 0, 0)
    first = next(site for site in count.sites if site.module == "towers.audio.downward.0")
    assert first.flops == 2 * 100 * 192 * 192 * 5  # 100 frames left, 192 bands to 192 channels over 5 frames


@pytest.mark.parametrize("arm", ["D0", "d4a4", "A4x", "d4a4r", "film-dual", "moe-a4", "a4r-pcd", "a4-bias", "onsets"])
def test_flops_are_those_that_pytorch_counts(arm: str):
    model = tiny_model(arm)
    batch = one_window(model)
    found = model.describe(batch)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        for side in MODALITIES:
            model.encode(side, batch, found)
    assert count_cost(model, batch, found).flops() == counter.get_total_flops()


@pytest.mark.parametrize("arm", ARMS)
def test_shapes_alone_give_the_same_count(arm: str):
    model = tiny_model(arm)
    batch = one_window(model)
    counted = count_of_shapes(model.config, notes=30)
    assert counted == count_cost(model, batch, model.describe(batch))
    assert (
        sum(counted.flops(part) for part in ("scores", "projections", "feed_forward", "elsewhere")) == counted.flops()
    )


def test_counting_leaves_the_model_as_it_was():
    model = tiny_model("d4-a4r")
    batch = one_window(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    count_cost(model, batch, model.describe(batch))
    with pytest.raises(KeyError):
        count_cost(model, batch, {})
    assert not [name for name, module in model.named_modules() if module._forward_hooks]
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_only_one_window_is_counted():
    model, batch = tiny_model("D0"), random_batch()
    with pytest.raises(ValueError, match="one window, got a batch of 3"):
        count_cost(model, batch, {})


class TestClock:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """Time that stands still until a call moves it."""
        now = [0.0]
        monkeypatch.setattr(measuring.time, "perf_counter", lambda: now[0])
        return now

    def test_the_best_of_calls_that_take_turns(self, clock: list[float]):
        order: list[str] = []
        needed = {"a": iter([9.0, 3.0, 4.0]), "b": iter([5.0, 6.0, 7.0])}

        def call(name: str) -> None:
            order.append(name)
            clock[0] += next(needed[name])

        best = best_seconds({"a": lambda: call("a"), "b": lambda: call("b")}, repeats=2, limit_s=1000)
        assert best == {"a": 3.0, "b": 5.0}
        assert order == ["a", "b"] * 3

    @pytest.mark.parametrize(("limit_s", "calls"), [(0.1, 1), (35, 3), (1000, 6)])
    def test_the_limit_is_kept(self, clock: list[float], limit_s: float, calls: int):
        made = []

        def call() -> None:
            made.append(1)
            clock[0] += 10

        best_seconds({"a": call}, repeats=5, limit_s=limit_s)
        assert len(made) == calls


@pytest.mark.parametrize("arm", ["d4a4", "t3-tri", "moe-dual"])
@pytest.mark.parametrize("learning", [False, True])
def test_a_pass_takes_time_and_leaves_no_gradients(arm: str, learning: bool):
    load = Load(2, 10, learning)
    model, batch = built(tiny_model(arm).config, load, CPU)
    assert model.training == learning
    reached: set[str] = set()
    for name, parameter in model.named_parameters():
        parameter.register_hook(lambda gradient, name=name: reached.add(name))
    measuring.pass_through(model, batch, learning)
    assert reached == ({name for name, _ in model.named_parameters()} if learning else set())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert 0 < seconds_per_window([model.config], load, CPU, repeats=1)[0] < 10


def test_memory_is_that_of_a_process_of_its_own():
    hoard = torch.zeros(400 * 2**18)  # 400 MiB here, which must not count there
    peak, before = peak_mib(tiny_model("D0").config, Load(8, 20, learning=True), CPU)
    assert len(hoard)
    assert 50 < before < peak < before + 400


def test_the_result_compares_an_arm_with_d0(demo: Corpus, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cost, "peak_mib", lambda config, load, device: (300.0 + load.learning, 200.0))
    found = ANALYSES["cost"].run(small_subject(demo, "a4r", recordings=2))
    assert list(found.facts["counts"]) == ["these sizes", "preset paper"]
    assert list(found.facts["measured"]) == ["a4r", "D0"]
    assert found.facts["measured"]["D0"]["learning, MiB beside the model"] == 101.0
    assert {row["arm"] for row in found.rows} == {"a4r", "D0"}
    assert all(row.keys() == found.rows[0].keys() for row in found.rows)
    line = next(line for line in found.summary.splitlines() if "preset paper: its self-attention pairs" in line)
    assert [cell.strip() for cell in line.split("|")[2:-1]] == ["0.141", "23.040", "163", "163"]


def test_d0_stands_alone_and_unknown_memory_is_a_gap(demo: Corpus, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cost, "peak_mib", lambda config, load, device: (math.nan, math.nan))
    monkeypatch.setattr(cost, "seconds_per_window", lambda configs, load, device: [0.5])
    found = ANALYSES["cost"].run(small_subject(demo, "D0", recordings=2))
    assert list(found.facts["measured"]) == ["D0"]
    assert "nan" not in found.summary
