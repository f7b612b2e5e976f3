"""How far a picture lies from those that mini was trained on.

The feature of a picture is what its patches offer to attention in the middle layer: the mean of their values. Over
many pictures of the world these have a mean and a covariance; a picture's distance is that of Mahalanobis, in units of
that covariance, and its score the share of world pictures that lie nearer. The covariance is measured on one half of
the pictures and the distances on the other, so that the score of a new picture of the world is even over [0, 1].
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

from g2u.errors import WeightsError
from g2u.models.mini.inference import Memory, encode_pictures
from g2u.models.mini.transformer import MiniTransformer, to_patches

FILE: Final = "domain.safetensors"
"""Its place in a folder of weights."""
QUANTILES: Final = 1001
"""Distances that are kept: one for each tenth of a percent."""
FEWEST: Final = 16
"""Pictures without which nothing can be measured; thousands are needed for scores close to 1."""
DIRECTIONS: Final = 256
"""Directions that are kept at most, those in which pictures differ most."""
FLOOR: Final = 1e-6
"""Smallest variance of a direction, as a share of the mean one."""


@dataclass(frozen=True, kw_only=True)
class Domain:
    """Where the pictures of the world lie; all in float32, `whiten` rounded to the float16 that is saved."""

    mean: Tensor
    """`[width]`."""
    whiten: Tensor
    """`[width, k]`: from a feature without its mean to `k` independent numbers of variance one."""
    distances: Tensor
    """`[1001]`: quantiles of the distance of pictures of the world that were not used for the other two."""

    def distance(self, features: Tensor) -> Tensor:
        """Distances `[..]` of features `[.., width]`."""
        distances: Tensor = torch.linalg.vector_norm((features - self.mean) @ self.whiten, dim=-1)
        return distances

    def score(self, feature: Tensor) -> float:
        """Share of pictures of the world that lie nearer than a picture with this feature `[width]`; 1 beyond all."""
        distance = self.distance(feature.to(self.mean)).item()
        return float(np.interp(distance, self.distances.cpu().numpy(), np.linspace(0.0, 1.0, len(self.distances))))


def fit(features: Tensor) -> Domain:
    """Measure where pictures lie, with the shrunk covariance of Ledoit and Wolf (2004), which needs no tuning.

    Args:
        features: `[pictures, width]`, of pictures of the world in any order.

    Raises:
        ValueError: They are too few, not finite or all the same.
    """
    if len(features) < FEWEST:
        raise ValueError(f"A domain is measured on at least {FEWEST} pictures, better thousands, not {len(features)}.")
    known, held_out = features.double().cpu()[::2], features.double().cpu()[1::2]
    mean = known.mean(dim=0)
    if not (known - mean).square().mean() > 0:  # nor is NaN
        raise ValueError("A domain is measured on finite features of pictures that differ; these are not.")
    variances, directions = torch.linalg.eigh(_shrunk_covariance(known - mean))
    # A floor, so that a direction in which nothing differs does not turn rounding into distance.
    whiten = directions / variances.clamp(min=FLOOR * variances.mean()).sqrt()
    whiten = whiten[:, -DIRECTIONS:].half().double()
    distances = torch.linalg.vector_norm((held_out - mean) @ whiten, dim=1)
    quantiles = distances.quantile(torch.linspace(0.0, 1.0, QUANTILES, dtype=torch.float64))
    return Domain(mean=mean.float(), whiten=whiten.float().contiguous(), distances=quantiles.float())


def feature(keys_values: Tensor) -> Tensor:
    """Features `[.., width]` of pictures from keys and values `[layers, 2, .., heads, patches, head width]`."""
    return keys_values[len(keys_values) // 2, 1].mean(dim=-2).flatten(-2)


@torch.inference_mode()
def measure_domain(network: MiniTransformer, pictures: Tensor, batch: int = 256) -> Domain:
    """Where a network sees the pictures of the world, for `save_weights`.

    Args:
        network: As trained; what is measured is a copy rounded to bfloat16, as it will be saved and loaded.
        pictures: Bytes `[pictures, 3, height, width]` in the size of its own, on any device: of every kind that it was
            trained on, but best not those that it was trained with.
        batch: Pictures that are encoded at a time.

    Raises:
        ValueError: They are too few, or all the same.
    """
    rounded = copy.deepcopy(network).train(False)
    for weights in rounded.parameters():
        weights.copy_(weights.bfloat16())
    return fit(torch.cat([_features(rounded, part) for part in pictures.split(batch)]))


def save_domain(domain: Domain, folder: Path) -> None:
    """Write the file of a weights folder that holds it."""
    tensors = {"mean": domain.mean, "whiten": domain.whiten.half(), "distances": domain.distances}
    save_file({name: tensor.cpu() for name, tensor in tensors.items()}, folder / FILE)


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
    expected = {"distances": (QUANTILES,), "mean": (width,), "whiten": (width, *shapes.get("whiten", ())[1:2])}
    if shapes != expected:
        raise WeightsError(f"{folder / FILE} holds {shapes}, and {expected} was expected.")
    return Domain(**{name: tensor.float() for name, tensor in found.items()})


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
