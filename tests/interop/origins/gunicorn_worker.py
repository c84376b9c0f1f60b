"""gunicorn's threaded worker, which also records the requests that gunicorn refuses before any application sees them."""
import gunicorn.workers.gthread
import origin_server


class Worker(gunicorn.workers.gthread.ThreadWorker):
    def handle_error(self, req, client, addr, exc):
        origin_server.RECORD.refused(repr(exc))
        super().handle_error(req, client, addr, exc)
