"""How far a picture lies from those that mini was trained on.

The feature of a picture is what its patches offer to attention in an early layer, where mini still sees what a picture
is made of and not yet what it means: the mean of their values. Pictures of the world come in groups, one for each task
and condition. Of all directions those are kept in which the groups differ most beside how the pictures of one group
differ (Fisher's discriminant), in units of the latter. A picture's distance is that to the nearest mean of a group, and
its score the share of world pictures that lie nearer to theirs. Directions and means are measured on one half of the
pictures of every group and the distances on the other, so that the score of a new picture of the world is even over
[0, 1].
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...errors import WeightsError
from .inference import Memory, encode_pictures
from .transformer import MiniTransformer, to_patches

FILE: Final = "domain.safetensors"
"""Its place in a folder of weights."""
QUANTILES: Final = 1001
"""Distances that are kept: one for each tenth of a percent."""
FEWEST: Final = 16
"""Pictures without which nothing can be measured; thousands are needed for scores close to 1."""
LAYER: Final = 1
"""The layer whose values are the feature, counted from 0; the last one of a network that has fewer."""
DIRECTIONS: Final = 24
"""Directions that are kept at most."""
FLOOR: Final = 1e-6
"""Smallest variance of a direction within the groups, as a share of the mean one."""


@dataclass(frozen=True, kw_only=True)
class Domain:
    """Where the pictures of the world lie, all in float32."""

    directions: Tensor
    """`[width, k]`: from a feature to `k` independent numbers, each of variance one within a group."""
    means: Tensor
    """`[groups, k]`: of the groups, in those numbers."""
    distances: Tensor
    """`[1001]`: quantiles of the distance of pictures of the world that were not used for the other two."""

    def distance(self, features: Tensor) -> Tensor:
        """Distances `[pictures]` of features `[pictures, width]` to the nearest mean."""
        return _nearest(features @ self.directions, self.means)

    def score(self, feature: Tensor) -> float:
        """Share of pictures of the world that lie nearer than a picture with this feature `[width]`; 1 beyond all."""
        distance = self.distance(feature.to(self.means)[None]).item()
        return float(np.interp(distance, self.distances.cpu().numpy(), np.linspace(0.0, 1.0, len(self.distances))))


def fit(features: Tensor, groups: Tensor) -> Domain:
    """Measure where pictures lie, with the shrunk covariance of Ledoit and Wolf (2004), which needs no tuning.

    Args:
        features: `[pictures, width]`, of pictures of the world in any order.
        groups: `[pictures]`, int64: which pictures are of one kind.

    Raises:
        ValueError: They are too few, not finite or all the same, or they are not of several groups of at least four.
    """
    if len(features) < FEWEST:
        raise ValueError(f"A domain is measured on at least {FEWEST} pictures, better thousands, not {len(features)}.")
    if groups.shape != features.shape[:1]:
        raise ValueError(f"Each of the {len(features)} pictures has one group; {tuple(groups.shape)} were given.")
    _, group, sizes = groups.cpu().unique(return_inverse=True, return_counts=True)
    if len(sizes) < 2 or sizes.min() < 4:
        raise ValueError(f"A domain is measured on two groups or more of four pictures or more, not {sizes.tolist()}.")
    order = group.argsort(stable=True)  # every other picture in it is every other one of each group
    known, held_out = order[::2], order[1::2]
    features = features.double().cpu()
    means = torch.stack([features[known][group[known] == number].mean(dim=0) for number in range(len(sizes))])
    within = features[known] - means[group[known]]
    if not within.square().mean() > 0:  # nor is NaN
        raise ValueError("A domain is measured on finite features of pictures that differ; these are not.")
    variances, directions = torch.linalg.eigh(_shrunk_covariance(within))
    # A floor, so that a direction in which nothing differs does not turn rounding into distance.
    whiten = directions / variances.clamp(min=FLOOR * variances.mean()).sqrt()
    between = (means - means.mean(dim=0)) @ whiten
    apart = torch.linalg.eigh(between.T @ between).eigenvectors[:, -min(DIRECTIONS, len(means) - 1) :]
    directions = whiten @ apart
    distances = _nearest(features[held_out] @ directions, means @ directions)
    quantiles = distances.quantile(torch.linspace(0.0, 1.0, QUANTILES, dtype=torch.float64))
    return Domain(
        directions=directions.float().contiguous(), means=(means @ directions).float(), distances=quantiles.float()
    )


def feature(keys_values: Tensor) -> Tensor:
    """Features `[.., width]` of pictures from keys and values `[layers, 2, .., heads, patches, head width]`."""
    return keys_values[min(LAYER, len(keys_values) - 1), 1].mean(dim=-2).flatten(-2)


@torch.inference_mode()
def measure_domain(network: MiniTransformer, pictures: Tensor, groups: Tensor, batch: int = 256) -> Domain:
    """Where a network sees the pictures of the world, for `save_weights`.

    Args:
        network: As trained; what is measured is a copy rounded to bfloat16, as it will be saved and loaded.
        pictures: Bytes `[pictures, 3, height, width]` in the size of its own, on any device: of every kind that it was
            trained on, but best not those that it was trained with.
        groups: `[pictures]`, int64: which of them are of one kind.
        batch: Pictures that are encoded at a time.

    Raises:
        ValueError: They are too few or all the same, or they are not of several groups of at least four.
    """
    rounded = copy.deepcopy(network).train(False)
    for weights in rounded.parameters():
        weights.copy_(weights.bfloat16())
    return fit(torch.cat([_features(rounded, part) for part in pictures.split(batch)]), groups)


def save_domain(domain: Domain, folder: Path) -> None:
    """Write the file of a weights folder that holds it; the index names its hash, see `weights.replace_domain`."""
    save_file({name: tensor.cpu() for name, tensor in vars(domain).items()}, folder / FILE)


def load_domain(folder: Path, width: int) -> Domain:
    """Read it back.

    Raises:
        WeightsError: It is not what `save_domain` writes for a network of that width.
    """
    try:
        found = load_file(folder / FILE)
    except SafetensorError as error:
        raise WeightsError(f"{folder / FILE} is no safetensors file: {error}.") from error
    shapes = {name: tuple(tensor.shape) for name, tensor in sorted(found.items())}
    groups, kept = (*shapes.get("means", ()), 0, 0)[:2]
    expected = {"directions": (width, max(kept, 1)), "distances": (QUANTILES,), "means": (max(groups, 2), max(kept, 1))}
    if shapes != expected:
        raise WeightsError(f"{folder / FILE} holds {shapes}, and {expected} was expected.")
    if kinds := {str(tensor.dtype) for tensor in found.values()} - {"torch.float32"}:
        raise WeightsError(f"{folder / FILE} holds numbers in {', '.join(sorted(kinds))}, not all in torch.float32.")
    return Domain(**found)


def _nearest(points: Tensor, means: Tensor) -> Tensor:
    """Distance of each of `points` `[pictures, k]` to the nearest of `means` `[groups, k]`."""
    exact = "donot_use_mm_for_euclid_dist"  # the other way loses the small differences of large numbers
    return torch.cdist(points, means, compute_mode=exact).min(dim=-1).values


def _shrunk_covariance(x: Tensor) -> Tensor:
    """Covariance of `x` `[samples, width]`, of mean zero, drawn towards a multiple of the identity."""
    samples, width = x.shape
    covariance = x.T @ x / samples
    sphere = covariance.trace() / width * torch.eye(width, dtype=x.dtype)
    far = (covariance - sphere).square().sum()
    noise = (x.square().sum(dim=1).square().sum() / samples - covariance.square().sum()) / samples
    share = (noise / far).clamp(0.0, 1.0) if far > 0 else torch.ones_like(far)
    return share * sphere + (1.0 - share) * covariance


def _features(network: MiniTransformer, pictures: Tensor) -> Tensor:
    config = network.config
    patches = to_patches(pictures.to(network.device).float() / 127.5 - 1.0, config.patch)
    nothing = patches.new_empty(config.layers, 2, config.heads, 0, 2 * config.pairs)
    memory = Memory([nothing] * len(patches), config.patches)
    return feature(encode_pictures(network, patches, 0, memory)).cpu()
