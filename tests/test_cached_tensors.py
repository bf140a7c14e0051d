"""Tensors that functions cache can be used by autograd, even if inference mode computed them."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from typing import Any

import pytest
import torch
from torch import Tensor

import antiphon
from antiphon.augmentation import rooms, spectrum
from antiphon.models import note_onsets
from antiphon.signal.onsets import semitone_bands

CPU = torch.device("cpu")
CALLS: dict[Any, tuple[Any, ...]] = {
    semitone_bands: (2048, 24_000),
    rooms.room_spectra: (rooms.RoomPool(2, (0.5, 0.5), 24_000), 48_000, CPU),
    spectrum.dft_bins: (4800, 24_000, CPU),
    spectrum._white: (4800, CPU),
    note_onsets._hann: (1024,),
    note_onsets._filters: (1024, 0),
}


def cached_functions() -> set[Any]:
    """Every function of the package that caches its results."""
    names = [
        found.name for found in pkgutil.walk_packages(antiphon.__path__, "antiphon.") if "__main__" not in found.name
    ]
    members = [value for name in names for value in vars(importlib.import_module(name)).values()]
    return {value for value in members if isinstance(value, functools._lru_cache_wrapper)}


def tensors_of(value: Any) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else [one for one in vars(value).values() if isinstance(one, Tensor)]


def test_every_function_that_caches_tensors_is_tested_here() -> None:
    returned = {one: str(inspect.signature(one).return_annotation) for one in cached_functions()}
    assert {one for one, kind in returned.items() if kind in ("Tensor", "Bins")} == set(CALLS)


@pytest.mark.parametrize("function", CALLS, ids=lambda function: function.__name__)
def test_a_tensor_cached_in_inference_mode_serves_autograd(function: Any) -> None:
    function.cache_clear()
    with torch.inference_mode():
        function(*CALLS[function])
    for tensor in tensors_of(function(*CALLS[function])):
        weight = torch.ones(tensor.shape[-1], dtype=tensor.dtype, requires_grad=True)
        (tensor * weight).abs().sum().backward()  # saves the cached tensor for the gradient
        assert weight.grad is not None
