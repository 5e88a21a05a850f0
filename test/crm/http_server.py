"""HTTP/1.1 for the fakes, over TLS or plain: read a request, ask an application, deliver its answer, spoilt on order.

Not a general web server: no HTTP/2, no compression, no files, one event loop and no threads. An application is any
object with respond(request) -> Response and finished(request, response), both plain functions.
"""

import asyncio
import json
import time
from urllib.parse import parse_qsl

REASONS = {200: "OK", 201: "Created", 204: "No Content", 302: "Found", 400: "Bad Request", 401: "Unauthorized",
           403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout", 409: "Conflict",
           413: "Payload Too Large", 415: "Unsupported Media Type", 422: "Unprocessable Entity",
           429: "Too Many Requests", 500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
           503: "Service Unavailable", 504: "Gateway Timeout"}
MAX_HEAD = 128 * 1024
MAX_BODY = 64 * 1024 * 1024


class BadHttp(Exception):
    """What arrived is not HTTP as we speak it."""


class BadJson(Exception):
    """The body is not one JSON value in UTF-8, or names a key twice."""


def _object_without_twins(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadJson("a key appears twice in one object")
    return found


def _no_constant(name):
    raise BadJson("%s is not JSON" % name)


def parse_json(body):
    """Strict JSON: UTF-8, no NaN, no repeated key. Integers stay exact whatever their size."""
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_object_without_twins, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadJson(str(error)) from None


def dump_json(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


class Request:
    """One request, and what was found out about it on the way."""

    __slots__ = ("seq", "time", "crm", "method", "target", "path", "query", "header_list", "headers", "body",
                 "account", "credential", "wait_key", "status", "note", "_json")

    def __init__(self, method, target, header_list, body):
        self.seq = None
        self.time = time.time()
        self.crm = None
        self.method = method
        self.target = target
        self.path, _, self.query = target.partition("?")
        self.header_list = header_list
        self.headers = {name.lower(): value for name, value in header_list}
        self.body = body
        self.account = self.credential = self.wait_key = self.status = self.note = None
        self._json = None

    def json(self):
        if self._json is None:
            self._json = (parse_json(self.body),)
        return self._json[0]

    def params(self):
        """Decoded query parameters as a list of pairs; '+' is a space, as everywhere."""
        return parse_qsl(self.query, keep_blank_values=True)

    def media_type(self):
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Response:
    """An answer and how to deliver it: send | drop | hang | truncate | drip, after `delay` seconds."""

    __slots__ = ("status", "headers", "body", "delivery", "delay", "drip_bytes", "drip_seconds", "close", "chunked",
                 "delivered")

    def __init__(self, status, body=b"", content_type="application/json; charset=utf-8", headers=None):
        self.status = status
        self.body = body
        self.headers = dict(headers or {})
        if body and content_type:
            self.headers.setdefault("Content-Type", content_type)
        self.delivery = "send"
        self.delay = 0.0
        self.drip_bytes, self.drip_seconds = 16, 0.1
        self.close = self.chunked = False
        self.delivered = False                # all of it was handed to the connection

    @classmethod
    def json(cls, status, value, headers=None):
        return cls(status, dump_json(value), headers=headers)

    def head(self):
        lines = ["HTTP/1.1 %d %s" % (self.status, REASONS.get(self.status, "Status"))]
        lines += ["%s: %s" % item for item in self.headers.items()]
        if self.chunked and self.status != 204:
            lines.append("Transfer-Encoding: chunked")
        elif self.status != 204:
            lines.append("Content-Length: %d" % len(self.body))
        lines.append("Connection: close\r\n\r\n" if self.close else "Connection: keep-alive\r\n\r\n")
        return "\r\n".join(lines).encode("utf-8")

    def wire_body(self):
        if not self.chunked or self.status == 204:
            return self.body
        half = (len(self.body) + 1) // 2
        parts = [part for part in (self.body[:half], self.body[half:]) if part]
        return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


class RequestReader:
    """Turns bytes as they come into requests."""

    def __init__(self):
        self.buffer = bytearray()
        self.head = None                      # (method, target, header_list) once read
        self.need = 0                         # body length, or None while chunked
        self.wants_continue = False

    def feed(self, data):
        self.buffer += data

    def take(self):
        """The next whole request, or None until more bytes come."""
        if self.head is None and not self._take_head():
            return None
        body = self._take_chunked() if self.need is None else self._take_counted()
        if body is None:
            return None
        request = Request(*self.head, body)
        self.head, self.wants_continue = None, False
        return request

    def _take_head(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buffer) > MAX_HEAD:
                raise BadHttp("header section too long")
            return False
        lines = bytes(self.buffer[:end]).decode("latin-1").split("\r\n")
        del self.buffer[:end + 4]
        words = lines[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[1].startswith("/"):
            raise BadHttp("request line")
        header_list = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise BadHttp("header line")
            header_list.append((name, value.strip()))
        self._plan_body({name.lower(): value for name, value in header_list})
        self.head = (words[0], words[1], header_list)
        return True

    def _plan_body(self, headers):
        self.wants_continue = headers.get("expect", "").lower() == "100-continue"
        if headers.get("transfer-encoding", "").lower() == "chunked":
            self.need = None
            return
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY:
            raise BadHttp("Content-Length")
        self.need = int(length)

    def _take_counted(self):
        if len(self.buffer) < self.need:
            return None
        body = bytes(self.buffer[:self.need])
        del self.buffer[:self.need]
        return body

    def _take_chunked(self):
        body, at = bytearray(), 0
        while True:
            line_end = self.buffer.find(b"\r\n", at)
            if line_end < 0:
                return None
            try:
                size = int(bytes(self.buffer[at:line_end]).partition(b";")[0], 16)
            except ValueError:
                raise BadHttp("chunk size") from None
            at = line_end + 2
            if len(body) + size > MAX_BODY:
                raise BadHttp("body too long")
            if len(self.buffer) < at + size + 2:
                return None
            if size == 0:
                del self.buffer[:at + 2]
                return bytes(body)
            body += self.buffer[at:at + size]
            at += size + 2


class Connection(asyncio.Protocol):
    """One client connection; requests on it are answered one after another."""

    def __init__(self, app, server):
        self.app, self.server = app, server
        self.reader = RequestReader()
        self.transport = None
        self.pending = None                   # (request, response) being delivered
        self.busy = False
        self.served = 0

    def connection_made(self, transport):
        self.transport = transport
        self.server.connections += 1
        self.server.open.add(self)

    def connection_lost(self, _error):
        self.server.open.discard(self)
        self._settle()

    def data_received(self, data):
        self.reader.feed(data)
        if not self.busy:
            self._next()

    def _next(self):
        try:
            request = self.reader.take()
        except BadHttp as error:
            self.server.malformed += 1
            body = ("malformed HTTP: %s" % error).encode()
            refusal = Response(400, body, "text/plain")
            refusal.close = True
            self.transport.write(refusal.head() + body)
            self.transport.close()
            return
        if request is None:
            if self.reader.wants_continue:
                self.reader.wants_continue = False
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        self.busy = True
        self.served += 1
        response = self.app.respond(request)
        if request.headers.get("connection", "").lower() == "close":
            response.close = True
        self.pending = (request, response)
        if response.delay:
            asyncio.get_running_loop().call_later(response.delay, self._deliver)
        else:
            self._deliver()

    def _deliver(self):
        if self.pending is None:
            return
        response = self.pending[1]
        getattr(self, "_" + response.delivery)(response)

    def _settle(self):
        """The exchange is over, whichever way."""
        if self.pending is not None:
            pending, self.pending = self.pending, None
            self.app.finished(*pending)

    def _send(self, response):
        self.transport.write(response.head() + response.wire_body())
        self._done(response)

    def _done(self, response):
        response.delivered = True
        self._settle()
        limit = self.server.requests_per_connection()
        if response.close or (limit and self.served >= limit):
            self.transport.close()
            return
        self.busy = False
        if self.reader.buffer:
            asyncio.get_running_loop().call_soon(self._next_if_idle)

    def _next_if_idle(self):
        if not self.busy and not self.transport.is_closing():
            self._next()

    def _drop(self, _response):
        self.transport.abort()

    def _hang(self, _response):
        """Say nothing, for ever; the client has to give up."""

    def _truncate(self, response):
        response.chunked = False
        self.transport.write(response.head() + response.body[:len(response.body) // 2])
        self.transport.close()

    def _drip(self, response):
        response.chunked = False
        self.transport.write(response.head())
        self._drip_on(response, 0)

    def _drip_on(self, response, at):
        if self.transport.is_closing():
            return
        self.transport.write(response.body[at:at + response.drip_bytes])
        at += response.drip_bytes
        if at >= len(response.body):
            self._done(response)
        else:
            asyncio.get_running_loop().call_later(response.drip_seconds, self._drip_on, response, at)


class Listener:
    """A listening port that serves one application."""

    def __init__(self, app):
        self.app = app
        self.connections = self.malformed = 0
        self.open = set()
        self.port = None

    def requests_per_connection(self):
        return getattr(self.app, "requests_per_connection", 0)

    async def listen(self, port, context):
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Connection(self.app, self), "127.0.0.1", port,
                                          ssl=context, backlog=512, reuse_address=True)
        self.port = server.sockets[0].getsockname()[1]
        return self.port
