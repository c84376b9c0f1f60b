"""Growth curves: what one measure of each kind costs while messages, sources, connections and destinations become more, as SVG."""
import html, math, os, statistics

from benchmarks import forwarding, scale, searching
from benchmarks.report import say

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 64, 190, 40, 48
COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#8e5ea2", "#b8860b", "#4f5d75", "#d1495b", "#00798c", "#6b705c", "#9c6644")


def rounds(bench):
    return 1 if bench.small else 3


def messages(bench):
    sizes = searching.SIZES[:2] if bench.small else searching.SIZES
    asked = searching.measure(bench, 5, sizes)
    return {name: [(size, asked[size][name][0]) for size in sizes] for name in asked[sizes[-1]]}


def sources(bench):
    backend, points = bench.nginx_backend(), []
    for count in (10, 100) if bench.small else (10, 100, 1000, 10000):
        belay, measure = forwarding.cost_of_sources(bench, backend, count, 5 * count)
        points.append((count, statistics.median(measure()["cpu_us"] for _ in range(rounds(bench)))))
        bench.stop(belay.process)
    bench.stop_all()
    return {"five routes a source": points}


def connections(bench):
    counts, curves = (10, 100) if bench.small else (10, 100, 1000, 10000), {}
    for name, program in scale.idle_contenders(bench, counts[-1]).items():
        for count in counts:
            for which, used in scale.idle_connections(program, count).items():
                if (name, which) != ("nginx", "serving"):  # all of its processes serve
                    curves.setdefault({"nginx": "nginx", "belay": "proxy" if which == "serving" else "with spool"}[name], []).append((count, used))
    bench.stop_all()
    return curves


def destinations(bench):
    curves = {}
    for count in (10, 50) if bench.small else (10, 100, 1000):
        runs = [scale.slow_backends(bench, count, bench.seconds)["beside"] for _ in range(rounds(bench))]
        for way, latency in runs[0].items():
            for share in latency:
                curves.setdefault("%s, %s" % (way, share), []).append((count, statistics.median(run[way][share] for run in runs)))
    return curves


CURVES = {
    "messages": (messages, "newest 50 by each filter, its slowest question", "lines in the log", "ms"),
    "sources": (sources, "a forwarded webhook", "sources", "µs CPU"),
    "connections": (connections, "resident memory with idle keep-alive connections", "connections", "MB"),
    "destinations": (destinations, "webhooks for a healthy backend beside backends that take 1 s", "slow destinations", "ms"),
}


def label(value):
    return "%g" % value if value < 1000 else "{:,.0f}".format(value)


def draw(title, x_label, y_label, curves):
    """One picture: x by powers of ten, y from zero; every point carries its figure."""
    xs = [x for points in curves.values() for x, _ in points]
    low, high = math.log10(min(xs)), math.log10(max(xs))
    top = max(y for points in curves.values() for _, y in points) * 1.1 or 1
    place = lambda x, y: (LEFT + (math.log10(x) - low) / ((high - low) or 1) * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM))
    text = lambda x, y, content, anchor="middle", extra="": '<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>' % (x, y, anchor, extra, html.escape(content))
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' % (WIDTH, HEIGHT),
           '<rect width="100%" height="100%" fill="white"/>', text(LEFT, 20, title, "start", 'font-size="14" font-weight="bold"'),
           text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_label)]
    for step in range(5):
        y = place(10 ** low, top * step / 4)[1]
        out += ['<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/>' % (LEFT, y, WIDTH - RIGHT, y), text(LEFT - 6, y + 4, "%.3g" % (top * step / 4), "end")]
    out.append(text(LEFT - 6, TOP - 8, y_label, "end"))
    for x in sorted(set(xs)):
        out.append(text(place(x, 0)[0], HEIGHT - BOTTOM + 18, label(x)))
    for number, (name, points) in enumerate(sorted(curves.items(), key=lambda curve: -curve[1][-1][1])):
        colour, placed = COLOURS[number % len(COLOURS)], [place(x, y) for x, y in points]
        out.append('<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>' % (colour, " ".join("%.1f,%.1f" % at for at in placed)))
        for (x, y), (_, value) in zip(placed, points):
            out.append('<circle cx="%.1f" cy="%.1f" r="3" fill="%s"><title>%s: %.3g %s</title></circle>' % (x, y, colour, html.escape(name), value, y_label))
        out.append(text(WIDTH - RIGHT + 12, TOP + 16 * number, "%s (%.3g)" % (name, points[-1][1]), "start", 'fill="%s"' % colour))
    return "\n".join(out + ["</svg>"]) + "\n"


def plot(bench, folder, only=()):
    os.makedirs(folder, exist_ok=True)
    for name in only or CURVES:
        measure, title, x_label, y_label = CURVES[name]
        path = os.path.join(folder, "growth-%s.svg" % name)
        picture = draw(title, x_label, y_label, measure(bench))  # a measurement that fails leaves the last one as it is
        with open(path, "w") as f:
            f.write(picture)
        say("written: " + path)
