"""The server's own pages over a connection that is judged by them: one request each, of which nothing is read but its answer."""
import ssl

_HEAD_MAX, _BODY_MAX = 65536, 1 << 20


class NoAnswer(ConnectionError):
    """No whole answer came. Nothing is known of the server, and it is no reason to refuse it: ask again."""


def is_later(status):
    """Whether an answer of that status says only that there is none now."""
    return status is not None and (status >= 500 or status in (408, 429))


class ConnectionSpent(ssl.SSLError):
    """It was verified, but the server closes this connection behind the manifest: connect again."""


def _length(head, limit):
    """What the answer says of its length; None: nothing that can be believed."""
    found = [line.split(b":", 1)[1].strip() for line in head.split(b"\r\n")[1:] if line.lower().startswith(b"content-length:")]
    if len(found) != 1 or not found[0].isdigit() or len(found[0]) > 7 or int(found[0]) > limit:
        return None
    return int(found[0])


def _receive(tls, limit):
    """The whole answer; None: it does not say how long it is, or is too long. Raises NoAnswer."""
    data, whole = b"", None
    while whole is None or len(data) < whole:
        more = tls.recv(65536 if whole is None else whole - len(data))
        if not more:
            raise NoAnswer("its answer is cut short" if data else "the connection ended without an answer")
        data += more
        end = data.find(b"\r\n\r\n")
        if whole is None and end >= 0:
            length = _length(data[:end], limit)
            if length is None:
                return None
            whole = end + 4 + length
        if whole is None and len(data) > _HEAD_MAX:
            return None
    return data if whole == len(data) else None


def fetch_page(tls, path, limit, host="enclave", content=None):
    """(status, body, whether the connection takes another request); the status is None if what it answers cannot be read. With content,
    which is JSON, it is a POST. Raises NoAnswer."""
    try:
        method, fields = ("GET", "") if content is None else (
            "POST", f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n")
        tls.sendall(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n{fields}\r\n".encode() + (content or b""))
        data = _receive(tls, limit)
    except NoAnswer:
        raise
    except OSError as e:
        raise NoAnswer(f"no whole answer came: {e}") from e
    if data is None:
        return None, b"", False
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    reusable = not any(line.split(b":", 1)[0] == b"connection" and b"close" in line for line in lines[1:])
    status = lines[0].split()[1:2]
    return (int(status[0]) if status and status[0].isdigit() and len(status[0]) == 3 else None), body, reusable


def fetch_manifest(tls, host="enclave"):
    """(text, whether the connection takes another request); the text is None if the server has no manifest. Raises NoAnswer."""
    status, body, reusable = fetch_page(tls, "/_enclave/manifest", _BODY_MAX, host)
    if is_later(status):
        raise NoAnswer(f"it answers {status}")
    return (body if status == 200 else None), reusable
