"""Starts the origins and the proxies, each with files of its own in one folder, on loopback, in the foreground: no service of the
system is touched. Every process is ended by its id. See origins.py."""
import os, signal, subprocess, sys, time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../tools"))
from benchmarks.machine import free_port, wait_for_port
from record import read_record

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"  # Debian's: it sees Debian's Python packages

APACHE = """ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog {folder}/apache-error.log
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule env_module /usr/lib/apache2/modules/mod_env.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_scgi_module /usr/lib/apache2/modules/mod_proxy_scgi.so
{run_as}
SetEnv proxy-sendcl 1
AllowEncodedSlashes NoDecode
LogFormat "%>s %r" short
CustomLog {folder}/apache-access.log short
ProxyPass / scgi://127.0.0.1:{scgi}/ nocanon
"""

LIGHTTPD = """server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{folder}"
server.errorlog = "{folder}/lighttpd-error.log"
server.modules = ("mod_scgi", "mod_accesslog")
accesslog.filename = "{folder}/lighttpd-access.log"
accesslog.format = "%s %r"
server.max-keep-alive-idle = 10
scgi.server = ("/" => (("host" => "127.0.0.1", "port" => {scgi}, "check-local" => "disable")))
"""

NGINX = """daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}-error.log; {run_as}
events {{ worker_connections 4096; }}
http {{
  log_format short '$status $request';
  access_log {folder}/{name}-access.log short;
  client_body_temp_path {folder}/{name}-body; proxy_temp_path {folder}/{name}-proxy; fastcgi_temp_path {folder}/{name}-fastcgi;
  uwsgi_temp_path {folder}/{name}-uwsgi; scgi_temp_path {folder}/{name}-scgi;
  keepalive_requests 1000000;
{servers}
}}
"""
NGINX_ORIGIN = """  server {{ listen 127.0.0.1:{port}; location / {{ scgi_pass 127.0.0.1:{scgi}; scgi_param REQUEST_METHOD $request_method;
    scgi_param REQUEST_URI $request_uri; scgi_param CONTENT_LENGTH $content_length; scgi_param SCGI 1; }} }}"""
NGINX_PROXY = """  upstream u{origin} {{ server 127.0.0.1:{origin}; keepalive 8; }}
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://u{origin}; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}"""

HAPROXY = """global
  maxconn 4096
  nbthread 1
defaults
  mode http
  timeout connect 3s
  timeout client 10s
  timeout server 10s
  timeout http-request 10s
  retries 0
  http-reuse always
"""
HAPROXY_PAIR = """frontend f{origin}
  bind 127.0.0.1:{port}
  default_backend b{origin}
backend b{origin}
  server origin 127.0.0.1:{origin}
"""

BELAY = """proxy: {{ listen: ["127.0.0.1:{port}"], workers: 1 }}
spool: {{ size: 64MB }}
admin: {{ listen: "127.0.0.1:{admin}", token: test-token }}
log: {{ access: {folder}/access.log }}
rules: [rules.yaml]
"""
# Nothing is sent a second time by itself: what fails waits for an hour in the spool.
BELAY_RULES = """sources:
  all: {{ match: {{ path: "/*", methods: any }}, trust: open, routes: [{{ to: origin }}] }}
destinations:
  origin: {{ url: "http://127.0.0.1:{origin}", timeout: 10s, retry: {{ schedule: [0s, 1h, 1h] }} }}
"""


class Servers:
    def __init__(self, folder, belay):
        self.folder, self.belay = folder, belay
        self.processes, self.ports = {}, {}
        self.run_as = os.getuid() == 0

    def path(self, name, content=None):
        full = os.path.join(self.folder, name)
        if content is not None:
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w") as file:
                file.write(content)
        return full

    def start(self, name, command, port, environment=None):
        log = open(self.path(name + ".out"), "wb")
        self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder,
                                                env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1", **(environment or {})))
        self.ports[name] = port

    def wait(self):
        for name, process in self.processes.items():
            try:
                wait_for_port(self.ports[name], process)
            except RuntimeError as why:
                with open(self.path(name + ".out")) as log:
                    sys.exit(f"{name} did not start: {' '.join(process.args)}: {why}\n{log.read()}")

    def stop(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    # Origins ---------------------------------------------------------------------------------------------------------
    def python(self, name, kind, port):
        self.start(name, [PYTHON, os.path.join(HERE, "origin_server.py"), kind, str(port), self.record(name.removesuffix("-scgi"))], port)

    def record(self, origin):
        return self.path(origin + ".record")

    def start_origins(self):
        """Name → port."""
        origins = {name: free_port() for name in ("apache2", "lighttpd", "nginx", "node", "http.server", "waitress", "gunicorn")}
        behind = {name: free_port() for name in ("apache2", "lighttpd", "nginx")}
        for name, port in behind.items():
            self.python(name + "-scgi", "scgi", port)
        values = {name: {"folder": self.folder, "port": origins[name], "scgi": behind[name], "name": name} for name in behind}
        apache = self.path("apache.conf", APACHE.format(run_as="User www-data\nGroup www-data" if self.run_as else "", **values["apache2"]))
        self.start("apache2", ["apache2", "-f", apache, "-DFOREGROUND"], origins["apache2"])
        self.start("lighttpd", ["lighttpd", "-D", "-f", self.path("lighttpd.conf", LIGHTTPD.format(**values["lighttpd"]))], origins["lighttpd"])
        self.nginx("nginx", NGINX_ORIGIN.format(**values["nginx"]), origins["nginx"])
        self.start("node", ["node", os.path.join(HERE, "origin_server.mjs"), str(origins["node"]), self.record("node")], origins["node"])
        self.python("http.server", "plain", origins["http.server"])
        self.python("waitress", "waitress", origins["waitress"])
        self.start("gunicorn", ["gunicorn", "--bind", f"127.0.0.1:{origins['gunicorn']}", "--pythonpath", HERE, "--worker-class", "gunicorn_worker.Worker",
                                "--threads", "16", "--keep-alive", "10", "--worker-tmp-dir", self.folder, "origin_server:application"],
                   origins["gunicorn"], {"ORIGIN_RECORD": self.record("gunicorn")})
        return origins

    def nginx(self, name, servers, port):
        conf = self.path(name + ".conf", NGINX.format(folder=self.folder, name=name, servers=servers, run_as="user root;" if self.run_as else ""))
        self.start(name, ["nginx", "-c", conf, "-p", self.folder], port)

    def seen(self, origin):
        """Everything an origin saw so far. A server in front of a program of ours tells in its access log what it refused itself."""
        lines = read_record(self.record(origin))
        if origin == "lighttpd":  # it keeps lines back until it is told to open its files anew
            self.processes[origin].send_signal(signal.SIGHUP)
            time.sleep(0.2)
        access = self.path({"apache2": "apache"}.get(origin, origin) + "-access.log")
        if os.path.exists(access):
            with open(access, encoding="latin-1") as file:
                lines += [{"kind": "refused", "why": line.strip()} for line in file if line[:1] in "45"]
        return lines

    # Proxies ---------------------------------------------------------------------------------------------------------
    def start_proxies(self, origins):
        """Proxy → origin → port."""
        ports = {proxy: {origin: free_port() for origin in origins} for proxy in ("belay", "nginx", "haproxy")}
        for origin, port in origins.items():
            folder = self.path("belay-" + origin)
            self.path(f"belay-{origin}/rules.yaml", BELAY_RULES.format(origin=port))
            main = self.path(f"belay-{origin}/belay.yaml", BELAY.format(port=ports["belay"][origin], admin=free_port(), folder=folder))
            self.start("belay-" + origin, [self.belay, "run", "-c", main, "--state", folder + "/state"], ports["belay"][origin])
        pairs = [{"origin": port, "port": ports["nginx"][origin]} for origin, port in origins.items()]
        self.nginx("nginx-proxy", "\n".join(NGINX_PROXY.format(**pair) for pair in pairs), pairs[0]["port"])
        pairs = [{"origin": port, "port": ports["haproxy"][origin]} for origin, port in origins.items()]
        haproxy = self.path("haproxy.cfg", HAPROXY + "".join(HAPROXY_PAIR.format(**pair) for pair in pairs))
        self.start("haproxy", ["haproxy", "-db", "-f", haproxy], pairs[0]["port"])
        return ports

    def belay_sent(self, origin):
        """How many requests Belay says it sent there."""
        path = self.path(f"belay-{origin}/access.log")
        if not os.path.exists(path):
            return 0
        with open(path, encoding="latin-1") as file:
            return sum(any(f'"outcome":"{outcome}"' in line.replace('": "', '":"') for outcome in ("forwarded", "spooled", "failed")) for line in file)
