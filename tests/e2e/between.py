"""What may lie between the two enclaves of a hand-over: a proxy that terminates TLS, as no CA is asked there, and forwards
what is asked, or does something else.

between.py PORT OLD-PORT OTHER-PORT MODE-FILE LOG-FILE CERTIFICATE KEY

The mode is read for each request. Of all requests: pass; hold (it stays until there is another mode, and is done as that one
says); cut (nothing is asked, nothing answered); silent (the same, but only when there is another mode); lost (asked, and the
answer dropped); junk, empty (200, and nothing that was ever sealed); half (of the honest answer); long (an answer without
end); other (asked of another instance's enclave). Of sealed ones, while others pass: first (the first sealed answer that ever was, of an
older session say); last (the answer to the question before); bent (a bit of the honest one changed); twice (asked two times,
and the second answer given); again (the first question that ever was asked in its place); a number (that status, with an
error). commit-MODE: the same, of requests to commit alone. pass-N: N sealed answers pass, and then all is held.

Each request is a line of the log: its mode, its route (or "commit", which is the shortest that is sealed), the answer's status.
"""
import http.client
import http.server
import os
import ssl
import sys
import threading
import time

port, old, other, mode_file, log_file, certificate, key = sys.argv[1:]
COMMIT_SIZE = 32 + 8 + 4 + 1 + 28  # recipient, counter, length, one byte, what sealing adds
questions, answers = [], []
passing = ["", 0]  # a mode pass-N, and how many have passed since it is
lock = threading.Lock()


def mode_now():
    with open(mode_file) as file:
        return file.read().strip()


def note(line):
    with lock, open(log_file, "a") as file:
        file.write(line + "\n")


def ask(target, path, body):
    connection = http.client.HTTPSConnection("127.0.0.1", int(target), context=ssl._create_unverified_context(), timeout=3600)
    connection.request("POST", path, body, {"content-type": "application/octet-stream", "connection": "close"})
    response = connection.getresponse()
    return response.status, response.read()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def give(self, status, body, half=False):
        self.send_response(status)
        self.send_header("content-type", "application/octet-stream" if status == 200 else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if half else body)
        self.close_connection = True
        return status

    def give_long(self):
        self.send_response(200)
        self.send_header("content-length", str(1 << 40))
        self.end_headers()
        try:
            while True:
                self.wfile.write(bytes(1 << 16))
        except OSError:
            return 200

    def choose(self, kind):
        """The mode, once it is not to be held any more."""
        while True:
            now = mode_now()
            mode, _, rest = now.partition("-")
            if passing[0] != now:
                passing[:] = [now, 0]
            if mode == "commit":
                return rest if kind == "commit" else "pass"
            if mode != "hold" and not (rest and passing[1] == int(rest)):
                return mode
            time.sleep(0.02)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        route = self.path.rsplit("/", 1)[1]
        kind = "commit" if route == "sealed" and len(body) == COMMIT_SIZE else route
        mode = self.choose(kind)
        self.close_connection = True
        note(f"{mode} {kind} {self.answer(mode, kind, body)}")

    def answer(self, mode, kind, body):
        is_sealed = kind in ("sealed", "commit")
        if mode == "cut":
            return 0
        if mode == "silent":
            note(f"held {kind}")
            while mode_now() == mode:
                time.sleep(0.02)
            return 0
        if mode in ("junk", "empty"):
            return self.give(200, os.urandom(200) if mode == "junk" else b"")
        if mode == "long":
            return self.give_long()
        if is_sealed and mode.isdigit():
            return self.give(int(mode), b'{"error":"said by somebody in between"}')
        if is_sealed and mode in ("first", "last"):
            return self.give(200, answers[0 if mode == "first" else -1])
        if is_sealed and not questions:
            questions.append(body)
        status, answer = ask(other if mode == "other" else old, self.path, questions[0] if is_sealed and mode == "again" else body)
        if mode == "twice" and is_sealed:
            status, answer = ask(old, self.path, body)
        if mode == "lost":
            return 0
        if mode == "bent" and is_sealed and status == 200:
            answer = answer[:-40] + bytes([answer[-40] ^ 1]) + answer[-39:]
        elif is_sealed and status == 200:
            answers.append(answer)
            passing[1] += 1
        return self.give(status, answer, mode == "half")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", int(port)), Handler)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(certificate, key)
server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
