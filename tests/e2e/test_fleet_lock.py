# SPDX-License-Identifier: Apache-2.0
"""At most so many devices of a site reboot at once, and each gives its place back."""

import json
import signal
import unittest

import fixtures
from agents import LIMIT_S, AgentTest
from fleet_lock import FleetLock
from virtual_device import until

OTHER = "another-device"


class Lock(AgentTest):
    """A device of a group that has one place."""

    def setUp(self):
        super().setUp()
        self.lock = FleetLock()
        self.addCleanup(self.lock.stop)
        self.image, _ = fixtures.release()

    def start(self, more=""):
        """An agent that has said at its start that all is well."""
        agent = self.agent(more=f"[gates]\nfleet_lock_url={self.lock.url}\n"
                                f"fleet_lock_group=site-7\n{more}")
        agent.start()
        until(lambda: self.lock.count("steady-state") == 1, LIMIT_S, "steady-state")
        return agent

    def holders(self):
        """Who has a place."""
        return self.lock.held["site-7"]

    def owed(self, agent):
        """What `status` says of it."""
        return agent.status()["fleet_lock"]["owed"]

    def test_a_place_is_taken_before_the_reboot_and_given_back_when_the_release_is_confirmed(self):
        agent = self.start()
        self.drop(agent, self.image)
        agent.until_reboot()
        self.assertEqual(self.holders(), {"device-0001"})
        self.assertEqual(self.lock.count("steady-state"), 1)
        self.assertEqual(self.reboot(agent), "b")
        agent.start()
        agent.until("trial")
        self.assertEqual(self.holders(), {"device-0001"})
        done = agent.device.run("confirm")
        self.assertEqual(done.returncode, 0, done.stderr)
        agent.device.run("check")
        until(lambda: not self.holders(), LIMIT_S, "the place back")
        self.assertEqual((self.lock.count("pre-reboot"), self.lock.count("steady-state")), (1, 2))
        (report,) = self.reports(agent)
        self.assertEqual(report["outcome"], "success")

    def test_while_another_device_reboots_this_one_waits_and_says_so(self):
        agent = self.start()
        self.holders().add(OTHER)
        self.drop(agent, self.image)
        agent.until("waiting")
        until(lambda: "fleet lock: HTTP 409" in agent.status()["waits_for"], LIMIT_S, "the lock")
        self.assertIn("failed_lock_semaphore_full is why", agent.status()["waits_for"])
        self.assertFalse((agent.device.dir / "reboot-requested").exists())
        self.assertFalse(self.owed(agent))
        self.assertEqual(self.lock.count("steady-state"), 1)
        self.holders().clear()
        agent.device.run("check")
        agent.until_reboot()
        self.assertEqual(self.holders(), {"device-0001"})

    def test_a_place_that_a_cut_left_behind_is_given_back_by_the_next_agent(self):
        agent = self.start()
        agent.stop(signal.SIGKILL)
        self.holders().add("device-0001")
        self.lock.works = False
        agent.start()
        until(lambda: self.lock.count("steady-state") == 2, LIMIT_S, "steady-state")
        until(lambda: "not_today" in json.dumps(agent.status()), LIMIT_S, "the reason")
        self.assertTrue(self.owed(agent))
        self.lock.works = True
        agent.stop()
        agent.start()
        until(lambda: not self.holders(), LIMIT_S, "the place back")
        until(lambda: not self.owed(agent), LIMIT_S, "no debt")

    def test_a_lock_without_an_id_of_the_device_is_refused_with_the_key_to_set(self):
        agent = self.agent(more=f"[gates]\nfleet_lock_url={self.lock.url}\n")
        text = agent.device.conf.read_text()
        agent.device.conf.write_text(text.replace("id=device-0001\n", ""))
        done = agent.device.run("agent")
        self.check_refused(done, fixtures.CONFIG, "'id' of [device]")


if __name__ == "__main__":
    unittest.main()
