# SPDX-License-Identifier: Apache-2.0
"""Every kind of health check once, healthy and not, on the real clock."""

import http.client
import json
import os
import pathlib
import socket
import unittest

import docker_engine
from docker_engine import state
from fixtures import HEALTH, DeviceTest
import web_server

SYSTEMCTL = """#!/bin/sh
echo LoadState=loaded
case "$*" in *good.service) echo ActiveState=active;; *) echo ActiveState=failed;; esac
echo SubState=running
echo Result=exit-code
"""
DOCKER = pathlib.Path("/run/docker.sock")


class Kinds(DeviceTest):
    """`vv-update health` of a device with checks."""

    def health(self, checks, timeout="5s"):
        """{name: (state, output)} of [(name, kind, keys)]."""
        device = self.device()
        with open(device.conf, "a", encoding="ascii") as stream:
            for name, kind, keys in checks:
                stream.write(f"\n[check {name}]\nkind={kind}\ntimeout={timeout}\n" +
                             "".join(f"{key}={value}\n" for key, value in keys.items()))
        path = os.environ["PATH"]
        os.environ["PATH"] = f"{self.folder}:{path}"
        self.addCleanup(os.environ.__setitem__, "PATH", path)
        done = device.run("health", "--json")
        self.assertIn(done.returncode, (0, HEALTH), done.stderr)
        return {check["name"]: (check["state"], check["output"])
                for check in json.loads(done.stdout)["checks"]}

    def check_pairs(self, pairs):
        """[(kind, keys when healthy, keys when not, word of why)]"""
        checks = [(f"{kind}-{word}", kind, keys) for kind, good, bad, _ in pairs
                  for word, keys in (("good", good), ("bad", bad))]
        found = self.health(checks)
        self.assertEqual(len(found), 2 * len(pairs))
        for kind, _, _, why in pairs:
            with self.subTest(kind=kind):
                self.assertEqual(found[f"{kind}-good"][0], "healthy", found)
                self.assertEqual(found[f"{kind}-bad"][0], "unhealthy", found)
                self.assertIn(why, found[f"{kind}-bad"][1])

    def test_every_kind_tells_healthy_from_not(self):
        (self.folder / "www").mkdir()
        (self.folder / "www/status").write_text("ok")
        (self.folder / "heartbeat").write_text("now")
        systemctl = self.folder / "systemctl"
        systemctl.write_text(SYSTEMCTL)
        systemctl.chmod(0o755)
        server = web_server.Nginx(self.folder / "www", self.folder / "nginx")
        self.addCleanup(server.stop)
        closed = web_server.free_port()
        engine = docker_engine.Engine(self.folder / "docker.sock", {
            "good": state(health="healthy"), "bad": state(health="unhealthy")})
        self.addCleanup(engine.stop)
        socket_key = {"socket": self.folder / "docker.sock"}
        self.check_pairs([
            ("http", {"url": f"{server.url}/status"}, {"url": f"{server.url}/none"}, "HTTP 404"),
            ("tcp", {"address": f"127.0.0.1:{server.port}"}, {"address": f"127.0.0.1:{closed}"},
             "onnect"),
            ("exec", {"command": "true"}, {"command": "echo no camera; exit 1"}, "no camera"),
            ("file-age", {"path": self.folder / "heartbeat", "max_age": "5min"},
             {"path": self.folder / "never", "max_age": "5min"}, "No such file"),
            ("mount", {"path": "/proc"}, {"path": self.folder}, "nothing is mounted"),
            ("disk-free", {"path": self.folder, "min_free": "1K"},
             {"path": self.folder, "min_free": "1000T"}, "wanted are"),
            ("systemd-unit", {"unit": "good.service"}, {"unit": "bad.service"}, "is failed"),
            ("docker", {"container": "good", **socket_key}, {"container": "bad", **socket_key},
             "bad is unhealthy"),
            ("server", {"url": f"{server.url}/none"}, {"url": f"http://127.0.0.1:{closed}/"},
             "onnect"),
        ])

    def test_a_container_without_a_healthcheck_is_healthy_once_it_runs_long_enough(self):
        engine = docker_engine.Engine(self.folder / "docker.sock",
                                      {"plain": state(pid=os.getpid())})
        self.addCleanup(engine.stop)
        keys = {"container": "plain", "socket": self.folder / "docker.sock"}
        found = self.health([("now", "docker", {**keys, "running_for": "1ms"}),
                             ("later", "docker",
                              {**keys, "running_for": "20d", "severity": "wanted"})])
        self.assertEqual(found["now"][0], "healthy")
        self.assertEqual(found["later"][0], "starting")
        self.assertIn("wanted are 20 d", found["later"][1])

    @unittest.skipUnless(DOCKER.is_socket(), "no Docker Engine runs here")
    def test_a_real_engine_is_understood(self):
        link = http.client.HTTPConnection("localhost")
        link.sock = socket.socket(socket.AF_UNIX)
        link.sock.connect(str(DOCKER))
        link.request("GET", "/containers/json?all=1")
        containers = json.loads(link.getresponse().read())
        wanted = {"none-of-that-name": "unhealthy"}
        for one in containers:
            link.request("GET", f"/containers/{one['Id']}/json")
            state = json.loads(link.getresponse().read())["State"]
            wanted[one["Id"]] = "unhealthy" if state["Status"] != "running" else (
                state.get("Health") or {"Status": "healthy"})["Status"]
        found = self.health([(f"c{number}", "docker", {"container": name, "running_for": "0"})
                             for number, name in enumerate(wanted)])
        self.assertEqual({name: found[f"c{number}"][0] for number, name in enumerate(wanted)},
                         wanted)

    def test_two_hundred_checks_that_hang_end_together(self):
        found = self.health([(f"c{number}", "exec", {"command": "sleep 60"})
                             for number in range(200)], timeout="1s")
        self.assertEqual(set(found.values()), {("unhealthy", "no answer within 1 s")})


if __name__ == "__main__":
    unittest.main()
