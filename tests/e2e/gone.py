"""Clients that end their side while an app has not answered yet: gone.py PORT KIND PATH...

KIND, for each of the paths over a connection of its own:
  fin           the end of the stream, without TLS's close_notify; the socket stays, and is read
  close         the socket is closed
  reset         it is reset
  notify        a close_notify; the stream stays, and is read
  notify-more   a close_notify, and a record behind it, which counts for nothing; the stream stays
  notify-fin    a close_notify and the end of the stream
  notify-close  a close_notify, and the socket is closed

A path that begins with + has a body, half of which is sent; x-to is the environment's TO. "asked" is printed when all have asked;
at a line of standard input they end, all at once; then each one's answer is printed: its status, or "none" where it breaks off or
does not come. The server's certificate is not checked, as with curl -k.
"""
import concurrent.futures
import os
import socket
import ssl
import struct
import sys


class Client:
    def __init__(self, port):
        self.raw = socket.create_connection(("127.0.0.1", port))
        self.read, self.written = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = ssl._create_unverified_context().wrap_bio(self.read, self.written)
        self.step(self.tls.do_handshake)

    def flush(self):
        self.raw.sendall(self.written.read())

    def step(self, action):
        while True:
            try:
                result = action()
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                got = self.raw.recv(65536)
                if got:
                    self.read.write(got)
                else:
                    self.read.write_eof()

    def ask(self, path):
        method, size = ("POST", 8) if path[0] == "+" else ("GET", 0)
        path = path.lstrip("+")
        fields = f"Host: h\r\nX-To: {os.environ['TO']}\r\nContent-Length: {size}\r\n"
        self.tls.write(f"{method} {path} HTTP/1.1\r\n{fields}\r\n".encode() + b"half"[: size // 2])
        self.flush()

    def end(self, kind):
        if "notify" in kind:
            try:
                self.tls.unwrap()
            except ssl.SSLWantReadError:
                pass
            self.flush()
            if "more" in kind:
                self.raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))  # a record, if anybody looked at it
        if "fin" in kind:
            self.raw.shutdown(socket.SHUT_WR)
        if kind == "reset":
            self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if kind == "reset" or "close" in kind:
            self.raw.close()

    def answer(self):
        """The status of an answer that ends with a close_notify, or "none"."""
        said = b""
        try:
            while got := self.step(lambda: self.tls.read(65536)):
                said += got
        except ssl.SSLZeroReturnError:
            return said.split()[1].decode() if said else "none"
        except OSError:
            return "none"
        return "none"


def main(port, kind, *paths):
    clients = [Client(int(port)) for _ in paths]
    for client, path in zip(clients, paths):
        client.ask(path)
    print("asked", flush=True)
    sys.stdin.readline()
    for client in clients:
        client.end(kind)
    if kind == "reset" or "close" in kind:
        return
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        for path, status in zip(paths, pool.map(Client.answer, clients)):
            print(path, status)


main(*sys.argv[1:])
