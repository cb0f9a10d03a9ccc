# SPDX-License-Identifier: Apache-2.0
"""A system with systemd that cannot be confirmed: units that boot-complete.target requires, a
vv-update that does not even start. And whose the watchdog is."""

import attempts
from rig import Rig, factory_card
from test_rollback import GivenUp


class Systemd(GivenUp):
    """The service that is shipped, under a real systemd."""

    def install_with(self, rig, script):
        """To the trial of 2.0, in which a unit that boot-complete.target requires does this."""
        rig.boots("1.0", "a")
        self.assertEqual(rig.confirmed(), 0)
        rig.must(f"echo '{script}' >/data/boot_check-2.0")
        rig.must("printf '[confirm]\\ndeadline=1min\\n' >/data/conf.d/60-deadline.conf")
        rig.install("2.0")
        rig.reboot()

    def check_boot_check(self, script):
        """That unit keeps the target from being reached."""
        with Rig(factory_card("order", "debian"), "debian") as rig:
            self.install_with(rig, script)
            rig.boots("2.0", "b")
            self.check_back(rig, "2.0", "check boot-complete.target: not healthy within 1 min",
                            "is inactive")

    def test_a_unit_of_boot_complete_that_fails_rolls_back(self):
        self.check_boot_check("exit 1")

    def test_a_unit_of_boot_complete_that_hangs_rolls_back(self):
        self.check_boot_check("exec sleep infinity")

    def check_resets(self, rig, version):
        """Every attempt ends with a reset, and the old slot knows no more than that."""
        for slot in ["b"] * attempts.PER_TRIAL + ["a"]:
            self.assertEqual(rig.expect(r"^Booting slot (\w)$")[1], slot)
        self.check_back(rig, version, f"within {attempts.PER_TRIAL} boots")

    def check_no_program(self, version):
        """vv-update is of no use in this release."""
        with Rig(factory_card("order", "debian"), "debian") as rig:
            self.install_and_reboot(rig, version)
            self.check_resets(rig, version)

    def test_without_the_program_each_attempt_ends_and_the_old_slot_runs(self):
        self.check_no_program("6.0")

    def test_a_program_that_crashes_each_time_ends_in_the_old_slot(self):
        self.check_no_program("7.0")

    def test_a_system_that_ends_in_emergency_mode_is_left(self):
        with Rig(factory_card("order", "debian"), "debian") as rig:
            self.install_with(rig, "exec systemctl --no-block emergency")
            self.check_resets(rig, "2.0")

    def test_a_watchdog_of_systemd_is_left_to_it(self):
        with Rig(factory_card("order", "debian"), "debian") as rig:
            self.install_and_reboot(rig, "2.0")
            rig.boots("2.0", "b")
            self.assertEqual(rig.confirmed(), 0)
            health = rig.status()["health"]
            self.assertEqual((health["slot"], health["result"], health["watchdog"]),
                             ("b", "good", "busy"))
            self.assertIn("boot-complete.target", [check["name"] for check in health["checks"]])
            rig.check_no_write()
