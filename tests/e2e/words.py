"""words.py BUILD SOURCE ADMIN_KEY TABLE: runs each line of words.table in the present folder, and lists all that are not as they
should be; and every option that a program's help has must stand in the table.
words.py --put BUILD URL ADMIN_KEY PATH FILE: sends FILE with a token of the key's, and prints status and answer.
"""
import base64
import hashlib
import http.client
import json
import re
import secrets
import shlex
import ssl
import subprocess
import sys
import time
import urllib.parse


def verifier_key(name, kind, byte):
    """NAME+ID+KEY of a signed note; a witness's is of type 4, a log's of type 1."""
    key = bytes([kind]) + bytes([byte] * 32)
    return f"{name}+{hashlib.sha256(name.encode() + bytes([10]) + key).hexdigest()[:8]}+{base64.b64encode(key).decode()}"


FILES = {"FOLDER": "folder", "MISSING": "missing", "EMPTY": "empty", "TEXT": "text", "LARGE": "large", "NEGATIVE": "negative.xml",
         "CUT": "cut", "DER": "ca.der", "KEY": "signing.pem", "OUT": "out", "CA": "ca.pem", "MIXED": "mixed.pem",
         "HIDDEN": "hidden.pem", "P384": "p384", "HALF": "half.pem", "JUNK": "junk.pem", "MARKED": "marked.pem",
         "NINE": "nine.pem", "UNREADABLE": "unreadable.pem", "REQUEST": "request.pem", "BOTH": "both.pem", "TWICE": "twice.pub", "TWOKEYS": "two.key", "TWOSIGNING": "two.pem",
         "DATA": "data", "SIM": "sim", "POLICY": "policy", "WRONGPOLICY": "wrong.policy", "NOBODY": "none.json",
         "VKEY1": verifier_key("w.example", 4, 1), "VKEY2": verifier_key("w.example", 4, 2), "LOGKEY": verifier_key("w.example", 1, 1),
         "BADKEY": verifier_key("w.example", 4, 1).replace("w.example", "v.example"), "NOWHERE": "https://127.0.0.1:9", "ZEROS": "00" * 32}


def run(command):
    """The exit status and what it said, errors apart. Nothing here waits for anything: a hang is a fault."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def judge(command, parts):
    """What is not as it should be; None."""
    status, out, err = run(command)
    if status not in (1, 2):
        return f"status {status}"
    if out:
        return f"it began: {out}"
    if err.count("\n") != 1 or not err.endswith("\n"):
        return f"not one line: {err}"
    missing = [part for part in parts if part not in err]
    return f"no {missing} in: {err}" if missing else None


def options_of(help_text):
    """The options that a help text shows: in its lines of usage, and in those that begin with one."""
    lines = [line for line in help_text.splitlines() if line.startswith("usage:") or line.strip().startswith("--")]
    return set(re.findall(r"(?:^|[\s|\[])(--[a-z][a-z0-9-]*)", "\n".join(lines)))


def check_table(build, source, admin, table):
    words = {**FILES, "IMAGE": f"{build}/enclave_os.signed", "ELF": f"{build}/enclave_os.elf", "PROGRAM": f"{build}/bin/enclavectl",
             "CONFIG": f"{source}/config/enclave.config.xml", "ADMIN": admin, "TO": f"--url {FILES['NOWHERE']} --admin-key {admin}"}
    ctl, host = f"{build}/bin/enclavectl", f"{build}/bin/enclave-os"
    programs = {"ctl": [ctl], "host": [host],
                "serve": [host, "serve", "--image", words["IMAGE"], "--data", "data"]}
    failed = lines = 0
    given = {}
    for number, line in enumerate(open(table), 1):
        if line.startswith("#") or not line.strip():
            continue
        command, expected = re.sub(r"@([A-Z0-9]+)", lambda m: words[m.group(1)], line.rstrip("\n")).split(" | ")
        program, *arguments = shlex.split(command)
        where = "serve" if program == "serve" or arguments[:1] == ["serve"] else " ".join(arguments[:1])
        given.setdefault(where, set()).update(a.split("=")[0] for a in arguments if a.startswith("--"))
        extra = []
        if program == "serve":  # what a server needs otherwise
            extra = ["--listen", "127.0.0.1:0"] * ("--listen" not in arguments) + ["--sim-dir", "sim"] * ("--sim-dir" not in arguments)
        problem = judge(programs[program] + extra + arguments, expected.split(" & "))
        lines += 1
        if problem:
            failed += 1
            print(f"{table}:{number}: {command}: {problem}")
    failed += check_options(ctl, host, given)
    print(f"{lines} lines, {failed} failed")
    return failed == 0 and lines > 150


def check_options(ctl, host, given):
    common = given.get("verify", set())
    failed = 0
    for name, command in [*((c, [ctl, c]) for c in ("verify", "policy", "log", "monitor", "ca", "app", "admin", "egress-ca", "issuer", "acme", "witness",
                                                    "get", "fetch", "keygen", "publish", "backup", "restore", "measure", "sign")),
                          ("serve", [host, "serve"]), ("doctor", [host, "doctor"])]:
        status, text, _ = run(command + ["--help"])
        shown = options_of(text) - {"--help", "--allow-simulation", "--allow-debug", "--require-collateral", "--fresh", "--any-instance",
                                     "--only-apps", "--who", "--now"}
        missing = shown - given.get(name, set()) - (common if name not in ("keygen", "publish", "backup", "restore", "measure", "sign", "serve", "doctor") else set())
        if status != 0 or missing:
            print(f"{name}: --help ended with {status}; options without a line: {sorted(missing)}")
            failed += 1
    return failed


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def put(build, url, admin, path, file):
    """As enclavectl does, without its judgement of the file."""
    body = open(file, "rb").read()
    address = urllib.parse.urlsplit(url)
    connection = http.client.HTTPSConnection(address.hostname, address.port, context=ssl._create_unverified_context())
    connection.connect()
    leaf = connection.sock.getpeercert(binary_form=True)
    spki = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-pubkey"], input=leaf, capture_output=True, check=True)
    spki = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=spki.stdout, capture_output=True, check=True)
    now = int(time.time())
    claims = {"aud": hashlib.sha256(spki.stdout).hexdigest(), "method": "PUT", "path": path, "jti": secrets.token_hex(16),
              "body_sha256": hashlib.sha256(body).hexdigest(), "iat": now, "exp": now + 60}
    text = base64url(b'{"alg":"ES256","typ":"JWT"}') + "." + base64url(json.dumps(claims).encode())
    der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", admin], input=text.encode(), capture_output=True, check=True).stdout
    first = 4 + der[3]
    pair = der[4:first], der[first + 2:]
    signature = b"".join(int.from_bytes(part, "big").to_bytes(32, "big") for part in pair)
    connection.request("PUT", path, body, {"authorization": f"Bearer {text}.{base64url(signature)}"})
    answer = connection.getresponse()
    print(answer.status, answer.read().decode())
    return True


if sys.argv[1] == "--put":
    sys.exit(0 if put(*sys.argv[2:]) else 1)
sys.exit(0 if check_table(*sys.argv[1:]) else 1)
