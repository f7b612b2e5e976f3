"""A model in a worker process, with a Python and packages of its own; examples/old_model.py is the model.

python -m venv .venv-old && .venv-old/bin/pip install pillow
g2u ask picture.png "Which is darker?" --model examples/worker_model.py:load
"""

from pathlib import Path

from g2u.models.worker.load import worker_loader

load = worker_loader(".venv-old/bin/python", f"{Path(__file__).parent}/old_model.py:load")
