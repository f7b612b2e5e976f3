"""Linear layers in eight bits, on a GPU that has such matrix products."""

import pytest
import torch

from g2u.models.bagel.fast.float8 import Float8Product, rounded
from g2u.models.bagel.load import FLOAT8_GPU
from g2u.models.bagel.network.vision import Linear


@pytest.mark.skipif(
    not torch.cuda.is_available() or torch.cuda.get_device_capability() < FLOAT8_GPU, reason="no GPU has eight bits"
)
@pytest.mark.parametrize("bias", [False, True])
def test_the_bias_is_added_before_the_product_is_rounded(bias: bool) -> None:
    torch.manual_seed(0)
    exact = Linear(512, 256, bias=bias).to("cuda", torch.bfloat16).requires_grad_(False)
    if bias:
        exact.bias.normal_(0.0, 30.0)
    x = torch.randn(40, 512, device="cuda", dtype=torch.bfloat16)
    ours = Float8Product(exact)(x)
    (tokens, scale), (weight, scales) = rounded(x), rounded(exact.weight)
    wide = (tokens.float() * scale) @ (weight.float() * scales).t() + (exact.bias.float() if bias else 0.0)
    assert ours.dtype == torch.bfloat16
    # Half a unit of bfloat16's last place, and what the fast sums of the product lose.
    assert torch.allclose(ours.float(), wide, rtol=2**-8, atol=0.01)
