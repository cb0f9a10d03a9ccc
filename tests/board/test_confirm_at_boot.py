# SPDX-License-Identifier: Apache-2.0
"""A system without systemd, whose confirmation is the script for plain init: the watchdog is
vv-update's in a trial, and a trial without a verdict ends."""

import attempts
from rig import Rig, factory_card
from test_rollback import GivenUp

NOT_YET = "printf '[confirm]\\nstable_for=2min\\n' >/data/conf.d/60-confirm.conf"
# What the kernel says of a device that is closed and goes on: the initramfs does that, once.
LEFT_RUNNING = "dmesg | grep -c 'watchdog did not stop'"


class ConfirmAtBoot(GivenUp):
    """The small userland runs updater/init/confirm-at-boot."""

    def test_without_the_program_the_board_is_reset_and_the_old_slot_runs(self):
        with Rig(factory_card("order")) as rig:
            self.install_and_reboot(rig, "6.0", attempts.ONE)
            self.assertEqual(rig.expect(r"^Booting slot (\w)$")[1], "b")
            self.assertEqual(rig.expect(r"^Booting slot (\w)$")[1], "a")
            self.check_back(rig, "6.0", "boot loader")

    def test_the_watchdog_is_vv_updates_in_a_trial_and_stopped_behind_it(self):
        with Rig(factory_card("order")) as rig:
            self.install_and_reboot(rig, "2.0")
            rig.boots("2.0", "b")
            self.assertEqual(rig.confirmed(), 0)
            health = rig.status()["health"]
            self.assertEqual((health["slot"], health["result"], health["watchdog"]),
                             ("b", "good", "ours"))
            self.assertEqual(rig.must(LEFT_RUNNING), "1")

    def test_a_confirmation_that_hangs_is_a_reset_and_the_old_slot_runs(self):
        with Rig(factory_card("order")) as rig:
            self.install_and_reboot(rig, "2.0", attempts.ONE, NOT_YET)
            rig.boots("2.0", "b")
            rig.must("until vv-update status | grep -q '^Watchdog: ours'; do sleep 0.2; done")
            rig.must("kill -STOP $(pidof vv-update)")
            self.assertEqual(rig.expect(r"^Booting slot (\w)$")[1], "a")
            self.check_back(rig, "2.0", "boot loader")
