"""Small files in the form of VLMEvalKit."""

import base64
import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image


def png(shade: int = 200) -> bytes:
    buffer = io.BytesIO()
    # Longer than a reference can be, as pictures are.
    Image.linear_gradient("L").resize((24, 16)).point(lambda value: value * shade // 255).save(buffer, "PNG")
    return buffer.getvalue()


def encoded(shade: int = 200) -> str:
    return base64.b64encode(png(shade)).decode()


def row(index: Any, **cells: Any) -> dict[str, Any]:
    usual = {"question": "Which?", "A": "red", "B": "blue", "answer": "A", "image": encoded()}
    return {"index": index, **usual, **cells}


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    columns = list(dict.fromkeys(name for one in rows for name in one))
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns, delimiter="\t", lineterminator="\n", restval="")
        table.writeheader()
        table.writerows(rows)
    return path
