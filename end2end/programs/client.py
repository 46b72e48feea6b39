"""The client of PyPI `mcp`, driven by lines of JSON on standard input; its argument says where to."""

import asyncio
import json
import sys

import anyio
import httpx2
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError


def say(answer: dict) -> None:
    print(json.dumps(answer), flush=True)


def transport(target: dict):
    if target.get("command"):
        command, *args = target["command"]
        return stdio_client(StdioServerParameters(command=command, args=args))
    headers = {"Authorization": f"Bearer {target['key']}"} if target.get("key") else {}
    return streamable_http_client(target["url"], http_client=httpx2.AsyncClient(headers=headers, timeout=30))


async def answer(client: Client, request: dict):
    async def progress(done: float, total: float | None, message: str | None) -> None:
        say({"progress": {"progress": done, "total": total, "message": message}})

    match request["do"]:
        case "open":
            return None
        case "revision":
            return client.protocol_version
        case "list":
            tools, cursor = [], None
            while True:
                page = await client.list_tools(cursor=cursor)
                tools += [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in page.tools]
                cursor = page.next_cursor
                if cursor is None:
                    return tools
        case "call":
            result = await client.call_tool(request["name"], request["arguments"], progress_callback=progress)
            return result.model_dump(mode="json", by_alias=True, exclude_none=True)


async def main() -> None:
    target = json.loads(sys.argv[1])
    try:
        async with Client(transport(target), mode=target["mode"]) as client:
            while line := await asyncio.to_thread(sys.stdin.readline):
                try:
                    say({"result": await answer(client, json.loads(line))})
                except MCPError as error:
                    say({"error": {"message": str(error), "code": error.error.code}})
    except* Exception as group:
        leaf = group
        while isinstance(leaf, BaseExceptionGroup):
            leaf = leaf.exceptions[0]
        say({"error": {"message": f"{type(leaf).__name__}: {leaf}"}})


anyio.run(main)
