"""A server that starts a process for its background work while a connection is open: HOST. The bug: the child keeps
its copy for as long as it works, so that close() in the parent sends nothing."""

import os
import socket
import sys

from report import await_word, ready, report, say

listener = socket.create_server((sys.argv[1], 0))
ready(listener)
client, _ = listener.accept()
working, done = os.pipe()
child = os.fork()
if child == 0:
    os.close(done)
    report(client)
    os.read(working, 1)  # until the parent hangs up
    os._exit(0)
report(client)
await_word()
os.close(done)
os.waitpid(child, 0)
client.close()
say("closed")
await_word()
