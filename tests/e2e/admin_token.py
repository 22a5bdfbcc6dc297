"""An administrator's token: admin_token.py KEY SPKI_SHA256 [body=FILE] [CLAIM=VALUE ...]. A claim with no value is left out."""
import base64, hashlib, json, os, subprocess, sys, time

key, spki = sys.argv[1:3]
claims = dict(aud=spki, method="GET", path="/metrics", body_sha256=hashlib.sha256(b"").hexdigest(),
              jti=os.urandom(16).hex(), iat=int(time.time()), exp=int(time.time()) + 300, scope="monitoring")
for change in sys.argv[3:]:
    name, _, value = change.partition("=")
    if name == "body":
        name, value = "body_sha256", hashlib.sha256(open(value, "rb").read()).hexdigest()
    claims[name] = value
    if value == "":
        del claims[name]


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


text = b64(b'{"alg":"ES256"}') + b"." + b64(json.dumps(claims).encode())
der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text, stdout=subprocess.PIPE, check=True).stdout
r, s = der[4:4 + der[3]], der[6 + der[3]:]
print((text + b"." + b64(b"".join(n[-32:].rjust(32, b"\0") for n in (r, s)))).decode())
