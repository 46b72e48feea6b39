"""A small MCP server on PyPI `mcp` 2, which speaks 2026-07-28 and the revisions before it.

Started with a port it serves streamable HTTP on the loopback address, without one standard input and output.
"""

import asyncio
import sys

from mcp.server import MCPServer
from mcp.server.mcpserver import Context

server = MCPServer("notes", instructions="Keeps notes and counts slowly.")
NOTES: dict[str, str] = {}


@server.tool()
def add_note(title: str, text: str) -> str:
    """Keep a note under a title."""
    NOTES[title] = text
    return f"kept {title}"


@server.tool()
def read_note(title: str) -> str:
    """Read a note back."""
    if title not in NOTES:
        raise ValueError(f"no note called {title}")
    return NOTES[title]


@server.tool()
def sum_up(numbers: list[float]) -> dict[str, float]:
    """Add numbers; the answer is structured."""
    return {"sum": sum(numbers), "count": float(len(numbers))}


@server.tool()
async def count_slowly(steps: int, context: Context) -> str:
    """Count, telling each step as progress."""
    for step in range(1, steps + 1):
        await context.report_progress(step, steps, f"step {step} of {steps}")
        await asyncio.sleep(0.02)
    return f"counted to {steps}"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run()
