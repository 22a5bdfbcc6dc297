"""A client that holds the server to its certificates: generations.py PORT show | hold | load CONNECTIONS STOP, and then
APP=WASM:TEXT for each version that the app may have: what it answers a POST of "ping" with begins with TEXT.

show    prints number and root of a new connection's certificate, and checks all that is told about them on it
hold    begins a request, says "held", waits for a line, ends the request, and prints what the old connection said
load    asks on kept connections until the file STOP is there, and prints how many answers and numbers it
        has seen, and how many connections it found closed before it asked

Everything is judged by the certificate of the handshake: the manifest's root is recomputed (RFC 9162) and compared,
each leaf's proof, too, and whoever answers must be the code of the leaf app:APP.
"""
import hashlib
import http.client
import json
import pathlib
import socket
import ssl
import sys
import threading
import urllib.parse

HANG = 300
GENERATION = bytes.fromhex("060a2b0601040183fd4e0401")
ROOT = bytes.fromhex("060a2b0601040183fd4e0101")


def extension(der, oid):
    at = der.index(oid) + len(oid)
    assert der[at] == 4, "the extension's value is no octet string"
    return der[at + 2:at + 2 + der[at + 1]]


class Connection:
    """From its handshake on; its certificate is what all answers are held against."""

    def __init__(self, port):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), HANG))
        der = self.socket.getpeercert(binary_form=True)
        self.generation = int.from_bytes(extension(der, GENERATION), "big")
        self.root = extension(der, ROOT)
        self.leaves = None
        self.closing = False  # the last answer said so

    def send(self, text):
        self.socket.sendall(text.encode())

    def receive(self):
        """The response, or None: the connection had ended before any of it."""
        response = http.client.HTTPResponse(self.socket)
        try:
            response.begin()
        except (http.client.RemoteDisconnected, ConnectionResetError, ssl.SSLEOFError):
            return None
        how = response.getheader("connection", "")
        self.closing = how.lower() == "close"
        return response.status, response.read(), how

    def get(self, path):
        self.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = self.receive()
        assert answer and answer[0] == 200, (path, answer)
        return json.loads(answer[1])

    def learn(self, proofs=False):
        leaves, hashes = self.judge_manifest(self.get("/_enclave/manifest"))
        for index, (label, _) in enumerate(leaves if proofs else []):
            proof = self.get("/_enclave/proof/" + label)
            assert self.get("/_enclave/proof/" + urllib.parse.quote(label, safe="")) == proof, "encoded: " + label
            assert (proof["leaf_index"], proof["tree_size"]) == (index, len(leaves)), (label, proof)
            path = [bytes.fromhex(h) for h in proof["path"]]
            assert rooted(hashes[index], index, len(leaves), path) == self.root, label

    def judge_manifest(self, manifest):
        leaves = [(leaf["label"], bytes.fromhex(leaf["value"])) for leaf in manifest["leaves"]]
        hashes = [hashlib.sha256(b"\0" + label.encode() + b"\0" + value).digest() for label, value in leaves]
        assert tree(hashes) == self.root, "the manifest's root is not the certificate's"
        assert manifest["merkle_root"] == self.root.hex() and manifest["generation"] == self.generation, manifest
        self.leaves = dict(leaves)
        assert len(self.leaves) == len(leaves), "a label stands twice"
        assert int.from_bytes(self.leaves["generation"], "big") == self.generation
        return leaves, hashes


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def tree(hashes):
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << (len(hashes) - 1).bit_length() - 1
    return node(tree(hashes[:k]), tree(hashes[k:]))


def rooted(leaf, index, size, path):
    """RFC 9162, section 2.1.3.2."""
    fn, sn, r = index, size - 1, leaf
    for p in path:
        assert sn > 0
        if fn & 1 or fn == sn:
            r = node(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node(r, p)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    return r


POST = "POST /{} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"


def judge(connection, app, versions, answer):
    status, body, _ = answer
    expected = versions[connection.leaves["app:" + app]]
    assert status == 200 and body.startswith(expected), (connection.generation, expected, answer)


def load(port, app, versions, stop, seen):
    while not stop.exists():
        connection = Connection(port)
        connection.learn()
        while not connection.closing and not stop.exists():
            connection.send(POST.format(app) + "\r\nping")
            answer = connection.receive()
            if not answer:  # it was idle for too long, as all of this machine may be: RFC 9112, section 9.3.1
                with seen["lock"]:
                    seen["again"] += 1
                break
            judge(connection, app, versions, answer)
            with seen["lock"]:
                seen["answers"] += 1
                seen["used"].add(connection.generation)


def main():
    port, what, *arguments = int(sys.argv[1]), *sys.argv[2:]
    app, versions = "", {}
    for text in [a for a in arguments if "=" in a]:
        app, rest = text.split("=", 1)
        wasm, begins = rest.rsplit(":", 1)
        versions[hashlib.sha256(pathlib.Path(wasm).read_bytes()).digest()] = begins.encode()
    if what == "show":
        connection = Connection(port)
        connection.learn(proofs=True)
        print(connection.generation, connection.root.hex())
    elif what == "hold":
        connection = Connection(port)
        connection.learn()
        connection.send(POST.format(app))
        print("held", connection.generation, flush=True)
        sys.stdin.readline()
        connection.send("\r\nping")
        answer = connection.receive()
        judge(connection, app, versions, answer)
        print(connection.generation, answer[2], answer[1].decode().strip())
    else:
        seen = {"lock": threading.Lock(), "answers": 0, "again": 0, "used": set(), "failed": []}

        def body():
            try:
                load(port, app, versions, pathlib.Path(arguments[1]), seen)
            except BaseException as e:  # of a thread, which would end alone
                seen["failed"].append(repr(e))

        threads = [threading.Thread(target=body) for _ in range(int(arguments[0]))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not seen["failed"], seen["failed"]
        print(seen["answers"], len(seen["used"]), seen["again"])


if __name__ == "__main__":
    main()
