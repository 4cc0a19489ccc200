"""What the programs have in common: what they tell the test on stdout. A line is a word with what belongs to it, or a
JSON object about one socket that will not be closed."""

import json
import os
import sys


def say(*words):
    # In one write(): several processes and threads speak.
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def report(sock):
    say(json.dumps({"pid": os.getpid(), "fd": sock.fileno(), "lport": sock.getsockname()[1], "rport": sock.getpeername()[1]}))


def ready(listener=None):
    say("ready", listener.getsockname()[1] if listener else 0)


def await_word():
    """Waits until the test says something; its end is the end of the program."""
    if not sys.stdin.readline():
        os._exit(0)
