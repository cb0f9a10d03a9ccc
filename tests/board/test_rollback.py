# SPDX-License-Identifier: Apache-2.0
"""Releases that must not stay: one whose service is broken, one whose kernel panics, one without a
kernel. The old slot runs again and says why."""

import unittest

import attempts
from rig import Rig, factory_card


class GivenUp(unittest.TestCase):
    """The board is in slot a again, by itself, and stays there."""

    def install_and_reboot(self, rig, version, *commands):
        """From the factory's release, which runs these commands first, to the trial of this."""
        rig.boots("1.0", "a")
        self.assertEqual(rig.confirmed(), 0)
        for command in commands:
            rig.must(command)
        rig.install(version)
        rig.reboot()

    def check_back(self, rig, version, *reasons):
        """Slot a runs, the trial is over, and status says what became of it."""
        rig.boots("1.0", "a")
        self.assertEqual(rig.confirmed(), 0)
        status = rig.status()
        self.assertEqual((status["running"], status["next_boot"], status["trial"]),
                         ("a", "a", None))
        self.assertEqual(status["slots"]["b"]["state"], "bad")
        last = status["last"]
        self.assertEqual((last["result"], last["slot"], last["version"]),
                         ("rolled_back", "b", version))
        for reason in reasons:
            self.assertIn(reason, last["reason"])
            self.assertIn(reason, rig.must("vv-update status"))
        rig.check_no_write()


class Rollback(GivenUp):
    """Releases that are broken, each in its way."""

    def check_broken_service(self, contract, userland="small"):
        """tv_api answers 500: the health check that asks it fails."""
        with Rig(factory_card(contract, userland), userland) as rig:
            self.install_and_reboot(rig, "3.0")
            rig.boots("3.0", "b")
            self.check_back(rig, "3.0", "check tv_api", "HTTP 500", "no model")

    def check_panic(self, contract):
        """The kernel panics at each attempt; it resets the board, and the attempts run out."""
        with Rig(factory_card(contract)) as rig:
            self.install_and_reboot(rig, "4.0")
            attempts.check_panics(self, rig, "b", "a")
            self.check_back(rig, "4.0", "boot loader")

    def check_no_kernel(self, contract):
        """Nothing to load: the old slot is started at once, without a reset."""
        with Rig(factory_card(contract)) as rig:
            self.install_and_reboot(rig, "5.0")
            rig.expect(r"^Slot b cannot be started$")
            self.assertEqual(rig.expect(r"^Booting slot a$|^U-Boot 20|^resetting")[0],
                             "Booting slot a")
            self.check_back(rig, "5.0", "boot loader")

    def test_a_release_with_a_broken_service_is_rolled_back_with_contract_order(self):
        self.check_broken_service("order")

    def test_a_release_with_a_broken_service_is_rolled_back_with_contract_bootcount(self):
        self.check_broken_service("bootcount")

    def test_a_release_with_a_broken_service_is_rolled_back_with_systemd(self):
        self.check_broken_service("order", "debian")

    def test_a_heartbeat_of_the_old_system_does_not_count_for_the_new_one(self):
        with Rig(factory_card("order")) as rig:
            self.install_and_reboot(rig, "9.0")
            rig.boots("9.0", "b")
            self.check_back(rig, "9.0", "heartbeat is 1 min", "allowed are 1 min")

    def test_a_release_whose_kernel_panics_is_given_up_with_contract_order(self):
        self.check_panic("order")

    def test_a_release_whose_kernel_panics_is_given_up_with_contract_bootcount(self):
        self.check_panic("bootcount")

    def test_a_release_without_a_kernel_is_passed_over_with_contract_order(self):
        self.check_no_kernel("order")

    def test_a_release_without_a_kernel_is_passed_over_with_contract_bootcount(self):
        self.check_no_kernel("bootcount")
