# SPDX-License-Identifier: Apache-2.0
"""What the units of systemd must say, because no test can wait for it or has the version of systemd
that it matters with."""

import configparser
import pathlib
import unittest

UNITS = pathlib.Path(__file__).resolve().parent.parent.parent / "updater/systemd"
# What these do to a service hides something from its health checks, or changes it.
HIDING = ("PrivateDevices", "PrivateNetwork", "PrivateTmp", "PrivateUsers", "ProcSubset",
          "ProtectClock", "ProtectControlGroups", "ProtectHome", "ProtectKernelLogs",
          "ProtectKernelModules", "ProtectKernelTunables", "ProtectProc", "ProtectSystem",
          "RestrictAddressFamilies", "RestrictNamespaces", "DeviceAllow", "DevicePolicy")


def read_unit(name):
    """A unit; of a key that is there several times, the last."""
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str
    unit.read(UNITS / name)
    return unit


class Units(unittest.TestCase):
    """The confirmation as a service."""

    def setUp(self):
        self.unit = read_unit("vv-update-confirm.service")

    def test_only_the_last_of_its_failures_gives_a_trial_up(self):
        # Systemd from 254 on takes every restart for a failure otherwise.
        self.assertEqual(self.unit["Service"]["RestartMode"], "direct")
        self.assertEqual(self.unit["Service"]["Restart"], "on-failure")
        self.assertEqual(self.unit["Unit"]["StartLimitBurst"], "5")

    def test_a_check_inside_sees_what_there_is_outside(self):
        hidden = [key for key in HIDING if key in self.unit["Service"]]
        self.assertEqual(hidden, [])

    def test_it_is_never_behind_what_it_watches(self):
        for key in ("After", "Requires", "Wants", "BindsTo", "Requisite"):
            self.assertNotIn("boot-complete", self.unit["Unit"].get(key, ""))


class AgentUnit(unittest.TestCase):
    """The agent as a service."""

    def setUp(self):
        self.service = read_unit("vv-update-agent.service")["Service"]

    def test_it_can_ask_whether_the_clock_is_synchronised_and_not_set_it(self):
        # adjtimex(2), which tells it, is one of @clock, and ProtectClock= takes that away.
        self.assertNotIn("ProtectClock", self.service)
        self.assertNotIn("@clock", self.service["SystemCallFilter"])
        self.assertEqual(self.service["CapabilityBoundingSet"], "~CAP_SYS_TIME CAP_WAKE_ALARM")

    def test_no_block_device_is_taken_away(self):
        # One device that is allowed forbids all others.
        for key in ("DeviceAllow", "DevicePolicy", "PrivateDevices", "ProtectClock"):
            self.assertNotIn(key, self.service)

    def test_a_reload_does_not_end_it_for_good(self):
        # Death by SIGHUP is a clean end to systemd.
        self.assertIn("-HUP", self.service["ExecReload"])
        self.assertEqual(self.service["RestartForceExitStatus"], "SIGHUP")


if __name__ == "__main__":
    unittest.main()
