"""S4, S5, S6: what the spool takes in, passes on, and holds."""
import os, signal, time

from benchmarks.load import check_answers, fill, payload, redis_xadd, wrk
from benchmarks.machine import free_port, wait_until
from benchmarks.programs import ALL_CORES, SECRET, destination, source
from benchmarks.report import compare, median, row, run_rounds, say

STORE_FIRST = "preset: acumatica, secrets: { signing: %s }, mode: spool" % SECRET


def s4(bench, rounds):
    """store first: verified, durably committed, 202; 1 KB, against redis-server XADD with appendfsync always"""
    body = payload(1024)
    redis = bench.redis()
    belay = bench.belay("s4", source(STORE_FIRST), destination(free_port()))
    results = run_rounds(rounds, {"redis": lambda: redis_xadd(bench, redis, body), "belay": lambda: wrk(bench, belay, body, expect=202)}, "S4 1 KB")
    bench.stop_all()
    return [compare("S4", "store first, 1 KB", results, "belay", "redis", "rate", 1.0, "higher"),
            row("S4", "store first, 1 KB", "p99_ms", median(results["belay"], "p99_ms"), 10)]


def passed_on(bench, belay, body, connections):
    """One run: taken in, delivered in the same time, and what waits more afterwards than before."""
    wait_until(lambda: belay.destinations("waiting") == 0, "an empty backlog", seconds=120)
    delivered, started = belay.destinations("delivered"), time.monotonic()
    taken = wrk(bench, belay, body, connections=connections, core=ALL_CORES, checked=False)
    rate = (belay.destinations("delivered") - delivered) / (time.monotonic() - started)
    waiting = belay.destinations("waiting")
    say("S5 %3d connections: %.0f/s taken in, %.0f/s delivered, %d wait" % (connections, taken["rate"], rate, waiting))
    return {**taken, "delivered": rate, "waiting": waiting, "connections": connections}


def s5(bench, rounds):
    """store first and delivered to a backend that answers, end to end on two cores, load generator and backend included; the backlog
    stays flat (at most half a second of it waits at the end); of several numbers of connections the best that does"""
    backend = bench.nginx_backend(ALL_CORES)
    belay = bench.belay("s5", source(STORE_FIRST), destination(backend.port, "concurrency: 256"), core=ALL_CORES)
    body = payload(1024)
    check_answers(bench, belay, body, 202, "")
    results = []
    for connections in (512, 256, 128, 64, 32):
        results.append([passed_on(bench, belay, body, connections) for _ in range(rounds)])
    bench.stop_all()
    flat = [runs for runs in results if median(runs, "waiting") <= median(runs, "rate") / 2]
    best = max(flat or results, key=lambda runs: median(runs, "delivered"))
    work = "end to end, 1 KB" + ("" if flat else ", NOT flat")
    return [row("S5", work, "rate", median(best, "delivered"), 30000, "higher", rounds={str(runs[0]["connections"]): runs for runs in results}),
            row("S5", work, "waiting", median(best, "waiting"), median(best, "rate") / 2)]


def restart(bench, belay, how):
    """Seconds from the start to a gateway that takes webhooks, after an orderly stop or a kill -9 of all its processes."""
    if how == "kill":
        os.kill(belay.process.pid, signal.SIGKILL)  # its children end with it
        belay.process.wait()
        bench.processes.remove(belay.process)
        wait_until(lambda: not any(belay.state in open("/proc/%s/cmdline" % p).read() for p in os.listdir("/proc") if p.isdigit()), "the end of all")
    else:
        bench.stop(belay.process)
    started = time.monotonic()
    bench.run_belay(belay, "s6")
    return time.monotonic() - started


def s6(bench, rounds):
    """1,000,000 messages waiting: intake rate against an empty spool; ready after a stop and after kill -9 in < 1 s; resident
    memory of the spool beyond the map < 200 MB"""
    waiting, body, names = 20000 if bench.small else 1000000, payload(1024), iter(range(1000))
    dead = destination(free_port())
    full = bench.belay("s6", source(STORE_FIRST), dead, size="24GB")
    fill(bench, full, waiting, body)
    memory = {"after the load": full.spool_memory()}
    what = "%d waiting" % waiting

    def with_empty():
        empty = bench.belay("s6-%d" % next(names), source(STORE_FIRST), dead)
        try:
            return wrk(bench, empty, body, expect=202)
        finally:
            bench.stop(empty.process)

    results = run_rounds(rounds, {"empty": with_empty, "belay": lambda: wrk(bench, full, body, expect=202)}, "S6 1 KB")
    memory["after more"] = full.spool_memory()
    rows = [compare("S6", what, results, "belay", "empty", "rate", 0.9, "higher")]
    for how, label in (("stop", "restart"), ("kill", "restart after kill -9")):
        seconds = [restart(bench, full, how) for _ in range(rounds)]
        rows.append(row("S6", "%s: %s" % (what, label), "seconds", sorted(seconds)[len(seconds) // 2], 1, rounds={how: seconds}))
    memory["after a restart"] = full.spool_memory()
    bench.stop_all()
    return rows + [row("S6", "memory " + when, "MB", used / 1e6, 200) for when, used in memory.items()]
