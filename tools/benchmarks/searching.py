"""S11: what a question to the log costs while it grows."""
import time
from urllib.parse import urlencode

from benchmarks.load import fill, post_all, request_bytes
from benchmarks.machine import free_port, wait_until
from benchmarks.programs import destination
from benchmarks.report import percentile, row, say

SIZES = (1000, 10000, 100000, 1000000)
IDENTIFY = "trust: open, identify: { type: type, resource: resource, id: id }"
KINDS, RESOURCES, SOURCES = 20, 10000, 10

# 70 of 100 webhooks are stored, 20 forwarded, 5 filtered, 5 rejected, over ten sources and destinations.
REQUEST = """local made = {}
function init()
  math.randomseed(11)
  for i = 1, 20000 do
    local n, s = math.random(100), math.random(0, %d)
    local path = n <= 70 and "/stored/" or n <= 90 and "/forwarded/" or n <= 95 and "/filtered/" or "/rejected/"
    local body = '{"type":"Kind' .. math.random(%d) .. '.Updated","resource":"R' .. i %% %d .. '","id":"E' .. i .. '","note":"' .. string.rep("x", 300) .. '"}'
    made[i] = wrk.format("POST", path .. s, nil, body)
  end
end
local n = 0
function request()
  n = n %% 20000 + 1
  return made[n]
end
""" % (SOURCES - 1, KINDS, RESOURCES)


def rules(backend):
    sources, destinations = [], []
    for n in range(SOURCES):
        sources += ["  stored%d: { match: { path: /stored/%d }, %s, mode: spool, routes: [{ to: down%d }] }" % (n, n, IDENTIFY, n),
                    "  forwarded%d: { match: { path: /forwarded/%d }, %s, routes: [{ to: up }] }" % (n, n, IDENTIFY),
                    "  filtered%d: { match: { path: /filtered/%d }, %s, filter: 'type == \"none\"', routes: [{ to: up }] }" % (n, n, IDENTIFY),
                    "  rejected%d: { match: { path: /rejected/%d }, %s, allow: [192.0.2.1], routes: [{ to: up }] }" % (n, n, IDENTIFY)]
        destinations.append(destination(free_port(), name="down%d" % n))
    for name, to in (("early", "up"), ("lost", "gone"), ("waits", "later")):
        sources.append("  %s: { match: { path: /%s }, %s, mode: spool, routes: [{ to: %s }] }" % (name, name, IDENTIFY, to))
    destinations += [destination(backend.port, "concurrency: 100", "up"), destination(free_port(), "retry: { attempts: 1 }", "gone"),
                     destination(free_port(), name="later")]
    return "\n".join(sources), "\n".join(destinations)


# What each filter finds: in much of the log, in one of its first lines alone, nowhere.
QUESTIONS = {
    "no filter": [{}],
    "source": [{"source": "stored3"}, {"source": "early"}, {"source": "absent"}],
    "destination": [{"destination": "down3"}, {"destination": "gone"}, {"destination": "later"}, {"destination": "absent"}],
    "status": [{"status": s} for s in ("forwarded", "spooled", "filtered", "rejected", "duplicate", "failed", "queued", "scheduled", "sending", "delivered", "dead",
                                       "cancelled")],
    "type": [{"type": "Kind3.Updated"}, {"type": "Early"}, {"type": "absent"}],
    "resource": [{"resource": "R77"}, {"resource": "early-1"}, {"resource": "absent"}],
    "since": [{"since": "1s"}, {"since": "1h"}],
    "until": [{"until": "START"}],
    "text": [{"text": "Kind3"}, {"text": "R77"}, {"text": "early-1"}, {"text": "absent"}],
    "two": [{"source": "stored3", "status": "queued"}, {"source": "rejected3", "type": "Kind3.Updated"}, {"destination": "down3", "status": "delivered"},
            {"resource": "R77", "status": "rejected"}],
}


def milliseconds(belay, question, times):
    taken, found = [], 0
    for _ in range(times):
        started = time.monotonic()
        found = len(belay.get("/v1/events?" + urlencode({"limit": 50, **question}))["events"])
        taken.append((time.monotonic() - started) * 1e3)
    return percentile(taken, 0.5), found


def ask_all(belay, size, start, times):
    slowest = {}
    for name, questions in QUESTIONS.items():
        for question in questions:
            question = {key: start if value == "START" else value for key, value in question.items()}
            took, found = milliseconds(belay, question, times)
            say("S11 %8d  %8.2f ms  %3d found  %s" % (size, took, found, urlencode(question) or name))
            slowest[name] = max(slowest.get(name, (0, "")), (took, urlencode(question)))
    return slowest


def measure(bench, times, sizes):
    """size → filter → (ms of its slowest question, that question)"""
    backend = bench.nginx_backend()
    belay = bench.belay("s11", *rules(backend), size="24GB")
    body = lambda n: b'{"type":"Early","resource":"early-%d","id":"E"}' % n
    post_all(belay.port, [request_bytes(path, body(n)) for n in range(10) for path in ("/early", "/lost", "/waits")], 1)
    wait_until(lambda: belay.destinations("delivered") == 10 and belay.destinations("dead") == 10, "an end of the early ones")
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
    time.sleep(1.1)  # later ones are later by the second
    asked = {}
    for size in sizes:
        fill(bench, belay, size, b"", REQUEST, "events")
        asked[size] = ask_all(belay, size, start, times)
    bench.stop_all()
    return asked


def s11(bench, rounds):
    """the newest 50 by each filter while the log grows from 10³ to 10⁶ lines, through the admin API: < 50 ms at 10⁶"""
    sizes = SIZES[:2] if bench.small else SIZES
    asked = measure(bench, max(3, rounds), sizes)
    return [row("S11", "%s at %d" % (name, sizes[-1]), "ms", took, 50, rounds={str(size): asked[size][name] for size in sizes})
            for name, (took, _) in asked[sizes[-1]].items()]
