"""A Python client of the fakes, for their own tests and for throughput.py: starts run.py, speaks to every port."""

import http.client
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
KEY, KEY2 = "eyJhbGciOiJIUzI1NiJ9.eyJ1IjoxfQ.c2ln", "eyJhbGciOiJIUzI1NiJ9.eyJ1IjoyfQ.c2ln"
FUB_KEY, FUB_KEY2 = "fka_0123456789abcdef", "fka_tenant2_abcdef"
KVCORE_KEY, KVCORE_KEY2 = ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI1MTAwMSJ9.c2ln",
                           "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI1MTAwMiJ9.c2ln")


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.raw = response.status, response.headers, response.read()

    def json(self):
        return json.loads(self.raw)


class Fakes:
    """The process under test and ways to talk to it."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "run.py"), "--dir", self.directory.name,
                                         "--with-stdin"], stdin=subprocess.PIPE)
        path = os.path.join(self.directory.name, "ports.json")
        while not os.path.exists(path):
            if self.process.poll() is not None:
                raise RuntimeError("run.py did not start")
            time.sleep(0.02)
        with open(path) as ports:
            self.ports = json.load(ports)
        self.tls = ssl.create_default_context(cafile=os.path.join(self.directory.name, "ca.pem"))
        self.connections = {}

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)
        for connection in self.connections.values():
            connection.close()
        self.directory.cleanup()

    def connect(self, name):
        if name in ("control", "plain"):
            return http.client.HTTPConnection("127.0.0.1", self.ports[name], timeout=5)
        return http.client.HTTPSConnection("localhost", self.ports[name], timeout=5, context=self.tls)

    def call(self, name, method, target, body=None, headers=None):
        connection = self.connections.get(name)
        if connection is None:
            connection = self.connections[name] = self.connect(name)
        try:
            connection.request(method, target, body, headers or {})
            return Answer(connection.getresponse())
        except Exception:
            connection.close()
            raise

    def control(self, method, target, order=None):
        """The answer of a control call; ValueError when it is refused."""
        answer = self.call("control", method, target, json.dumps(order) if order is not None else None)
        if answer.status != 200:
            raise ValueError(answer.raw)
        return answer.json()
