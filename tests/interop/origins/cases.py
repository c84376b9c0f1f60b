"""Odd requests. Each case is the bytes of one connection. Every request in them that may arrive carries a mark in its target
(?m=17a~); what must never arrive as a request of its own carries the mark of letter s. `marks` says how often each may arrive."""
import base64, dataclasses, json, random, re


@dataclasses.dataclass
class Case:
    name: str
    data: bytes
    marks: dict            # mark → how often it may arrive
    body: bytes = None     # of mark a, where a strict reader can only read this one

    def sent(self):
        return sum(self.marks.values())


MARK = re.compile(r"m=(\d+[a-z])~")


def table(path, first):
    """The 89 of the hardening table, marked."""
    cases = []
    for row in json.load(open(path)):
        number, letters, marks = first + len(cases), iter("ab"), {}

        def marked(found):
            mark = f"{number}{next(letters)}"
            marks[mark] = 1
            return found[0] + b"?m=" + mark.encode() + b"~"
        data = base64.b64decode(row["request_base64"])
        data = re.sub(rb"(?m)^(?:GET|POST|PATCH|get|G\(T)[ \t]+(?!/smuggled)[^\s#]+", marked, data)
        data = data.replace(b"/smuggled", b"/smuggled?m=%ds~" % number) if b"Content-Length: 38" not in data else data
        cases.append(Case(row["name"], data, marks))
    return cases


# Writings of one thing; {n} is the length, {m} another one. A strict reader takes those of the first group only.
GOOD_LENGTHS = ["Content-Length: {n}", "Content-Length:{n}", "content-length: \t{n} ", "Content-Length: 000{n}"]
BAD_LENGTHS = ["Content-Length: +{n}", "Content-Length: -{n}", "Content-Length: 0x{n:x}", "Content-Length: {n}, {m}", "Content-Length: {n}, {n}", "Content-Length: {n};",
               "Content-Length: {n}\v", "Content-Length: {n} {m}", "Content-Length: {n}.0", "Content-Length: {n}e0", "Content-Length:", "Content-Length: 1844674407370955{n}616",
               "Content-Length : {n}", "Content-Length\t: {n}", "Content-Length: {n}\r\nContent-Length: {m}", "Content-Length: {m}\r\nContent-Length: {n}",
               "Content-Length: {n}\r\nContent-Length: {n}", "Content-Length:\r\n {n}", "X: y\nContent-Length: {n}", "X: y\rContent-Length: {n}", "Content-Length\0: {n}",
               "Content-Length: {n}\0", " Content-Length: {n}", "Content-Length: \xb2{n}", "Content-Length: '{n}'", "Content-Length: {m}{n}99999999999999999999"]
GOOD_CODINGS = ["Transfer-Encoding: chunked", "TRANSFER-ENCODING:CHUNKED", "Transfer-Encoding: \t chunked "]
BAD_CODINGS = ["Transfer-Encoding: chunked, chunked", "Transfer-Encoding: chunked,", "Transfer-Encoding: ,chunked", "Transfer-Encoding: identity", "Transfer-Encoding: identity, chunked",
               "Transfer-Encoding: chunked, identity", "Transfer-Encoding: xchunked", "Transfer-Encoding: chunkedx", "Transfer-Encoding: \vchunked", "Transfer-Encoding: \x0cchunked",
               "Transfer-Encoding: chunked;q=1", 'Transfer-Encoding: "chunked"', "Transfer-Encoding: chunked\0", "Transfer-Encoding:", "Transfer-Encoding: gzip, chunked",
               "Transfer-Encoding: \xa0chunked", "Transfer-Encoding: chun\xc4\xb8ed", "Transfer-Encoding : chunked", "Transfer-Encoding\t: chunked", " Transfer-Encoding: chunked",
               "Transfer-Encoding:\r\n chunked", "Transfer-Encoding: x\r\n chunked", "X: y\nTransfer-Encoding: chunked", "X: y\rTransfer-Encoding: chunked", "Transfer-Encoding\0: chunked",
               "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
               "Transfer-Encoding: chunked\r\nConnection: transfer-encoding", "\x0bTransfer-Encoding: chunked", "Transfer-Encoding;: chunked"]
# How a chunk of the given content may be written.
GOOD_CHUNKS = [b"%x\r\n%s\r\n0\r\n\r\n", b"000%X\r\n%s\r\n0\r\n\r\n", b"%x;a=b\r\n%s\r\n0\r\n\r\n", b'%x;a="x;\\"y"\r\n%s\r\n0;z\r\n\r\n', b"%x\r\n%s\r\n000\r\nX-Trailer: 1\r\n\r\n"]
BAD_CHUNKS = [b"0x%x\r\n%s\r\n0\r\n\r\n", b"+%x\r\n%s\r\n0\r\n\r\n", b"-%x\r\n%s\r\n0\r\n\r\n", b" %x\r\n%s\r\n0\r\n\r\n", b"%x \r\n%s\r\n0\r\n\r\n", b"%x\t;a\r\n%s\r\n0\r\n\r\n", b"%x\n%s\n0\n\n",
              b"%x\r%s\r\n0\r\n\r\n", b"%x\r\n%s0\r\n\r\n", b"%x\r\n%sXX0\r\n\r\n", b"%x\r\n%s\r\n0\r\n", b"%x;\n%s\r\n0\r\n\r\n", b"%x;a\n=b\r\n%s\r\n0\r\n\r\n", b'%x;a="\r\n%s\r\n0\r\n\r\n',
              b"%x;a=\0\r\n%s\r\n0\r\n\r\n", b"%x_0\r\n%s\r\n0\r\n\r\n", b"10000000000000%x\r\n%s\r\n0\r\n\r\n", b"1000000000000000%x\r\n%s\r\n0\r\n\r\n", b"%x\0\r\n%s\r\n0\r\n\r\n",
              b"%x\r\n%s\r\n0\r\nContent-Length: 9\r\n\r\n", b"%x\r\n%s\r\n0\r\nTransfer-Encoding: x\r\n\r\n", b"%x\r\n%s\r\n0\r\nHost: b\r\n\r\n", b"%x\r\n%s\r\n0\r\nno colon\r\n\r\n",
              b"%x\r\n%s\r\n0\r\n folded: 1\r\n\r\n", b"%x\r\n%s\r\n0\r\nX: 1\n\r\n", b"%x\r\n%s\r\n-0\r\n\r\n", b"%x\r\n%s\r\n0 \r\n\r\n", b"%x,%s", b"%xg\r\n%s\r\n0\r\n\r\n", b"%x;\r\n%s\r\n0\r\n\r\n"]
# Whole fields and request lines at the edge, of a request without a body; what stands behind it decides who reads another request.
LINES = ["GET  {t} HTTP/1.1", "GET {t}  HTTP/1.1", "GET\t{t} HTTP/1.1", "GET {t} HTTP/1.1 ", " GET {t} HTTP/1.1", "GET {t}", "GET {t} HTTP/1.2", "GET {t} HTTP/0.9", "GET {t} HTTP/3.0", "GET {t} HTTP/1.01",
         "GET {t} HTTP/01.1", "GET {t} http/1.1", "GET {t} HTTP /1.1", "GET {t} HTTP/1.1\0", "GET {t}\0 HTTP/1.1", "GET {t}\x7f HTTP/1.1", "GET {t}\x01 HTTP/1.1", "GE\0T {t} HTTP/1.1", "G=T {t} HTTP/1.1",
         "GET http://a{t} HTTP/1.1", "GET HTTP://A{t} HTTP/1.1", "GET http://b{t} HTTP/1.1", "GET http://x@a{t} HTTP/1.1", "GET http://a:99999{t} HTTP/1.1", "GET https://a{t} HTTP/1.1", "GET http:/{t} HTTP/1.1",
         "GET http://{t} HTTP/1.1", "GET //b{t} HTTP/1.1", "GET /..{t} HTTP/1.1", "GET /%2e%2e{t} HTTP/1.1", "GET /%00{t} HTTP/1.1", "GET \\{t} HTTP/1.1", "GET *{t} HTTP/1.1", "OPTIONS * HTTP/1.1",
         "GET {t}#x HTTP/1.1", "GET {t}\xe9 HTTP/1.1", "GET {t} HTTP/1.1\rX: y", "GET {t} HTTP/1.1\nX: y", "PRI * HTTP/2.0", "HEAD {t} HTTP/1.1", "TRACE {t} HTTP/1.1", "CONNECT a:80 HTTP/1.1", "get {t} HTTP/1.1",
         "\r\nGET {t} HTTP/1.1", "\nGET {t} HTTP/1.1", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET {t} HTTP/1.1", "\x16\x03\x01\0GET {t} HTTP/1.1", "GET {t} HTTP/1.0"]
FIELDS = ["X: a\r\n b", "X: a\r\n\tb", "X: a\nY: b", "X: a\rY: b", "X: a\r\r\nY: b", "X: \0", "X\0: a", "X : a", "X\t: a", ": a", "X", "X(): a", "X Y: a", " X: a", "X\xe9: a", "X: \xff", "X: \x01", "X: \x7f", "X:" + " " * 300,
          "Host: a", "Host: b", "Host : a", "host:a", "Host:", "X_Y: a", "X-Y: a\r\nX_Y: b", "Content_Length: 99", "Transfer_Encoding: chunked", "Connection: host", "Connection: content-length",
          "Connection: close, keep-alive", "Connection: \0", "Connection: x\r\nx: y", "Expect: 100-continue", "Expect: 100-continue, x", "Expect: x", "Upgrade: websocket\r\nConnection: upgrade",
          "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", "TE: trailers", "Trailer: Content-Length", "Keep-Alive: timeout=0", "Proxy-Connection: close",
          "Content-Length: 0\r\nContent-Length: 0", "Content-Type: a\r\nContent-Type: b", "X: " + "y" * 40000, "\r\n".join(f"X-{i}: 1" for i in range(150)), "Max-Forwards: 0", "Range: bytes=0-0,1-1",
          "X-HTTP-Method-Override: DELETE", "Forwarded: for=\"", "Content-Encoding: gzip", "\x85: x", "\xef\xbb\xbfX: y", "X: a\x0b\r\n", "X: a\x85b"]
BEHIND = [b"", b"\r\n\r\n\r\n", b"\n", b"X", b"\0", b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"GET /smuggled?m={s}~", b"\x16\x03\x01\x02\0\x01\0", b"{next}", b"\r\n{next}", b" {next}", b"X{next}"]


class Maker:
    def __init__(self, seed, first):
        self.random, self.number = random.Random(seed), first

    def target(self, letter):
        return f"/o?m={self.number}{letter}~"

    def finish(self, name, data, marks, body=None):
        case = Case(f"{name} {self.number}", data, {f"{self.number}{letter}": count for letter, count in marks.items()}, body)
        self.number += 1
        return case

    def smuggled(self):
        return f"GET /smuggled?m={self.number}s~ HTTP/1.1\r\nHost: a\r\n\r\n".encode()

    def head(self, fields, version="1.1"):
        self.random.shuffle(fields)
        return f"POST {self.target('a')} HTTP/{version}\r\n".encode() + "".join(field + "\r\n" for field in fields).encode("latin-1") + b"\r\n"

    def lengths(self):
        """A body with a length; who reads it as chunked, or the length otherwise, finds another request in it."""
        body = b"3\r\nabc\r\n0\r\n\r\n" + self.smuggled()
        good = self.random.random() < 0.2
        length = self.random.choice(GOOD_LENGTHS if good else GOOD_LENGTHS[:1] + BAD_LENGTHS).format(n=len(body), m=13)
        coding = None if good else self.random.choice([None] + GOOD_CODINGS[:1] + BAD_CODINGS)
        version = self.random.choice(["1.1", "1.1", "1.1", "1.0"])
        strict = good or (coding is None and length == GOOD_LENGTHS[0].format(n=len(body)))
        data = self.head(["Host: a", length] + ([coding] if coding else []), version) + body
        return self.finish("length", data, {"a": 1}, body if strict else None)

    def codings(self):
        """A chunked body; who goes by the length, or reads a chunk otherwise, finds another request in it."""
        content = b"abc\r\n" + self.smuggled()
        good_chunk = self.random.random() < 0.3
        chunks = self.random.choice(GOOD_CHUNKS if good_chunk else BAD_CHUNKS) % (len(content), content)
        length = self.random.choice([None, None, None, "Content-Length: 4", "Content-Length: 0"] + BAD_LENGTHS) if good_chunk else None
        coding = self.random.choice(GOOD_CODINGS + (BAD_CODINGS if length else []))
        if length:
            length = length.format(n=5 if "0x" in length else 4, m=len(chunks))
        strict = good_chunk and length is None and coding in GOOD_CODINGS
        return self.finish("coding", self.head(["Host: a", coding] + ([length] if length else [])) + chunks, {"a": 1}, content if strict else None)

    def behind(self):
        template, following = self.random.choice(BEHIND), f"GET {self.target('b')} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        return template.replace(b"{s}", b"%ds" % self.number).replace(b"{next}", following)

    def lines(self):
        line = self.random.choice(LINES).format(t=self.target("a"))
        return self.finish("line", line.encode("latin-1") + b"\r\nHost: a\r\n\r\n" + self.behind(), {"a": 1, "b": 1})

    def fields(self):
        fields = ["Host: a", self.random.choice(FIELDS)]
        self.random.shuffle(fields)
        text = f"GET {self.target('a')} HTTP/1.1\r\n" + "\r\n".join(fields) + "\r\n\r\n"
        return self.finish("field", text.encode("latin-1") + self.behind(), {"a": 1, "b": 1})

    def mutated(self):
        """Two plain requests, one after the other, with some bytes changed anywhere but in the marks."""
        base = self.random.choice([
            "POST {a} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
            "POST {a} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n",
            "PUT {a} HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ])
        data = bytearray((base + "GET {b} HTTP/1.1\r\nHost: a\r\n\r\n").format(a=self.target("a"), b=self.target("b")).encode())
        odd = [b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b",", b";", b"0", b"1", b"f", b"-", b"+", b"\xff", b"\x0b", b"/", b"#", b'"', b"X: y\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n"]
        for _ in range(self.random.choice([1, 1, 2, 3])):
            kept = [span.span() for span in re.finditer(rb"m=\d+[a-z]~", data)]
            at = self.random.choice([i for i in range(len(data)) if not any(start <= i < end for start, end in kept)])
            change = self.random.choice(["insert", "replace", "delete"])
            if change != "insert":
                del data[at]
            if change != "delete":
                data[at:at] = self.random.choice(odd)
        return self.finish("mutated", bytes(data), {"a": 1, "b": 1})

    def make(self, count):
        kinds = [self.lengths, self.codings, self.lines, self.fields, self.mutated]
        return [kinds[i % len(kinds)]() for i in range(count)]
