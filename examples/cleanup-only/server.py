# The server whose table the Worker keeps clean: one tool, and a row of PostgreSQL for each session.
# pip install mcp==2.3.0 "psycopg[binary]" uvicorn
# DATABASE_URL=postgresql://… python server.py
import os
from pathlib import Path

import psycopg
import uvicorn
from mcp.server.mcpserver import MCPServer
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SESSION_HEADER = b"mcp-session-id"
server = MCPServer("calculator")


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


class SessionRows:
    """Writes a row when a session is opened or used, and takes it away when its client ends it."""

    def __init__(self, app: ASGIApp, url: str) -> None:
        self.app = app
        self.url = url

    async def execute(self, statement: str, session: str) -> None:
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            await connection.execute(statement, [session])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 300:
                headers = dict(scope["headers"]) | dict(message["headers"])
                if session := headers.get(SESSION_HEADER):
                    ended = scope["method"] == "DELETE"
                    await self.execute(DELETE if ended else UPSERT, session.decode("ascii"))
            await send(message)

        await self.app(scope, receive, noting if scope["type"] == "http" else send)


UPSERT = """
INSERT INTO mcp_sessions (session_id, expires_at) VALUES (%s, now() + interval '1 day')
ON CONFLICT (session_id) DO UPDATE SET last_active = now(), expires_at = excluded.expires_at
"""
DELETE = "DELETE FROM mcp_sessions WHERE session_id = %s"

if __name__ == "__main__":
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url) as connection:
        connection.execute(Path(__file__).with_name("schema.sql").read_text())
    port = int(os.environ.get("PORT", "8000"))
    uvicorn.run(SessionRows(server.streamable_http_app(), url), host="127.0.0.1", port=port)
