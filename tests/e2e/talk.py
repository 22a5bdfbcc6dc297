"""One TLS connection, step by step, so that a test need not guess how long anything takes: talk.py PORT STEP...

send TEXT     with \\r\\n, \\0 and the like as printf has them
file PATH     send what is in it
until REGEX   read until this has come, in what was read since the last one
eof           read until the server ends the connection
count N       read N bytes more
await PATH    until this file is there
touch PATH    make it

What is read goes to standard output. The connection is closed at the end. A step that does not come within HANG seconds (300)
is a hang. A name in SNI is asked for. The server's certificate is not checked, as with curl -k.
"""
import codecs
import os
import pathlib
import re
import socket
import ssl
import sys
import time

HANG = float(os.environ.get("HANG", "300"))


class Talk:
    def __init__(self, port):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), HANG),
                                          server_hostname=os.environ.get("SNI"))
        self.unread = b""

    def read(self):
        try:
            got = self.socket.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError):
            got = b""
        sys.stdout.buffer.write(got)
        sys.stdout.buffer.flush()
        self.unread += got
        return got

    def send(self, text):
        self.socket.sendall(codecs.escape_decode(text.encode())[0])

    def file(self, path):
        self.socket.sendall(pathlib.Path(path).read_bytes())

    def until(self, pattern):
        while not (found := re.search(pattern.encode(), self.unread)):
            if not self.read():
                sys.exit(f"talk: the connection ended before '{pattern}' came")
        self.unread = self.unread[found.end():]

    def eof(self, *_):
        while self.read():
            self.unread = b""

    def count(self, number):
        while len(self.unread) < int(number):
            if not self.read():
                sys.exit(f"talk: the connection ended before {number} bytes came")
        self.unread = self.unread[int(number):]

    def await_(self, path):
        end = time.monotonic() + HANG
        while not os.path.exists(path):
            if time.monotonic() > end:
                sys.exit(f"talk: {path} has not come")
            time.sleep(0.02)

    def touch(self, path):
        pathlib.Path(path).touch()


def main(port, *steps):
    talk = Talk(int(port))
    words = list(steps)
    while words:
        verb = words.pop(0)
        {"send": talk.send, "file": talk.file, "until": talk.until, "eof": talk.eof, "count": talk.count,
         "await": talk.await_, "touch": talk.touch}[verb](*([] if verb == "eof" else [words.pop(0)]))


main(*sys.argv[1:])
