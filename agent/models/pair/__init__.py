"""A reader and an editor from two folders: a vision-language model of transformers, an editing pipeline of diffusers.

| module | what is in it |
|---|---|
| `settings` | which folders, and where and how they are loaded: from a YAML file |
| `pipelines` | how editing pipelines differ, as data |
| `reading` | reading and comparing with a vision-language model |
| `drawing` | drawing with a pipeline |
| `model` | both as a `UnifiedModel` |
| `load`, `needs` | from settings to a model, and what `g2u doctor` looks at |

Never: a pipeline that draws from a text alone.
"""
