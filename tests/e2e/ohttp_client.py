"""A client for encrypted requests (docs/protocol.md) that shares no code with ours: HPKE, Oblivious HTTP and binary HTTP as
their documents have them, over X25519, HKDF's HMAC and the two ciphers of the cryptography package.

ohttp_client.py https://HOST:PORT [OPTION...] METHOD PATH [NAME:VALUE...]

    --cipher N       HPKE's number of the cipher: 1 (default) or 3
    --form F         of the message: known (default), indeterminate (in pieces of 1 and 5 bytes), or hex digits
    --content TEXT   of the message
    --date SECONDS   the Date, so much off; none: there is no Date
    --key-id N       another one than the key has
    --save FILE      what is sent
    --send FILE      what was saved, instead; it cannot be read what comes of it
    --pad N          zeroes behind the message

Prints the status, the fields and the content of what was encrypted; or, of what was answered in the clear, "clear" and the
same.
"""
import base64
import email.utils
import hashlib
import hmac
import http.client
import json
import os
import ssl
import struct
import sys
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305


def ask(address, method, path, body=None, fields={}):
    connection = http.client.HTTPSConnection(address, context=ssl._create_unverified_context(), timeout=600)
    connection.request(method, path, body, fields)
    response = connection.getresponse()
    return response.status, dict((n.lower(), v) for n, v in response.getheaders()), response.read()


# ---- the key, as it is shown


def unpad(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def get_key(address):
    status, _, body = ask(address, "GET", "/_enclave/ohttp-keys/evidence")
    assert status == 200, (status, body)
    shown = json.loads(body)
    assert shown["format"] == "enclave-os-ohttp-keys/1"
    der, keys = unpad(shown["certificate"]), unpad(shown["keys"])
    said = b" " * 64 + b"enclave-os OHTTP key configuration, version 1\0" + hashlib.sha256(der).digest()
    said += hashlib.sha256(keys).digest()
    certificate = x509.load_der_x509_certificate(der)
    certificate.public_key().verify(unpad(shown["signature"]), said, ec.ECDSA(hashes.SHA256()))
    issuer = x509.load_der_x509_certificate(unpad(shown["issuer"]))
    issuer.public_key().verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
    size, key_id, kem = struct.unpack("!HBH", keys[:5])
    assert size == len(keys) - 2 and kem == 0x20
    ciphers = struct.unpack("!HHHHH", keys[37:])
    assert ciphers == (8, 1, 1, 1, 3), ciphers
    return key_id, keys[5:37]


# ---- HPKE (RFC 9180), base mode


def extract(salt, ikm):
    return hmac.new(salt or bytes(32), ikm, hashlib.sha256).digest()


def expand(prk, info, size):
    out, block, i = b"", b"", 1
    while len(out) < size:
        block = hmac.new(prk, block + info + bytes([i]), hashlib.sha256).digest()
        out, i = out + block, i + 1
    return out[:size]


class Sender:
    def __init__(self, public, cipher, info):
        self.size = 16 if cipher == 1 else 32
        self.aead = AESGCM if cipher == 1 else ChaCha20Poly1305
        own = x25519.X25519PrivateKey.generate()
        self.enc = own.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        dh = own.exchange(x25519.X25519PublicKey.from_public_bytes(public))
        kem = b"KEM" + struct.pack("!H", 0x20)
        prk = extract(b"", b"HPKE-v1" + kem + b"eae_prk" + dh)
        shared = expand(prk, struct.pack("!H", 32) + b"HPKE-v1" + kem + b"shared_secret" + self.enc + public, 32)
        self.suite = b"HPKE" + struct.pack("!HHH", 0x20, 1, cipher)
        context = b"\0" + self.extract(b"", b"psk_id_hash", b"") + self.extract(b"", b"info_hash", info)
        secret = self.extract(shared, b"secret", b"")
        self.key = self.expand(secret, b"key", context, self.size)
        self.nonce = self.expand(secret, b"base_nonce", context, 12)
        self.exporter = self.expand(secret, b"exp", context, 32)

    def extract(self, salt, label, ikm):
        return extract(salt, b"HPKE-v1" + self.suite + label + ikm)

    def expand(self, prk, label, info, size):
        return expand(prk, struct.pack("!H", size) + b"HPKE-v1" + self.suite + label + info, size)

    def seal(self, plain):
        return self.aead(self.key).encrypt(self.nonce, plain, b"")

    def export(self, context, size):
        return self.expand(self.exporter, b"sec", context, size)


# ---- binary HTTP (RFC 9292)


def integer(v):
    for size, mark in ((1, 0), (2, 1), (4, 2), (8, 3)):
        if v < 1 << (8 * size - 2):
            return (v | mark << (8 * size - 2)).to_bytes(size, "big")


def text(data):
    return integer(len(data)) + data


def message(form, method, authority, path, fields, content):
    if form not in ("known", "indeterminate"):
        return bytes.fromhex(form)
    known = form == "known"
    control = b"".join(text(part.encode()) for part in (method, "https", authority, path))
    lines = b"".join(text(name.encode()) + text(value.encode()) for name, value in fields)
    if known:
        return b"\0" + control + text(lines) + text(content) + b"\0"
    pieces = [content[:1]] + [content[i : i + 5] for i in range(1, len(content), 5)] if content else []
    return b"\2" + control + lines + b"\0" + b"".join(map(text, pieces)) + b"\0\0"


class Reader:
    def __init__(self, data):
        self.data = data

    def take(self, size):
        assert size <= len(self.data)
        part, self.data = self.data[:size], self.data[size:]
        return part

    def integer(self):
        size = 1 << (self.data[0] >> 6)
        return int.from_bytes(self.take(size), "big") & ((1 << (8 * size - 2)) - 1)

    def text(self):
        return self.take(self.integer())


def show(data):
    r = Reader(data)
    assert r.integer() == 1
    print(r.integer())
    lines = Reader(r.text())
    while lines.data:
        print(lines.text().decode() + ": " + lines.text().decode())
    content = r.text()
    trailers = Reader(r.text())
    print()
    sys.stdout.buffer.write(b"")
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    while trailers.data:
        print("\n" + trailers.text().decode() + ": " + trailers.text().decode())
    assert not any(r.data)


def main():
    address, options, rest = sys.argv[1].removeprefix("https://"), {}, sys.argv[2:]
    while rest and rest[0].startswith("--"):
        options[rest[0][2:]] = rest[1]
        rest = rest[2:]
    cipher = int(options.get("cipher", 1))
    key_id, public = get_key(address)
    header = struct.pack("!BHHH", int(options.get("key-id", key_id)), 0x20, 1, cipher)
    sender = Sender(public, cipher, b"message/bhttp request\0" + header)
    if "send" in options:
        sealed = open(options["send"], "rb").read()
    else:
        fields = [tuple(field.split(":", 1)) for field in rest[2:]]
        if options.get("date") != "none":
            fields.append(("date", email.utils.formatdate(time.time() + int(options.get("date", 0)), usegmt=True)))
        plain = message(options.get("form", "known"), rest[0], address, rest[1], fields, options.get("content", "").encode())
        sealed = header + sender.enc + sender.seal(plain + bytes(int(options.get("pad", 0))))
    if "save" in options:
        open(options["save"], "wb").write(sealed)
    status, fields, body = ask(address, "POST", "/_enclave/ohttp", sealed, {"content-type": "message/ohttp-req"})
    if status != 200 or "send" in options:
        print("clear", status, fields.get("content-type"), body.decode("utf-8", "replace"))
        return
    assert fields["content-type"] == "message/ohttp-res" and fields["cache-control"] == "no-store", fields
    secret = sender.export(b"message/bhttp response", sender.size)
    nonce = body[: sender.size]
    prk = extract(sender.enc + nonce, secret)
    aead = sender.aead(expand(prk, b"key", sender.size))
    show(aead.decrypt(expand(prk, b"nonce", 12), body[sender.size :], b""))


main()
