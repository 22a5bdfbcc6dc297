"""The manifest over a connection that is judged by it: one request, of which nothing is read but its answer."""
import ssl

_HEAD_MAX, _BODY_MAX = 65536, 1 << 20


class ConnectionSpent(ssl.SSLError):
    """It was verified, but the server closes this connection behind the manifest: connect again."""


def _length(head):
    """What the answer says of its length; None: nothing that can be believed."""
    found = [line.split(b":", 1)[1].strip() for line in head.split(b"\r\n")[1:] if line.lower().startswith(b"content-length:")]
    if len(found) != 1 or not found[0].isdigit() or len(found[0]) > 7 or int(found[0]) > _BODY_MAX:
        return None
    return int(found[0])


def _receive(tls):
    data, whole = b"", None
    while whole is None or len(data) < whole:
        more = tls.recv(65536 if whole is None else whole - len(data))
        data += more
        end = data.find(b"\r\n\r\n")
        if whole is None and end >= 0:
            length = _length(data[:end])
            whole = -1 if length is None else end + 4 + length
        if not more or whole == -1 or (whole is None and len(data) > _HEAD_MAX):
            break
    return data if whole == len(data) else None


def fetch_manifest(tls, host="enclave"):
    """(text, whether the connection takes another request); the text is None if the server has no manifest."""
    tls.sendall(f"GET /_enclave/manifest HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n\r\n".encode())
    data = _receive(tls)
    if data is None:
        return None, False
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    reusable = not any(line.split(b":", 1)[0] == b"connection" and b"close" in line for line in lines[1:])
    return (body if lines[0].split()[1:2] == [b"200"] else None), reusable
