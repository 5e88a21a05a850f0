"""A badly behaved HTTPS server for http_test.c.

Each path is one way to answer, or not to.  A control port tells what was
counted, so that the test can wait for facts instead of sleeping:

    get NAME          -> the counter
    wait NAME N       -> waits until the counter is at least N, then as get
    set NAME VALUE    -> sets it

Usage: http_server.py DIR PORTS_FILE, where DIR holds the certificates that
run_http.sh made.  Serves until its standard input is closed.
"""

import gzip
import os
import re
import socket
import ssl
import struct
import sys
import threading
import warnings

DIR, PORTS_FILE = sys.argv[1:3]
PATIENCE = 20


class Counters:
    def __init__(self):
        self.values = {}
        self.changed = threading.Condition()

    def get(self, name):
        with self.changed:
            return self.values.get(name, 0)

    def set(self, name, value):
        with self.changed:
            self.values[name] = value
            self.changed.notify_all()

    def add(self, name, by=1):
        with self.changed:
            value = self.values.get(name, 0) + by
            self.values[name] = value
            if by > 0:
                top = name + ".max"
                self.values[top] = max(value, self.values.get(top, 0))
            self.changed.notify_all()
            return value

    def wait(self, name, at_least):
        with self.changed:
            self.changed.wait_for(
                lambda: self.values.get(name, 0) >= at_least, PATIENCE)
            return self.values.get(name, 0)


counters = Counters()
ports = {}


def listen(name, backlog=256):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    if backlog is not None:
        sock.listen(backlog)
    ports[name] = sock.getsockname()[1]
    return sock


def start(function, *args):
    threading.Thread(target=function, args=args, daemon=True).start()


def accept_forever(sock, serve):
    while True:
        conn, _ = sock.accept()
        conn.settimeout(PATIENCE)
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start(serve, conn)


def tls_context(name, alpn=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{DIR}/{name}.crt", f"{DIR}/{name}.key")
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def serve_tls(name, context, serve):
    sock = listen(name)

    def handshake(conn):
        counters.add(f"accepted.{name}")
        try:
            conn = context.wrap_socket(conn, server_side=True)
            serve(conn)
        except OSError:
            pass
        finally:
            try:
                conn.close()
            except OSError:
                pass
            counters.add(f"closed.{name}")

    start(accept_forever, sock, handshake)


# ---- HTTP/1.1 ----


class Request:
    def __init__(self, head, body):
        self.head, self.body = head, body
        line = head.split(b"\r\n", 1)[0].decode()
        self.method, self.path, _ = line.split(" ", 2)


def read_request(reader):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = reader.readline(65536)
        if not line:
            return None
        head += line
    length = re.search(rb"(?im)^content-length: *(\d+)", head)
    body = reader.read(int(length.group(1))) if length else b""
    return Request(head, body)


def answer(conn, body=b"", status="200 OK", headers=()):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    conn.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def wait_for_close(conn):
    while conn.recv(65536):
        pass


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
CLOSE = object()


def do_ok(conn, request, arg):
    answer(conn, b"hello", headers=["X-Mixed-Case:  padded value \t",
                                    "X-Twice: first", "X-Twice: second",
                                    "X-Empty:"])


def do_echo(conn, request, arg):
    answer(conn, request.head + request.body)


def do_status(conn, request, arg):
    answer(conn, b"{}", status=f"{arg} Some Words")


def do_empty(conn, request, arg):
    answer(conn)


def do_nocontent(conn, request, arg):
    conn.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def do_big(conn, request, arg):
    answer(conn, b"x" * int(arg))


def do_bigchunked(conn, request, arg):
    conn.sendall(CHUNKED + b"\r\n")
    for _ in range(int(arg) // 1000):
        conn.sendall(chunk(b"SECRET-IN-REPLY " + b"x" * 984))
    conn.sendall(chunk(b""))


def do_gzip(conn, request, arg):
    answer(conn, gzip.compress(b"y" * int(arg)),
           headers=["Content-Encoding: gzip"])


def do_headers(conn, request, arg):
    answer(conn, headers=[f"X-{i}: v" for i in range(int(arg) - 1)])


def do_flood(conn, request, arg):
    conn.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        conn.sendall(b"X-Flood: " + b"f" * 5000 + b"\r\n")


def do_longline(conn, request, arg):
    conn.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        conn.sendall(b"l" * 10000)


def do_slow(conn, request, arg):
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\nx")
    counters.add("slow")
    conn.settimeout(0.02)
    while True:
        try:
            if not conn.recv(1):
                return CLOSE
        except TimeoutError:
            conn.sendall(b"x")


def do_hang(conn, request, arg):
    counters.add("hanging")
    wait_for_close(conn)
    counters.add("hangup")
    return CLOSE


def do_cut(conn, request, arg):
    conn.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\nabc")
    return CLOSE


def do_cutchunked(conn, request, arg):
    conn.sendall(CHUNKED + b"\r\n" + chunk(b"abc") + b"100\r\nabc")
    return CLOSE


def do_cuthead(conn, request, arg):
    conn.sendall(b"HTTP/1.1 201 Crea")
    return CLOSE


def do_reset(conn, request, arg):
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
    os.close(conn.detach())
    return CLOSE


def do_drop(conn, request, arg):
    return CLOSE


def do_garbage(conn, request, arg):
    conn.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\nnot at all\r\n\r\n")
    return CLOSE


def do_redirect(conn, request, arg):
    answer(conn, status="302 Found",
           headers=[f"Location: {arg}://127.0.0.1:{ports['trap']}/stolen"])


def do_once(conn, request, arg):
    answer(conn, b"once")
    return CLOSE


def do_hold(conn, request, arg):
    counters.add("holding")
    counters.wait("release", 1)
    counters.add("holding", -1)
    answer(conn, b"held")


def do_interim(conn, request, arg):
    conn.sendall(b"HTTP/1.1 103 Early Hints\r\nX-Early: yes\r\n\r\n")
    answer(conn, b"late", headers=["X-Late: yes"])


def do_trailer(conn, request, arg):
    conn.sendall(CHUNKED + b"Trailer: X-Trailer\r\n\r\n" + chunk(b"abc") +
                 b"0\r\nX-Trailer: yes\r\n\r\n")


def serve_http1(conn):
    reader = conn.makefile("rb")
    try:
        while True:
            request = read_request(reader)
            if request is None:
                return
            _, name, arg = (request.path.split("?")[0] + "/").split("/")[:3]
            counters.add(f"{request.method}.{name}")
            if b"\r\nexpect:" in request.head.lower():
                counters.add("expect")
            if globals()[f"do_{name}"](conn, request, arg) is CLOSE:
                return
    finally:
        reader.close()


# ---- HTTP/2, as little of it as libcurl needs ----

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = (
    0, 1, 3, 4, 6, 7, 8)
END_STREAM = 1


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(
        ">BBI", kind, flags, stream) + payload


def h2_respond(conn, stream):
    """Status 200 (static table entry 8) and one literal header."""
    head = b"\x88\x00\x05x-two\x03yes"
    conn.sendall(frame(HEADERS, 4, stream, head) +
                 frame(DATA, END_STREAM, stream, b"two"))


def h2_request(conn, state, stream):
    """A whole request has come; h2mode says what to do about it."""
    counters.add("h2.requests")
    mode = counters.get("h2mode")
    if mode == 0:                       # answer at once
        h2_respond(conn, stream)
    elif mode == 1:                     # answer when h2gather are waiting
        state["waiting"].append(stream)
        if len(state["waiting"]) >= counters.get("h2gather"):
            for waiting in state["waiting"]:
                h2_respond(conn, waiting)
            state["waiting"] = []
    elif mode == 2:                     # reset the stream: INTERNAL_ERROR
        conn.sendall(frame(RST_STREAM, 0, stream, struct.pack(">I", 2)))
    elif mode == 3:                     # refuse it, once: REFUSED_STREAM
        counters.set("h2mode", 0)
        conn.sendall(frame(RST_STREAM, 0, stream, struct.pack(">I", 7)))
    elif mode == 4:                     # close the connection
        counters.set("h2mode", 0)
        return CLOSE
    elif mode == 5:                     # hang
        state["hanging"].add(stream)
        counters.add("h2.hanging")
    return None


def serve_http2(conn):
    reader = conn.makefile("rb")
    reader.read(24)                     # the preface
    conn.sendall(frame(SETTINGS, 0, 0))
    state = {"waiting": [], "hanging": set()}
    try:
        while True:
            head = reader.read(9)
            if len(head) < 9:
                return
            length = int.from_bytes(head[:3], "big")
            kind, flags, stream = struct.unpack(">BBI", head[3:])
            payload = reader.read(length)
            if kind == SETTINGS and not flags & 1:
                conn.sendall(frame(SETTINGS, 1, 0))
            elif kind == PING and not flags & 1:
                conn.sendall(frame(PING, 1, 0, payload))
            elif kind == RST_STREAM:
                if stream in state["hanging"]:
                    counters.add("h2.cancelled")
            elif kind == DATA and payload:
                counters.add("h2.bytes", len(payload))
                credit = struct.pack(">I", len(payload))
                conn.sendall(frame(WINDOW_UPDATE, 0, 0, credit) +
                             frame(WINDOW_UPDATE, 0, stream, credit))
            if kind in (DATA, HEADERS) and flags & END_STREAM:
                if h2_request(conn, state, stream) is CLOSE:
                    return
    finally:
        reader.close()


# ---- ports that do not speak HTTPS ----


def serve_trap(conn):
    counters.add("trapped")
    conn.close()


def serve_mute(conn):
    """TCP, but never a TLS handshake."""
    wait_for_close(conn)
    conn.close()


def fill_backlog():
    """A port whose queue is full: the kernel answers no further SYN."""
    sock = listen("stuffed", 0)
    kept = [sock]
    for _ in range(4):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(sock.getsockname())
        kept.append(client)
    return kept


def serve_control(conn):
    conn.settimeout(None)
    with conn, conn.makefile("rw") as lines:
        for line in lines:
            verb, name, *rest = line.split()
            if verb == "set":
                counters.set(name, int(rest[0]))
            elif verb == "wait":
                counters.wait(name, int(rest[0]))
            lines.write(f"{counters.get(name)}\n")
            lines.flush()


def main():
    good = tls_context("good")
    serve_tls("main", good, serve_http1)
    serve_tls("other", good, serve_http1)
    serve_tls("h2", tls_context("good", ["h2"]), serve_http2)
    for name in ("wrongname", "expired", "unknown"):
        serve_tls(name, tls_context(name), serve_http1)
    warnings.simplefilter("ignore", DeprecationWarning)
    old = tls_context("good")
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    serve_tls("oldtls", old, serve_http1)
    start(accept_forever, listen("trap"), serve_trap)
    start(accept_forever, listen("mute"), serve_mute)
    start(accept_forever, listen("control"), serve_control)
    kept = [listen("refused", None), fill_backlog()]

    with open(PORTS_FILE + ".new", "w") as out:
        for name, port in ports.items():
            out.write(f"{name}={port}\n")
    os.rename(PORTS_FILE + ".new", PORTS_FILE)
    sys.stdin.read()
    del kept


if __name__ == "__main__":
    main()
