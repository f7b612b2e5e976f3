"""How near a drawing comes to the true result of its edit."""

from __future__ import annotations

from PIL import Image

from g2u.world.items.items import from_image
from g2u.world.judging.fidelity import psnr
from g2u.world.judging.metrics import ssim, torchmetrics


def fidelity(drawing: Image.Image, truth: Image.Image) -> dict[str, float]:
    """Measure a drawing, in the size of the true result.

    Returns:
        `psnr`, dB, at most 60; `ssim` (Wang et al. 2004), at most 1; `vif`, visual information fidelity in the pixel
        domain (Sheikh and Bovik 2006) of the brightness, 1 for the true result itself.

    Raises:
        MissingExtraError: The extra `study` is not installed.
    """
    own, true = from_image(drawing.resize(truth.size))[None], from_image(truth)[None]
    grey = (picture.float().mean(dim=1, keepdim=True) for picture in (own, true))
    information = torchmetrics().image.visual_information_fidelity(*grey)
    return {
        "psnr": float(psnr(own, true)),
        "ssim": float(ssim(own, true)),
        "vif": float(information),
    }
