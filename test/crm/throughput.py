#!/usr/bin/python3
"""How many requests a second the fakes answer: 32 keep-alive TLS connections, create + search + update in turn.

  throughput.py [--connections 32] [--seconds 5]   (starts and stops its own fakes)
"""

import argparse
import asyncio
import json
import ssl
import statistics
import time

from client import KEY, Fakes


async def ask(reader, writer, method, target, body):
    writer.write(("%s %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: token %s\r\nContent-Type: application/json\r\n"
                  "User-Agent: throughput/1\r\nContent-Length: %d\r\n\r\n" % (method, target, KEY, len(body))
                  ).encode() + body)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return int(head[9:12]), await reader.readexactly(length)


async def customer(number, port, context, until, times):
    reader, writer = await asyncio.open_connection("localhost", port, ssl=context, family=2)
    at = 0
    while time.time() < until:
        at += 1
        phone = "801%02d%05d" % (number, at)
        lead = {"firstName": "Load", "phones": [phone], "welcomeEmail": False, "leadAlert": False, "tagsAdd": ["A"]}
        id = None
        for method, target, body in (("GET", "/v1.0/leads?phone=%s&preciseSearchFlag=true&limit=5" % phone, b""),
                                     ("POST", "/v1.0/leads", json.dumps(lead).encode()),
                                     ("PUT", None, b'{"tagsAdd":["B"]}')):
            start = time.perf_counter()
            status, answer = await ask(reader, writer, method, target or "/v1.0/leads/%d" % id, body)
            times.append(time.perf_counter() - start)
            assert status == 200, answer
            id = json.loads(answer).get("leadId")
    writer.close()


async def load(fakes, connections, seconds):
    context, times = ssl.create_default_context(cafile=fakes.directory.name + "/ca.pem"), []
    start = time.time()
    customers = (customer(n, fakes.ports["lofty"], context, start + seconds, times) for n in range(connections))
    await asyncio.gather(*customers)
    return len(times) / (time.time() - start), times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5)
    args = parser.parse_args()
    fakes = Fakes()
    try:
        fakes.control("POST", "/knob", {"crm": "lofty", "name": "rate_limits_off", "value": True})
        rate, times = asyncio.run(load(fakes, args.connections, args.seconds))
        times.sort()
        print("%d connections: %.0f requests/s, median %.1f ms, 99%% %.1f ms, violations %s" % (
            args.connections, rate, statistics.median(times) * 1000, times[int(len(times) * 0.99)] * 1000,
            fakes.control("GET", "/violations")))
    finally:
        fakes.stop()


if __name__ == "__main__":
    main()
