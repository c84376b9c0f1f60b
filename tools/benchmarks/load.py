"""Load: wrk and redis-benchmark for rates, exact numbers of webhooks, and a paced sender that knows when each left."""
import asyncio, hashlib, hmac, json, re, signal, subprocess, time

from benchmarks.machine import wait_until
from benchmarks.programs import LOAD_CORE, SECRET
from benchmarks.report import say

CONNECTIONS = 64
MILLISECONDS = {"us": 1e-3, "ms": 1, "s": 1e3}


def payload(size):
    """A JSON webhook of exactly `size` bytes."""
    start = '{"eventType":"Customer.Updated","entityId":"CUST001","data":{"CustomerID":{"value":"CUST001"}},"note":"'
    return (start + "x" * (size - len(start) - 2) + '"}').encode()


def script(bench, body, request):
    """Lua for wrk; in `request`, which defines request() for webhooks that differ, RUN is another text each time."""
    signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    bench.path("body", body)
    return """wrk.method = "POST"
local f = io.open("%s", "rb"); wrk.body = f:read("*a"); f:close()
wrk.headers["Content-Type"] = "application/json"
wrk.headers["X-Acumatica-Signature"] = "%s"
wrk.headers["X-Acumatica-Delivery"] = "0190a5b0-0000-7000-8000-000000000000"
%s
""" % (bench.path("body"), signature, request.replace("RUN", '"run%d"' % time.time_ns()))


def check_answers(bench, program, body, expect, request):
    """A short run of its own: looking at answers costs the load generator, not the program under test."""
    checked = bench.path("check.lua", script(bench, body, request) + """
local wrong = 0
function response(status) if status ~= %d then wrong = wrong + 1; if wrong == 1 then io.stderr:write("status " .. status .. "\\n") end end end
""" % expect)
    check = subprocess.run(["taskset", "-c", LOAD_CORE, "wrk", "-t1", "-c8", "-d1s", "-s", checked, "http://127.0.0.1:%d/hook" % program.port],
                           capture_output=True, text=True)
    if "status" in check.stderr:
        raise RuntimeError("wrong answers from port %d: %s" % (program.port, check.stderr))


def wrk(bench, program, body, expect=200, request="", connections=CONNECTIONS, core=LOAD_CORE, checked=True):
    if checked:
        check_answers(bench, program, body, expect, request)
    plain = bench.path("plain.lua", script(bench, body, request))
    before = program.cpu_seconds()
    out = subprocess.run(["taskset", "-c", core, "wrk", "-t1", "-c%d" % connections, "-d%ds" % bench.seconds, "--latency", "-s", plain,
                          "http://127.0.0.1:%d/hook" % program.port], capture_output=True, text=True).stdout
    cpu = program.cpu_seconds() - before
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    if "Non-2xx" in out or "Socket errors" in out:
        raise RuntimeError("errors under load: " + out)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    return {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), "cpu_us": cpu / requests * 1e6,
            "p99_ms": float(p99.group(1)) * MILLISECONDS[p99.group(2)]}


def redis_xadd(bench, program, body):
    before = program.cpu_seconds()
    count = 40000 * bench.seconds
    out = subprocess.run(["taskset", "-c", LOAD_CORE, "redis-benchmark", "-p", str(program.port), "-c", str(CONNECTIONS), "-n", str(count), "--precision", "3",
                          "XADD", "stream", "*", "d", body.decode()], capture_output=True, text=True).stdout
    cpu = program.cpu_seconds() - before
    rate = float(re.search(r"throughput summary: ([\d.]+)", out).group(1))
    p99 = re.search(r"avg\s+min\s+p50\s+p95\s+p99\s+max\s+([\d.\s]+)", out).group(1).split()[4]
    return {"rate": rate, "cpu_us": cpu / count * 1e6, "p99_ms": float(p99)}


# Each of the two ends after its number of requests: wrk itself knows only time.
COUNTED = """local left = %d
local make = request or function() return wrk.format() end
function request()
  left = left - 1
  if left < 0 then wrk.thread:stop() end
  return make()
end
"""


def fill(bench, gateway, wanted, body, request="", counted="messages", core=LOAD_CORE):
    """Sends until the store holds `wanted` (a few more: those on their way when the last one left)."""
    known = gateway.stats()["store"][counted]
    if known >= wanted:
        return
    lua = bench.path("fill.lua", script(bench, body, request) + COUNTED % (wanted - known))
    started, before = time.monotonic(), known
    process = subprocess.Popen(["taskset", "-c", core, "wrk", "-t1", "-c%d" % min(CONNECTIONS, wanted - known), "-d3600s", "-s", lua,
                                "http://127.0.0.1:%d/hook" % gateway.port], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        told = started
        while known < wanted:
            time.sleep(0.2)
            last, known = known, gateway.stats()["store"][counted]
            if time.monotonic() - told > 10:
                told = time.monotonic()
                say("%d of %d %s, %.0f/s" % (known, wanted, counted, (known - before) / (told - started)))
            if known == last and time.monotonic() - started > 2:
                break  # the last ones were cut off with their connections
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
    if known < wanted * 0.99:
        raise RuntimeError("%d of %d %s arrived" % (known, wanted, counted))


def request_bytes(path, body, fields=""):
    return b"POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s" % (
        path.encode(), fields.encode(), len(body), body)


async def read_answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
    return int(head[9:12]), await reader.readexactly(int(length.group(1))) if length else b""


async def _post_all(port, requests, connections):
    statuses = {}

    async def one_connection():
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        for request in requests:
            writer.write(request)
            status, _ = await read_answer(reader)
            statuses[status] = statuses.get(status, 0) + 1
        writer.close()

    await asyncio.gather(*(one_connection() for _ in range(connections)))
    return statuses


def post_all(port, requests, connections=CONNECTIONS):
    """Sends each of `requests` (bytes) once; how many answers there were of each status."""
    return asyncio.run(_post_all(port, iter(requests), connections))


def paced(port, path, rate, seconds, status):
    """`rate` webhooks a second over 16 connections, each with the moment it was sent: what the backend then says (Backend.seen) are
    latencies from end to end. One that had to wait for its connection counts from when it was due."""
    async def run():
        start, slots = time.monotonic() + 0.1, [await asyncio.open_connection("127.0.0.1", port) for _ in range(16)]

        async def one_connection(number, reader, writer):
            for at in range(number, int(rate * seconds), len(slots)):
                due = start + at / rate
                early = due - time.monotonic()
                await asyncio.sleep(max(0, early))
                writer.write(request_bytes(path, json.dumps({"sent": time.monotonic() if early > 0 else due}).encode()))
                answered, _ = await read_answer(reader)
                if answered != status:
                    raise RuntimeError("%s answered %d" % (path, answered))
            writer.close()

        await asyncio.gather(*(one_connection(n, *slot) for n, slot in enumerate(slots)))

    asyncio.run(run())
