"""A chat server with a thread for each client: HOST. The bug: a client that leaves stays in the list, open."""

import socket
import sys
import threading

from report import await_word, ready, report, say

clients = []


def handle(client):
    clients.append(client)
    while True:
        data = client.recv(4096)
        if not data:
            break
        for other in clients:
            other.sendall(data)
    report(client)


def accept(listener):
    while True:
        client, _ = listener.accept()
        threading.Thread(target=handle, args=(client,), daemon=True).start()


listener = socket.create_server((sys.argv[1], 0))
threading.Thread(target=accept, args=(listener,), daemon=True).start()
ready(listener)
await_word()
for client in clients:
    client.close()
say("closed")
await_word()
