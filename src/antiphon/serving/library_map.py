"""A two-dimensional map of the library: one point per recording, near those with similar embeddings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.index.view import IndexView
from antiphon.process_memory import release_mapped
from antiphon.serving.models import Map, Point
from antiphon.serving.snapshot import Snapshot

_SUBSPACE, _ITERATIONS = 8, 30
_MARGIN = 0.02  # share of recordings at each end that is clipped to the border


def draw_map(snapshot: Snapshot) -> Map:
    """Project the mean embedding of each recording on the two principal components, scaled to 0 to 1."""
    ids, means = [], []
    for library in snapshot.libraries.values():
        # A recording that was indexed after the list of recordings was read appears in the next map.
        listed = [number for number, path in enumerate(library.paths) if path in snapshot.by_path]
        ids += [snapshot.by_path[library.paths[number]].id for number in listed]
        means.append(_means(library)[listed])
    composers = sorted({one.composer for one in snapshot.recordings})
    if not ids:
        return Map(points=[], composers=[], of=[])
    coordinates = _coordinates(np.concatenate(means))
    points = [Point(id=id_, x=x, y=y) for id_, (x, y) in zip(ids, coordinates.tolist(), strict=True)]
    number = {composer: at for at, composer in enumerate(composers)}
    return Map(points=points, composers=composers, of=[number[snapshot.by_id[id_].composer] for id_ in ids])


def _means(library: IndexView) -> NDArray[np.float32]:
    """The mean embedding of each recording [recordings, D]."""
    edges = zip(library.offset[:-1], library.offset[1:], strict=True)
    means = np.stack([library.vectors[begin:end].astype(np.float32).mean(axis=0) for begin, end in edges])
    release_mapped(library.vectors)
    return means


def _coordinates(means: NDArray[np.float32]) -> NDArray[np.float64]:
    """Two coordinates from 0 to 1 for each row [n, D]; 0.5 where all rows are equal."""
    centred = means - means.mean(axis=0)
    coordinates = (centred @ _principal(centred)).astype(np.float64)
    low, high = np.quantile(coordinates, [_MARGIN, 1 - _MARGIN], axis=0)
    spread = np.where(high > low, high - low, 1.0)
    return np.clip(np.where(high > low, (coordinates - low) / spread, 0.5), 0.0, 1.0).round(4)


def _principal(centred: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first two principal components [D, 2] of rows [n, D], by subspace iteration, because D may be large."""
    found = np.random.default_rng(0).standard_normal((centred.shape[1], _SUBSPACE)).astype(np.float32)
    for _ in range(_ITERATIONS):
        found, _ = np.linalg.qr(centred.T @ (centred @ found))
    along = centred @ found
    _, best = np.linalg.eigh(along.T @ along)  # by ascending variance; complete even for one row
    return found @ best[:, :-3:-1]
