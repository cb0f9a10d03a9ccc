# SPDX-License-Identifier: Apache-2.0
"""What the units of systemd must say, because no test can wait for it or has the version of systemd
that it matters with; and what systemd itself makes of them."""

import configparser
import os
import pathlib
import re
import shutil
import subprocess
import unittest

import fixtures
from agents import LIMIT_S, AgentTest
from virtual_device import until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
UNITS = ROOT / "updater/systemd"
# What these do to a service hides something from its health checks, or changes it.
HIDING = ("PrivateDevices", "PrivateNetwork", "PrivateTmp", "PrivateUsers", "ProcSubset",
          "ProtectClock", "ProtectControlGroups", "ProtectHome", "ProtectKernelLogs",
          "ProtectKernelModules", "ProtectKernelTunables", "ProtectProc", "ProtectSystem",
          "RestrictAddressFamilies", "RestrictNamespaces", "DeviceAllow", "DevicePolicy",
          "MemoryDenyWriteExecute")
TAKING = ("NoNewPrivileges", "ProtectHostname", "Restrict", "LockPersonality", "KeyringMode",
          "CapabilityBoundingSet", "SystemCall")


def read_unit(name):
    """Sections of a unit; of a key that stands there several times, the last value."""
    parsed = configparser.ConfigParser(interpolation=None, strict=False)
    parsed.optionxform = str
    parsed.read(UNITS / name)
    return parsed


def taken_away(name):
    """The lines of a service that take something away from it."""
    return [line for line in (UNITS / name).read_text().splitlines() if line.startswith(TAKING)]


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

    def test_whether_the_clock_is_synchronised_can_be_asked_and_it_cannot_be_set(self):
        # adjtimex(2), which tells it, is one of @clock.
        lines = taken_away("vv-update-confirm.service")
        self.assertFalse([line for line in lines if "@clock" in line])
        self.assertTrue([line for line in lines
                         if re.match(r"CapabilityBoundingSet=~.*\bCAP_SYS_TIME\b", line)])

    def test_it_is_never_behind_what_it_watches(self):
        for key in ("After", "Requires", "Wants", "BindsTo", "Requisite"):
            self.assertNotIn("boot-complete", self.unit["Unit"].get(key, ""))


class AgentUnits(unittest.TestCase):
    """The agent as a service, and its socket."""

    def setUp(self):
        self.service = read_unit("vv-update-agent.service")["Service"]
        self.socket = read_unit("vv-update-agent.socket")["Socket"]

    def test_a_check_before_an_install_sees_what_the_same_one_sees_in_the_trial(self):
        # One that fails before does not count in the trial. Nor must a slot be hidden: one device
        # that is allowed forbids all others.
        self.assertEqual([key for key in HIDING if key in self.service], [])
        self.assertEqual(taken_away("vv-update-agent.service"),
                         taken_away("vv-update-confirm.service"))

    def test_its_share_of_the_machine_has_a_limit(self):
        self.assertRegex(self.service["MemoryMax"], r"^\d+M$")
        for weight in ("CPUWeight", "IOWeight"):
            self.assertLess(int(self.service[weight]), 100)  # that of every other service

    def test_it_is_started_again_unless_it_was_called_wrongly(self):
        self.assertEqual(self.service["Restart"], "on-failure")
        self.assertEqual(self.service["RestartPreventExitStatus"], str(fixtures.USAGE))

    def test_a_reload_does_not_end_it_for_good(self):
        # Death by SIGHUP is a clean end to systemd.
        self.assertIn("-HUP", self.service["ExecReload"])
        self.assertEqual(self.service["RestartForceExitStatus"], "SIGHUP")

    def test_the_socket_is_where_the_agent_would_make_it_and_for_root_only(self):
        keys = (ROOT / "updater/config_keys.c").read_text()
        self.assertIn(f'.fallback = "{self.socket["ListenStream"]}"', keys)
        self.assertEqual(self.socket["SocketMode"], "0600")
        self.assertEqual(self.socket.get("Accept", "no"), "no")

    def test_the_end_of_the_agent_leaves_the_folder_of_the_socket_there(self):
        folder = f"/run/{self.service['RuntimeDirectory']}"
        self.assertEqual(str(pathlib.Path(self.socket["ListenStream"]).parent), folder)
        self.assertEqual(self.service["RuntimeDirectoryPreserve"], "yes")
        self.assertEqual(self.service["RuntimeDirectoryMode"], self.socket["DirectoryMode"])


class Installed(fixtures.DeviceTest):
    """As `make install` leaves them."""

    def setUp(self):
        super().setUp()
        subprocess.run(["make", "-s", "install-init", f"DESTDIR={self.folder}", "PREFIX=/opt/vv",
                        f"BINDIR={fixtures.BIN}", "UNITDIR=/units"], cwd=ROOT, check=True,
                       stdin=subprocess.DEVNULL,
                       env={key: value for key, value in os.environ.items() if key != "MAKEFLAGS"})
        self.units = sorted((self.folder / "units").iterdir())

    def test_all_of_them_are_there_and_start_the_program_where_it_is(self):
        self.assertEqual([path.name for path in self.units],
                         sorted(path.name for path in UNITS.iterdir()))
        started = [line for path in self.units for line in path.read_text().splitlines()
                   if re.match(r"ExecStart=.*/vv-update ", line)]
        self.assertEqual(started, [f"ExecStart={fixtures.BIN}/vv-update {verb}"
                                   for verb in ("agent", "confirm")])

    def test_the_scripts_for_other_inits_are_there_and_may_be_run(self):
        scripts = sorted((self.folder / "opt/vv/lib/vv-update").iterdir())
        self.assertEqual([path.name for path in scripts], ["confirm-at-boot", "run-agent"])
        self.assertEqual([path.stat().st_mode & 0o777 for path in scripts], [0o755] * 2)

    def test_systemd_understands_every_line(self):
        done = subprocess.run(["systemd-analyze", "--man=no", "verify", *self.units], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        # Known from 254 on.
        said = [line for line in done.stdout.splitlines() if "'RestartMode'" not in line]
        self.assertEqual(said, [])


class PassedSocket(AgentTest):
    """An agent that systemd starts when somebody connects."""

    def test_the_first_question_starts_the_agent_and_its_end_leaves_the_socket_there(self):
        agent = self.agent()
        program = shutil.which("systemd-socket-activate")
        path = agent.device.dir / "agent.sock"
        agent.under = (program, "--listen", str(path))
        agent.start()
        done = agent.device.run("check")
        self.assertEqual(done.returncode, 0, done.stderr)
        until(lambda: agent.status()["poll"]["polls"] == 1, LIMIT_S, "a poll")
        agent.stop()
        self.assertEqual(agent.process.returncode, 0, agent.log.read_text())
        self.assertTrue(path.exists(), "the socket is systemd's")


if __name__ == "__main__":
    unittest.main()
