# SPDX-License-Identifier: Apache-2.0
"""The agent: a release that is dropped into a directory is installed, judged and reported."""

import json
import os
import pathlib
import shlex
import signal
import unittest

import fixtures
from agents import LIMIT_S, AgentTest, closed_window
from fixtures import MIB
from virtual_device import BIN, until


class Updates(AgentTest):
    """From an image in a directory to a report."""

    def test_an_image_that_is_dropped_is_installed_confirmed_and_reported_once(self):
        image, part = fixtures.release()
        agent = self.agent()
        agent.start()
        self.drop(agent, image)
        agent.until_reboot()
        self.check_installed(agent.device, part)
        self.assertEqual(self.reports(agent), [])
        self.assertEqual(self.reboot(agent), "b")
        agent.start()
        agent.until("trial")
        self.assertEqual(self.reports(agent), [])
        done = agent.device.run("confirm")
        self.assertEqual(done.returncode, 0, done.stderr)
        agent.device.run("check")
        until(lambda: self.reports(agent), LIMIT_S, "a report")
        agent.until("idle")
        (report,) = self.reports(agent)
        self.assertEqual(report["outcome"], "success")
        self.assertEqual(report["version"], "2.0")
        agent.device.run("check")
        agent.until("idle")
        history = json.loads(agent.device.run("history", "--json").stdout)["entries"]
        self.assertEqual([entry["outcome"] for entry in history], ["success"])

    def test_without_a_reboot_command_the_next_reboot_is_waited_for(self):
        image, _ = fixtures.release()
        agent = self.agent()
        drop_ins = agent.device.dir / f"{agent.device.conf.name}.d"
        drop_ins.mkdir()
        (drop_ins / "reboot.conf").write_text("[device]\nreboot_command=\n")
        agent.start()
        self.drop(agent, image)
        agent.until_waits_for("reboot_command is empty")
        self.assertEqual(agent.device.environment()["vv_trial"], "b")
        self.assertEqual(self.reboot(agent), "b")
        agent.device.run("confirm")
        agent.start()
        until(lambda: self.reports(agent), LIMIT_S, "a report")
        (report,) = self.reports(agent)
        self.assertEqual(report["outcome"], "success")

    def test_a_release_that_an_operator_has_installed_already_is_booted_and_reported_once(self):
        image, part = fixtures.release()
        agent = self.agent()
        done = agent.device.run("install", str(image))
        self.assertEqual(done.returncode, 0, done.stderr)
        agent.start()
        self.drop(agent, image)
        agent.until_reboot()
        done = agent.device.run("cancel")
        self.assertEqual(done.returncode, fixtures.NOT_NOW, done.stderr)
        self.check_installed(agent.device, part)
        self.assertEqual(self.reboot(agent), "b")
        agent.start()
        agent.until("trial")
        self.assertIn("confirm", agent.status()["waits_for"])
        self.assertEqual(agent.device.run("confirm").returncode, 0)
        agent.device.run("check")
        until(lambda: self.reports(agent), LIMIT_S, "a report")
        agent.until("idle")
        (report,) = self.reports(agent)
        self.assertEqual((report["outcome"], report["reason"]), ("success", ""))

    def test_a_release_that_is_rolled_back_is_reported_as_failed_and_not_taken_again(self):
        self.roll_back(by_hand=False)

    def test_so_is_one_that_an_operator_has_installed_already(self):
        self.roll_back(by_hand=True)

    def roll_back(self, by_hand):
        image, _ = fixtures.release()
        agent = self.agent(more="[check never]\nkind=exec\ncommand=exit 1\nretries=1\n"
                                "interval=50ms\n[confirm]\nbaseline=no\n")
        if by_hand:
            done = agent.device.run("install", str(image))
            self.assertEqual(done.returncode, 0, done.stderr)
        agent.start()
        self.drop(agent, image)
        agent.until_reboot()
        self.assertEqual(self.reboot(agent), "b")
        done = agent.device.run("confirm")
        self.assertEqual(done.returncode, fixtures.HEALTH, done.stderr)
        self.assertEqual(agent.device.boot(), "a")
        agent.device.run("confirm")
        agent.start()
        until(lambda: self.reports(agent), LIMIT_S, "a report")
        agent.until("idle")
        (report,) = self.reports(agent)
        self.assertEqual(report["outcome"], "failure")
        self.assertIn("never", report["failed_checks"])
        agent.device.run("check")
        until(lambda: "failed here" in agent.status()["poll"]["says"], LIMIT_S, "a refusal")
        self.assertIn("2.0", agent.device.run("allow").stdout)
        done = agent.device.run("allow", "2.0")
        self.assertEqual(done.returncode, 0, done.stderr)
        agent.until_reboot()

    def test_a_bad_image_is_skipped_and_said(self):
        agent = self.agent()
        agent.start()
        bad = self.folder / "bad.vvi"
        bad.write_bytes(b"no image")
        self.drop(agent, bad)
        until(lambda: "bad.vvi" in agent.status()["poll"]["says"], LIMIT_S, "a word")
        self.assertEqual(agent.status()["offer"], None)


class Often(AgentTest):
    """A source that has another release each time it is asked."""

    def test_each_release_that_another_takes_the_place_of_is_reported_once(self):
        agent = self.agent(more="[gates]\nneed_consent=yes\n")
        agent.start()
        for index in range(2, 7):
            image, part = fixtures.release(f"{index}.0", index, size=MIB, seed=index)
            self.drop(agent, image)
            agent.until_seen(lambda new=f"{index}.0": (agent.status()["offer"] or {}).get(
                "version") == new, f"release {index}.0")
        agent.until_waits_for("consent")
        polls = agent.status()["poll"]["polls"]
        for more in range(1, 4):
            agent.device.run("check")
            agent.until_seen(lambda wanted=polls + more:
                             agent.status()["poll"]["polls"] >= wanted, "a poll")
        self.assertEqual(agent.status()["offer"]["version"], "6.0")
        reports = self.reports(agent)
        self.assertEqual(sorted(report["version"] for report in reports),
                         ["2.0", "3.0", "4.0", "5.0"])
        self.assertEqual({report["outcome"] for report in reports}, {"cancelled"})
        self.assertEqual(agent.log.read_text().count("; its source knows"), 4)
        self.assertIn("release 6.0 is offered in its place", agent.device.run("history").stdout)
        self.assertEqual(agent.device.run("consent").returncode, 0)
        agent.until_reboot()
        self.check_installed(agent.device, part)


class Holds(AgentTest):
    """What keeps an update from going on."""

    def test_a_window_that_is_closed_is_waited_for_and_named(self):
        image, _ = fixtures.release()
        agent = self.agent(more="[gates]\nreboot_window=" + closed_window())
        agent.start()
        self.drop(agent, image)
        agent.until("waiting")
        until(lambda: "window" in agent.status()["waits_for"], LIMIT_S, "the window")
        self.assertIn("Agent: waiting, release 2.0: ", agent.device.run("status").stdout)
        self.assertFalse((agent.device.dir / "reboot-requested").exists())

    def test_a_hold_keeps_the_download_back_until_it_is_released(self):
        image, _ = fixtures.release()
        agent = self.agent()
        agent.start()
        done = agent.device.run("hold", "inventory", "--owner", "alice")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.drop(agent, image)
        until(lambda: "held by alice" in agent.status()["waits_for"], LIMIT_S, "the hold")
        self.assertEqual(agent.device.journal(), None)
        agent.stop(signal.SIGKILL)
        agent.start()
        until(lambda: "held by alice" in agent.status()["waits_for"], LIMIT_S, "the hold")
        done = agent.device.run("release", "--owner", "alice")
        self.assertEqual(done.returncode, 0, done.stderr)
        agent.until_reboot()

    def test_what_ends_a_hold_is_said_as_it_has_to_be_typed(self):
        agent = self.agent()
        agent.start()
        for words, ends in (([], "release"), (["--owner", "alice"], "release --owner alice"),
                            (["--lock", "--owner", "tv api"], 'release --owner "tv api"')):
            with self.subTest(ends):
                done = agent.device.run("hold", *words)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(done.stdout, f"Updates are held; 'vv-update {ends}' ends that.\n")
                done = agent.device.run(*shlex.split(ends))
                self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(agent.status()["holds"], [])

    def test_what_was_offered_is_installed_and_nothing_that_stands_there_by_now(self):
        image, _ = fixtures.release()
        agent = self.agent()
        agent.start()
        agent.device.run("hold", "--owner", "alice")
        self.drop(agent, image)
        until(lambda: "held by alice" in agent.status()["waits_for"], LIMIT_S, "the hold")
        other, part = fixtures.release("2.1", 3, seed=3)
        self.put(agent, other, pathlib.Path(image).name)
        agent.device.run("release", "--owner", "alice")
        until(lambda: self.reports(agent), LIMIT_S, "a report")
        (report,) = self.reports(agent)
        self.assertEqual((report["outcome"], report["version"]), ("failure", "2.0"))
        self.assertIn("it is release 3 (2.1), and not the one", report["reason"])
        self.assertEqual(agent.device.status()["slots"]["b"]["version"], None)
        self.assertEqual(agent.device.run("allow").stdout, "No release is denied.\n")
        done = agent.device.run("check")
        self.assertEqual(done.returncode, 0, done.stderr)
        agent.until_reboot()
        self.check_installed(agent.device, part)

    def test_an_update_is_cancelled_before_the_flip_and_reported_so(self):
        image, _ = fixtures.release()
        agent = self.agent(more="[gates]\nneed_consent=yes\n")
        agent.start()
        self.drop(agent, image)
        until(lambda: "consent" in agent.status()["waits_for"], LIMIT_S, "the question")
        done = agent.device.run("cancel")
        self.assertEqual(done.returncode, 0, done.stderr)
        until(lambda: self.reports(agent), LIMIT_S, "a report")
        self.assertEqual(self.reports(agent)[0]["outcome"], "cancelled")
        agent.until("idle")
        self.assertEqual(agent.device.status()["next_boot"], "a")
        done = agent.device.run("cancel")
        self.assertEqual(done.returncode, fixtures.NOT_NOW, done.stderr)

    def test_consent_lets_it_go_on(self):
        image, _ = fixtures.release()
        agent = self.agent(more="[gates]\nneed_consent=yes\n")
        agent.start()
        self.drop(agent, image)
        until(lambda: "consent" in agent.status()["waits_for"], LIMIT_S, "the question")
        done = agent.device.run("consent")
        self.assertEqual(done.returncode, 0, done.stderr)
        agent.until_reboot()


class Full(AgentTest):
    """A state directory without room."""

    def said(self, agent, part):
        """How many lines of the log have the text."""
        return sum(part in line for line in agent.log.read_text().splitlines())

    def asked(self, agent, times):
        """The source was asked, and a wait was ended, so many times."""
        for _ in range(times):
            before = agent.status()["poll"]["polls"]
            self.assertEqual(agent.device.run("check").returncode, 0)
            until(lambda was=before: agent.status()["poll"]["polls"] > was, LIMIT_S, "a poll")

    def test_a_full_state_directory_is_waited_for_at_each_step_and_nothing_is_lost(self):
        image, part = fixtures.release()
        agent = self.agent()
        device = agent.device
        with open(device.conf, "a", encoding="ascii") as stream:
            stream.write(f"[gates]\ninstall_command=test -e {device.dir}/go\n")
        state = self.mount_state(device, "size=1M")
        self.addCleanup(agent.stop)  # before it is unmounted
        agent.start()
        # Before anything is begun.
        filler = fixtures.fill(state)
        self.drop(agent, image)
        self.asked(agent, 3)
        self.assertEqual(agent.status()["offer"], None)
        self.assertEqual(self.said(agent, "release 2.0 cannot be taken"), 1)
        self.check_refused(device.run("hold"), fixtures.IO, str(state), "No space left")
        # In front of the flip.
        filler.unlink()
        self.asked(agent, 1)
        agent.until_waits_for("gate command")
        filler = fixtures.fill(state)
        (device.dir / "go").touch()
        self.asked(agent, 3)
        agent.until_waits_for("cannot be written")
        self.assertEqual(self.said(agent, "error: the agent waits until it can write"), 1)
        self.assertEqual(device.status()["next_boot"], "a")
        filler.unlink()
        self.assertEqual(device.run("check").returncode, 0)
        agent.until_reboot()
        self.check_installed(device, part)
        # At its end.
        filler = fixtures.fill(state)
        self.assertEqual(self.reboot(agent), "b")
        filler.unlink()
        self.assertEqual(device.run("confirm").returncode, 0)
        filler = fixtures.fill(state)
        agent.start()
        agent.until_waits_for("No space left")
        self.assertEqual(self.reports(agent), [])
        filler.unlink()
        self.assertEqual(device.run("check").returncode, 0)
        agent.until("idle")
        self.assertEqual([report["outcome"] for report in self.reports(agent)], ["success"])
        self.assertIn("success", device.run("history").stdout)


class Process(AgentTest):
    """The agent as a process."""

    def test_a_second_agent_is_refused(self):
        agent = self.agent()
        agent.start()
        done = agent.device.run("agent")
        self.check_refused(done, fixtures.AGAIN, "another agent")

    def test_without_a_source_or_without_an_agent_one_sentence_says_so(self):
        device = self.device()
        self.check_refused(device.run("agent"), fixtures.CONFIG, "[fleet] source")
        agent = self.agent(name="other")
        done = agent.device.run("check")
        self.check_refused(done, fixtures.NOT_NOW, "no agent is running")
        self.assertIn("Agent: not running.", agent.device.run("status").stdout)

    def test_a_bad_configuration_keeps_the_old_one(self):
        agent = self.agent()
        agent.start()
        good = agent.device.conf.read_text()
        agent.device.conf.write_text(good + "[fleets]\nx=y\n")
        agent.process.send_signal(signal.SIGHUP)
        until(lambda: "stays as it was" in agent.log.read_text(), LIMIT_S, "a word")
        agent.device.conf.write_text(good + "[gates]\nneed_consent=yes\n")
        until(agent.answers, LIMIT_S, "the agent")
        agent.process.send_signal(signal.SIGHUP)
        image, _ = fixtures.release()
        until(agent.answers, LIMIT_S, "the agent")
        self.drop(agent, image)
        until(lambda: "consent" in agent.status()["waits_for"], LIMIT_S, "the question")


if __name__ == "__main__":
    assert os.path.exists(BIN)
    unittest.main()
