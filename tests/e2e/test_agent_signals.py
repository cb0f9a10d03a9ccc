# SPDX-License-Identifier: Apache-2.0
"""The agent is told to read its configuration again, or to end, while an install is under way."""

import os
import pathlib
import random
import signal
import time
import unittest

import fixtures
from agents import AgentTest
import web_server
from fixtures import MIB

DEFERRED = "the configuration is read again when what is under way has ended"
READ = "the configuration was read again"
KEPT = "the configuration stays as it was"
CHUNK = 64 << 10
# As docs/operations.md has it of an install that was cut off.
AGAIN_MAX = 16 * MIB


class SlowServer(web_server.CountingServer):
    """Serves one image, and from `slow_from` bytes on as slowly as a bad link."""

    def __init__(self, root, slow_from):
        self.slow_from = slow_from
        super().__init__(root, self.slow_down)

    def slow_down(self, total):
        """One piece each 4 ms: 1 MiB a second, of all connections together."""
        if total > self.slow_from:
            time.sleep(0.004)


class SignalTest(AgentTest):
    """An agent whose configuration and log are looked at."""

    def reconfigure(self, agent, more="", old=None, new=None):
        """Another configuration, and a hang-up."""
        text = agent.device.conf.read_text()
        agent.device.conf.write_text((text.replace(old, new) if old else text) + more)
        agent.process.send_signal(signal.SIGHUP)

    def until_said(self, agent, part, times=1):
        """Waits for so many lines with these words."""
        agent.until_seen(lambda: self.said(agent, part) >= times, part)
        self.assertEqual(self.said(agent, part), times)

    def said(self, agent, part):
        """How many lines of the log have the text."""
        return sum(part in line for line in agent.log.read_text().splitlines())


class Signals(SignalTest):
    """An agent whose source is a URL."""

    def begin(self, size, slow_from):
        """An agent that runs, and installs from a server that is slow by now."""
        part = self.folder / "part"
        part.write_bytes(random.Random(17).randbytes(size))
        www = self.folder / "www"
        www.mkdir()
        # Nothing is compressed, and a chunk is where its number says.
        image = fixtures.sign(fixtures.build(www / "latest.vvi", {"rootfs": part}, cut="fixed",
                                             chunk_avg=CHUNK))
        server = SlowServer(www, slow_from)
        self.addCleanup(server.stop)
        agent = self.agent(slot_size=max(size, 8 * MIB))
        text = agent.device.conf.read_text()
        agent.device.conf.write_text(
            text.replace(f"dir={agent.device.dir}/drop", f"url={server.url}/latest.vvi"))
        agent.start()
        self.assertEqual(agent.device.run("check").returncode, 0)
        agent.until_seen(lambda: server.total > slow_from, "bytes")
        self.assertEqual(agent.status()["state"], "downloading")
        return agent, server, image, part

    def test_a_hang_up_waits_for_the_install_and_then_the_new_configuration_holds(self):
        agent, server, image, part = self.begin(6 * MIB, 2 * MIB)
        self.reconfigure(agent, "[gates]\nneed_consent=yes\n")
        self.until_said(agent, DEFERRED)
        agent.process.send_signal(signal.SIGHUP)
        agent.until_waits_for("consent")
        self.until_said(agent, READ)
        self.assertEqual(self.said(agent, DEFERRED), 1)
        self.assertEqual(agent.status()["offer"]["phase"], "installed")
        # It was gone on with, not begun again.
        self.assertLess(server.total, image.stat().st_size + MIB)
        self.assertEqual(agent.device.run("consent").returncode, 0)
        agent.until_reboot()
        self.check_installed(agent.device, part)

    def test_a_hang_up_with_a_configuration_that_cannot_be_used_changes_nothing(self):
        agent, server, image, part = self.begin(6 * MIB, 2 * MIB)
        good = agent.device.conf.read_text()
        self.reconfigure(agent, "[fleets]\nx=y\n")
        self.until_said(agent, KEPT)
        # The verbs that it runs cannot go on, which is no fault of the release.
        self.until_said(agent, "warning: activate: ")
        (line,) = [line for line in agent.log.read_text().splitlines() if KEPT in line]
        self.assertIn("[fleets]", line)
        agent.device.conf.write_text(good)
        self.assertEqual(agent.device.run("check").returncode, 0)
        agent.until_reboot()
        self.check_installed(agent.device, part)
        self.assertEqual(self.said(agent, DEFERRED), 1)
        self.assertEqual(self.said(agent, KEPT), 1)
        self.assertEqual(self.said(agent, READ), 0)
        self.assertLess(server.total, image.stat().st_size + MIB)

    def test_an_end_stops_the_install_and_the_next_agent_goes_on_with_it(self):
        agent, server, image, part = self.begin(40 * MIB, 30 * MIB)
        self.reconfigure(agent)  # the end comes first
        self.until_said(agent, DEFERRED)
        agent.stop()
        self.assertEqual(agent.process.returncode, 0)
        self.assertEqual(children_of(agent.device), [])
        sent = server.total
        server.slow_from = 1 << 40
        agent.start()
        agent.until_reboot()
        self.check_installed(agent.device, part)
        again = server.total - image.stat().st_size
        print(f"\n    {sent >> 20} MiB were sent; {again >> 10} KiB again")
        self.assertLessEqual(again, AGAIN_MAX)


class Reload(SignalTest):
    """An agent that has nothing to do."""

    def idle(self):
        """It runs, and looks into a directory without an image."""
        agent = self.agent()
        agent.start()
        agent.until("idle")
        return agent

    def test_what_an_agent_cannot_be_opened_with_keeps_the_old_one(self):
        agent = self.idle()
        good = agent.device.conf.read_text()
        cases = (("source=dir", "source=none", "[fleet] source"),
                 (f"socket={agent.device.dir}", "socket=/proc/none", "/proc/none"),
                 (f"state_dir={agent.device.dir}/state", f"state_dir={agent.device.dir}/drop",
                  "[device] state_dir"))
        for number, (old, new, word) in enumerate(cases, 1):
            with self.subTest(new=new):
                self.reconfigure(agent, old=old, new=new)
                self.until_said(agent, KEPT, number)
                self.assertIn(word, agent.log.read_text().splitlines()[-1])
                agent.until_seen(agent.answers, "the agent")
                agent.device.conf.write_text(good)
                agent.until("idle")
        agent.stop()
        self.assertEqual(agent.process.returncode, 0)

    def test_many_hang_ups_in_a_row_do_not_end_it(self):
        agent = self.idle()
        while self.said(agent, READ) < 30:
            for _ in range(100):
                agent.process.send_signal(signal.SIGHUP)
            self.assertIsNone(agent.process.poll(), agent.log.read_text())
        agent.until("idle")
        agent.process.send_signal(signal.SIGHUP)
        agent.stop()
        self.assertEqual(agent.process.returncode, 0)


def children_of(device):
    """Command lines of the verbs that still run on the device."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if f"-c {device.conf} " in line and int(path.parent.name) != os.getpid():
            found.append(line)
    return found


if __name__ == "__main__":
    unittest.main()
