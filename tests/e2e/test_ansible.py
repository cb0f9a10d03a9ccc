# SPDX-License-Identifier: Apache-2.0
"""docs/examples/update.yml, run by the real ansible-playbook against a device whose board is played
here: when it orders a reboot the agent is killed, the boot loader decides, `confirm` judges, and
the agent is started again."""

import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest

import fixtures
from agents import LIMIT_S, AgentTest, closed_window
from documents import ROOT, code_block
from virtual_device import until

HERE = pathlib.Path(__file__).resolve().parent
NEVER_GOOD = ("[check never]\nkind=exec\ncommand=exit 1\nretries=1\ninterval=50ms\n"
              "[confirm]\nbaseline=no\n")
LIMIT_OF_RUN_S = 300

Run = collections.namedtuple("Run", "status changed text reboots")


class Playbook(AgentTest):
    """One device per test, and an operator's machine that is this one."""

    def setUp(self):
        super().setUp()
        self.home = self.folder / "home"
        self.home.mkdir()
        (self.folder / "docs").symlink_to(ROOT / "docs")
        self.away = self.folder / "away"
        self.addCleanup(self.check_nothing_is_written_at_home)

    def check_nothing_is_written_at_home(self):
        """What Ansible keeps lies in the test's folder."""
        self.assertEqual(list(self.home.iterdir()), [])

    def inventory(self, agent, connection, **variables):
        """The file `hosts`."""
        device = agent.device
        variables = {"ansible_connection": connection, "ansible_python_interpreter": sys.executable,
                     "drop_dir": str(device.dir / "drop"), "vv_update": device.command(),
                     "look_every": 1, **variables}
        hosts = {"all": {"hosts": {"device": variables}}}
        (self.folder / "hosts").write_text(json.dumps(hosts))  # which is YAML

    def environment(self):
        """Nothing of this machine's own settings, and nothing is written outside of the folder."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        return {"LC_ALL": "C.UTF-8", **kept, "HOME": str(self.home),
                "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
                "ANSIBLE_HOME": str(self.folder / "ansible"),
                "ANSIBLE_LOCAL_TEMP": str(self.folder / "ansible/local"),
                "ANSIBLE_REMOTE_TEMP": str(self.folder / "ansible/remote"),
                "ANSIBLE_CONNECTION_PLUGINS": str(HERE / "ansible"),
                "ANSIBLE_PIPELINING": "1", "ANSIBLE_NOCOLOR": "1",
                "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
                "VV_AWAY": str(self.away)}

    def command(self, image):
        """That of the document, as it stands, for another image."""
        (line,) = code_block("docs/operations.md", "ansible-playbook").splitlines()
        self.assertIn("image=edge-2.0.vvi", line)
        return line.replace("edge-2.0.vvi", str(image))

    def reboot_board(self, agent, connection):
        """The board as it is after a reboot; nobody reaches it before that was tried."""
        if connection == "board":
            self.away.touch()
        self.reboot(agent)
        if connection == "board":
            until(lambda: self.away.read_text(), LIMIT_S, "somebody looks for the device")
        agent.device.run("confirm")
        if not (agent.device.dir / "reboot-requested").exists():
            agent.start()
        self.away.unlink(missing_ok=True)

    def play(self, agent, image, connection="local", reboots_at="", **variables):
        """Runs the playbook, and the board beside it, which reboots when it is asked to and the
        playbook has said `reboots_at`."""
        self.inventory(agent, connection, **variables)
        log, reboots = self.folder / "log", 0
        with open(log, "wb") as stream:
            process = subprocess.Popen(["sh", "-c", f"exec {self.command(image)}"], cwd=self.folder,
                                       env=self.environment(), stdin=subprocess.DEVNULL,
                                       stdout=stream, stderr=stream)
        end = time.monotonic() + LIMIT_OF_RUN_S
        while process.poll() is None:
            if ((agent.device.dir / "reboot-requested").exists() and
                    reboots_at in log.read_text()):
                self.reboot_board(agent, connection)
                reboots += 1
            if time.monotonic() > end:
                process.kill()
                raise AssertionError(f"no end: {log.read_text()}")
            time.sleep(0.02)
        text = log.read_text()
        changed = re.search(r"^device +: .*changed=(\d+)", text, re.M)
        self.assertTrue(changed, text)
        return Run(process.returncode, int(changed.group(1)), text, reboots)

    def check_done(self, run, changed):
        """It ended well, and changed so much."""
        self.assertEqual((run.status, run.changed), (0, changed), run.text)

    def check_failed(self, run, changed, *words):
        """It failed, after so many changes, and the message has the words."""
        self.assertEqual((run.status, run.changed), (2, changed), run.text)
        failures = [line for line in run.text.splitlines() if line.startswith("fatal: ")]
        self.assertTrue(failures, run.text)
        for word in words:
            self.assertIn(word, failures[-1])

    def test_an_image_is_installed_confirmed_and_the_second_run_changes_nothing(self):
        image, part = fixtures.release()
        agent = self.agent()
        agent.start()
        run = self.play(agent, image)
        self.check_done(run, 3)
        self.assertIn("release 2.0 runs and is confirmed", run.text)
        self.assertEqual(run.reboots, 1)
        self.assertTrue(fixtures.same_start(agent.device.slot_file("b"), part))
        self.assertEqual(agent.device.status()["running"], "b")
        self.assertEqual([report["outcome"] for report in self.reports(agent)], ["success"])
        before = self.all_of(agent)
        run = self.play(agent, image)
        self.check_done(run, 0)
        self.assertIn("is not newer than the running release 2: nothing changes", run.text)
        self.assertEqual(run.reboots, 0)
        self.assertEqual(self.all_of(agent), before)

    def all_of(self, agent):
        """What an update would change."""
        device = agent.device
        files = [device.dir / "uboot.env", device.dir / "state/history",
                 *sorted((device.dir / "drop").iterdir())]
        return {path.name: fixtures.sha256(path) for path in files}

    def test_a_device_that_is_away_for_its_reboots_is_waited_for(self):
        image, _ = fixtures.release()
        agent = self.agent()
        agent.start()
        run = self.play(agent, image, connection="board",
                        reboots_at="RETRYING: [device]: Look for the verdict")
        self.check_done(run, 3)
        self.assertIn("the board is away", run.text)
        self.assertEqual(run.reboots, 1)

    def test_an_update_that_is_rolled_back_fails_with_the_reason_and_is_refused_then(self):
        image, _ = fixtures.release()
        agent = self.agent(more=NEVER_GOOD)
        agent.start()
        run = self.play(agent, image)
        self.check_failed(run, 2, "release 2.0: failure: ", "never")
        self.assertEqual(run.reboots, 2)
        self.assertEqual(agent.device.status()["running"], "a")
        run = self.play(agent, image)
        self.check_failed(run, 0, "is not taken", "release 2.0 failed here", "vv-update allow 2.0")
        self.assertEqual(run.reboots, 0)

    def test_an_image_for_another_device_is_refused_and_the_agent_is_not_asked(self):
        part = fixtures.partition_file(64 << 10, 5)
        image = fixtures.sign(fixtures.build(self.folder / "other.vvi", {"rootfs": part},
                                             product="other"))
        agent = self.agent()
        agent.start()
        run = self.play(agent, image)
        self.check_failed(run, 2, "other.vvi is not taken", "product")
        self.assertEqual(agent.status()["poll"]["polls"], 0)
        self.assertEqual(self.reports(agent), [])

    def test_an_image_that_is_older_than_another_one_there_is_not_waited_for(self):
        older, _ = fixtures.release()
        newer, _ = fixtures.release("3.0", 3)
        agent = self.agent(more="[gates]\nneed_consent=yes\n")
        agent.start()
        self.drop(agent, newer)
        run = self.play(agent, older, wait=False)
        self.check_failed(run, 2, f"{newer.name} is newer")

    def test_without_a_wait_it_ends_when_the_agent_has_taken_the_release(self):
        image, _ = fixtures.release()
        agent = self.agent(more="[gates]\ndownload_window=" + closed_window())
        agent.start()
        run = self.play(agent, image, wait=False)
        self.check_done(run, 2)
        self.assertIn("release 2.0 is taken; the agent: ", run.text)
        self.assertEqual(run.reboots, 0)
        self.assertEqual(agent.status()["offer"]["version"], "2.0")

    def test_a_verdict_that_does_not_come_fails_with_what_it_waits_for(self):
        image, _ = fixtures.release()
        agent = self.agent()
        agent.start()
        self.assertEqual(agent.device.run("hold", "inventory", "--owner", "alice").returncode, 0)
        run = self.play(agent, image, look_times=1)
        self.check_failed(run, 2, "release 2.0 has no verdict yet", "held by alice")

    def test_without_an_agent_or_an_image_that_is_said(self):
        image, _ = fixtures.release()
        agent = self.agent()
        self.check_failed(self.play(agent, image), 2, "no agent is running")
        self.check_failed(self.play(agent, self.folder / "none.vvi"), 0, "none.vvi")


if __name__ == "__main__":
    unittest.main()
