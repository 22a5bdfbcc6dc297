"""What may lie between a client and the enclave that it encrypts to: whatever terminates TLS, and forwards what is asked, or
does something else.

ohttp_between.py PORT ENCLAVE-PORT OTHER-PORT MODE-FILE LOG-FILE CERTIFICATE KEY

The mode is read for each request. Of all: pass. Of what shows the key: swapped (the key is its own), mixed (the keys of
another enclave, with their signature, beside the certificate of this one), other (all of another enclave), old (what it
first saw), old-once (the same, one time, and then pass). Of encrypted requests: twice (asked two times, and the second
answer given), half, bent (half of the request, a bit of it changed), half-answer, bent-answer, other-answer (that of the
encrypted request before).

All that comes and goes is appended to the log as it is.
"""
import base64
import http.client
import http.server
import json
import os
import ssl
import sys

port, enclave, other, mode_file, log_file, certificate, key = sys.argv[1:]
first, answers = [], []


def mode_now():
    with open(mode_file) as file:
        return file.read().strip()


def ask(target, method, path, body, fields):
    connection = http.client.HTTPSConnection("127.0.0.1", int(target), context=ssl._create_unverified_context(), timeout=3600)
    kept = {name: value for name, value in fields.items() if name.lower() in ("content-type", "accept")}
    connection.request(method, path, body, kept)
    response = connection.getresponse()
    return response.status, response.getheader("content-type"), response.read()


def key_shown(mode, path):
    status, kind, body = ask(other if mode == "other" else enclave, "GET", path, None, {})
    first.append(body)
    if mode == "swapped":
        shown = json.loads(body)
        list_of_its_own = bytes.fromhex("00290100 20".replace(" ", "")) + os.urandom(32) + bytes.fromhex("000400010001")
        shown["keys"] = base64.urlsafe_b64encode(list_of_its_own).rstrip(b"=").decode()
        body = json.dumps(shown).encode()
    elif mode == "mixed":
        shown, others = json.loads(body), json.loads(ask(other, "GET", path, None, {})[2])
        shown["keys"], shown["signature"] = others["keys"], others["signature"]
        body = json.dumps(shown).encode()
    elif mode in ("old", "old-once"):
        body = first[0]
    if mode == "old-once":
        with open(mode_file, "w") as file:
            file.write("pass")
    return status, kind, body


def encrypted(mode, path, body, fields):
    if mode == "half":
        body = body[: len(body) // 2]
    elif mode == "bent":
        body = body[:60] + bytes([body[60] ^ 1]) + body[61:]
    elif mode == "twice":
        ask(enclave, "POST", path, body, fields)
    status, kind, answer = ask(enclave, "POST", path, body, fields)
    answers.append(answer)
    if mode == "half-answer":
        answer = answer[: len(answer) // 2]
    elif mode == "bent-answer":
        answer = answer[:-1] + bytes([answer[-1] ^ 1])
    elif mode == "other-answer":
        answer = answers[-2]
    return status, kind, answer


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        mode, size = mode_now(), int(self.headers.get("content-length", 0))
        body = self.rfile.read(size)
        if self.path == "/_enclave/ohttp-keys/evidence":
            status, kind, answer = key_shown(mode, self.path)
        elif self.path == "/_enclave/ohttp":
            status, kind, answer = encrypted(mode, self.path, body, self.headers)
        else:
            status, kind, answer = ask(enclave, self.command, self.path, body, self.headers)
        with open(log_file, "ab") as file:
            file.write(b"%s %s\n%s\n%s\n" % (self.command.encode(), self.path.encode(), body, answer))
        self.send_response(status)
        self.send_header("content-type", kind or "")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = answer


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
