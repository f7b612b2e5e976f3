"""BAGEL-7B-MoT, plain and exact: what the official program computes, read from top to bottom.

| module | what is in it |
|---|---|
| `config` | sizes, token ids and limits, from the official files |
| `weights` | the official checkpoint, key by key |
| `transforms` | pictures to tensors and back |
| `vision` | the reader: SigLIP and its connector |
| `transformer` | the two experts and the attention in which they meet |
| `autoencoder` | pictures to latents and back |
| `network` | all of it as one module, with the embeddings of every kind of token |
| `context` | keys and values of what was read, segment by segment |
| `sampler` | drawing: guidance and Euler steps |
| `text` | tokenizer, decoding, scores of options |
| `golden`, `check_golden` | the comparison with outputs of the official program |
"""
