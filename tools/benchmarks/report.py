"""Rounds, medians and rows: what was measured against what was wanted."""
import statistics, sys


def median(rounds, key):
    return statistics.median(r[key] for r in rounds)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def say(text):
    print("  " + text, file=sys.stderr, flush=True)


def row(name, work, measure, value, target, better="lower", peer="-", peer_value=None, rounds=None):
    """`value` against `target`, or with a peer's value value/peer_value against it."""
    against = target if peer_value is None else peer_value
    ratio = value / against if against else float("inf")
    judged = value if peer_value is None else ratio
    return {"name": name, "work": work, "peer": peer, "measure": measure, "belay": value, "peer_value": against, "ratio": ratio,
            "target": ("<= " if better == "lower" else ">= ") + "{:,g}".format(target), "met": judged <= target if better == "lower" else judged >= target,
            "rounds": rounds or {}}


def compare(name, work, rounds, subject, peer, key, target, better):
    return row(name, work, key, median(rounds[subject], key), target, better, peer, median(rounds[peer], key), rounds)


def run_rounds(rounds, contenders, label):
    """contenders: name → function returning one measurement; interleaved."""
    results = {name: [] for name in contenders}
    for number in range(rounds):
        for name, measure in contenders.items():
            results[name].append(measure())
            last = results[name][-1]
            say("%-14s round %d  %-10s %9.0f/s  %6.2f us CPU/request  p99 %6.2f ms" % (label, number + 1, name, last["rate"], last["cpu_us"], last["p99_ms"]))
    return results


def table(rows):
    print("\n%-4s %-30s %-10s %-9s %12s %12s %8s  %-11s" % ("", "work", "measure", "peer", "belay", "peer/limit", "ratio", "target"))
    for r in rows:
        print("%-4s %-30s %-10s %-9s %12.2f %12.2f %7.2fx  %-11s %s  %s" % (r["name"], r["work"], r["measure"], r["peer"], r["belay"], r["peer_value"], r["ratio"],
                                                                        r["target"], "met" if r["met"] else "SHORT", "#" * min(40, round(r["ratio"] * 20))))
