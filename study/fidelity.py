"""How near a drawing comes to the true result of its edit."""

from __future__ import annotations

import torch
from PIL import Image

from g2u.world.fidelity import psnr
from g2u.world.items import from_image
from g2u.world.metrics import ssim, torchmetrics


def fidelity(drawing: Image.Image, truth: Image.Image) -> dict[str, float]:
    """Measure a drawing, in the size of the true result.

    Returns:
        `psnr`, dB, at most 60; `ssim` (Wang et al. 2004), at most 1; `quality`, the universal image quality index
        (Wang and Bovik 2002), at most 1.

    Raises:
        MissingExtraError: The extra `study` is not installed.
    """
    own, true = from_image(drawing.resize(truth.size))[None], from_image(truth)[None]
    index = torchmetrics().image.universal_image_quality_index(own / 255, true / 255)
    return {
        "psnr": float(psnr(own, true)),
        "ssim": float(ssim(own, true)),
        # 0/0 where both are of one colour
        "quality": float(torch.nan_to_num(index, nan=1.0)),
    }
