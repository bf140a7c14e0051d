"""The initial model of a run: random weights, or those of the model `init_from`."""

from __future__ import annotations

from pathlib import Path

import torch

from antiphon.errors import AntiphonError
from antiphon.models.arms import Arm
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.models.saving import load_dual_encoder, weights_hash
from antiphon.models.sizes import Sizes
from antiphon.training.config import RunConfig
from antiphon.training.losses import LOSSES


def build_model(config: RunConfig) -> DualEncoder:
    """A model with random weights. Raises `AntiphonError` for settings that contradict each other."""
    settings, loss = config.training, LOSSES[config.training.loss]
    if settings.queue_size and not loss.uses_queue:
        raise AntiphonError(f"loss {loss.name} uses no embedding queue; set queue_size to 0, not {settings.queue_size}")
    torch.manual_seed(config.seed)
    model = _built(config.arm, config.sizes)
    if model.late_fusion is not None and settings.late_fusion_batches < 1:
        raise AntiphonError(f"arm {config.arm.name} has late fusion and needs late_fusion_batches of at least 1")
    return model


def check_buildable(arm: Arm, sizes: Sizes) -> None:
    """Raises `AntiphonError` for an arm that cannot be built at these sizes; no memory is taken for weights."""
    with torch.device("meta"):
        _built(arm, sizes)


def _built(arm: Arm, sizes: Sizes) -> DualEncoder:
    try:
        return DualEncoder(ModelConfig(arm, sizes))
    except (TypeError, ValueError) as error:  # of towers and mechanisms that reject their options
        raise AntiphonError(f"arm {arm.name} cannot be built at these sizes ({error})") from None


def start_from(model: DualEncoder, init_from: Path, expected_hash: str | None) -> None:
    """Copy the weights of a model of the same sizes, except its late fusion; missing ones stay as initialised.

    Injections are copied to the one of this arm with the same descriptor, tower and mechanism. Raises `AntiphonError`
    for weights with another hash and for tensors that this model lacks.
    """
    if weights_hash(init_from) != expected_hash:
        raise AntiphonError(f"{init_from}: its weights have changed since this run was prepared; start a new run")
    source = load_dual_encoder(init_from)
    weights = {_name_in(model.config.arm, name, source.config.arm): kept for name, kept in source.state_dict().items()}
    weights.pop("late_fusion.map", None)  # fitted again, to this model's embeddings
    own = model.state_dict()
    unknown = [name for name in weights if name not in own or own[name].shape != weights[name].shape]
    if unknown:
        raise AntiphonError(
            f"{init_from}: cannot initialise {model.config.arm.name} at this size: {len(unknown)} of its tensors "
            f"do not match, the first is {unknown[0]}"
        )
    model.load_state_dict(own | weights)


def _name_in(arm: Arm, name: str, source: Arm) -> str:
    """The name in `arm` of a tensor of `source`; for an injection that `arm` lacks, one with its descriptor."""
    part, _, rest = name.partition(".")
    if part != "injections":
        return name
    number, _, rest = rest.partition(".")
    one = source.injected[int(number)]
    injections = [(own.descriptor, own.into, own.by) for own in arm.injected]
    wanted = (one.descriptor, one.into, one.by)
    return f"injections.{injections.index(wanted) if wanted in injections else one.descriptor}.{rest}"
