"""A wire between two network namespaces: each packet arrives the delay later.

Arguments: device name, delay in seconds, the two namespaces. Says `ready` once both devices exist; ends when its
standard input does, and the devices with it.
"""
import ctypes
import fcntl
import os
import select
import struct
import sys
import time
from collections import deque

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
CLONE_NEWNET = 0x40000000

device, delay, *namespaces = sys.argv[1:]
delay = float(delay)
libc = ctypes.CDLL(None, use_errno=True)


def open_tun(namespace):
    with open("/var/run/netns/" + namespace) as file:
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "could not enter " + namespace)
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    return tun


a, b = (open_tun(namespace) for namespace in namespaces)
other = {a: b, b: a}
print("ready", flush=True)

held = deque()  # (due, device, packet): one delay for all, so the order of arrival is the order of delivery
monotonic, read, write = time.monotonic, os.read, os.write
while True:
    wait = max(0.0, held[0][0] - monotonic()) if held else None
    ready, _, _ = select.select((a, b, 0), (), (), wait)
    if 0 in ready:
        break
    for tun in ready:
        out = other[tun]
        due = monotonic() + delay
        try:
            for _ in range(256):
                held.append((due, out, read(tun, 65536)))
        except OSError:  # nothing more for now, or the device is still down
            pass
    now = monotonic()
    while held and held[0][0] <= now:
        _, out, packet = held.popleft()
        try:
            write(out, packet)
        except OSError:  # a device that is down loses packets, as wires do
            pass
