"""What a component declares: the linear memory that its modules begin with."""

MAGIC, COMPONENT_LAYER = b"\0asm", b"\x0d\0\1\0"
CORE_MODULE, NESTED = 1, 4  # sections of a component
MEMORIES = 5  # a section of a module
PAGE = 65536


def number(data, at):
    """(LEB128, where it ends)"""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def sections(data):
    at = 8
    while at < len(data):
        kind = data[at]
        size, at = number(data, at + 1)
        yield kind, data[at : at + size]
        at += size


def declared(section):
    """Bytes at the start of the memories of one section."""
    count, at = number(section, 0)
    total = 0
    for _ in range(count):
        flags = section[at]
        pages, at = number(section, at + 1)
        if flags & 1:
            _, at = number(section, at)
        total += pages * PAGE
    return total


def initial_memory(data):
    """Bytes that one instance begins with."""
    view = memoryview(data)
    if bytes(view[:4]) != MAGIC:
        raise ValueError("neither a component nor a module")
    if bytes(view[4:8]) == COMPONENT_LAYER:
        return sum(initial_memory(body) for kind, body in sections(view) if kind in (CORE_MODULE, NESTED))
    return sum(declared(body) for kind, body in sections(view) if kind == MEMORIES)
