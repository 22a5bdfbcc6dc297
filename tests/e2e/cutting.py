"""A way to a server on this machine that is cut: as a module, and cutting.py PORT PLAN... as a program that prints its own port.

Each connection takes the next plan; those behind the last one are let through:

  down N, up N      cut once N bytes have gone to the client, or to the server
  requests N        cut when the client has sent N requests (records of TLS behind its Finished), before the next one
  refuse            closed at once
  pass              let through
  answer FILE       TLS under a certificate of nobody's: every request gets FILE's bytes ("404", "503": that status)

A cut is a FIN or an RST, in turn. Nothing depends on time."""
import pathlib
import socket
import ssl
import struct
import sys
import threading


class Cut(Exception):
    pass


def receive_records(sock):
    """What comes, TLS record by TLS record, as far as they are whole."""
    held = b""
    while True:
        data = sock.recv(65536)
        if not data:
            return
        held += data
        while len(held) >= 5 and len(held) >= 5 + int.from_bytes(held[3:5], "big"):
            size = 5 + int.from_bytes(held[3:5], "big")
            yield held[:size]
            held = held[size:]


class Way:
    def __init__(self, port, plans=(), certificate=None):
        self.target, self.plans, self.certificate = port, list(plans), certificate
        self.seen = []  # of each connection: [bytes up, bytes down, requests]
        self.cuts = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            with self.lock:
                plan = self.plans.pop(0) if self.plans else "pass"
                counts = [0, 0, 0]
                self.seen.append(counts)
            threading.Thread(target=self._serve, args=(client, plan.split(), counts), daemon=True).start()

    def _end(self, *sockets):
        with self.lock:
            self.cuts += 1
            hard = self.cuts % 2
        for one in sockets:
            if hard:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def _serve(self, client, plan, counts):
        if plan[0] == "refuse":
            return self._end(client)
        if plan[0] == "answer":
            return self._answer(client, plan[1])
        server = socket.create_connection(("127.0.0.1", self.target))
        limit = {name: int(plan[1]) if plan[0] == name else None for name in ("up", "down", "requests")}
        done = threading.Event()

        def pump(source, to, index, most):
            finished = False
            try:
                for record in receive_records(source):
                    if index == 0 and record[0] == 23:  # application data; the first is the client's Finished
                        if limit["requests"] is not None and finished and counts[2] == limit["requests"]:
                            raise Cut
                        counts[2] += finished
                        finished = True
                    left = len(record) if most is None else most - counts[index]
                    to.sendall(record[:left])
                    counts[index] += min(left, len(record))
                    if most is not None and counts[index] >= most:
                        raise Cut
                to.shutdown(socket.SHUT_WR)
            except Cut:
                self._end(client, server)
            except OSError:
                pass
            if index == 1:
                done.set()

        threading.Thread(target=pump, args=(client, server, 0, limit["up"]), daemon=True).start()
        pump(server, client, 1, limit["down"])
        done.wait()

    def _answer(self, client, what):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        body = b"" if what in ("404", "503") else pathlib.Path(what).read_bytes()
        status = what if what in ("404", "503") else "200"
        try:
            with context.wrap_socket(client, server_side=True) as tls:
                held = b""
                while data := tls.recv(65536):
                    held += data
                    while b"\r\n\r\n" in held:
                        held = held.partition(b"\r\n\r\n")[2]
                        tls.sendall(b"HTTP/1.1 %s X\r\nContent-Length: %d\r\n\r\n" % (status.encode(), len(body)) + body)
        except OSError:
            pass


if __name__ == "__main__":
    way = Way(int(sys.argv[1]), sys.argv[2:])
    print(way.port, flush=True)
    threading.Event().wait()
