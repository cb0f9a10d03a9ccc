# SPDX-License-Identifier: Apache-2.0
"""The script that runs the agent on systems without systemd."""

import os
import shutil
import signal
import subprocess
import unittest

from agents import LIMIT_S, AgentTest
from fixtures import AGAIN, CONFIG, IO, USAGE
from init_scripts import SCRIPTS, InitScriptTest
from virtual_device import until

SCRIPT = SCRIPTS / "run-agent"
# An agent that says which signals it got.
LISTENER = """#!/bin/sh
trap 'echo HUP >>calls' HUP
trap 'echo TERM >>calls; exit 0' TERM
echo "$0 $*" | sed 's|.*/||' >>calls
while :; do sleep 0.05; done
"""
# Longer than any test takes.
SLEEPER = """#!/bin/sh
echo "sleep $*" >>calls
exec {sleep} 3600
"""


class RunAgent(InitScriptTest):
    """With a vv-update that ends as each test says."""

    def play(self, *statuses):
        """(exit status, what it called) when vv-update ends so, one time after the other."""
        folder = self.prepare(statuses, ("vv-update", "sleep"))
        done = subprocess.run([SCRIPT], cwd=folder, env={"PATH": str(folder)}, timeout=60,
                              check=False)
        return done.returncode, self.calls(folder)

    def start(self, folder):
        """The script, until the end of the test; beside what the folder has, it finds the sleep of
        this machine."""
        path = f"{folder}:{os.environ['PATH']}"
        script = subprocess.Popen([SCRIPT], cwd=folder, env={"PATH": path})
        self.addCleanup(script.wait, LIMIT_S)
        self.addCleanup(script.terminate)
        until(lambda: "vv-update agent" in self.calls(folder), LIMIT_S, "the agent")
        return script

    def listener(self):
        """A folder with an agent that listens."""
        folder = self.prepare()
        (folder / "vv-update").write_text(LISTENER)
        (folder / "vv-update").chmod(0o755)
        return folder

    def test_an_end_that_was_wanted_and_a_wrong_call_end_it(self):
        for status in (0, USAGE):
            with self.subTest(status=status):
                self.assertEqual(self.play(status), (status, ["vv-update agent"]))

    def test_after_any_other_end_it_is_started_again_half_a_minute_later(self):
        for status in (1, CONFIG, IO, AGAIN, 127):
            with self.subTest(status=status):
                self.assertEqual(
                    self.play(status, status, 0),
                    (0, ["vv-update agent", "sleep 30"] * 2 + ["vv-update agent"]))

    def test_to_end_it_ends_the_agent(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number=number):
                folder = self.listener()
                script = self.start(folder)
                script.send_signal(number)
                self.assertEqual(script.wait(LIMIT_S), 0)
                self.assertEqual(self.calls(folder), ["vv-update agent", "TERM"])

    def test_a_hangup_is_the_agents_and_ends_nothing(self):
        folder = self.listener()
        script = self.start(folder)
        for count in (1, 2):
            script.send_signal(signal.SIGHUP)
            until(lambda n=count: self.calls(folder).count("HUP") == n, LIMIT_S, "a hangup")
        script.terminate()
        self.assertEqual(script.wait(LIMIT_S), 0)
        self.assertEqual(self.calls(folder), ["vv-update agent", "HUP", "HUP", "TERM"])

    def test_it_ends_while_it_waits_for_the_next_try(self):
        folder = self.prepare([IO], ["vv-update"])
        (folder / "sleep").write_text(SLEEPER.format(sleep=shutil.which("sleep")))
        (folder / "sleep").chmod(0o755)
        script = self.start(folder)
        until(lambda: "sleep 30" in self.calls(folder), LIMIT_S, "the wait")
        script.terminate()
        self.assertEqual(script.wait(LIMIT_S), IO)
        self.assertEqual(self.calls(folder), ["vv-update agent", "sleep 30"])


class RealAgent(AgentTest):
    """With the agent itself."""

    def run_once(self, agent, folder):
        """From the start to SIGTERM; the exit status."""
        script = subprocess.Popen([SCRIPT], env={"PATH": f"{folder}:{os.environ['PATH']}"},
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(script.wait, LIMIT_S)
        self.addCleanup(script.terminate)
        until(agent.answers, LIMIT_S, "the agent")
        self.assertEqual(agent.status()["state"], "idle")
        script.terminate()
        return script.wait(LIMIT_S)

    def test_the_agent_runs_under_it_and_ends_with_it(self):
        agent = self.agent()
        folder = agent.device.dir
        program = " ".join(f"'{word}'" for word in agent.device.command())
        (folder / "vv-update").write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        (folder / "vv-update").chmod(0o755)
        # Whether the shell is told of the agent's end or of the signal first is a matter of chance.
        for _ in range(10):
            self.assertEqual(self.run_once(agent, folder), 0)
            self.assertFalse(agent.answers())


if __name__ == "__main__":
    unittest.main()
