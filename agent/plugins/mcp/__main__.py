"""`python -m g2u.plugins.mcp`: the same as `g2u mcp`."""

import typer

from ...cli.mcp import mcp

if __name__ == "__main__":
    typer.run(mcp)
