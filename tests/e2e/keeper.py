#!/usr/bin/env python3
"""keeper.py PORT HANG: of many connections those wait that have come to a worker which computes; the first that is answered
goes on alone, with what is stored and read back many times."""
import http.client
import queue
import ssl
import sys
import threading

port, hang = int(sys.argv[1]), int(sys.argv[2])
context = ssl._create_unverified_context()
answered = queue.Queue()


def ask(connection, method, path, body=None):
    connection.request(method, path, body)
    response = connection.getresponse()
    text = response.read().decode()
    if response.status >= 300:
        raise SystemExit(f"{method} {path}: {response.status} {text}")
    return text


def begin():
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=hang)
    try:
        ask(connection, "GET", "/count/peek")
        answered.put(connection)
    except OSError:
        pass  # it came to the worker that computes, until the server's end


for _ in range(30):
    threading.Thread(target=begin, daemon=True).start()
try:
    connection = answered.get(timeout=hang)
except queue.Empty:
    raise SystemExit("no connection is answered while a guest computes")
for i in range(100):
    ask(connection, "GET", f"/count/put/{i}")
    got = ask(connection, "GET", "/count/get")
    if got != str(i):
        raise SystemExit(f"put {i}, got {got}")
    ask(connection, "PUT", "/files/kept", f"kept {i}")
    got = ask(connection, "GET", "/files/kept")
    if got != f"kept {i}":
        raise SystemExit(f"wrote {i}, read {got}")
