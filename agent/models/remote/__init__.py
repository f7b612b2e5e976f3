"""A model behind servers: OpenAI's form of chat reads, its form of picture edits draws.

| module | what is in it |
|---|---|
| `settings` | which servers, and what they are told: from the environment or a YAML file |
| `dialects` | how servers differ in what they call things |
| `secrets` | keys, and texts without them |
| `client` | one request: bounded, tried again, and its errors in words |
| `forms` | what is sent and what comes back |
| `showing` | pictures as they are sent: scaled down, on a square, side by side |
| `together` | requests of a batch at the same time, until nobody waits |
| `model` | all of it as a `UnifiedModel` |
| `load`, `needs` | from settings to a model, and what `g2u doctor` looks at |

Never: a picture from a text alone in the place of an edit.
"""
