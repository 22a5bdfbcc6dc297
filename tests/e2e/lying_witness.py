"""What a host may put between an enclave and its witness: a proxy that forwards, or does not.

lying_witness.py PORT TARGET-PORT MODE-FILE LOG-FILE [CERTIFICATE KEY]      with a certificate: over TLS

The mode is read for each request: pass; withhold (no answer); late (the witness is asked, its answer is dropped); replay (the first
answer that was ever a cosignature, again); forge (a bit of the signature changed); ahead (409 with a larger size); conflict (422);
garbage; huge (an answer without end); half (the connection ends in the middle of the answer); cut (before anything is said on it).

hold-STEP: as pass, but it stays at that step for as long as this is the mode, so that a test can do something there. The steps:
asked (the witness is not asked yet), cosigned (it is, and has answered), half (half of that is sent), answered (all of it).

Each request is a line of the log: its mode, the size that it is from, the answer's status. Before that come "held-STEP FROM", and
"cosigned SIZE" before anything of an honest cosignature is sent.
"""
import http.client
import http.server
import ssl
import sys
import threading
import time

port, target, mode_file, log_file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
first = []
lock = threading.Lock()


def ask_witness(path, body):
    connection = http.client.HTTPConnection("127.0.0.1", target, timeout=60)
    connection.request("POST", path, body, {"content-type": "text/plain"})
    response = connection.getresponse()
    return response.status, response.headers.get("content-type", ""), response.read()


def mode_now():
    with open(mode_file) as file:
        return file.read().strip()


def note(line):
    with lock, open(log_file, "a") as file:
        file.write(line + "\n")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def hold(self, step):
        if self.mode == "hold-" + step:
            note(f"held-{step} {self.old}")
            while mode_now() == self.mode:
                time.sleep(0.02)

    def give(self, status, kind, body):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.wfile.flush()
        self.hold("half")
        if self.mode == "half":
            self.close_connection = True
            return
        self.wfile.write(body[len(body) // 2 :])
        self.wfile.flush()
        self.hold("answered")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.mode = mode_now()
        self.old = body.split(b"\n", 1)[0].decode()
        note(f"{self.mode} {self.old} {self.answer(self.mode, body)}")

    def answer(self, mode, body):
        if mode == "withhold":
            self.close_connection = True
            return 0
        if mode == "ahead":
            self.give(409, "text/x.tlog.size", b"1000000\n")
            return 409
        if mode == "conflict":
            self.give(422, "text/plain", b"bad consistency proof\n")
            return 422
        if mode == "garbage":
            self.wfile.write(b"\x00\x01\x02 what is this\r\n\r\n")
            self.close_connection = True
            return 0
        if mode == "huge":
            self.give(200, "text/plain", b"\xe2\x80\x94 x AAAA\n" * 100000)
            return 200
        if mode == "replay" and first:
            self.give(200, "text/plain", first[0])
            return 200
        self.hold("asked")
        status, kind, answer = ask_witness(self.path, body)
        self.hold("cosigned")
        if status == 200 and not first:
            first.append(answer)
        if mode == "late":
            self.close_connection = True
            return 0
        if mode == "forge" and status == 200:
            answer = answer[:-10] + bytes([answer[-10] ^ 1]) + answer[-9:]
        elif status == 200:
            note("cosigned " + body.split(b"\n\n", 1)[1].split(b"\n")[1].decode())
        self.give(status, kind, answer)
        return status


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def finish_request(self, request, client_address):
        if mode_now() == "cut":
            note("cut")
        else:
            super().finish_request(request, client_address)

    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", port), Handler)
if len(sys.argv) > 5:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[5], sys.argv[6])
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
