"""nginx as a CRM: it costs as little as a server over TLS can.  nginx.conf has the replies."""

import os
import subprocess

import lab

HTTP = os.environ.get("BENCH_HTTP", "1.1")


class Nginx:
    def __init__(self, access_log="off"):
        self.port = lab.free_port()
        self.url = "https://localhost:%d/v1.0" % self.port
        with open(lab.HERE + "/nginx.conf", encoding="utf-8") as file:
            text = file.read()
        for name, value in (("DIR", lab.SANDBOX), ("PORT", self.port), ("WORKERS", max(1, lab.CORES // 2)),
                            ("HTTP2", " http2" if HTTP == "2" else ""), ("ACCESS_LOG", access_log)):
            text = text.replace("@%s@" % name, str(value))
        path = lab.SANDBOX + "/nginx.conf"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.process = subprocess.Popen(lab.as_postgres() + [os.environ["NGINX"], "-p", lab.SANDBOX, "-e", "stderr", "-c", path],
                                        stderr=subprocess.DEVNULL)
        lab.wait_until("nginx listens", self.listens)

    def listens(self):
        with lab.socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.terminate()
        self.process.wait()
