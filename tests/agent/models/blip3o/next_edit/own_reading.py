"""A second way through one drawing of BLIP3o-NEXT-edit, plainly and in one piece, as *we* read the official program.

It shares no code with the model: tensors are taken by their official keys, words are drawn by the library's own
`generate` from the global generator, as there, and nothing is kept from one pass to the next. What it computes is in
tests/data/blip3o_next_edit, and is no output of the official program, which was read and not run:

    python -m tests.agent.models.blip3o.next_edit.own_reading
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderDC, FlowMatchEulerDiscreteScheduler, SanaTransformer2DModel
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM, SiglipVisionConfig, SiglipVisionModel

from g2u.conformance.bench import painted
from tests.agent.models.blip3o.next_edit.making import IMAGES, READER, SANA, SCHEDULER, VAE, make_folder

DATA = Path(__file__).parents[4] / "data" / "blip3o_next_edit"
GOLDEN, META = "golden.safetensors", "meta.json"
SEED, STEPS, GUIDANCE = 42, 5, 2.0
INSTRUCTION = "Make it red"
PICTURE = (60, 90, 1)
"""Width, height and seed of `painted`: no square, so that the two ways to take it in see different parts."""


@torch.no_grad()
def compute(folder: Path) -> dict[str, Tensor]:
    """Every quantity of one drawing, in float32 on the CPU."""
    weights = {key: tensor.float() for file in folder.glob("*.safetensors") for key, tensor in load_file(file).items()}
    picture = painted(*PICTURE)
    seen = _seen_words(weights, picture)
    tokenizer = Qwen2Tokenizer.from_pretrained(folder)
    text = (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
        f"Please edit this image according to the following instruction: {INSTRUCTION}.\n"
        f"<|vision_start|>{'<|image_pad|>' * len(seen)}<|vision_end|><|im_end|>\n<|im_start|>assistant\n<im_start><S0>"
    )
    prompt = torch.tensor([tokenizer.encode(text, add_special_tokens=False)])
    prompt[prompt == tokenizer.convert_tokens_to_ids("<|image_pad|>")] = seen
    reader = _reader(weights)
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        ids = reader.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=len(seen),
            do_sample=True,
            temperature=1.0,
            top_p=0.95,
            top_k=1200,
            eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
            pad_token_id=0,
        )
        noise = torch.randn(1, 4, 6, 6, dtype=torch.bfloat16).float()
    hidden = reader.model(input_ids=ids, output_hidden_states=True).hidden_states[-1]
    states = hidden[:, int((ids[0] == READER["image_start_tag_id"]).nonzero()[0]) + 1 :]

    vae = AutoencoderDC.from_config(VAE)
    vae.load_state_dict(_part(weights, "model.sana_vae."))
    latents = vae.encode(_cropped(picture)).latent * VAE["scaling_factor"]
    places = _connected(weights, "model.und_image_vae_connector.", latents.permute(0, 2, 3, 1).reshape(1, -1, 4))
    blank = _connected(weights, "model.diffusion_connector.", torch.zeros_like(states))
    told = _connected(weights, "model.diffusion_connector.", states)
    condition = torch.stack([torch.cat([blank[0], torch.zeros_like(places[0])]), torch.cat([told[0], places[0]])])

    sana = SanaTransformer2DModel.from_config(SANA)
    sana.load_state_dict(_part(weights, "model.sana."))
    scheduler = FlowMatchEulerDiscreteScheduler.from_config(SCHEDULER)
    scheduler.set_timesteps(STEPS, sigmas=np.linspace(1.0, 1 / STEPS, STEPS))
    x, velocities = noise, []
    for time in scheduler.timesteps:
        wide = torch.cat([x, latents], dim=3)
        free = sana(wide, encoder_hidden_states=condition[:1], timestep=time[None]).sample
        guided = sana(wide, encoder_hidden_states=condition[1:], timestep=time[None]).sample
        velocities.append(torch.cat([free, guided]))
        x = scheduler.step(free + GUIDANCE * (guided - free), time, wide).prev_sample[:, :, :, :6]
    decoded = vae.decode(x / VAE["scaling_factor"]).sample[0]
    return {
        "seen_words": seen,
        "prompt": prompt[0],
        "written_words": ids[0, prompt.shape[1] :],
        "states": states,
        "reference_latents": latents,
        "condition": condition,
        "noise": noise,
        "times": scheduler.timesteps,
        "velocities": torch.stack(velocities),
        "latents": x,
        "picture": ((decoded / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous(),
    }


def _seen_words(weights: dict[str, Tensor], picture: Image.Image) -> Tensor:
    """Ids of the words of a picture, by the whole of the library's SigLIP."""
    config = SiglipVisionConfig(
        hidden_size=72, intermediate_size=40, num_hidden_layers=3, num_attention_heads=1, image_size=384, patch_size=96
    )
    encoder = SiglipVisionModel(config).eval()
    begun = "model.vision_tower.vision_tower."
    lacking = encoder.load_state_dict(_part(weights, f"{begun}encoder."), strict=False).missing_keys
    assert all("layers.2." in key or "post_layernorm" in key or "head." in key for key in lacking), lacking
    pixels = np.asarray(picture.resize((384, 384), Image.Resampling.BICUBIC), dtype=np.float32) / 255 * 2 - 1
    given = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    x = encoder(pixel_values=given, output_hidden_states=True).hidden_states[-2]
    x = torch.tanh(functional.linear(x, *_linear(weights, f"{begun}encode_task_layer.0")))
    x = functional.linear(x, *_linear(weights, f"{begun}bottleneck.in_linear"))
    book = weights[f"{begun}bottleneck.regularizer.embedding.weight"]
    book = functional.linear(book, *_linear(weights, f"{begun}bottleneck.regularizer.embedding_proj"))
    return IMAGES + functional.cosine_similarity(x[0, :, None], book[None], dim=-1).argmax(dim=-1)


def _reader(weights: dict[str, Tensor]) -> Qwen3ForCausalLM:
    names = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    more = ("num_key_value_heads", "head_dim", "rms_norm_eps", "max_position_embeddings")
    rope = {"rope_type": "default", "rope_theta": READER["rope_theta"]}
    config = Qwen3Config(**{name: READER[name] for name in (*names, *more)}, rope_parameters=rope)
    config.tie_word_embeddings = False
    reader = Qwen3ForCausalLM(config).eval()
    reader.load_state_dict({key: weights[key] for key in reader.state_dict()})
    return reader


def _cropped(picture: Image.Image) -> Tensor:
    """The middle square of 24 pixels of `PICTURE`, whose shorter side is its width."""
    scaled = picture.resize((24, 36), Image.Resampling.BILINEAR).crop((0, 6, 24, 30))
    return torch.from_numpy(np.asarray(scaled, dtype=np.float32) / 255 * 2 - 1).permute(2, 0, 1)[None]


def _connected(weights: dict[str, Tensor], begun: str, x: Tensor) -> Tensor:
    x = functional.gelu(functional.linear(x, *_linear(weights, f"{begun}0")), approximate="tanh")
    x = functional.linear(x, *_linear(weights, f"{begun}2"))
    return x * torch.rsqrt(x.pow(2).mean(dim=-1, keepdim=True) + 1e-5) * weights[f"{begun}3.weight"]


def _linear(weights: dict[str, Tensor], begun: str) -> tuple[Tensor, Tensor]:
    return weights[f"{begun}.weight"], weights[f"{begun}.bias"]


def _part(weights: dict[str, Tensor], begun: str) -> dict[str, Tensor]:
    return {key.removeprefix(begun): tensor for key, tensor in weights.items() if key.startswith(begun)}


def main() -> None:
    """Write what is computed from the tiny checkpoint."""
    DATA.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        computed = compute(make_folder(Path(place) / "made"))
    save_file({name: tensor.contiguous() for name, tensor in computed.items()}, DATA / GOLDEN)
    said = {
        "made_by": "our own reading of the official program, which was not run",
        "read": "github.com/zhiyangxu-VT/wan_und, branch BLIP3o-NEXT-edit, abe39f8",
        "checkpoint": "that of making.py with the seed 0",
        "seed": SEED,
        "steps": STEPS,
        "guidance": GUIDANCE,
        "instruction": INSTRUCTION,
        "picture": PICTURE,
    }
    (DATA / META).write_text(json.dumps(said, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
