"""The kernels of the fast path, each against plain torch; on a CPU they are plain torch."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from g2u.models.bagel.fast.autoencoder import attend_split
from g2u.models.bagel.fast.fused import place
from g2u.models.bagel.fast.products import ChosenProduct
from g2u.models.bagel.network.vision import Linear

NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
EPS = 1e-6

# Of the product, of the norms' weights and of the turns: all in one precision, and `mixed`.
DTYPES = [
    (torch.float32, torch.float32, torch.float32),
    (torch.bfloat16, torch.bfloat16, torch.bfloat16),
    (torch.bfloat16, torch.float32, torch.float32),
]


def drawn(*shape: int, seed: int = 5) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def distance(ours: Tensor, theirs: Tensor) -> float:
    ours, theirs = ours.double().cpu(), theirs.double().cpu()
    return float((ours - theirs).norm() / theirs.norm())


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NEEDS_GPU)])
def test_the_layer_norm_of_queries_and_keys_is_placed_row_by_row(device: str) -> None:
    heads, key_heads, size, tokens = 4, 2, 16, 3
    qkv = drawn(tokens, (heads + 2 * key_heads) * size).to(device)
    q, k, v = (torch.zeros(tokens + 2, count, size, device=device) for count in (heads, key_heads, key_heads))
    weight = torch.ones(size, device=device)
    still = torch.stack([torch.ones(size // 2), torch.zeros(size // 2)])[None].to(device)
    place(qkv, weight, weight, still, EPS, False, q[1:-1], k[1:-1], v[1:-1])
    made = qkv.unflatten(1, (-1, size))
    expected = functional.rms_norm(made, (size,), weight, EPS)
    for written, wanted in ((q, expected[:, :4]), (k, expected[:, 4:6]), (v, made[:, 6:])):
        assert torch.allclose(written[1:-1], wanted, atol=1e-5)
        assert not written[0].any() and not written[-1].any()


@NEEDS_GPU
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("dtypes", DTYPES)
@pytest.mark.parametrize(("heads", "key_heads", "size"), [(4, 2, 16), (28, 4, 128)])
def test_placing_on_a_gpu_rounds_as_on_a_cpu(
    dtypes: tuple[torch.dtype, ...], wide: bool, heads: int, key_heads: int, size: int
) -> None:
    tokens = 37
    qkv = drawn(tokens, (heads + 2 * key_heads) * size).to(dtypes[0])
    norms = [(1 + 0.1 * drawn(size, seed=seed)).to(dtypes[1]) for seed in (6, 7)]
    turns = drawn(1, 2, size // 2).to(dtypes[2])
    lengths = torch.tensor([4, 0, 7, 2, 2])
    results = []
    for device in ("cpu", "cuda"):
        block = [torch.zeros(tokens, count, size, dtype=dtypes[0], device=device) for count in (heads, key_heads)]
        block.append(torch.zeros_like(block[1]))
        ends = [torch.zeros(5, 9, key_heads, size, dtype=dtypes[0], device=device) for _ in range(2)]
        last = torch.zeros(5, heads, size, dtype=dtypes[0], device=device)
        given = [tensor.to(device) for tensor in (qkv, *norms, turns)]
        place(*given, EPS, wide, *block)
        place(given[0][:5], *given[1:], EPS, wide, last, *ends, lengths.to(device))
        results.append([*block, last, *ends])
    for plain, ours in zip(*results, strict=True):
        assert (ours.cpu() != plain).double().mean() < (1 if dtypes[0] == torch.float32 else 0.01)
        assert distance(ours, plain) < (1e-6 if dtypes[0] == torch.float32 else 1e-3)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NEEDS_GPU)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("rows", [1, 5, 1024, 1100])
def test_a_product_whose_kernel_is_chosen_is_the_linear_layer(
    device: str, dtype: torch.dtype, biased: bool, rows: int
) -> None:
    linear = Linear(128, 384, bias=biased, device=device, dtype=dtype).requires_grad_(False)
    product = ChosenProduct(linear)
    parts = [drawn(rows, 128, seed=seed).to(device, dtype) for seed in (1, 2)]
    expected = functional.linear(
        torch.cat(parts).double(), linear.weight.double(), linear.bias.double() if biased else None
    )
    for _ in range(2):  # the first call chooses
        assert distance(product.of_parts(parts), expected) < (1e-5 if dtype == torch.float32 else 5e-3)
    assert distance(product(parts[0]), expected[:rows]) < (1e-5 if dtype == torch.float32 else 5e-3)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NEEDS_GPU)])
def test_attention_in_split_numbers_is_that_in_float32(device: str) -> None:
    q, k, v = (drawn(2100, 64, seed=seed).to(device) for seed in (1, 2, 3))
    expected = functional.scaled_dot_product_attention(*(x[None].double() for x in (q, k, v)))[0]
    assert distance(attend_split(q, k, v), expected) < 3e-5
