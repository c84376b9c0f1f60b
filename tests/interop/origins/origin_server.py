"""The origins that are written in Python, and the program behind those that are not.

  origin_server.py scgi PORT RECORD      answers what apache2, lighttpd or nginx took, over SCGI
  origin_server.py plain PORT RECORD     http.server of the standard library, as a small listener uses it: Content-Length only
  origin_server.py waitress PORT RECORD
  gunicorn imports `application`; the record is named by ORIGIN_RECORD
"""
import asyncio, http.server, os, sys
from record import Record

RECORD = Record(os.environ["ORIGIN_RECORD"]) if "ORIGIN_RECORD" in os.environ else None
ANSWER = b"ok"


def application(environ, start_response):
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if target is None:
        target = environ["PATH_INFO"] + ("?" + environ["QUERY_STRING"] if environ.get("QUERY_STRING") else "")
    RECORD.request(environ["REQUEST_METHOD"], target, environ["wsgi.input"].read())
    start_response("200 OK", [("Content-Length", str(len(ANSWER)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [ANSWER]


class PlainHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    disable_nagle_algorithm = True
    wbufsize = -1

    def __getattr__(self, name):  # do_GET and every other method
        if name.startswith("do_"):
            return self.take
        raise AttributeError(name)

    def take(self):
        length = int(self.headers.get("Content-Length") or 0)
        RECORD.request(self.command, self.path, self.rfile.read(length))
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(ANSWER)

    def send_error(self, code, message=None, explain=None):
        RECORD.refused(f"{code} {message}")
        super().send_error(code, message, explain)

    def log_message(self, *arguments):
        pass


def run_plain(port):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), PlainHandler)
    server.request_queue_size = 512
    server.socket.listen(512)
    server.serve_forever()


def run_waitress(port):
    import waitress.channel, waitress.server, waitress.task

    class Refusal(waitress.task.ErrorTask):
        def execute(self):
            RECORD.refused(self.request.error.body)
            super().execute()

    waitress.channel.HTTPChannel.error_task_class = Refusal
    waitress.server.create_server(application, host="127.0.0.1", port=port, threads=8, backlog=512).run()


async def serve_scgi(reader, writer):
    try:
        size = int((await reader.readuntil(b":"))[:-1])
        parts = (await reader.readexactly(size + 1))[:-1].split(b"\0")
        fields = {parts[i].decode("latin-1"): parts[i + 1].decode("latin-1") for i in range(0, len(parts) - 1, 2)}
        body = await reader.readexactly(int(fields.get("CONTENT_LENGTH") or 0))
        RECORD.request(fields["REQUEST_METHOD"], fields["REQUEST_URI"], body)
        writer.write(b"Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER))
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the server in front gave the request up
    finally:
        writer.close()


async def run_scgi(port):
    server = await asyncio.start_server(serve_scgi, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    kind, port = sys.argv[1], int(sys.argv[2])
    RECORD = Record(sys.argv[3])
    if kind == "scgi":
        asyncio.run(run_scgi(port))
    elif kind == "plain":
        run_plain(port)
    else:
        run_waitress(port)
