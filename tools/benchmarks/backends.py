#!/usr/bin/env python3
"""Many backends in one process: backends.py PORTS SECONDS. Each answers 200 to every request after SECONDS.

Prints a JSON list: the control port, then PORTS ports of backends. GET /seen of the control port says what was seen since it
was asked last: requests answered, the most that waited at once, latencies in ms of those whose body is {"sent": MONOTONIC},
and of those with an X-Body-Sha256 how many bodies were exactly that. Reads framing by Content-Length alone.
"""
import asyncio, hashlib, json, re, sys, time

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
DIGEST = re.compile(rb"\r\nx-body-sha256: *([0-9a-f]{64})", re.I)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"ok\":true}"


class Seen:
    def __init__(self):
        self.waiting = 0
        self.reset()

    def reset(self):
        self.answered, self.most_waiting, self.latencies_ms, self.exact, self.damaged = 0, self.waiting, [], 0, 0

    def take(self):
        text = json.dumps({"answered": self.answered, "waiting": self.waiting, "most_waiting": self.most_waiting, "latencies_ms": self.latencies_ms,
                           "exact": self.exact, "damaged": self.damaged}).encode()
        self.reset()
        return text


class Connection(asyncio.Protocol):
    def __init__(self, seen, delay, loop):
        self.seen, self.delay, self.loop = seen, delay, loop
        self.head, self.body, self.missing, self.digest = b"", None, 0, None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        if self.body is None:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return
            data, self.head = self.head[end + 4:], self.head[:end + 2]
            length = LENGTH.search(self.head)
            wanted = DIGEST.search(self.head)
            self.missing, self.body = int(length.group(1)) if length else 0, []
            self.digest, self.wanted = hashlib.sha256(), wanted.group(1).decode() if wanted else None
        if self.wanted:
            self.digest.update(data)
        elif len(data) < 4096:
            self.body.append(data)
        self.missing -= len(data)
        if self.missing <= 0:
            self.ended()

    def ended(self):
        if self.wanted:
            exact = self.digest.hexdigest() == self.wanted and self.missing == 0
            self.seen.exact += exact
            self.seen.damaged += not exact
        elif self.body and self.body[0].startswith(b'{"sent"'):
            self.seen.latencies_ms.append((time.monotonic() - json.loads(b"".join(self.body))["sent"]) * 1e3)
        control = self.delay is None
        self.head, self.body = b"", None
        if control:
            text = self.seen.take()
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        elif self.delay == 0:
            self.seen.answered += 1
            self.transport.write(OK)
        else:
            self.seen.waiting += 1
            self.seen.most_waiting = max(self.seen.most_waiting, self.seen.waiting)
            self.loop.call_later(self.delay, self.answer)

    def answer(self):
        self.seen.waiting -= 1
        self.seen.answered += 1
        if not self.transport.is_closing():
            self.transport.write(OK)


async def main(ports, delay):
    loop, seen, listening = asyncio.get_running_loop(), Seen(), []
    for one_delay in [None] + [delay] * ports:
        server = await loop.create_server(lambda one_delay=one_delay: Connection(seen, one_delay, loop), "127.0.0.1", 0, backlog=4096)
        listening.append(server)
    print(json.dumps([server.sockets[0].getsockname()[1] for server in listening]), flush=True)
    await loop.create_future()


asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
