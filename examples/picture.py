"""The picture that all examples ask about: a maze, kept as `maze.png` in the current folder."""

from pathlib import Path

from g2u.world.items import sample

PATH = Path("maze.png")
QUESTION = "Which exit can be reached from the start?"
OPTIONS = ["blue", "teal", "yellow", "purple"]


def save_picture() -> Path:
    """Draw the maze; one that no training step of the shipped model saw."""
    sample("maze", 9, "held-out", None).picture.save(PATH)
    return PATH
