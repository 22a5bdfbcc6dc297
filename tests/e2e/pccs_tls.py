"""A PCCS over TLS for a test: PORT UPSTREAM CERTIFICATE KEY. Forwards, in chunks, and hangs up without a goodbye."""
import http.server
import ssl
import sys
import urllib.error
import urllib.request

port, upstream, certificate, key = sys.argv[1:]
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Forward(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        try:
            answer = direct.open(upstream + self.path, timeout=10)
        except urllib.error.HTTPError as e:
            answer = e
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.endswith("Issuer-Chain"):
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        for piece in (body[:100], body[100:]):
            if piece:
                self.wfile.write(b"%X\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Forward)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
