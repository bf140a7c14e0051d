"""The model that a run begins with: random weights, or those of another model where it has a foundation."""

from __future__ import annotations

from pathlib import Path

import torch

from antiphon.errors import AntiphonError
from antiphon.models.arms import Arm
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.models.saving import load_dual_encoder, weights_hash
from antiphon.training.config import RunConfig
from antiphon.training.losses import LOSSES
from antiphon.types import Sizes


def build_model(config: RunConfig) -> DualEncoder:
    """A model with random weights. Raises `AntiphonError` for settings that do not go together."""
    settings, loss = config.training, LOSSES[config.training.loss]
    if settings.queue_size and not loss.remembers:
        raise AntiphonError(f"loss {loss.name} has no use for a memory of {settings.queue_size} windows; set it to 0")
    torch.manual_seed(config.seed)
    model = _built(config.arm, config.sizes)
    if model.late_fusion is not None and settings.late_fusion_batches < 1:
        raise AntiphonError(f"arm {config.arm.name} needs late_fusion_batches for what stands beside its embeddings")
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
    """Take the weights of another arm of the same sizes, without its map; what it lacks stays as initialised.

    Its injections go where this arm injects the same descriptor into the same tower by the same mechanism.
    """
    if weights_hash(init_from) != expected_hash:
        raise AntiphonError(f"{init_from}: its weights have changed since this run was prepared; start a new run")
    theirs = load_dual_encoder(init_from)
    found = {_name_in(model.config.arm, name, theirs.config.arm): kept for name, kept in theirs.state_dict().items()}
    found.pop("late_fusion.map", None)  # of that arm's embeddings; found anew
    own = model.state_dict()
    foreign = [name for name in found if name not in own or own[name].shape != found[name].shape]
    if foreign:
        raise AntiphonError(
            f"{init_from}: not a foundation for {model.config.arm.name} at this size: {len(foreign)} of its tensors "
            f"do not fit, the first is {foreign[0]}"
        )
    model.load_state_dict(own | found)


def _name_in(arm: Arm, name: str, theirs: Arm) -> str:
    """What a tensor of `theirs` is called in an arm; one of an injection that the arm lacks, by its descriptor."""
    part, _, rest = name.partition(".")
    if part != "injections":
        return name
    number, _, rest = rest.partition(".")
    one = theirs.injected[int(number)]
    places = [(own.descriptor, own.into, own.by) for own in arm.injected]
    wanted = (one.descriptor, one.into, one.by)
    return f"injections.{places.index(wanted) if wanted in places else one.descriptor}.{rest}"
