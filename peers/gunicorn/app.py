"""gunicorn: SIGTERM is its graceful shutdown, `--graceful-timeout` the deadline after which workers are killed
(https://docs.gunicorn.org/en/20.1.0/signals.html and
https://docs.gunicorn.org/en/20.1.0/settings.html#graceful-timeout;
SIGINT and SIGQUIT are quick by design). The worker is `gthread`, the one without further packages that keeps
connections alive (https://docs.gunicorn.org/en/20.1.0/design.html#asyncio-workers):

    /usr/bin/python3 -m gunicorn --chdir peers/gunicorn -k gthread --threads 64 --worker-connections 4096 \
        --graceful-timeout 5 -b 127.0.0.1:$PORT app:app

WSGI has no WebSockets, and gunicorn speaks no HTTP/2.
"""

import threading
import time
from urllib.parse import parse_qs


def app(environ, start_response):
    query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    match (environ["REQUEST_METHOD"], environ["PATH_INFO"]):
        case ("GET", "/"):
            return answer(start_response, b"OK")
        # Every handler has a thread of its own, which may be blocked.
        case ("GET", "/sleep" | "/block" | "/starve"):
            time.sleep(int(query["ms"]) / 1000)
            return answer(start_response, b"OK")
        case ("GET", "/stream"):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return lines(int(query["chunks"]), int(query["ms"]) / 1000)
        case (_, "/hang"):
            threading.Event().wait()
        case ("POST", "/echo"):
            body = environ["wsgi.input"].read()
            return answer(start_response, body)
    return answer(start_response, b"not found", "404 Not Found")


def answer(start_response, body, status="200 OK"):
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def lines(chunks, pause):
    for n in range(chunks):
        if n > 0:
            time.sleep(pause)
        yield b"chunk %04d\n" % n
