"""uvicorn: the command alone. It handles SIGTERM and SIGINT itself: it stops accepting, ends idle connections, waits
for responses and for the application, and a second Ctrl-C forces it
(https://www.uvicorn.org/server-behavior/#graceful-process-shutdown).
Its deadline, `--timeout-graceful-shutdown` (https://www.uvicorn.org/settings/#timeouts), came with uvicorn 0.22;
Debian 12 has 0.17.6, which waits for ever. `peers/run` gives it where there is one.

    /usr/bin/python3 -m uvicorn --app-dir peers/uvicorn --port $PORT app:app

WebSockets need Debian's python3-wsproto; HTTP/2 is not spoken.
"""

import asyncio
import time
from urllib.parse import parse_qs


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket":
        await echo_messages(receive, send)
    else:
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        await respond(scope, query, receive, send)


async def lifespan(receive, send):
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def respond(scope, query, receive, send):
    match (scope["method"], scope["path"]):
        case ("GET", "/"):
            await answer(send, b"OK")
        case ("GET", "/sleep"):
            await asyncio.sleep(int(query["ms"]) / 1000)
            await answer(send, b"OK")
        case ("GET", "/stream"):
            await stream(send, int(query["chunks"]), int(query["ms"]) / 1000)
        case (_, "/hang"):
            await asyncio.Event().wait()
        case ("GET", "/block"):
            await asyncio.get_running_loop().run_in_executor(None, time.sleep, int(query["ms"]) / 1000)
            await answer(send, b"OK")
        case ("GET", "/starve"):
            time.sleep(int(query["ms"]) / 1000)
            await answer(send, b"OK")
        case ("POST", "/echo"):
            body = await read(receive)
            if body is not None:
                await answer(send, body)
        case _:
            await answer(send, b"not found", 404)


async def answer(send, body, status=200):
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def stream(send, chunks, pause):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    for n in range(chunks):
        if n > 0:
            await asyncio.sleep(pause)
        await send({"type": "http.response.body", "body": b"chunk %04d\n" % n, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def read(receive):
    """The whole body; `None` if its client is gone."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


async def echo_messages(receive, send):
    while True:
        message = await receive()
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif message["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})
        else:
            return
