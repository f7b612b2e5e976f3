"""The picture that all examples ask about: a maze, kept in `runs/maze.png`."""

from pathlib import Path

from g2u.world.items.items import sample

PATH = Path("runs/maze.png")
QUESTION = "Which exit can be reached from the start?"
OPTIONS = ["blue", "teal", "yellow", "purple"]


def save_picture() -> Path:
    """Draw the maze; one that no training step of the shipped model saw."""
    PATH.parent.mkdir(exist_ok=True)
    sample("maze", 9, "held-out", None).picture.save(PATH)
    return PATH
