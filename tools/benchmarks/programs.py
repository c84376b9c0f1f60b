"""The programs of a measurement, each started in the run's temporary folder and pinned to its core: Belay, its peers, backends."""
import http.client, json, os, shutil, signal, subprocess, sys

from benchmarks.machine import cpu_seconds, free_port, memory_beyond, tree, wait_for_port, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BELAY = os.environ.get("BELAY_BINARY") or os.path.join(ROOT, "build/release/belay")
PACKAGES = ["nginx-light", "libnginx-mod-http-js", "redis-server", "redis-tools", "wrk", "util-linux"]
SECRET = "bench-secret"
LOAD_CORE, TEST_CORE, ALL_CORES = "0", "1", "0,1"


def install():
    wanted = {"nginx": "nginx", "redis-server": "redis-server", "wrk": "wrk", "redis-benchmark": "redis-tools", "taskset": "util-linux"}
    if all(shutil.which(tool) for tool in wanted) and os.path.exists("/usr/lib/nginx/modules/ngx_http_js_module.so"):
        return
    print("installing", *PACKAGES, file=sys.stderr)
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
    subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES], check=True, env=environment,
                   stdout=subprocess.DEVNULL)


class Program:
    def __init__(self, process, port):
        self.process, self.port = process, port

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)


class Gateway(Program):
    """A `belay run` with its admin API."""

    def __init__(self, process, port, admin, main, state):
        super().__init__(process, port)
        self.admin, self.main, self.state = admin, main, state
        self.data = os.path.join(state, "var/spool/data.mdb")
        self.connection = None

    def get(self, path):
        """The answer of the admin API; the connection is kept."""
        for last in (False, True):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=60)
                self.connection.request("GET", path, headers={"Authorization": "Bearer bench"})
                answer = self.connection.getresponse()
                text = answer.read()
                break
            except (OSError, http.client.HTTPException):
                self.connection = None
                if last:
                    raise
        if answer.status != 200:
            raise RuntimeError("GET %s: %d %s" % (path, answer.status, text[:300]))
        return json.loads(text)

    def stats(self):
        return self.get("/v1/stats")

    def messages(self):
        return self.stats()["store"]["messages"]

    def destinations(self, key):
        return sum(d[key] for d in self.stats()["destinations"])

    def _pid(self, wanted):
        found = [p for p in tree(self.process.pid) if wanted(p)]
        if not found:
            raise RuntimeError("a process of the gateway is missing")
        return found[-1]  # the worker is a child of the master, with the same command line

    def spool_pid(self):
        return self._pid(lambda p: "data.mdb" in open("/proc/%d/maps" % p).read())

    def worker_pid(self):
        return self._pid(lambda p: "data.mdb" not in open("/proc/%d/maps" % p).read())

    def proxy_pids(self):
        return [p for p in tree(self.process.pid) if b"belay proxy" in open("/proc/%d/cmdline" % p, "rb").read().replace(b"\0", b" ")]

    def spool_memory(self):
        return memory_beyond(self.spool_pid(), "data.mdb")


class Backend(Program):
    """backends.py: `ports` are where it listens; it says what it has seen since it was asked last."""

    def __init__(self, process, port, ports):
        super().__init__(process, port)
        self.ports = ports

    def seen(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/seen")
        seen = json.loads(connection.getresponse().read())
        connection.close()
        return seen


class Bench:
    def __init__(self, folder, seconds, small=False):
        self.folder, self.seconds, self.small, self.processes = folder, seconds, small, []

    def path(self, name, content=None):
        full = os.path.join(self.folder, name)
        if content is not None:
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w" if isinstance(content, str) else "wb") as f:
                f.write(content)
        return full

    def start(self, core, command, name, **options):
        log = open(self.path(name + ".log"), "ab")
        process = subprocess.Popen(["taskset", "-c", core] + command, stderr=log, stdin=subprocess.DEVNULL, **{"stdout": log, **options})
        self.processes.append(process)
        return process

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            for pid in reversed(tree(process.pid)):
                os.kill(pid, signal.SIGKILL)
            process.wait()
        self.processes.remove(process)

    def stop_all(self):
        for process in list(self.processes):
            self.stop(process)

    # --- peers ------------------------------------------------------------------------------------------------------
    def nginx(self, name, core, body, connections=4096):
        port = free_port()
        temp = "".join("%s_temp_path %s;" % (k, self.path("%s-%s" % (name, k))) for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf = self.path(name + ".conf", """daemon off; master_process on; worker_processes 1; pid %s; error_log stderr crit; worker_rlimit_nofile %d;
%s
events { worker_connections %d; }
http { access_log off; keepalive_requests 100000000; keepalive_timeout 600s; %s client_body_buffer_size 64k;
%s
}""" % (self.path(name + ".pid"), connections + 100, "load_module /usr/lib/nginx/modules/ngx_http_js_module.so;" if "js_content" in body else "",
        connections, temp, body.replace("PORT", str(port))))
        process = self.start(core, ["nginx", "-c", conf, "-p", self.folder], name)
        wait_for_port(port, process)
        return Program(process, port)

    def nginx_backend(self, core=LOAD_CORE):
        return self.nginx("backend", core, "server { listen 127.0.0.1:PORT backlog=4096; location / { return 200 '{\"ok\":true}'; } }")

    def nginx_proxy(self, backend, connections=4096):
        return self.nginx("nginx", TEST_CORE, """upstream b { server 127.0.0.1:%d; keepalive 64; keepalive_requests 100000000; }
server { listen 127.0.0.1:PORT backlog=4096; location / { proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection ""; } }""" % backend,
                          connections)

    def nginx_njs(self, backend):
        self.path("hook.js", """import crypto from 'crypto';
function hook(r) {
  var mac = crypto.createHmac('sha256', '%s').update(r.requestBuffer).digest('hex');
  if (r.headersIn['X-Acumatica-Signature'] !== 'sha256=' + mac) { r.return(401); return; }
  r.internalRedirect('@backend');
}
export default {hook};
""" % SECRET)
        return self.nginx("njs", TEST_CORE, """js_path %s; js_import hook.js;
upstream b { server 127.0.0.1:%d; keepalive 64; keepalive_requests 100000000; }
server { listen 127.0.0.1:PORT backlog=4096; location / { js_content hook.hook; }
  location @backend { proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection ""; } }""" % (self.folder, backend))

    def redis(self):
        port = free_port()
        process = self.start(TEST_CORE, ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", self.folder, "--save", "", "--appendonly", "yes",
                                         "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"], "redis")
        wait_for_port(port, process)
        return Program(process, port)

    def backends(self, name, ports=1, delay=0.0, core=LOAD_CORE):
        process = self.start(core, [sys.executable, os.path.join(HERE, "backends.py"), str(ports), str(delay)], name, stdout=subprocess.PIPE)
        listening = json.loads(process.stdout.readline())
        return Backend(process, listening[0], listening[1:])

    # --- Belay ------------------------------------------------------------------------------------------------------
    def belay_files(self, name, sources, destinations, limits="", size="8GB"):
        """The main file of a gateway with what stands under sources and destinations."""
        port, admin = free_port(), free_port()
        main = self.path(name + "/belay.yaml", """proxy: { listen: ["127.0.0.1:%d"], workers: 1, limits: { %s } }
spool: { size: %s }
admin: { listen: "127.0.0.1:%d", token: bench }
log: { level: warn, access: "off" }
rules: [rules.yaml]
""" % (port, limits, size, admin))
        self.path(name + "/rules.yaml", "sources:\n%s\ndestinations:\n%s\n" % (sources, destinations))
        return main, port, admin

    def belay(self, name, sources, destinations, limits="", size="8GB", core=TEST_CORE):
        main, port, admin = self.belay_files(name, sources, destinations, limits, size)
        gateway = Gateway(None, port, admin, main, self.path(name + "/state"))
        self.run_belay(gateway, name, core)
        return gateway

    def run_belay(self, gateway, name, core=TEST_CORE):
        """Starts it, also again on the same state; back when it takes webhooks and answers the admin API."""
        gateway.connection = None
        gateway.process = self.start(core, [BELAY, "run", "-c", gateway.main, "--state", gateway.state], name)
        wait_for_port(gateway.port, gateway.process)
        wait_until(lambda: gateway.get("/health")["accepting"], "an accepting spool", gateway.process)


def source(keys):
    return "  bench: { match: { path: /hook }, %s, routes: [{ to: backend }] }" % keys


def destination(port, keys="concurrency: 1000, retry: { schedule: [1h, 1h] }", name="backend"):
    """The default is a first attempt in an hour: what is stored for it waits."""
    return '  %s: { url: "http://127.0.0.1:%d", %s }' % (name, port, keys)
