"""The library from above: each recording a point, near those that sound alike to the model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.index.view import IndexView
from antiphon.process_memory import release_mapped
from antiphon.serving.models import Map, Point
from antiphon.serving.snapshot import Snapshot

_ITERATED, _ITERATIONS = 8, 30
_MARGIN = 0.02  # of recordings, at each end, that lie on the border


def draw_map(snapshot: Snapshot) -> Map:
    """Means of the recordings' windows in their two principal directions, each spread over 0 to 1."""
    ids, means = [], []
    for library in snapshot.libraries.values():
        # One that was indexed between the list of recordings and this library is in the next map.
        listed = [number for number, path in enumerate(library.paths) if path in snapshot.by_path]
        ids += [snapshot.by_path[library.paths[number]].id for number in listed]
        means.append(_means(library)[listed])
    composers = sorted({one.composer for one in snapshot.recordings})
    if not ids:
        return Map(points=[], composers=[], of=[])
    place = _flat(np.concatenate(means))
    points = [Point(id=id_, x=x, y=y) for id_, (x, y) in zip(ids, place.tolist(), strict=True)]
    number = {composer: at for at, composer in enumerate(composers)}
    return Map(points=points, composers=composers, of=[number[snapshot.by_id[id_].composer] for id_ in ids])


def _means(library: IndexView) -> NDArray[np.float32]:
    """Mean vector of each recording [recordings, D]."""
    edges = zip(library.offset[:-1], library.offset[1:], strict=True)
    means = np.stack([library.vectors[begin:end].astype(np.float32).mean(axis=0) for begin, end in edges])
    release_mapped(library.vectors)
    return means


def _flat(means: NDArray[np.float32]) -> NDArray[np.float64]:
    """Two coordinates within 0 to 1 for each row [n, D]; the middle where all are alike."""
    centred = means - means.mean(axis=0)
    place = (centred @ _principal(centred)).astype(np.float64)
    low, high = np.quantile(place, [_MARGIN, 1 - _MARGIN], axis=0)
    spread = np.where(high > low, high - low, 1.0)
    return np.clip(np.where(high > low, (place - low) / spread, 0.5), 0.0, 1.0).round(4)


def _principal(centred: NDArray[np.float32]) -> NDArray[np.float32]:
    """The two directions [D, 2] in which rows [n, D] differ most, by subspace iteration: D may be thousands."""
    found = np.random.default_rng(0).standard_normal((centred.shape[1], _ITERATED)).astype(np.float32)
    for _ in range(_ITERATIONS):
        found, _ = np.linalg.qr(centred.T @ (centred @ found))
    along = centred @ found
    _, best = np.linalg.eigh(along.T @ along)  # by ascending variance; of one row too it has all directions
    return found @ best[:, :-3:-1]
