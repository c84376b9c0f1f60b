#!/usr/bin/env python3
"""5,000 hostile connections beside 100 good ones: every good request is answered, and how much later than without them is measured.

  crowd.py BELAY [--hostile 5000] [--rounds 2] [--seconds 3] [--json FILE]

The hostile ones are of five kinds, a fifth each, from ten addresses, and come back when they are closed: heads that drip a byte a second,
bodies that do, connections that say nothing, requests cut short by a half close, and senders of requests for large answers who never read.
The good ones send a small POST every 50 ms each, on kept connections. Rounds alternate: without, with, without, with; the figures are the
medians of rounds. Exit 1 when a good request fails or waits longer than LONGEST; how much later the others come is printed and judged by
nobody: the target of 2 is for a quiet machine. nginx answers behind Belay. Everything is on loopback.
"""
import argparse, collections, json, multiprocessing, random, selectors, socket, statistics, sys, time
from gateway import Gateway, allow_descriptors

GOOD, PAUSE, LONGEST = 100, 0.05, 5.0
AGAIN = 1.0  # seconds between bytes of a drip, and before a closed connection is opened again
KINDS = ("slow head", "slow body", "idle", "half-closed", "never reading")
LARGE = 200_000  # bytes of a large answer

class Hostile:
    def __init__(self, number, kinds):
        self.kind = kinds[number % len(kinds)]
        self.address = f"127.0.1.{number // 500 + 1}"
        self.socket, self.came = None, False

    def open(self, port, selector):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        if self.kind == "never reading":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setsockopt(socket.SOL_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        self.socket.bind((self.address, 0))
        self.socket.connect_ex(("127.0.0.1", port))
        self.said, self.started = False, False
        selector.register(self.socket, selectors.EVENT_WRITE, self)

    def close(self, selector):
        selector.unregister(self.socket)
        self.socket.close()
        self.socket = None

    def connected(self, selector):
        """The first word; afterwards only its end is of interest, and for those who never read not even that."""
        first = {"slow head": b"POST /x HTTP/1.1\r\nHost: a\r\nX-Slow: ", "slow body": b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n", "idle": b"",
                 "half-closed": b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345", "never reading": b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n" * 20}[self.kind]
        if first:
            self.socket.send(first)
        if self.kind == "half-closed":
            self.socket.shutdown(socket.SHUT_WR)
        selector.modify(self.socket, 0 if self.kind == "never reading" else selectors.EVENT_READ, self)
        self.started = self.came = True

    def drip(self):
        if self.started and self.kind.startswith("slow"):
            self.socket.send(b"x")


def run_hostile(port, count, kinds, pipe):
    """A process of its own. Says "up" when all have been opened once; ends at a word from the other end, and tells how often each kind was closed."""
    selector, crowd, closed = selectors.DefaultSelector(), [Hostile(i, kinds) for i in range(count)], dict.fromkeys(kinds, 0)
    waiting = [(time.monotonic() + i * 0.0004, one) for i, one in enumerate(crowd)]  # 2,500 a second
    turn, told = 0.0, False

    def closed_by_peer(one):
        closed[one.kind] += 1
        one.close(selector)
        waiting.append((time.monotonic() + AGAIN * (0.5 + random.random()), one))
    while not pipe.poll():
        now = time.monotonic()
        due = [one for when, one in waiting if when <= now]
        waiting = [(when, one) for when, one in waiting if when > now]
        for one in due:
            one.open(port, selector)
        if not told and all(one.came for one in crowd):
            told = True
            pipe.send("up")
        for key, _ in selector.select(0.02):
            one = key.data
            try:
                if not one.started:
                    one.connected(selector)
                elif not one.socket.recv(4096):
                    closed_by_peer(one)
            except BlockingIOError:
                pass
            except OSError:
                closed_by_peer(one)
        # A fiftieth of the drips each turn of 20 ms.
        slice_now = int(time.monotonic() / AGAIN * 50)
        if slice_now != turn:
            turn = slice_now
            for one in crowd[turn % 50::50]:
                if one.socket is not None:
                    try:
                        one.drip()
                    except OSError:
                        closed_by_peer(one)
    for one in crowd:
        if one.socket is not None:
            one.close(selector)
    pipe.send(closed)


def run_good(port, seconds, results):
    """A process of its own: latencies in milliseconds, and what failed."""
    request = b"POST /hook HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"event\":\"changed\"}\n"
    selector, latencies, failed = selectors.DefaultSelector(), [], []
    senders = []
    for i in range(GOOD):
        one = {"socket": socket.create_connection(("127.0.0.1", port), LONGEST), "next": time.monotonic() + PAUSE * i / GOOD, "sent": None, "in": b""}
        one["socket"].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one["socket"].setblocking(False)
        selector.register(one["socket"], selectors.EVENT_READ, one)
        senders.append(one)
    until = time.monotonic() + seconds
    while True:
        now = time.monotonic()
        busy = [one for one in senders if one["sent"] is not None]
        if now >= until and not busy:
            break
        for one in busy:
            if now - one["sent"] > LONGEST:
                results.put((latencies, ["no answer"] + failed))
                return
        for one in senders:
            if one["sent"] is None and one["next"] <= now < until:
                one["sent"] = time.monotonic()
                one["next"] = one["sent"] + PAUSE
                one["socket"].send(request)
        free = [one["next"] for one in senders if one["sent"] is None]
        for key, _ in selector.select(max(0.0, min(free) - time.monotonic()) if free and now < until else 0.05):
            one = key.data
            part = one["socket"].recv(65536)
            one["in"] += part
            if not part:
                results.put((latencies, ["closed"] + failed))
                return
            if b'{"ok":true}' not in one["in"] and not one["in"].startswith(b"HTTP/1.1 202"):
                continue
            latencies.append((time.monotonic() - one["sent"]) * 1000)
            if not one["in"].startswith(b"HTTP/1.1 200"):
                failed.append(one["in"][:25])
            one["in"], one["sent"] = b"", None
    results.put((latencies, failed))


def good_round(port, seconds):
    results = multiprocessing.Queue()
    process = multiprocessing.Process(target=run_good, args=(port, seconds, results))
    process.start()
    latencies, failed = results.get()
    process.join()
    latencies.sort()
    at = lambda share: latencies[min(len(latencies) - 1, int(len(latencies) * share))] if latencies else float("inf")
    return {"requests": len(latencies), "failed": failed, "p50": at(0.5), "p99": at(0.99), "max": at(1.0)}


def measure(port, options):
    rounds = {"without": [], "with": []}
    for _ in range(options.rounds):
        rounds["without"].append(good_round(port, options.seconds))
        here, there = multiprocessing.Pipe()
        crowd = multiprocessing.Process(target=run_hostile, args=(port, options.hostile, options.kinds, there), daemon=True)
        crowd.start()
        if not here.poll(60) or here.recv() != "up":
            sys.exit("the hostile connections did not come up")
        rounds["with"].append(good_round(port, options.seconds))
        here.send("stop")
        closed = here.recv()
        crowd.join()
        print("closed by Belay:", ", ".join(f"{kind} {count}" for kind, count in closed.items()), flush=True)
    return rounds


def report(rounds):
    figures = {name: {key: statistics.median(one[key] for one in of) for key in ("p50", "p99", "max")} for name, of in rounds.items()}
    for name, of in figures.items():
        print(f"{name:8} hostile ones: {sum(one['requests'] for one in rounds[name])} requests, p50 {of['p50']:.2f} ms, p99 {of['p99']:.2f} ms, longest {of['max']:.1f} ms")
    ratio = {key: figures["with"][key] / figures["without"][key] for key in ("p50", "p99")}
    print(f"ratio: p50 {ratio['p50']:.2f}, p99 {ratio['p99']:.2f} (target 2)")
    failed = [what for of in rounds.values() for one in of for what in one["failed"]]
    for what, times in collections.Counter(failed).items():
        print(f"FAILED {times} times: {what}")
    return figures, ratio, failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("belay")
    parser.add_argument("--hostile", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=KINDS, help="of: " + ", ".join(KINDS))
    parser.add_argument("--json")
    options = parser.parse_args()
    allow_descriptors(options.hostile + 500)
    with Gateway(options.belay, {"large": "x" * LARGE}) as gateway:
        figures, ratio, failed = report(measure(gateway.port, options))
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"hostile": options.hostile, "good": GOOD, "figures": figures, "ratio": ratio}, file, indent=1)
    return 1 if failed or figures["with"]["max"] > LONGEST * 1000 else 0


if __name__ == "__main__":
    sys.exit(main())
