"""Tiny checkpoints with random weights: the libraries' own classes, saved as they save them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}<user>{% endif %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}<reply>{% endif %}"
)
WORDS = ["red blue yes no which colour is the circle where star square picture answer question what edit"]


def tokenizer_of(image: str, *more: str) -> Any:
    """Bytes and a few words, with marks of a chat."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    inner.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    marks = ["<pad>", "<end>", image, "<user>", "<reply>", *more]
    trainer = trainers.BpeTrainer(
        vocab_size=320, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=marks
    )
    inner.train_from_iterator(WORDS, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="<end>", extra_special_tokens={"image_token": image}
    )


def reader_of(layers: int) -> tuple[Any, Any]:
    """A LLaVA, which needs no torchvision, and its processor."""
    torch.manual_seed(0)
    image = "<image>"
    tokenizer = tokenizer_of(image)
    processor = transformers.LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}),
        tokenizer=tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE.replace("IMAGE", image),
        num_additional_image_tokens=1,
    )
    vision = transformers.CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=16,
        patch_size=8,
        projection_dim=16,
    )
    text = transformers.MistralConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=4096,
        initializer_range=0.2,
    )
    config = transformers.LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids(image),
        vision_feature_layer=-1,
    )
    model = transformers.LlavaForConditionalGeneration(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model, processor


def save_reader(folder: Path) -> None:
    """A reader of its own."""
    for part in reader_of(2):
        part.save_pretrained(folder)


def save_pix2pix(folder: Path) -> None:
    """An InstructPix2Pix."""
    torch.manual_seed(1)
    tokenizer = _clip_tokenizer()
    unet = diffusers.UNet2DConditionModel(
        sample_size=8,
        in_channels=8,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=16,
        attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        norm_num_groups=4,
        latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )
    diffusers.StableDiffusionInstructPix2PixPipeline(
        vae=vae,
        text_encoder=transformers.CLIPTextModel(_clip(tokenizer)),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=diffusers.DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def save_kontext(folder: Path) -> None:
    """A FLUX.1 Kontext."""
    torch.manual_seed(2)
    tokenizer = _clip_tokenizer()
    t5 = tokenizer_of("<image>")
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1,
        in_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=16,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=True,
    )
    encoder = transformers.T5EncoderModel(
        transformers.T5Config(vocab_size=len(t5), d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        norm_num_groups=4,
        latent_channels=1,
        use_quant_conv=False,
        use_post_quant_conv=False,
        shift_factor=0.0609,
        scaling_factor=1.5035,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )
    diffusers.FluxKontextPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        text_encoder=transformers.CLIPTextModel(_clip(tokenizer)),
        tokenizer=tokenizer,
        text_encoder_2=encoder,
        tokenizer_2=t5,
        transformer=transformer,
    ).save_pretrained(folder)


def save_flux2(folder: Path) -> None:
    """A FLUX.2, whose text encoder is a whole reader; here the one that needs no torchvision."""
    reader, processor = reader_of(30)  # the pipeline reads what lies after layers 10, 20 and 30
    torch.manual_seed(3)
    transformer = diffusers.Flux2Transformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=3 * 32,
        timestep_guidance_channels=16,
        axes_dims_rope=(4, 4, 4, 4),
    )
    vae = diffusers.AutoencoderKLFlux2(
        block_out_channels=(8, 8, 8, 8),
        norm_num_groups=4,
        latent_channels=4,
        layers_per_block=1,
    )
    diffusers.Flux2Pipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        text_encoder=reader,
        tokenizer=processor,
        transformer=transformer,
    ).save_pretrained(folder)


def save_text_to_image(folder: Path) -> None:
    """No weights: the index of a pipeline that draws from texts."""
    folder.mkdir()
    (folder / "model_index.json").write_text('{"_class_name": "FluxPipeline"}', "utf-8")


def _clip(tokenizer: Any) -> Any:
    return transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        projection_dim=16,
        max_position_embeddings=77,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


@functools.cache
def _clip_tokenizer() -> Any:
    letters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return transformers.CLIPTokenizer(
        vocab={word: place for place, word in enumerate(words)}, merges=[], model_max_length=77
    )
