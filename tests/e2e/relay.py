"""relay.py LISTEN_PORT ENCLAVE_PORT KEY.pem CERT.pem HOW: one in between, with a certificate of his own that looks like one of version 2.
He asks the enclave whatever he is asked, over a connection of his own; a challenge with the enclave's key in it in place of his. HOW:
  relayed   its answer to the challenge, over that other connection
  replayed  its answer to another challenge
  none      it has no such page"""
import hashlib
import base64
import re
import socket
import ssl
import sys
import threading

listen, target, key, certificate, how = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")  # before a point


def receive(stream):
    """A whole request or answer; None: there is no other."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return None
        head += line
    length = re.search(rb"(?i)\ncontent-length: *([0-9]+)", head)
    return head + stream.read(int(length[1]) if length else 0)


def leaf_of(der):
    at = der.index(P256)
    return base64.urlsafe_b64encode(hashlib.sha256(der[at:at + 91]).digest()).rstrip(b"=")


def answer(request, enclave, stream):
    if b"/__privasys/attest" in request:
        if how == "none":
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        leaf = leaf_of(enclave.getpeercert(binary_form=True))
        request = re.sub(rb'"leaf":"[^"]*"', b'"leaf":"' + leaf + b'"', request)
        if how == "replayed":
            request = re.sub(rb'"context":"[^"]*"', b'"context":"' + b"A" * 43 + b'"', request)
    enclave.sendall(request)
    return receive(stream)


def serve(raw):
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(raw, server_side=True) as client, socket.create_connection(("127.0.0.1", target)) as other:
        with bare.wrap_socket(other, server_hostname="localhost") as enclave:
            requests, answers = client.makefile("rb"), enclave.makefile("rb")
            while (request := receive(requests)) is not None:
                client.sendall(answer(request, enclave, answers))


def attempt(raw):
    try:
        serve(raw)
    except OSError:
        pass  # the client has gone


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
listener = socket.create_server(("127.0.0.1", listen))
while True:
    threading.Thread(target=attempt, args=(listener.accept()[0],), daemon=True).start()
