"""What an origin saw, one JSON line for each request, written at once: a request that it took, or one that it refused by itself."""
import hashlib, json, os


class Record:
    def __init__(self, path):
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    def request(self, method, target, body):
        self.write(kind="request", method=method, target=target, length=len(body), sha=hashlib.sha256(body).hexdigest())

    def refused(self, why):
        self.write(kind="refused", why=str(why)[:200])

    def write(self, **line):
        os.write(self.descriptor, (json.dumps(line) + "\n").encode())


def read_record(path, offset=0):
    if not os.path.exists(path):
        return []
    with open(path, "rb") as file:
        file.seek(offset)
        return [json.loads(line) for line in file.read().splitlines() if line]
