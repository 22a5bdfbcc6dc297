"""A directory of ACME as a host would play it. acme_liar.py PORT CERT KEY CA CA-KEY

The first part of each path says how it lies; all else of the order goes well, and nobody's name is looked at.
"""
import base64, http.server, json, os, ssl, subprocess, sys, tempfile

port, cert, key, ca, ca_key = int(sys.argv[1]), *sys.argv[2:]
here = f"https://127.0.0.1:{port}"
finalized = {}


def run(*command, data=None):
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def issue(lie, csr):
    """A chain for the request, or for what is none."""
    with tempfile.TemporaryDirectory() as folder:
        name = "other.example.com" if lie == "another-name" else "shop.example.com"
        open(folder + "/e", "w").write(f"subjectAltName=DNS:{name}\nextendedKeyUsage=serverAuth\n")
        if lie == "another-key":
            run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/",
                "-keyout", folder + "/k", "-outform", "DER", "-out", folder + "/r")
        else:
            open(folder + "/r", "wb").write(csr)
        out = run("openssl", "x509", "-req", "-inform", "DER", "-in", folder + "/r", "-CA", ca, "-CAkey", ca_key, "-days", "1",
                  "-extfile", folder + "/e")
    if lie == "long-chain":
        return out + open(ca, "rb").read() * 5
    return out + open(ca, "rb").read()


class Liar(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **fields):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Replay-Nonce", base64.urlsafe_b64encode(os.urandom(12)).decode())
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")

    def do_HEAD(self):
        self.answer(200)

    def do_GET(self):
        lie, base = self.path.split("/")[1], here + "/" + self.path.split("/")[1]
        directory = {"newNonce": base + "/nonce", "newAccount": base + "/account", "newOrder": base + "/order"}
        if lie == "redirect":
            self.answer(302, Location=here + "/honest/dir")
        elif lie == "long":
            self.answer(200, b'{"a":"' + b"x" * 100000 + b'"}')
        elif lie == "other-host":
            self.answer(200, directory | {"newOrder": "https://localhost:443/order"})
        elif lie == "plain":
            self.answer(200, directory | {"newAccount": f"http://127.0.0.1:{port}/account"})
        else:
            self.answer(200, directory)

    def do_POST(self):
        _, lie, what = self.path.split("/")
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        payload = base64.urlsafe_b64decode(message["payload"] + "==")
        base = here + "/" + lie
        order = {"status": "ready", "authorizations": [base + "/authz"], "finalize": base + "/finalize"}
        if what == "account":
            self.answer(201, {}, Location=base + "/me")
        elif what == "order" and lie == "limited":
            self.answer(429, {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "come back"}, Retry_After="7200")
        elif what == "order":
            finalized.pop(lie, None)
            self.answer(201, order, Location=base + "/one")
        elif what == "finalize":
            finalized[lie] = base64.urlsafe_b64decode(json.loads(payload)["csr"] + "==")
            self.answer(200, order | {"status": "processing"}, Retry_After="1")
        elif what == "one" and lie == "never":
            self.answer(200, order | {"status": "processing"}, Retry_After="1")
        elif what == "one":
            self.answer(200, order | {"status": "valid", "certificate": base + "/cert"})
        else:
            self.answer(200, issue(lie, finalized[lie]))

    def log_message(self, *_):
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Liar)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
