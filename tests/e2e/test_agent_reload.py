# SPDX-License-Identifier: Apache-2.0
"""A configuration that is read again: the agent goes on, whatever it says."""

import os
import signal
import socket
import subprocess
import sys
import unittest

from agents import LIMIT_S, AgentTest
from virtual_device import until

# What systemd does: the socket is number 3, and its process is named in the environment.
PASSING = """import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


class ReloadTest(AgentTest):
    """Says what the agent's log says."""

    def configure(self, agent, text):
        """These lines come behind those of the file, and the agent is told."""
        folder = agent.device.conf.with_name(agent.device.conf.name + ".d")
        folder.mkdir(exist_ok=True)
        (folder / "50-test.conf").write_text(text)
        agent.process.send_signal(signal.SIGHUP)

    def until_log(self, agent, text, count=1):
        """Waits until the agent said so that often; it runs still."""
        until(lambda: agent.process.poll() is not None or
              agent.log.read_text().count(text) >= count, LIMIT_S, agent.log.read_text)
        self.assertIsNone(agent.process.poll(), agent.log.read_text())
        self.assertGreaterEqual(agent.log.read_text().count(text), count)

    def until_read(self, agent, count=1):
        """Waits until it took the configuration that often."""
        self.until_log(agent, "the configuration was read again", count)


class Refused(ReloadTest):
    """One that cannot be used."""

    def check_kept(self, agent, more, reason):
        """With these lines it cannot be used; the old one is, and a good one is taken later."""
        self.configure(agent, more)
        self.until_log(agent, "the configuration stays as it was")
        self.assertIn(reason, agent.log.read_text())
        self.configure(agent, "")
        self.until_read(agent)
        self.assertEqual(agent.status()["state"], "idle")

    def test_a_group_that_is_not_there_is_said_and_the_agent_goes_on(self):
        agent = self.agent()
        agent.start()
        self.check_kept(agent, "[agent]\ngroup=vvupdaet\n", 'there is no group "vvupdaet"')

    def test_a_socket_that_cannot_be_made_is_said_and_the_agent_goes_on(self):
        agent = self.agent()
        agent.start()
        self.check_kept(agent, f"[agent]\nsocket={agent.device.dir}/no/such/agent.sock\n",
                        "make the directory of the socket")

    def test_another_state_directory_wants_a_restart(self):
        agent = self.agent()
        agent.start()
        other = agent.device.dir / "other-state"
        other.mkdir()
        self.check_kept(agent, f"[device]\nstate_dir={other}\n", "restart the agent")


class Taken(ReloadTest):
    """What changes, and what stays."""

    def test_the_socket_moves(self):
        agent = self.agent()
        agent.start()
        old, new = agent.device.dir / "agent.sock", agent.device.dir / "run/new.sock"
        self.configure(agent, f"[agent]\nsocket={new}\n")
        self.until_read(agent)
        self.assertTrue(new.exists())
        self.assertFalse(old.exists())
        self.assertEqual(agent.status()["state"], "idle")

    def test_a_socket_that_systemd_passed_is_kept(self):
        agent = self.agent()
        path = agent.device.dir / "agent.sock"
        with socket.socket(socket.AF_UNIX) as listening, open(agent.log, "ab") as log:
            listening.bind(str(path))
            listening.listen()
            agent.process = subprocess.Popen(
                [sys.executable, "-c", PASSING, str(listening.fileno()),
                 *agent.device.command("agent")], pass_fds=(listening.fileno(),),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            self.assertEqual(agent.status()["state"], "idle")
            for count in (1, 2):
                agent.process.send_signal(signal.SIGHUP)
                self.until_read(agent, count)
                self.assertEqual(agent.status()["state"], "idle")
            agent.stop()
            self.assertEqual(agent.process.returncode, 0)
            self.assertTrue(path.exists())


class HangUps(ReloadTest):
    """SIGHUP at any moment. What is read last, the kernel's command line, is a FIFO."""

    def make_fifo(self, agent):
        """Who opens the device waits for the test from now on. Returns what it is to read."""
        text = (agent.device.dir / "cmdline").read_text()
        (agent.device.dir / "cmdline").unlink()
        os.mkfifo(agent.device.dir / "cmdline")
        return text

    def feed(self, agent, text, hang_up):
        """Waits until somebody opens the device, and lets it."""
        with open(agent.device.dir / "cmdline", "w", encoding="ascii") as stream:
            if hang_up:
                agent.process.send_signal(signal.SIGHUP)
            stream.write(text)

    def check_alive(self, agent, text):
        """It answers, and ends when it is told to."""
        (agent.device.dir / "cmdline").unlink()
        (agent.device.dir / "cmdline").write_text(text)
        self.assertEqual(agent.status()["state"], "idle")
        agent.stop()
        self.assertEqual(agent.process.returncode, 0)

    def test_one_that_comes_while_it_starts_is_a_reload(self):
        agent = self.agent()
        text = self.make_fifo(agent)
        with open(agent.log, "ab") as log:
            agent.process = subprocess.Popen(agent.device.command("agent"),
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.feed(agent, text, True)
        until(lambda: agent.answers() or agent.process.poll() is not None, LIMIT_S, "the agent")
        self.assertIsNone(agent.process.poll())
        self.feed(agent, text, False)
        self.until_read(agent)
        self.check_alive(agent, text)

    def test_one_that_comes_during_a_reload_is_another_one(self):
        agent = self.agent()
        agent.start()
        text = self.make_fifo(agent)
        agent.process.send_signal(signal.SIGHUP)
        self.feed(agent, text, True)
        self.until_read(agent)
        self.feed(agent, text, False)
        self.until_read(agent, 2)
        self.check_alive(agent, text)


if __name__ == "__main__":
    unittest.main()
