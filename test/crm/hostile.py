#!/usr/bin/python3
"""A TLS server that means harm: answers that no CRM gives, to whoever asks with a key that a case was ordered for.

  hostile.py --dir DIR      DIR has the certificates of run.py; runs until stdin closes

Writes DIR/hostile.json when it listens: `tls` (the server, TLS 1.2 and later), `old` (TLS 1.0 and 1.1 only), `alt` (where
its answers try to lure clients; TLS), `control` (plain HTTP: POST /case {"key", "case"}, GET /seen).

It sees and remembers, but judges nothing; the test does that. Not here: anything that a CRM might say (see run.py).
"""

import argparse
import http.server
import json
import os
import socket
import socketserver
import ssl
import sys
import threading
import zlib

CANARY = "hostile-canary"
EMPTY = b"{}"
# What a search that finds nobody looks like in both CRMs.
NOBODY = json.dumps({"_metadata": {"collection": "people", "total": 0}, "leads": [], "people": []}).encode()

cases, seen, lock = {}, [], threading.Lock()


def remember(**what):
    with lock:
        seen.append(what)


def response(body=EMPTY, status="200 OK", headers=(), length=None):
    lines = ["HTTP/1.1 " + status, "Content-Type: application/json",
             "Content-Length: %s" % (len(body) if length is None else length), *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def forever(chunk):
    while True:
        yield chunk


def bomb():
    """A megabyte that is a gigabyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * (1 << 20)
    return b"".join(packer.compress(block) for _ in range(1024)) + packer.flush()


BOMB = bomb()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LURES = ["Set-Cookie: canary=%s; Path=/" % CANARY, "Refresh: 0; url=https://localhost:%(alt)d/", "Location: https://localhost:%(alt)d/",
         'Alt-Svc: h2="localhost:%(alt)d"; ma=86400', "Link: <https://localhost:%(alt)d/>; rel=preload", "Strict-Transport-Security: max-age=1"]

# Case -> the pieces of an answer.
CASES = {
    "deep": lambda p: [response(b'{"a":' * 100000 + b"1" + b"}" * 100000)],
    "deep array": lambda p: [response(b"[" * 1000000)],
    "cut short": lambda p: [response(b'{"leads": [{"leadId": 1, "firstName": "' + CANARY.encode())],
    "two documents": lambda p: [response(NOBODY + NOBODY)],
    "no JSON": lambda p: [response(b"<html>" + CANARY.encode())],
    "no object": lambda p: [response(b'"' + CANARY.encode() + b'"')],
    "not UTF-8": lambda p: [response(b'{"a": "\xff\xfe\xc0\x80"}')],
    "raw NUL": lambda p: [response(b'{"a": "\x00"}')],
    "a long number": lambda p: [response(b'{"leads": 1' + b"0" * 1000000 + b"}")],
    "a great exponent": lambda p: [response(b'{"leads": 1e999999999}')],
    "no HTTP": lambda p: [b"\x16\x03\x01 " + CANARY.encode() + b"\r\n\r\n"],
    "an old answer": lambda p: [CANARY.encode() + b"\n" * 3],
    "a status of its own": lambda p: [response(EMPTY, "999 " + CANARY)],
    "another protocol": lambda p: [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: canary\r\nConnection: Upgrade\r\n\r\n", NOBODY],
    "many headers": lambda p: [HEAD] + [b"X-Flood-%d: %s\r\n" % (i, CANARY.encode()) for i in range(5000)] + [b"Content-Length: 2\r\n\r\n{}"],
    "endless headers": lambda p: [HEAD, forever(b"X-Flood: " + b"x" * 1000 + b"\r\n")],
    "an endless header": lambda p: [HEAD + b"X-Flood: ", forever(b"x" * 65536)],
    "endless interim answers": lambda p: [forever(b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" * 1000)],
    "an endless body": lambda p: [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", forever(b"10000\r\n" + b" " * 65536 + b"\r\n")],
    "a bomb": lambda p: [response(BOMB, headers=["Content-Encoding: gzip"])],
    "a length below zero": lambda p: [response(NOBODY, length=-1)],
    "two lengths": lambda p: [response(NOBODY, headers=["Content-Length: 1"])],
    "a length too long": lambda p: [response(NOBODY, length=len(NOBODY) + 9)],
    "NUL in a header": lambda p: [response(EMPTY, headers=["X-RateLimit-Limit: 1\x000", "X-\x00: y"])],
    "limits out of range": lambda p: [response(EMPTY, "429 Too Many Requests", ["Retry-After: 99999999999999999999", "X-RateLimit-Reset: -9223372036854775808",
                                                                          "X-RateLimit-Limit: -1", "X-RateLimit-Remaining: 1e309"])],
    "asks for a login": lambda p: [response(EMPTY, "401 Unauthorized", ["WWW-Authenticate: Basic realm=\"%s\"" % CANARY, "WWW-Authenticate: Negotiate",
                                                                        "WWW-Authenticate: NTLM", "WWW-Authenticate: Digest realm=\"x\", nonce=\"y\""])],
    "lures": lambda p: [response(EMPTY, "500 Error", [line % p if "%(" in line else line for line in LURES])],
    "one answer too many": lambda p: [response(NOBODY) + response(b'{"leadId": 666, "id": 666}', "201 Created")],
}
for code in (301, 303, 307, 308):
    CASES["redirect %d" % code] = lambda p, code=code: [response(EMPTY, "%d Elsewhere" % code, ["Location: https://localhost:%(alt)d/v1/me" % p])]


class Handler(socketserver.BaseRequestHandler):
    """One connection: requests are read whole, and answered as ordered for their key."""

    def handle(self):
        try:
            stream = self.server.context.wrap_socket(self.request, server_side=True)
        except (OSError, ssl.SSLError):
            return
        remember(port=self.server.name, request="(handshake)")
        stream.settimeout(20)
        served = 0
        try:
            while self.answer(stream, served):
                served += 1
        except (OSError, ssl.SSLError):
            pass
        finally:
            stream.close()

    def answer(self, stream, served):
        head = b""
        while b"\r\n\r\n" not in head:
            more = stream.recv(65536)
            if not more:
                return False
            head += more
        head, _, body = head.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        while len(body) < int(headers.get("content-length", 0)):
            body += stream.recv(65536)
        case = cases.get(headers.get("authorization", "").rpartition(" ")[2])
        remember(port=self.server.name, request=lines[0], case=case, served=served, cookie=headers.get("cookie"),
                 authorization=headers.get("authorization"))
        for piece in CASES[case](self.server.ports) if case else [response(EMPTY, "404 Not Found")]:
            for part in [piece] if isinstance(piece, bytes) else piece:
                stream.sendall(part)
        return True


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, name, context, ports):
        super().__init__(("127.0.0.1", 0), Handler)
        self.name, self.context, self.ports = name, context, ports
        ports[name] = self.server_address[1]

    def handle_error(self, request, client_address):
        """A client that goes away is no news."""


class Control(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if order["case"] not in CASES:
            return self.say(400, {"error": "no such case"})
        cases[order["key"]] = order["case"]
        return self.say(200, {})

    def do_GET(self):
        with lock:
            self.say(200, {"seen": seen, "cases": sorted(CASES)})

    def say(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        pass


def tls(directory, least, most=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if most is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.maximum_version = most
    context.minimum_version = least
    context.load_cert_chain(os.path.join(directory, "server.pem"), os.path.join(directory, "server.key"))
    return context


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dir", required=True)
    directory, ports = parser.parse_args().dir, {}
    good = tls(directory, ssl.TLSVersion.TLSv1_2)
    servers = [Server("tls", good, ports), Server("alt", good, ports),
               Server("old", tls(directory, ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1), ports)]
    control = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Control)
    ports["control"] = control.server_address[1]
    for server in servers + [control]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    path = os.path.join(directory, "hostile.json")
    with open(path + ".new", "w") as out:
        json.dump(ports, out)
    os.replace(path + ".new", path)
    while sys.stdin.buffer.read(4096):
        pass


if __name__ == "__main__":
    import warnings
    warnings.simplefilter("ignore", DeprecationWarning)     # of TLS 1.0, on purpose
    socket.setdefaulttimeout(30)
    main()
