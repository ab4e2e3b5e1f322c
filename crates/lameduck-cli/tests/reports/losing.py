"""A server that stops as it should, but for one request: the seventh in flight loses its connection."""

import http.server
import os
import signal
import socket
import threading
import time

lock = threading.Lock()
in_flight = []
stopping = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/sleep?ms="):
            with lock:
                in_flight.append(self.connection)
            time.sleep(int(self.path.split("=")[1]) / 1000)
        elif self.path != "/":
            self.send_error(404)
            return
        self.close_connection = stopping.is_set()
        close = b"Connection: close\r\n" if self.close_connection else b""
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" + close + b"\r\nOK\n")
        except OSError:
            pass
        with lock:
            if self.connection in in_flight:
                in_flight.remove(self.connection)

    def log_message(self, *words):
        pass


def stop():
    stopping.set()
    with lock:
        if len(in_flight) > 6:
            in_flight.pop(6).shutdown(socket.SHUT_RDWR)
    while in_flight:
        time.sleep(0.01)
    # Their last bytes are on their way.
    time.sleep(0.05)
    os._exit(0)


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


print("</pre><script>window.broken = 'output'</script>", flush=True)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=stop).start())
Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
