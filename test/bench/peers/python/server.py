# The official Python SDK with its sessions in a table: each request reads the session and writes it again.
import os
import secrets

import uvicorn
from mcp.server.mcpserver import MCPServer
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool
from starlette.requests import Request
from starlette.responses import Response

TABLE = """
CREATE TABLE IF NOT EXISTS sessions (id text PRIMARY KEY, data jsonb NOT NULL, last_active timestamptz NOT NULL,
                                     expires_at timestamptz NOT NULL)
"""
OPEN = "INSERT INTO sessions VALUES (%s, %s, now(), now() + interval '1 day')"
READ = "SELECT data FROM sessions WHERE id = %s AND expires_at > now()"
WRITE = "UPDATE sessions SET last_active = now(), expires_at = now() + interval '1 day' WHERE id = %s"

KEYS = os.environ["KEYS"].split()

server = MCPServer("peer", log_level="WARNING")


@server.tool(description="Adds two numbers", structured_output=False)
def add(a: float, b: float) -> str:
    return f"{a + b:g}"


pool = AsyncConnectionPool(os.environ["DATABASE_URL"], min_size=1, max_size=16, open=False, kwargs={"autocommit": True})
inner = server.streamable_http_app(stateless_http=True, json_response=True)


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await inner(scope, receive, send)
    request = Request(scope, receive)
    if request.url.path == "/healthz":
        return await Response("ok")(scope, receive, send)
    if request.headers.get("authorization", "").removeprefix("Bearer ") not in KEYS:
        return await Response(status_code=401)(scope, receive, send)
    session = request.headers.get("mcp-session-id")
    async with pool.connection() as connection:
        if session is None:
            session = secrets.token_urlsafe(32)
            await connection.execute(OPEN, [session, Jsonb({"client": "bench"})])
        else:
            found = await (await connection.execute(READ, [session])).fetchone()
            if found is None:
                return await Response(status_code=404)(scope, receive, send)
            await connection.execute(WRITE, [session])

    async def answering(message):
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"mcp-session-id", session.encode())]}
        await send(message)

    await inner(scope, receive, answering)


async def main():
    await pool.open(wait=True)
    async with pool.connection() as connection:
        await connection.execute(TABLE)
    config = uvicorn.Config(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    import asyncio

    asyncio.run(main())
