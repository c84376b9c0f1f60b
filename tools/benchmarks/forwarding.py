"""S1, S2, S3, S7: what a forwarded webhook costs."""
import os, statistics, subprocess, time

from benchmarks.load import payload, wrk
from benchmarks.programs import BELAY, ROOT, SECRET, TEST_CORE, destination, source
from benchmarks.report import compare, row, run_rounds


def s1(bench, rounds):
    """forward, no rules, 474 B and 6 KB POST, against nginx proxy_pass with upstream keep-alive"""
    rows = []
    backend = bench.nginx_backend()
    nginx = bench.nginx_proxy(backend.port)
    belay = bench.belay("s1", source("trust: open"), destination(backend.port))
    for size in (474, 6144):
        body = payload(size)
        results = run_rounds(rounds, {"nginx": lambda: wrk(bench, nginx, body), "belay": lambda: wrk(bench, belay, body)}, "S1 %d B" % size)
        rows.append(compare("S1", "forward %d B" % size, results, "belay", "nginx", "cpu_us", 0.85, "lower"))
    bench.stop_all()
    return rows


def s2(bench, rounds):
    """forward with HMAC check (acumatica preset), against plain nginx, and nginx with an njs HMAC"""
    rows = []
    backend = bench.nginx_backend()
    nginx = bench.nginx_proxy(backend.port)
    njs = bench.nginx_njs(backend.port)
    belay = bench.belay("s2", source("preset: acumatica, secrets: { signing: %s }" % SECRET), destination(backend.port))
    for size in (474, 6144):
        body = payload(size)
        results = run_rounds(rounds, {"nginx": lambda: wrk(bench, nginx, body), "njs": lambda: wrk(bench, njs, body),
                                      "belay": lambda: wrk(bench, belay, body)}, "S2 %d B" % size)
        rows.append(compare("S2", "HMAC, %d B" % size, results, "belay", "nginx", "cpu_us", 1.0, "lower"))
        rows.append(compare("S2", "HMAC, %d B" % size, results, "belay", "njs", "cpu_us", 0.33, "lower"))
    bench.stop_all()
    return rows


S3_SOURCE = """  bench:
    match: { path: /hook }
    preset: acumatica
    secrets: { signing: %s }
    allow: [192.0.2.1, 127.0.0.0/8]
    limit: { rate: 1000000/s, burst: 1000000, per: client }
    dedupe: { key: $event.id, window: 1h }
    filter: order.status == "Activated"
    routes:
      - to: backend
        transform:
          body:
            id: "{{ order.id }}"
            number: "{{ order.orderNumber }}"
            total: "{{ order.totalPrice }}"
            customer: "{{ json(order.__customerEx).name }}"
            placed: "{{ order.orderPlacedDate }}"
            lines: "{{ orderProducts.map(p, {'id': p.id, 'quantity': p.quantity}) }}"
"""
# Every webhook has an id of its own: it is no duplicate.
S3_REQUEST = """local n = 0
function request()
  n = n + 1
  wrk.headers["X-Acumatica-Delivery"] = RUN .. n
  return wrk.format()
end
"""


def s3(bench, rounds):
    """everything on: HMAC, allow, limit, dedupe, filter, transform of a 6 KB order to 6 fields, against plain nginx"""
    with open(os.path.join(ROOT, "conf/samples/nue-order.activated.json"), "rb") as f:
        body = f.read()
    backend = bench.nginx_backend()
    nginx = bench.nginx_proxy(backend.port)
    belay = bench.belay("s3", S3_SOURCE % SECRET, destination(backend.port))
    results = run_rounds(rounds, {"nginx": lambda: wrk(bench, nginx, body, request=S3_REQUEST),
                                  "belay": lambda: wrk(bench, belay, body, request=S3_REQUEST)}, "S3 6 KB")
    bench.stop_all()
    return [compare("S3", "everything on, 6 KB", results, "belay", "nginx", "cpu_us", 1.6, "lower")]


def many_sources(sources, routes):
    lines = []
    for number in range(sources):
        lines.append("  s%d:\n    match: { path: /hook/%d }\n    trust: open\n    identify: { type: eventType, id: entityId }\n    routes:" % (number, number))
        lines += ["    - { when: '$event.type == \"Kind%d.Updated\" && amount >= 10', to: backend }" % route for route in range(routes // sources)]
    return "\n".join(lines)


# Webhooks go to all sources in no order, and are of all the types they route by; what is sent is made before the run.
MANY_REQUEST = """local made = {}
function init()
  math.randomseed(7)
  for i = 1, 10000 do
    local body = '{"eventType":"Kind' .. math.random(0, %d) .. '.Updated","entityId":"CUST001","amount":12,"note":"' .. string.rep("x", 380) .. '"}'
    made[i] = wrk.format("POST", "/hook/" .. math.random(0, %d), nil, body)
  end
end
local n = 0
function request()
  n = n %% 10000 + 1
  return made[n]
end
"""


def seconds_to_check(main):
    start = time.monotonic()
    checked = subprocess.run(["taskset", "-c", TEST_CORE, BELAY, "check", "-c", main], capture_output=True, text=True)
    if checked.returncode != 0:
        raise RuntimeError("belay check: " + checked.stderr[-2000:])
    return time.monotonic() - start


def cost_of_sources(bench, backend, sources, routes):
    """A gateway with so many, and what measures a request's cost there."""
    belay = bench.belay("sources-%d" % sources, many_sources(sources, routes), destination(backend.port))
    return belay, lambda: wrk(bench, belay, b"", request=MANY_REQUEST % (routes // sources - 1, sources - 1))


def s7(bench, rounds):
    """10,000 sources with 50,000 routes, and one source with 50,000, against 10 sources with 50 routes; load and check < 3 s"""
    sizes = {"few": (10, 50), "belay": (10000, 50000), "one source": (1, 50000)}
    backend = bench.nginx_backend()
    results = run_rounds(rounds, {name: cost_of_sources(bench, backend, *size)[1] for name, size in sizes.items()}, "S7 474 B")
    bench.stop_all()
    rows = [compare("S7", "10,000 src, 50,000 routes", results, "belay", "few", "cpu_us", 1.05, "lower"),
            compare("S7", "1 src, 50,000 routes", results, "one source", "few", "cpu_us", 1.05, "lower")]
    for name, what in (("belay", "10,000 src: check"), ("one source", "50,000 in 1: check")):
        main, _, _ = bench.belay_files("check", many_sources(*sizes[name]), destination(backend.port))
        rows.append(row("S7", what, "seconds", statistics.median(seconds_to_check(main) for _ in range(rounds)), 3))
    return rows
