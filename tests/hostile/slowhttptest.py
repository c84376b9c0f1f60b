#!/usr/bin/env python3
"""slowhttptest (Debian package) against Belay: slow heads (-H), slow bodies (-B), overlapping ranges (-R), slow readers (-X). While each runs, its
own probe must find the service available and every request of ours must be answered; afterwards no connection may be left.

  slowhttptest.py BELAY [--connections 1000] [--seconds 8]
"""
import argparse, re, shutil, socket, subprocess, sys, tempfile, time
from gateway import Gateway, allow_descriptors, skip

MODES = {"slow heads": ["-H", "-i", "1", "-t", "POST"], "slow bodies": ["-B", "-i", "1", "-s", "65536", "-t", "POST"], "ranges": ["-R", "-a", "10", "-b", "3000"],
         "slow readers": ["-X", "-w", "10", "-y", "20", "-n", "1", "-z", "32", "-k", "3"]}
# Time-outs that end within the test. Everyone comes from one address here.
LIMITS = "limits: { head_timeout: 3s, idle_timeout: 3s, connections_per_client: 10000 }"
LARGE = 400_000
REQUEST = b"POST /hook HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def answered(port):
    """Milliseconds that one of ours took; None when it failed."""
    start = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as one:
            one.settimeout(5)
            one.sendall(REQUEST)
            ok = one.recv(12) == b"HTTP/1.1 200"
    except OSError:
        ok = False
    return (time.monotonic() - start) * 1000 if ok else None


def run(gateway, mode, options):
    command = ["slowhttptest", *MODES[mode], "-c", str(options.connections), "-r", "500", "-l", str(options.seconds), "-p", "3", "-u", f"http://127.0.0.1:{gateway.port}/large"]
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
        times, failed, most = [], 0, 0
        while process.poll() is None:
            took = answered(gateway.port)
            if took is None:
                failed += 1
            else:
                times.append(took)
            most = max(most, gateway.connections())
            time.sleep(0.05)
        out.seek(0)
        said = re.sub(r"\x1b\[[0-9;]*m", "", out.read().decode(errors="replace"))
    until = time.monotonic() + 15
    while gateway.connections() > 0 and time.monotonic() < until:
        time.sleep(0.05)
    left = gateway.connections()
    available = re.findall(r"service available:\s+(\w+)", said)
    times.sort()
    print(f"{mode}: {most} connections at most; its probe found {available.count('YES')} of {len(available)} times an answer; of ours {len(times)} answered, {failed} failed, "
          f"median {times[len(times) // 2]:.1f} ms, longest {times[-1]:.1f} ms; {left} left", flush=True)
    right = failed == 0 and "NO" not in available and available and left == 0 and (mode == "ranges" or most > options.connections / 10)
    if not right:
        print(said[-3000:])
    return right


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("belay")
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=8)
    options = parser.parse_args()
    if not shutil.which("slowhttptest"):
        skip("slowhttptest is missing.")
    allow_descriptors(options.connections + 500)
    with Gateway(options.belay, {"large": "x" * LARGE}, LIMITS) as gateway:
        results = [run(gateway, mode, options) for mode in MODES]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
