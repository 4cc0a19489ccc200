"""A server that hands connections to a worker by SCM_RIGHTS: HOST keep|close. The bug with "keep": its own copy stays
open. The bug of the worker: it never looks at an idle connection."""

import os
import socket
import sys

from report import await_word, ready, report, say

channel, other = socket.socketpair()
worker = os.fork()
if worker == 0:
    channel.close()
    _, fds, _, _ = socket.recv_fds(other, 1, 1)
    client = socket.socket(fileno=fds[0])
    report(client)
    other.recv(1)  # until the parent hangs up
    os._exit(0)
other.close()
listener = socket.create_server((sys.argv[1], 0))
ready(listener)
client, _ = listener.accept()
socket.send_fds(channel, [b"x"], [client.fileno()])
if sys.argv[2] == "keep":
    report(client)
else:
    client.close()
    say("passed")
await_word()
channel.close()
os.waitpid(worker, 0)
client.close()
say("closed")
await_word()
