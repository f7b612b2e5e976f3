"""BAGEL-7B-MoT: what the official program computes, plain and exact or fast, and as a model of G2U.

| room or module | what is in it |
|---|---|
| `sources` | where the weights come from, and the folder that a user named |
| `network` | sizes, reader, experts, autoencoder and all as one module; pictures to tensors and back |
| `inference` | what was read as keys and values, drawing, writing, and the executions that do both |
| `checkpoint` | the official files: which are missing, key by key, and what names a folder of them |
| `fast` | the same drawn and written fast on a GPU, and its lossy kin |
| `golden`, `check_golden` | the comparison with outputs of the official program |
| `memory`, `needs` | how much memory it takes, and what `g2u doctor` looks at |
| `model` | all of it as a `UnifiedModel` |
| `load` | from a folder to a model |
"""
