"""A server that sends files to a client that has ended its side, as rsync does, without haste: HOST. Told so, it stops
half-way and keeps the connection."""

import select
import socket
import sys

from report import await_word, ready, report, say

listener = socket.create_server((sys.argv[1], 0))
ready(listener)
client, _ = listener.accept()
while client.recv(4096):  # the list of files, to its end
    pass
report(client)
while not select.select([sys.stdin], [], [], 0.02)[0]:
    client.sendall(b"a block")
await_word()
say("stopped")
await_word()
client.close()
say("closed")
await_word()
