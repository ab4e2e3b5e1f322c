"""The server that the tests run, with the faults that its arguments name.

    mute            never says READY=1
    deaf            ignores SIGTERM and SIGINT
    code=N          exits with N on SIGTERM
    slow=SECONDS    takes so long to end after SIGTERM
    admin           answers on its second socket too
    unready         answers 503
    orphan          leaves a grandchild behind that ends soon
    helper          has a helper in its process group

It answers requests with its process id, and tells on standard output what it got and which signals came. A connection
that it has taken is answered before it ends.
"""

import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time

words = dict(word.partition("=")[::2] for word in sys.argv[1:])
# Held from the accept to the close.
busy = threading.Lock()


def tell(**what):
    os.write(1, (json.dumps({"pid": os.getpid(), **what}) + "\n").encode())


def held():
    """Whether somebody else still holds the sockets."""
    pipe = os.environ.get("LAMEDUCK_LISTENERS_HELD")
    return bool(pipe) and not select.select([int(pipe)], [], [], 0)[0]


def ends(number, frame):
    tell(signal=signal.Signals(number).name, held=held())
    if "deaf" not in words and number != signal.SIGUSR1:
        time.sleep(float(words.get("slow", 0)))
        busy.acquire(timeout=5)
        os._exit(int(words.get("code", 0)))


def answer(listener):
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        return
    connection.settimeout(5)
    try:
        head = b""
        while b"\r\n\r\n" not in head:
            more = connection.recv(4096)
            if not more:
                raise OSError
            head += more
        body = str(os.getpid())
        status = "503 No" if "unready" in words else "200 OK"
        text = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        connection.sendall(text.encode())
    except OSError:
        pass
    connection.close()


def serve(listener):
    listener.setblocking(False)
    while True:
        select.select([listener], [], [])
        with busy:
            answer(listener)


for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
    signal.signal(number, ends)
names = ("LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "LAMEDUCK_LISTENERS_EXCLUSIVE", "LAMEDUCK_LISTENERS_HELD")
count = int(os.environ.get("LISTEN_FDS", 0))
sockets = [socket.socket(fileno=fd) for fd in range(3, 3 + count)]
tell(
    env={name: os.environ.get(name) for name in names},
    at=[str(s.getsockname()) for s in sockets],
    blocking=[not fcntl.fcntl(s, fcntl.F_GETFL) & os.O_NONBLOCK for s in sockets],
    descriptors=sorted(fd for fd in map(int, os.listdir("/proc/self/fd")) if os.path.exists(f"/proc/self/fd/{fd}")),
    group=os.getpgrp(),
    notify=os.environ["NOTIFY_SOCKET"],
)
if "orphan" in words:
    subprocess.run(["sh", "-c", "sleep 0.2 & echo orphan $!"])
if "helper" in words:
    tell(helper=subprocess.Popen(["sleep", "60"]).pid)
for listener in sockets[: 2 if "admin" in words else 1]:
    threading.Thread(target=serve, args=[listener], daemon=True).start()
if "mute" not in words:
    name = os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1)
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", name)
# Not `signal.pause()`: a signal that comes just before it is heard with the next one only.
while True:
    time.sleep(0.05)
