"""The official checkpoint: the model and `ae.safetensors`, loaded key by key, with nothing left over.

What the official loader takes without a word is taken too: weights in float16, the prefix `bagel.` before each key, and
the frequencies of rotation, which are no weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ....errors import WeightsError
from ...tensor_files import check_memory
from ..network.config import REMEDY, AutoencoderConfig, BagelConfig, read_config
from ..network.network import BagelNetwork, Precision, place_tables
from .files import AUTOENCODER, home, model_files

DTYPES = ("BF16", "F16", "F32")
"""In which weights may be stored, as safetensors calls them."""
PREFIX = "bagel."
"""May stand before each key of the model, as trainers that wrap it leave it."""
COMPUTED = "rotary_emb.inv_freq"
"""Ends keys of what is computed from the sizes; where a checkpoint has them they are not read."""

ONCE = {
    "language_model.model.embed_tokens.weight": "transformer.words.weight",
    "language_model.model.norm.weight": "transformer.reader_norm.weight",
    "language_model.model.norm_moe_gen.weight": "transformer.drawer_norm.weight",
    "language_model.lm_head.weight": "transformer.head.weight",
    "vit_model.vision_model.embeddings.patch_embedding": "reader.patch",
    "vit_model.vision_model.embeddings.position_embedding.weight": "reader.places.weight",
    "vit_model.vision_model.post_layernorm": "reader.norm",
    "connector.fc1": "reader.connect_in",
    "connector.fc2": "reader.connect_out",
    "time_embedder.mlp.0": "time_in",
    "time_embedder.mlp.2": "time_out",
    "vae2llm": "latent_in",
    "llm2vae": "latent_out",
}
"""Official keys and ours. A key without `.weight` stands for weight and bias, here and below."""

TABLES = {"latent_pos_embed.pos_embed": "latent_places", "vit_pos_embed.pos_embed": "patch_places"}
"""Fixed tables, which a checkpoint may leave out."""

LAYER = {
    "self_attn.q_proj{}": "query",
    "self_attn.k_proj{}": "key",
    "self_attn.v_proj{}": "value",
    "self_attn.o_proj{}.weight": "out.weight",
    "self_attn.q_norm{}.weight": "query_norm.weight",
    "self_attn.k_norm{}.weight": "key_norm.weight",
    "input_layernorm{}.weight": "attention_norm.weight",
    "post_attention_layernorm{}.weight": "hidden_norm.weight",
    "mlp{}.gate_proj.weight": "gate.weight",
    "mlp{}.up_proj.weight": "up.weight",
    "mlp{}.down_proj.weight": "down.weight",
}
"""Of each layer of the transformer; `{}` is nothing for the reading expert, and `_moe_gen` for the drawing one."""

READER_LAYER = {
    "self_attn.q_proj": "query",
    "self_attn.k_proj": "key",
    "self_attn.v_proj": "value",
    "self_attn.out_proj": "out",
    "mlp.fc1": "up",
    "mlp.fc2": "down",
    "layer_norm1": "attention_norm",
    "layer_norm2": "hidden_norm",
}
"""Of each layer of the reader."""

RESNET = {name: name for name in ("norm1", "conv1", "norm2", "conv2")}
SHORTCUT = {"nin_shortcut": "conv_shortcut"}
MIDDLE = {
    **{f"mid.block_1.{name}": f"mid_block.resnets.0.{name}" for name in RESNET},
    **{f"mid.block_2.{name}": f"mid_block.resnets.1.{name}" for name in RESNET},
    "mid.attn_1.norm": "mid_block.attentions.0.group_norm",
    "mid.attn_1.q": "mid_block.attentions.0.to_q",
    "mid.attn_1.k": "mid_block.attentions.0.to_k",
    "mid.attn_1.v": "mid_block.attentions.0.to_v",
    "mid.attn_1.proj_out": "mid_block.attentions.0.to_out.0",
    "conv_in": "conv_in",
    "norm_out": "conv_norm_out",
    "conv_out": "conv_out",
}
"""Of encoder and decoder alike; the projections of attention are linear layers in ours, 1x1 convolutions in theirs."""


def model_keys(config: BagelConfig) -> dict[str, str]:
    """Every key of `ema.safetensors`, `TABLES` included, and its place in `BagelNetwork`."""
    pairs = dict(ONCE)
    for i in range(config.llm.num_hidden_layers):
        for suffix, expert in (("", "reader"), ("_moe_gen", "drawer")):
            for theirs, ours in LAYER.items():
                key = f"language_model.model.layers.{i}.{theirs.format(suffix)}"
                pairs[key] = f"transformer.layers.{i}.{expert}.{ours}"
    for i in range(config.vit.num_hidden_layers):
        for theirs, ours in READER_LAYER.items():
            pairs[f"vit_model.vision_model.encoder.layers.{i}.{theirs}"] = f"reader.layers.{i}.{ours}"
    return dict(_with_biases(pairs)) | TABLES


def autoencoder_keys(config: AutoencoderConfig) -> dict[str, str]:
    """Every key of `ae.safetensors`, and its place in `BagelNetwork`."""
    pairs = {f"{half}.{a}": f"{half}.{b}" for half in ("encoder", "decoder") for a, b in MIDDLE.items()}
    width = [config.ch * factor for factor in config.ch_mult]
    last = len(width) - 1
    for i in range(last + 1):
        # Both count from the picture inwards in the encoder; in the decoder theirs still does, ours does not.
        down, up = f"encoder.down_blocks.{i}", f"decoder.up_blocks.{last - i}"
        if i < last:
            pairs[f"encoder.down.{i}.downsample.conv"] = f"{down}.downsamplers.0.conv"
        if i > 0:
            pairs[f"decoder.up.{i}.upsample.conv"] = f"{up}.upsamplers.0.conv"
        for theirs, ours, blocks, before in (
            (f"encoder.down.{i}", down, config.num_res_blocks, width[max(i - 1, 0)]),
            (f"decoder.up.{i}", up, config.num_res_blocks + 1, width[min(i + 1, last)]),
        ):
            for j in range(blocks):
                names = RESNET | (SHORTCUT if j == 0 and before != width[i] else {})
                pairs |= {f"{theirs}.block.{j}.{a}": f"{ours}.resnets.{j}.{b}" for a, b in names.items()}
    return {theirs: f"autoencoder.{ours}" for theirs, ours in _with_biases(pairs)}


def _with_biases(pairs: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for theirs, ours in pairs.items():
        if theirs.endswith(".weight"):
            yield theirs, ours
        else:
            yield from ((f"{theirs}.{part}", f"{ours}.{part}") for part in ("weight", "bias"))


@dataclass(frozen=True)
class _Stored:
    """One tensor in a file."""

    file: Path
    key: str
    """As it is called there."""
    dtype: str
    shape: tuple[int, ...]


def load_network(place: Path, precision: Precision = "bfloat16", device: torch.device | str = "cpu") -> BagelNetwork:
    """Load a folder in the official layout; weights in other kinds of floats are rounded to the precision.

    Args:
        place: The folder, or the file of the model in it.
        precision: Of the weights.
        device: Where they go.

    Raises:
        WeightsError: The folder is not that of a BAGEL, a file is truncated, or keys, shapes or dtypes are not those of
            its configuration; all faults of keys are named at once.
        BudgetError: The GPU has too little free memory for the weights.
    """
    config = read_config(home(place))
    stored = check_folder(place, config)
    with torch.device("meta"):
        network = BagelNetwork(config)
    network.set_precision(precision)
    where = torch.device(device)
    if where.type == "cuda":
        check_memory(network.nbytes, torch.cuda.mem_get_info(where)[0])
    wanted = network.state_dict()
    state: dict[str, Tensor] = {}
    for file in sorted({tensor.file for tensor in stored.values()}):
        with safe_open(file, "pt", device=str(device)) as opened:
            for ours, theirs in _places(config).items():
                if theirs in stored and stored[theirs].file == file:
                    tensor = opened.get_tensor(stored[theirs].key)
                    state[ours] = tensor.reshape(wanted[ours].shape).to(wanted[ours].dtype)
    for name, table in place_tables(config).items():
        # The official program rounds these to the dtype of the checkpoint before it widens anything.
        state.setdefault(name, table.bfloat16().to(device, wanted[name].dtype))
    network.load_state_dict(state, assign=True)
    network.train(False).requires_grad_(False)
    return network


def check_folder(place: Path, config: BagelConfig) -> dict[str, _Stored]:
    """Check all files, keys, shapes and dtypes of a folder without loading it.

    Args:
        place: The folder, or the file of the model in it.
        config: Its sizes.

    Returns:
        What is stored and read, by official key.

    Raises:
        WeightsError: See `load_network`.
    """
    stored, faults = _read_headers(place)
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in BagelNetwork(config).state_dict().items()}
    expected = {theirs: shapes[ours] for ours, theirs in _places(config).items()}
    faults += [f"missing {key}" for key in expected.keys() - stored.keys() - TABLES.keys()]
    faults += [f"unexpected {key}" for key in stored.keys() - expected.keys()]
    for key in expected.keys() & stored.keys():
        shape, want = stored[key].shape, expected[key]
        if key.startswith(("encoder.", "decoder.")) and ".attn_1." in key and len(want) == 2:
            want = (*want, 1, 1)
        if shape != want:
            faults.append(f"{key} has shape {list(shape)}, not {list(want)}{_table_hint(key, shape, config)}")
        if stored[key].dtype not in DTYPES:
            faults.append(f"{key} is {stored[key].dtype}, not {', '.join(DTYPES[:-1])} or {DTYPES[-1]}")
    if faults:
        listed = "; ".join(sorted(faults))
        raise WeightsError(f"{len(faults)} faults in the weights in {home(place)}: {listed}.", REMEDY)
    return stored


def _places(config: BagelConfig) -> dict[str, str]:
    """Official keys by ours."""
    return {ours: theirs for theirs, ours in (model_keys(config) | autoencoder_keys(config.vae)).items()}


def _table_hint(key: str, shape: tuple[int, ...], config: BagelConfig) -> str:
    side = math.isqrt(shape[0]) if shape else 0
    if key != "latent_pos_embed.pos_embed" or side**2 != shape[0]:
        return ""
    return f" (it was trained with max_latent_size {side}, this configuration has {config.max_latent_size})"


def _read_headers(place: Path) -> tuple[dict[str, _Stored], list[str]]:
    """What is stored, by official key, and what is wrong with the keys themselves."""
    files = [*model_files(place), home(place) / AUTOENCODER]
    if missing := [file.name for file in files if not file.is_file()]:
        raise WeightsError(f"{home(place)} misses {', '.join(missing)}.", REMEDY)
    stored, faults = dict[str, _Stored](), list[str]()
    for file in files:
        try:
            with safe_open(file, "pt") as opened:
                for name in opened.keys():  # noqa: SIM118  # no mapping
                    if name.endswith(COMPUTED):
                        continue
                    tensor, key = opened.get_slice(name), name.removeprefix(PREFIX)
                    if key in stored:
                        faults.append(f"twice {key}, in {stored[key].file.name} and {file.name}")
                    stored[key] = _Stored(file, name, tensor.get_dtype(), tuple(tensor.get_shape()))
        except SafetensorError as error:
            raise WeightsError(f"{file} is truncated or no safetensors file: {error}.", REMEDY) from error
    return stored, faults


def stored_as(place: Path) -> list[str]:
    """In which kinds of floats the weights are, but for those of the autoencoder, as safetensors calls them, sorted.

    Args:
        place: The folder, or the file of the model in it.

    Raises:
        WeightsError: A file is missing or truncated.
    """
    stored, _ = _read_headers(place)
    return sorted({tensor.dtype for tensor in stored.values() if tensor.file.name != AUTOENCODER})
