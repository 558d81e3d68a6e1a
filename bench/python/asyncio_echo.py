# SPDX-License-Identifier: MIT
"""asyncio: an echo server on the loopback and its clients, in one loop."""
import asyncio


async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()


async def client(port, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for n in range(100):
        message = b"%d %d %s\n" % (number, n, b"x" * (n * 7 % 300))
        writer.write(message)
        assert await reader.readline() == message
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    await asyncio.gather(*(client(port, number) for number in range(50)))
    server.close()


asyncio.run(main())
