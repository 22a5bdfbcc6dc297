"""sleepers.py PORT COUNT PATH: so many connections, each with a request for the path; all are open before one is
answered, if the server waits. Prints how many answers said "as it was"."""
import asyncio
import socket
import ssl
import struct
import sys

port, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
at_once = asyncio.Semaphore(50)


async def ask():
    async with at_once:  # handshakes
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, ssl_handshake_timeout=600)
    # If this process is ended, the server is told by a reset.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return b"as it was" in answer


async def main():
    print(sum(await asyncio.gather(*(ask() for _ in range(count)))))


asyncio.run(main())
