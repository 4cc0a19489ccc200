"""A client that collects what goes wrong, for its log: HOST PORT COUNT. The bug: an HTTPError is the response, too, and
keeps its connection open."""

import sys
import urllib.error
import urllib.request

from report import await_word, ready, report, say

errors = []


def fetch(url):
    try:
        with urllib.request.urlopen(url) as response:
            return response.read()
    except urllib.error.HTTPError as error:
        errors.append(error)
        return None


ready()
for _ in range(int(sys.argv[3])):
    fetch(f"http://{sys.argv[1]}:{sys.argv[2]}/")
for error in errors:
    report(error.fp.fp.raw._sock)
await_word()
for error in errors:
    error.close()
say("closed")
await_word()
