"""BLIP3o-NEXT-edit: it draws on the picture itself, whose latents go in.

Qwen3 writes the words of a new picture after those of the old one; its hidden states over them and the latents of the
old picture are the condition of a SANA, which draws latents beside those of the old picture.

| module | what is in it |
|---|---|
| `config`, `network` | sizes, and all as one module |
| `pictures` | the two ways in which a picture is taken in, and how one comes out |
| `text` | the tokenizer, and what the model is told |
| `files`, `weights` | the official files, key by key, and what names a folder of them |
| `sampler` | the words of a picture, and from noise to its latents |
| `model`, `needs`, `load` | as a `UnifiedModel`, what it takes, and from a folder to a model |
"""
