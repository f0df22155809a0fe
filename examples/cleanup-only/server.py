# The server whose table the Worker keeps clean. A session is a row of PostgreSQL and nothing else: it outlives a restart,
# and one that has expired, or whose row is gone, is answered with 404. Then its client opens another one.
#   python3 -m venv .venv && .venv/bin/pip install -r requirements.txt
#   DATABASE_URL=postgresql://… .venv/bin/python server.py
import json
import os
import secrets
from pathlib import Path

import psycopg
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import DEFAULT_MAX_REQUEST_BODY_SIZE, RequestBodyLimitMiddleware
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from psycopg.types.json import Jsonb
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SESSION_HEADER = "mcp-session-id"
URL = os.environ["DATABASE_URL"]

OPEN = """
INSERT INTO mcp_sessions (session_id, capabilities, client_info, expires_at) VALUES (%s, %s, %s, now() + interval '1 day')
"""
# Each use gives it another day.
USE = """
UPDATE mcp_sessions SET last_active = now(), expires_at = now() + interval '1 day'
WHERE session_id = %s AND expires_at > now()
"""
END = "DELETE FROM mcp_sessions WHERE session_id = %s AND expires_at > now()"
ADD = "UPDATE mcp_sessions SET total = total + %s WHERE session_id = %s RETURNING total"

server = MCPServer("calculator")


@server.tool()
async def add(number: int, context: Context) -> int:
    """Adds a number to the total of this session."""
    session = (context.headers or {}).get(SESSION_HEADER)
    async with await psycopg.AsyncConnection.connect(URL) as connection:
        row = await (await connection.execute(ADD, [number, session])).fetchone()
    if row is None:
        raise ToolError("There is no session to keep a total in")
    return row[0]


class Sessions:
    """Opens, checks and ends sessions. The SDK behind it keeps none: it gets each request as if it were the first."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request = Request(scope, receive)
        session = request.headers.get(SESSION_HEADER)
        if request.method == "POST" and session is None:
            return await self.without_session(request, receive, send)
        if request.method == "POST" and await changes_row(USE, session):
            return await self.app(scope, receive, send)
        if request.method == "DELETE" and await changes_row(END, session):
            return await Response(status_code=204)(scope, receive, send)
        # It has nothing to say unasked, so there is no stream to GET.
        refused = refusal(404, "Session not found") if request.method in ("POST", "DELETE") else Response(status_code=405)
        await refused(scope, receive, send)

    async def without_session(self, request: Request, receive: Receive, send: Send) -> None:
        revision = request.headers.get("mcp-protocol-version")
        body = await request.body()
        params = params_of_initialize(body)
        if params is None and (revision is None or revision in HANDSHAKE_PROTOCOL_VERSIONS):
            return await refusal(400, "Open a session first, with initialize")(request.scope, receive, send)

        async def opening(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                session = secrets.token_urlsafe(32)
                told = [Jsonb(params.get(name, {})) for name in ("capabilities", "clientInfo")]
                await changes_row(OPEN, session, *told)
                header = (SESSION_HEADER.encode(), session.encode())
                message = {**message, "headers": [*message["headers"], header]}
            await send(message)

        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return unread.pop() if unread else await receive()

        # A client of MCP 2026-07-28 has no session, and needs none.
        await self.app(request.scope, again, send if params is None else opening)


async def changes_row(statement: str, *values: object) -> bool:
    # A server with more to do would keep a pool of connections.
    async with await psycopg.AsyncConnection.connect(URL) as connection:
        return (await connection.execute(statement, values)).rowcount == 1


def params_of_initialize(body: bytes) -> dict | None:
    """None for everything else, also for what is no JSON."""
    try:
        message = json.loads(body)
    except ValueError:
        return None
    is_initialize = isinstance(message, dict) and message.get("method") == "initialize"
    params = message.get("params") if is_initialize else None
    return params if isinstance(params, dict) else None


def refusal(status: int, message: str) -> Response:
    error = {"code": -32600, "message": message}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, status)


if __name__ == "__main__":
    with psycopg.connect(URL) as connection:
        connection.execute(Path(__file__).with_name("schema.sql").read_text())
    app = Sessions(server.streamable_http_app(stateless_http=True, json_response=True))
    limited = RequestBodyLimitMiddleware(app, DEFAULT_MAX_REQUEST_BODY_SIZE)
    uvicorn.run(limited, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
