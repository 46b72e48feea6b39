"""The client of PyPI `mcp` signs in with OAuth; its argument says where to, and which tool to call then.

It prints the address a browser should open, and reads the answer's parameters from standard input.
"""

import asyncio
import json
import sys

import anyio
import httpx2
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata


def say(answer: dict) -> None:
    print(json.dumps(answer), flush=True)


class Memory:
    def __init__(self) -> None:
        self.tokens = None
        self.client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens) -> None:
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info) -> None:
        self.client = client_info


async def opened(url: str) -> None:
    say({"open": url})


async def answered() -> AuthorizationCodeResult:
    answer = json.loads(await asyncio.to_thread(sys.stdin.readline))
    return AuthorizationCodeResult(code=answer["code"], state=answer.get("state"), iss=answer.get("iss"))


async def main() -> None:
    target = json.loads(sys.argv[1])
    metadata = OAuthClientMetadata(
        client_name="The Python client",
        redirect_uris=[target["redirect"]],
        token_endpoint_auth_method="none",
    )
    provider = OAuthClientProvider(
        server_url=target["url"],
        client_metadata=metadata,
        storage=Memory(),
        redirect_handler=opened,
        callback_handler=answered,
    )
    try:
        transport = streamable_http_client(target["url"], http_client=httpx2.AsyncClient(auth=provider, timeout=60))
        async with Client(transport, mode="auto") as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            result = await client.call_tool(target["tool"], {})
            say({"result": {"tools": tools, "heard": result.content[0].text}})
    except* Exception as group:
        leaf = group
        while isinstance(leaf, BaseExceptionGroup):
            leaf = leaf.exceptions[0]
        say({"error": f"{type(leaf).__name__}: {leaf}"})


anyio.run(main)
