#!/usr/bin/python3
"""Runs the fake Lofty, Follow Up Boss and kvCORE over TLS, with a control port, until SIGTERM or end of stdin.

  run.py --dir DIR [--lofty-port N] [--fub-port N] [--fub-app-port N] [--kvcore-port N] [--control-port N]
         [--with-stdin]

Makes a CA in DIR if there is none and writes DIR/ports.json when all ports listen. See README.md.
"""

import argparse
import asyncio
import gc
import json
import os
import signal
import ssl
import subprocess
import sys
import threading

from control import Control
from fake import Trap, World
from followupboss import FollowUpBoss
from fub_accounts import Accounts
from fub_oauth import FollowUpBossApp
from http_server import Listener
from kvcore import KvCore
from lofty import Lofty

HERE = os.path.dirname(os.path.abspath(__file__))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dir", required=True, help="where the CA, the certificates and ports.json go")
    for name in ("lofty", "fub", "fub-app", "kvcore", "control"):
        parser.add_argument("--%s-port" % name, type=int, default=0, help="default: any free port")
    parser.add_argument("--with-stdin", action="store_true", help="stop when stdin closes")
    return parser.parse_args()


def tls(directory, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(os.path.join(directory, name + ".pem"), os.path.join(directory, name + ".key"))
    context.set_alpn_protocols(["http/1.1"])
    return context


def make_world():
    world = World()
    accounts = Accounts(world.secrets)
    for crm in (Lofty(world), FollowUpBoss(world, accounts), FollowUpBossApp(world, accounts), KvCore(world)):
        world.add(crm)
    return world


async def listen_all(args, world):
    """name -> Listener for every port, the control port last."""
    good = tls(args.dir, "server")
    plan = [("lofty", world.crms["lofty"], args.lofty_port, good),
            ("fub", world.crms["fub"], args.fub_port, good),
            ("fub_app", world.crms["fub_app"], args.fub_app_port, good),
            ("kvcore", world.crms["kvcore"], args.kvcore_port, good),
            ("trap", Trap(world, "trap", "trap_contacted"), 0, good),
            ("plain", Trap(world, "plain", "plain_http_spoken"), 0, None)]
    plan += [(name, Trap(world, name, "certificate_not_verified"), 0, tls(args.dir, name))
             for name in ("expired", "wrong_name", "untrusted")]
    listeners = {}
    for name, app, port, context in plan:
        listeners[name] = Listener(app)
        await listeners[name].listen(port, context)
    world.trap_url = "https://localhost:%d" % listeners["trap"].port
    listeners["control"] = Listener(Control(world, listeners))
    await listeners["control"].listen(args.control_port, None)
    return listeners


def write_ports(directory, listeners):
    path = os.path.join(directory, "ports.json")
    with open(path + ".new", "w") as out:
        json.dump({name: listener.port for name, listener in listeners.items()}, out)
    os.replace(path + ".new", path)


def stop_when_stdin_closes(loop, stop):
    def wait():
        while sys.stdin.buffer.read(4096):
            pass
        loop.call_soon_threadsafe(stop.set)
    threading.Thread(target=wait, daemon=True).start()


def forget_old_ports(directory):
    """Whoever waits for ports.json must not see the last run's."""
    path = os.path.join(directory, "ports.json")
    if os.path.exists(path):
        os.unlink(path)


async def main():
    args = arguments()
    forget_old_ports(args.dir)
    subprocess.run(["/bin/sh", os.path.join(HERE, "make_ca.sh"), args.dir], check=True)
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.set_exception_handler(lambda _loop, context: None if isinstance(context.get("exception"), OSError)
                               else loop.default_exception_handler(context))
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    listeners = await listen_all(args, make_world())
    write_ports(args.dir, listeners)
    if args.with_stdin:
        stop_when_stdin_closes(loop, stop)
    gc.freeze()
    gc.set_threshold(50000, 20, 20)
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
