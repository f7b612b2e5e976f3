"""BLIP3o: Qwen2.5-VL that reads, and that draws anew what it has seen, as a model of G2U.

Its edits are reimaginings: what it draws is made from 64 hidden states of the reader, never from the picture's pixels.

| room or module | what is in it |
|---|---|
| `sources` | where the weights come from, and the folder that a user named |
| `network` | sizes, reader, flow-matching transformer, pixel decoder and all as one module; pictures to patches |
| `inference` | what was read as keys and values, drawing, writing |
| `checkpoint` | the official files: which are missing, key by key, and what names a folder of them |
| `golden`, `check_golden` | the comparison with outputs of the official program |
| `memory`, `needs` | how much memory it takes, and what `g2u doctor` looks at |
| `model` | all of it as a `UnifiedModel` |
| `load` | from a folder to a model |
| `next_edit` | BLIP3o-NEXT-edit, another network of the family, which does edit |
"""
