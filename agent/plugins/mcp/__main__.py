"""`python -m g2u.plugins.mcp`: the same as `g2u mcp`."""

import typer

from g2u.cli.mcp import mcp

if __name__ == "__main__":
    typer.run(mcp)
