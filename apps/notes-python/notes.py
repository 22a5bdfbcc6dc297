"""Notes, kept in files on the app's sealed root with nothing but open().

    PUT /notes/NAME   keep the body          GET /notes/NAME   give it back       DELETE /notes/NAME   forget it
    GET /notes        the names              GET /count        how often this was asked (wasi:keyvalue)
    POST /echo        the body, as it comes  GET /env/NAME     a variable that the operator set
    GET /fail         an exception: 500, and its traceback in the log   GET /heap  whether its memory is its own
"""

import json
import os

from componentize_py_types import Err, Ok
from wit_world.exports import IncomingHandler as Handler
from wit_world.imports import atomics, store
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.types import Fields, Method_Delete, Method_Get, Method_Post, Method_Put, OutgoingBody, OutgoingResponse, ResponseOutparam

FOLDER = "/notes"
CHUNK = 4096  # what one blocking write takes


def chunks(request):
    """The body of a request, piece by piece."""
    with request.consume() as body, body.stream() as stream:
        while True:
            try:
                yield stream.blocking_read(65536)
            except Err as error:
                if isinstance(error.value, StreamError_Closed):
                    return
                raise


def respond(outparam, status, pieces):
    """Answer with a status and an iterable of bytes; each piece leaves before the next is asked for."""
    response = OutgoingResponse(Fields.from_list([("content-type", b"text/plain; charset=utf-8")]))
    response.set_status_code(status)
    body = response.body()
    ResponseOutparam.set(outparam, Ok(response))
    with body.write() as stream:
        for piece in pieces:
            for start in range(0, len(piece), CHUNK):
                stream.blocking_write_and_flush(piece[start : start + CHUNK])
    OutgoingBody.finish(body, None)


def keep(path, request):
    """Write beside and rename, so that a note is never half of one. The name is on disk with the next fsync of any file."""
    os.makedirs(FOLDER, exist_ok=True)
    try:
        with open(path + "~", "wb") as file:
            for piece in chunks(request):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
            os.replace(path + "~", path)
            os.fsync(file.fileno())
    except BaseException:  # a body that broke off, too
        os.remove(path + "~")
        raise


def forget(path):
    with open(path, "rb") as file:
        os.remove(path)
        os.fsync(file.fileno())


def note(request, outparam, name):
    path = os.path.join(FOLDER, name)
    method = request.method()
    if isinstance(method, Method_Put):
        keep(path, request)
        return respond(outparam, 200, [b"kept\n"])
    try:
        if isinstance(method, Method_Delete):
            forget(path)
            return respond(outparam, 200, [b"forgotten\n"])
        with open(path, "rb") as file:
            return respond(outparam, 200, iter(lambda: file.read(65536), b""))
    except FileNotFoundError:
        return respond(outparam, 404, [b"no such note\n"])


def names():
    kept = sorted(name for name in os.listdir(FOLDER) if not name.endswith("~")) if os.path.isdir(FOLDER) else []
    return "".join(name + "\n" for name in kept).encode()


def whole_heap():
    """Fill blocks of many sizes, with calls to the system between them, and look whether they still are as they were."""
    blocks, state = {}, 7
    for turn in range(2048):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        number, size = state >> 8 & 255, (state >> 4) % (64 + turn % 16 * 2048)
        if number in blocks and blocks[number] != bytes([number]) * len(blocks[number]):
            return False
        blocks[number] = bytearray([number]) * size
        if turn % 16 == 0:
            os.stat("/")
    return all(block == bytes([number]) * len(block) for number, block in blocks.items())


class IncomingHandler(Handler):
    def handle(self, request, response_out):
        path = (request.path_with_query() or "/").partition("?")[0]
        match path.split("/")[1:]:
            case ["notes"]:
                respond(response_out, 200, [names()])
            case ["notes", name] if name:
                note(request, response_out, name)
            case ["echo"] if isinstance(request.method(), Method_Post):
                respond(response_out, 200, chunks(request))
            case ["count"] if isinstance(request.method(), Method_Get):
                respond(response_out, 200, [b"%d\n" % atomics.increment(store.open("default"), "count", 1)])
            case ["env", name]:
                respond(response_out, 200, [os.environ.get(name, "").encode()])
            case ["nested", levels]:
                json.loads("[" * int(levels) + "]" * int(levels))
                respond(response_out, 200, [b"read\n"])
            case ["heap"]:
                respond(response_out, 200, [b"whole\n" if whole_heap() else b"changed\n"])
            case ["fail"]:
                raise RuntimeError("as it was asked to")
            case _:
                respond(response_out, 404, [b"not here\n"])
