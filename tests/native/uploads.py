"""Uploads that break off, in each way, to each example that reads a body: none may take what came for all of it.

Usage: uploads.py PORT APP...   APP is the name of an example that the server has: files, echo, sum, zstd, quickjs,
notes-go, notes-rust, notes-python, hello"""
import socket
import struct
import sys
import time

port, apps = int(sys.argv[1]), sys.argv[2:]
failed = 0


def expect(what, holds, got=""):
    global failed
    print(("ok   " if holds else "FAIL ") + what + ("" if holds else f": {got!r}"))
    failed |= not holds


def talk(method, path, headers, body, ending):
    """Send, end in the given way, and return all that comes."""
    with socket.create_connection(("127.0.0.1", port), timeout=300) as s:
        s.sendall(f"{method} {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n".encode() + body)
        if ending == "reset":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return b""
        if ending == "half":
            s.shutdown(socket.SHUT_WR)
        got = b""
        while piece := s.recv(65536):
            got += piece
        return got


def status(answer):
    return answer[9:12].decode() if answer.startswith(b"HTTP/1.1 ") else ""


def whole(answer):
    """Would a client take it for all that it asked for?"""
    head, _, body = answer.partition(b"\r\n\r\n")
    if status(answer)[:1] != "2":
        return False
    if b"chunked" in head:
        return body.endswith(b"0\r\n\r\n")
    return True


def get(path):
    return talk("GET", path, "Connection: close\r\n", b"", None)


def settles(path, holds):
    """The answer once it holds; or what it is after five minutes."""
    end = time.monotonic() + 300
    while not holds(answer := get(path)) and time.monotonic() < end:
        pass
    return answer


def waits(path):
    """A PUT that is whole; returns its status."""
    return status(talk("PUT", path, "Content-Length: 3\r\nConnection: close\r\n", b"all", None))


piece = b"12 " * 100
chunk = b"12c\r\n" + piece + b"\r\n"
large = b"12c0\r\n" + piece * 16 + b"\r\n"
# what is sent of the body, and how the client then goes on
ways = {
    "less than its length": ("Content-Length: 1000\r\n", piece, "half"),
    "no last chunk": ("Transfer-Encoding: chunked\r\n", chunk, "half"),
    "half a chunk": ("Transfer-Encoding: chunked\r\n", chunk[:-9], "half"),
    "a bad chunk size": ("Transfer-Encoding: chunked\r\n", chunk + b"zz\r\n", None),
    "a bad chunk end": ("Transfer-Encoding: chunked\r\n", chunk[:-2] + b"xx", None),
    "a bad trailer": ("Transfer-Encoding: chunked\r\n", chunk + b"0\r\na b\r\n\r\n", None),
    "much, then a bad chunk size": ("Transfer-Encoding: chunked\r\n", large * 60 + b"zz\r\n", None),
    "a reset": ("Content-Length: 1000\r\n", piece, "reset"),
}
targets = {
    "files": [("PUT", "/files/up"), ("POST", "/files/up?append")],
    "echo": [("POST", "/echo/")],
    "sum": [("POST", "/sum/")],
    "zstd": [("POST", "/zstd/")],
    "quickjs": [("POST", "/quickjs/")],
    "hello": [("POST", "/hello/")],
}
for language in ("go", "rust", "python"):
    targets[f"notes-{language}"] = [("PUT", f"/notes-{language}/notes/up"), ("POST", f"/notes-{language}/echo")]

for app in apps:
    for method, path in targets[app]:
        for way, (headers, body, ending) in ways.items():
            answer = talk(method, path, headers, body, ending)
            if app == "hello":  # it does not read, and may have answered, as a whole, before anything was wrong
                if ending != "reset":
                    expect(f"{method} {path}, {way}: status", status(answer) in ("400", "200"), answer[:200])
            elif ending != "reset":
                expect(f"{method} {path}, {way}", not whole(answer), answer[:200])
                # where the answer's head was not sent yet, the client is told what was wrong
                expect(f"{method} {path}, {way}: status", status(answer) in ("400", "200"), answer[:200])
                if app not in ("echo", "notes-go", "notes-rust", "notes-python") or method == "PUT":
                    expect(f"{method} {path}, {way}: 400", status(answer) == "400", answer[:200])

if "files" in apps:
    nothing = lambda answer: answer.partition(b"\r\n\r\n")[2].strip() in (b"", b"No such file or directory")
    there = settles("/files/up", nothing)
    expect("no file of half an upload", nothing(there), there)
    expect("whole ones are kept", waits("/files/up") == "200")
    for way, (headers, body, ending) in ways.items():
        for query in ("", "?append"):
            talk("POST" if query else "PUT", "/files/up" + query, headers, body, ending)
            if ending != "reset":
                # the client may hear that its body broke before the guest has taken back what came of it
                there = settles("/files/up", lambda answer: answer.endswith(b"\r\n\r\nall"))
                expect(f"a file is as it was, {way}{query}", there.endswith(b"\r\n\r\nall"), there)
    while b"up~" in get("/files/"):  # the guest of a reset removes it, when it hears of that
        pass
    print("ok   nothing beside it")
for app in apps:
    if app.startswith("notes-"):
        there = settles(f"/{app}/notes/up", lambda answer: status(answer) == "404")
        expect(f"{app} has no half note", status(there) == "404", there)
sys.exit(failed)
