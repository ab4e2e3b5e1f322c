"""A server that takes its socket by systemd's protocol, says READY=1, and stops in order on SIGTERM."""

import http.server
import os
import signal
import socket
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"OK")

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    # Closing waits for the threads of connections.
    daemon_threads = False


assert os.environ["LISTEN_PID"] == str(os.getpid())
server = Server(("", 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=3)
# The old server and the new one may both wake for a connection, and one of them gets it.
server.socket.setblocking(False)
# Waited for, not handled: a handler that starts a thread while one is being started waits for itself.
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
serving.start()
name = os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1)
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", name)
signal.sigwait([signal.SIGTERM])
server.shutdown()
serving.join()
server.server_close()
