"""A running Belay of one worker with nginx behind it, for the tests of this folder: on loopback, on ports of its own, files in a temporary
folder. Where a program or the descriptors are missing, the test ends as skipped (77)."""
import os, resource, shutil, subprocess, sys, tempfile

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from benchmarks.machine import free_port, wait_for_port

BELAY = """proxy: {{ listen: ["127.0.0.1:{port}"], workers: 1{proxy} }}
spool: {{ size: 64MB }}
admin: {{ listen: "127.0.0.1:{admin}", token: test-token }}
log: {{ access: off }}
rules: [rules.yaml]
"""
RULES = """sources:
  all: {{ match: {{ path: "/*", methods: any }}, trust: open, routes: [{{ to: backend }}] }}
destinations:
  backend: {{ url: "http://127.0.0.1:{backend}", timeout: 30s }}
"""
NGINX = """daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log; {run_as}
events {{ worker_connections 8192; }}
http {{ access_log off; keepalive_requests 10000000; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{backend} backlog=4096; root {folder}; location / {{ return 200 '{{"ok":true}}'; }} location = /large {{ }} }} }}
"""


def skip(why):
    print(why + " Nothing was tested.")
    sys.exit(77)


def allow_descriptors(needed):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < needed:
        skip(f"{hard} descriptors are allowed here, {needed} are needed (ulimit -n).")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Gateway:
    def __init__(self, belay, files, proxy=""):
        """`files` is what the backend serves beside its usual answer, `proxy` further keys of that section."""
        os.environ["PATH"] += ":/usr/sbin"
        if not shutil.which("nginx"):
            skip("nginx is missing.")
        self.folder, self.port, self.processes = tempfile.mkdtemp(prefix="belay-hostile-"), free_port(), []
        values = {"folder": self.folder, "port": self.port, "admin": free_port(), "backend": free_port(), "proxy": ", " + proxy if proxy else "",
                  "run_as": "user root;" if os.getuid() == 0 else ""}
        configuration = {"belay.yaml": BELAY, "rules.yaml": RULES, "nginx.conf": NGINX}
        for name, content in {**files, **{name: text.format(**values) for name, text in configuration.items()}}.items():
            with open(os.path.join(self.folder, name), "w") as file:
                file.write(content)
        with open(os.path.join(self.folder, "out"), "wb") as out:
            for command in (["nginx", "-c", self.folder + "/nginx.conf", "-p", self.folder],
                            [os.path.realpath(belay), "run", "-c", self.folder + "/belay.yaml", "--state", self.folder + "/state"]):
                self.processes.append(subprocess.Popen(command, stdout=out, stderr=out))
        wait_for_port(values["backend"], self.processes[0])
        wait_for_port(self.port, self.processes[1])

    def connections(self):
        """Of senders, that Belay has open: established, or closed by the sender alone."""
        with open("/proc/net/tcp") as table:
            rows = [line.split() for line in table.readlines()[1:]]
        return sum(int(row[1].split(":")[1], 16) == self.port and row[3] in ("01", "08") for row in rows)

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        for process in self.processes:
            process.terminate()
            process.wait(60)
        shutil.rmtree(self.folder)
