"""The golden folder, with the weights of its autoencoder drawn from their seed: stored, they would be 16 MB."""

import shutil
from pathlib import Path

from g2u.models.bagel.golden.golden import Meta
from g2u.models.bagel.golden.weights import completed
from g2u.models.bagel.network.config import GOLDEN_FILE, read_config

DATA = Path(__file__).parents[3] / "data" / "bagel"


def make_folder(folder: Path) -> Path:
    """A tiny checkpoint in the official layout, with outputs of the official program."""
    meta = Meta.model_validate_json((DATA / GOLDEN_FILE).read_bytes())
    assert meta.seed is not None
    with completed(DATA, read_config(DATA).vae, meta.seed) as whole:
        shutil.copytree(whole, folder)
    return folder
