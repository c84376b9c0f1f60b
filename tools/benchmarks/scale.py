"""S8, S9, S10: many slow backends, many idle connections, large bodies."""
import asyncio, hashlib, os, shutil, socket, threading, time

from benchmarks.load import paced, post_all, read_answer, request_bytes
from benchmarks.machine import peak_memory, reset_peak, resident_memory, tree, wait_until
from benchmarks.programs import destination, source
from benchmarks.report import percentile, row, say


# --- S8: slow backends ----------------------------------------------------------------------------------------------
PROBES = {"forwarded": 200, "stored": 202}  # path and source → the answer


def slow_rules(slow, healthy):
    sources = ["  slow%d: { match: { path: /slow/%d }, trust: open, mode: spool, routes: [{ to: slow%d }] }" % (n, n, n) for n in range(len(slow.ports))]
    sources += ["  forwarded: { match: { path: /forwarded }, trust: open, routes: [{ to: healthy }] }",
                "  stored: { match: { path: /stored }, trust: open, mode: spool, routes: [{ to: healthy }] }"]
    destinations = [destination(port, "concurrency: 1", "slow%d" % n) for n, port in enumerate(slow.ports)]
    return "\n".join(sources), "\n".join(destinations + [destination(healthy.ports[0], "concurrency: 100", "healthy")])


def probe(belay, healthy, seconds):
    """Per way: latencies in ms from the sender to the healthy backend, 100 webhooks a second."""
    latencies = {}
    for way, status in PROBES.items():
        healthy.seen()
        paced(belay.port, "/" + way, 100, seconds, status)
        found = []
        wait_until(lambda: found.extend(healthy.seen()["latencies_ms"]) or len(found) >= int(100 * seconds), "the arrival of all probes")
        latencies[way] = {"p50": percentile(found, 0.5), "p99": percentile(found, 0.99)}
    return latencies


def slow_backends(bench, count, seconds):
    """One run: probes alone, then while `count` backends that take a second each have work for all that time."""
    slow, healthy = bench.backends("slow", count, 1.0), bench.backends("healthy")
    belay = bench.belay("s8", *slow_rules(slow, healthy))
    probe(belay, healthy, 1)
    alone = probe(belay, healthy, seconds)
    each = 4 * seconds + 20  # a second of work each: more than the probes take
    requests = [request_bytes("/slow/%d" % n, b'{"n":%d}' % n) for _ in range(each) for n in range(count)]
    if post_all(belay.port, requests) != {202: len(requests)}:
        raise RuntimeError("not all was stored for the slow backends")
    wait_until(lambda: slow.seen()["answered"] >= count, "work at all slow backends", every=0.5)
    slow.seen()
    started = time.monotonic()
    beside = probe(belay, healthy, seconds)
    passed = time.monotonic() - started
    seen, waiting = slow.seen(), belay.destinations("waiting")
    if waiting < count:
        raise RuntimeError("the slow backends ran out of work: %d wait" % waiting)
    for program in (belay, slow, healthy):
        bench.stop(program.process)
    shutil.rmtree(belay.state)  # what still waits there would be sent in the next run, while it measures alone
    for way in PROBES:
        say("S8 %d slow: %-9s p50 %.2f → %.2f ms, p99 %.2f → %.2f ms" % (count, way, alone[way]["p50"], beside[way]["p50"], alone[way]["p99"], beside[way]["p99"]))
    say("S8 %d slow: %.0f/s delivered, %d in flight at most" % (count, seen["answered"] / passed, seen["most_waiting"]))
    return {"rate": seen["answered"] / passed, "in_flight": seen["most_waiting"], "alone": alone, "beside": beside}


def s8(bench, rounds):
    """1,000 slow backends (1 s each) at once: all in flight, >= 950/s; what goes to a healthy backend is as fast as without them"""
    count = 100 if bench.small else 1000
    runs = [slow_backends(bench, count, bench.seconds) for _ in range(rounds)]
    middle = lambda pick: sorted(pick(run) for run in runs)[len(runs) // 2]
    rows = [row("S8", "%d slow backends" % count, "rate", middle(lambda run: run["rate"]), 0.95 * count, "higher", rounds={"belay": runs}),
            row("S8", "%d slow backends" % count, "in_flight", middle(lambda run: run["in_flight"]), count, "higher")]
    for way in PROBES:
        for share, most in (("p50", 1.25), ("p99", 2)):
            rows.append(row("S8", "healthy beside, %s" % way, share + "_ms", middle(lambda run: run["beside"][way][share]), most, "lower", "alone",
                            middle(lambda run: run["alone"][way][share])))
    return rows


# --- S9: idle connections -------------------------------------------------------------------------------------------
def idle_connections(program, count):
    """Resident MB with `count` connections that had one request each: of all its processes, and of those that serve requests."""
    request, sockets = request_bytes("/hook", b'{"idle":true}'), []
    try:
        for _ in range(count):
            sockets.append(socket.create_connection(("127.0.0.1", program.port), 5))
            sockets[-1].sendall(request)
            if not sockets[-1].recv(4096).startswith(b"HTTP/1.1 200"):
                raise RuntimeError("an idle connection had no answer")
        everything = tree(program.process.pid)
        serving = program.proxy_pids() if hasattr(program, "proxy_pids") else everything
        return {"all": resident_memory(everything) / 1e6, "serving": resident_memory(serving) / 1e6}
    finally:
        for one in sockets:
            one.close()


SPARE = 500  # nginx counts listeners and connections to the backend, too; its table has its full size from the start


def idle_contenders(bench, count):
    backend = bench.nginx_backend()
    return {"nginx": bench.nginx_proxy(backend.port, connections=count + SPARE),
            "belay": bench.belay("s9", source("trust: open"), destination(backend.port), limits="connections_per_client: 20000, idle_timeout: 10m")}


def s9(bench, rounds):
    """10,000 idle keep-alive connections: resident memory of the proxy's processes, and of all with spool and supervisor, against nginx"""
    count = 500 if bench.small else 10000
    measured = {name: idle_connections(program, count) for name, program in idle_contenders(bench, count).items()}
    bench.stop_all()
    return [row("S9", "%d idle, %s" % (count, what), "MB", measured["belay"][which], 1.0, "lower", "nginx", measured["nginx"][which], measured)
            for which, what in (("serving", "proxy"), ("all", "and spool"))]


# --- S10: large bodies ----------------------------------------------------------------------------------------------
LARGE, AT_ONCE = 10_000_000, 50


def large_bodies(port, each, again):
    """50 connections send `each` bodies of 10 MB, no two alike; with `again` what is answered 503 is sent again. Answers by status."""
    base, statuses = os.urandom(LARGE - 16), {}

    def another():
        body = os.urandom(16) + base
        return request_bytes("/hook", body, "X-Body-Sha256: %s\r\n" % hashlib.sha256(body).hexdigest())

    async def one_connection():
        request, writer, left = another(), None, each
        while left:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            try:
                status, _ = await read_answer(reader)
            except (OSError, asyncio.IncompleteReadError):
                status = 0
            statuses[status] = statuses.get(status, 0) + 1
            if status in (200, 202) or not again:
                left -= 1
                request = another()
            if status not in (200, 202):
                writer.close()
                writer = None
                await asyncio.sleep(0.2)
        if writer is not None:
            writer.close()

    async def run():
        await asyncio.gather(*(one_connection() for _ in range(AT_ONCE)))

    asyncio.run(run())
    return statuses


def large_through(bench, name, keys, memory_mb):
    """Peaks of worker and spool, and what arrived, with 50 bodies of 10 MB at once and limits.memory of `memory_mb`."""
    each = 1 if bench.small else 4
    backend = bench.backends("digests")
    belay = bench.belay("s10-" + name, source(keys), destination(backend.ports[0], "concurrency: 50"),
                        limits="body: 10MB, memory: %dMB" % memory_mb)
    pids = {"worker": belay.worker_pid(), "spool": belay.spool_pid()}
    for pid in pids.values():
        reset_peak(pid)
    statuses = large_bodies(belay.port, each, again=True)
    arrived = {"exact": 0, "damaged": 0}

    def all_arrived():
        seen = backend.seen()
        arrived.update({key: arrived[key] + seen[key] for key in arrived})
        return arrived["exact"] + arrived["damaged"] >= AT_ONCE * each

    wait_until(all_arrived, "the arrival of all large bodies", seconds=300)
    peaks = {half: peak_memory(pid) / 1e6 for half, pid in pids.items()}
    for program in (belay, backend):
        bench.stop(program.process)
    say("S10 %s, memory %d MB: answers %s, %s, peak of worker %.0f MB, of spool %.0f MB" % (name, memory_mb, statuses, arrived, peaks["worker"], peaks["spool"]))
    # More may arrive than was acknowledged: a put whose answer was late is kept and delivered, and its sender came again.
    whole = arrived["damaged"] == 0 and min(1, arrived["exact"] / (AT_ONCE * each))
    return {"statuses": statuses, "arrived": arrived, "exact": float(whole), "worker": peaks["worker"], "spool": peaks["spool"]}


SPOOL_QUEUED_MB, SPOOL_HELD_MB = 512 * 1.048576, 128 * 1.048576  # StoreOptions::kMaxQueuedBytes, Dispatcher::kMaxHeldBytes


def s10(bench, rounds):
    """10 MB bodies, 50 at once, forwarded and stored first: all arrive byte for byte, memory within limits.memory (of a size for all
    of them, and of one that makes senders come again) and within the spool's own limits"""
    rows = []
    for name, keys, memory_mb in (("forward", "trust: open", 1000), ("forward", "trust: open", 200), ("store first", "trust: open, mode: spool", 1000)):
        run = large_through(bench, name.split()[0], keys, memory_mb)
        what = "%s, %d MB" % (name, memory_mb)
        rows += [row("S10", what, "exact", run["exact"], 1, "higher", rounds=run), row("S10", what, "worker_MB", run["worker"], memory_mb)]
        if name != "forward":
            rows.append(row("S10", what, "spool_MB", run["spool"], round(SPOOL_QUEUED_MB + SPOOL_HELD_MB)))
    return rows
