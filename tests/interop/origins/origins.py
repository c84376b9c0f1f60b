#!/usr/bin/env python3
"""The same odd bytes go to Belay, nginx and HAProxy in front of seven origin servers that others wrote. Through Belay no origin may
ever see a request that nobody sent, one more than was sent, more than Belay says it sent, or another body than the others saw.

  origins.py BELAY [--cases 400] [--seed 1] [--keep]      the 89 of http-hardening.json come first

What the origins saw through nginx and HAProxy is told beside it and judged by nobody. The last lines are the table; exit 1 when
Belay is wrong, with the bytes of the cases. Everything is on loopback, in a temporary folder, with ports of its own.
"""
import argparse, asyncio, collections, hashlib, os, re, shutil, sys, tempfile, time
from cases import MARK, Maker, table
from servers import Servers

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = os.path.join(HERE, "../../data/http-hardening.json")
CONNECTIONS = 64    # at once
QUIET = 0.3         # seconds without an answer after which the sender closes its half
LAST = 1.0          # seconds for what comes after that
PROXIES = ("belay", "nginx", "haproxy")


async def read_for(reader, seconds):
    """What comes until silence or the end; and whether that was the end."""
    received = b""
    while True:
        try:
            part = await asyncio.wait_for(reader.read(65536), seconds)
        except asyncio.TimeoutError:
            return received, False
        except ConnectionError:
            return received, True
        if not part:
            return received, True
        received += part


async def send(port, case, gate):
    async with gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(case.data)
            answers, ended = await read_for(reader, QUIET)
            if not ended:
                writer.write_eof()
                answers += (await read_for(reader, LAST))[0]
        except ConnectionError:
            answers = b""
        finally:
            writer.close()
        return len(re.findall(rb"HTTP/1\.[01] 2\d\d ", answers))


async def send_all(ports, cases):
    """(origin, case) → how many answers said that all is well."""
    gate = asyncio.Semaphore(CONNECTIONS)
    jobs = [(origin, case) for case in cases for origin in ports]
    return dict(zip([(origin, case.name) for origin, case in jobs], await asyncio.gather(*(send(ports[origin], case, gate) for origin, case in jobs))))


def settle(servers, origins):
    """All that the origins saw, once nothing more is added."""
    before = None
    for _ in range(20):
        seen = {origin: servers.seen(origin) for origin in origins}
        counts = {origin: len(lines) for origin, lines in seen.items()}
        if counts == before:
            break
        before = counts
        time.sleep(0.4)
    return seen


def added(lines, before):
    """Those behind the ones of the proxies before, which are counted by kind."""
    fresh = []
    for kind in ("request", "refused"):
        of_kind = [line for line in lines if line["kind"] == kind]
        fresh += of_kind[before[kind]:]
        before[kind] = len(of_kind)
    return fresh


class Row:
    """One origin behind one proxy."""
    def __init__(self, lines, cases):
        self.taken = [line for line in lines if line["kind"] == "request"]
        self.refused = [line for line in lines if line["kind"] == "refused"]
        self.bodies, self.unsent, self.too_often, self.wrong_body = {}, [], [], []
        allowed = {mark: (count, case) for case in cases for mark, count in case.marks.items()}
        counted = collections.Counter()
        for line in self.taken:
            found = MARK.search(line["target"])
            # OPTIONS * has no room for a mark.
            if found is None and (line["method"], line["target"]) == ("OPTIONS", "*"):
                continue
            mark = found[1] if found else None
            if mark not in allowed:
                self.unsent.append(line)
                continue
            count, case = allowed[mark]
            counted[mark] += 1
            if counted[mark] > count:
                self.too_often.append(line)
            self.bodies[mark] = line["sha"], line["length"]
            if case.body is not None and mark.endswith("a") and line["sha"] != hashlib.sha256(case.body).hexdigest():
                self.wrong_body.append(line)
        self.missing = [mark for mark, (_, case) in allowed.items() if case.body is not None and counted[mark] == 0]


def disagreements(rows):
    """Marks whose body some origins read otherwise than others."""
    bodies = collections.defaultdict(set)
    for row in rows.values():
        for mark, body in row.bodies.items():
            bodies[mark].add(body)
    return {mark: sorted(length for _, length in found) for mark, found in bodies.items() if len(found) > 1}


def judge_belay(rows, sent, answers, cases):
    wrong = []
    for origin, row in rows.items():
        for what, lines in (("nobody sent", row.unsent), ("came too often", row.too_often), ("came with another body", row.wrong_body)):
            wrong += [(origin, what, str(line)) for line in lines]
        wrong += [(origin, "a clean request did not come", mark) for mark in row.missing]
        saw = len(row.taken) + len(row.refused)
        if saw > sent[origin]:
            wrong.append((origin, f"saw {saw} requests, Belay sent {sent[origin]}", str(row.refused)))
    for (origin, name), count in answers.items():
        case = next(case for case in cases if case.name == name)
        if count > max(case.sent(), 1):
            wrong.append((origin, f"{count} good answers to {case.sent()} requests", name))
    wrong += [("all", "origins disagree about the body", f"{mark}: {lengths}") for mark, lengths in disagreements(rows).items()]
    return wrong


def print_table(results, cases):
    print(f"\n{len(cases)} connections each; requests that an origin took, refused by itself, that nobody sent, that came too often, with another body than a strict reader's")
    print(f"{'origin':12} {'proxy':8} {'took':>6} {'refused':>8} {'unsent':>7} {'too often':>10} {'other body':>11}")
    for origin in results["belay"]:
        for proxy in PROXIES:
            row = results[proxy][origin]
            print(f"{origin:12} {proxy:8} {len(row.taken):6} {len(row.refused):8} {len(row.unsent):7} {len(row.too_often):10} {len(row.wrong_body):11}")
    for proxy in PROXIES:
        print(f"bodies about which the origins behind {proxy} disagree: {len(disagreements(results[proxy]))}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("belay")
    parser.add_argument("--cases", type=int, default=400, help="made beside the 89")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="leave the folder with all files")
    options = parser.parse_args()
    cases = table(TABLE, 1000)
    cases += Maker(options.seed, 2000).make(options.cases)
    folder = tempfile.mkdtemp(prefix="belay-origins-")
    os.chmod(folder, 0o777)  # apache2 gives its root away
    servers = Servers(folder, os.path.realpath(options.belay))
    results, answers = {}, {}
    try:
        origins = servers.start_origins()
        ports = servers.start_proxies(origins)
        servers.wait()
        before = {origin: collections.Counter() for origin in origins}
        for proxy in PROXIES:
            started = time.time()
            answers[proxy] = asyncio.run(send_all(ports[proxy], cases))
            seen = settle(servers, origins)
            results[proxy] = {origin: Row(added(seen[origin], before[origin]), cases) for origin in origins}
            print(f"{proxy}: {time.time() - started:.1f} s", flush=True)
        sent = {origin: servers.belay_sent(origin) for origin in origins}
    finally:
        servers.stop()
        if options.keep:
            print("files:", folder)
        else:
            shutil.rmtree(folder)
    print_table(results, cases)
    wrong = judge_belay(results["belay"], sent, answers["belay"], cases)
    for origin, what, detail in wrong:
        print(f"WRONG {origin}: {what}: {detail}")
        for mark in set(re.findall(r"(\d+)[a-z]\b", detail)):
            for case in cases:
                if any(known[:-1] == mark for known in case.marks):
                    print(f"   {case.name}: {case.data!r}")
    print(f"{len(wrong)} wrong through Belay")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
