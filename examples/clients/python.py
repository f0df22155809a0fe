# pip install mcp==2.3.0
# MCP_URL=https://….workers.dev/mcp MCP_KEY=… python python.py
import asyncio
import os

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


async def main() -> None:
    headers = {"Authorization": f"Bearer {os.environ['MCP_KEY']}"}
    async with httpx2.AsyncClient(headers=headers) as http_client:
        transport = streamable_http_client(os.environ["MCP_URL"], http_client=http_client)
        # mode="legacy" asks for a session; without it the client speaks 2026-07-28 where the server does.
        async with Client(transport, mode="legacy") as client:
            tools = (await client.list_tools()).tools
            print(" ".join(tool.name for tool in tools))


asyncio.run(main())
