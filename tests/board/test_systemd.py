# SPDX-License-Identifier: Apache-2.0
"""A system with systemd that cannot be confirmed: units that boot-complete.target requires, a
vv-update that hangs, crashes or is not there, a kernel that hangs, a state directory that cannot be
mounted. And whose the watchdog is."""

import attempts
from rig import CONFIRM_S, Rig, factory_card
from test_rollback import GivenUp

SOON = "printf '[confirm]\\ndeadline=1min\\n' >/data/conf.d/60-deadline.conf"
LATER = "printf '[confirm]\\nstable_for=20s\\n' >/data/conf.d/60-stable.conf"
# A confirmation that hangs, each time it is started. The shipped unit ends it, starts it again, and
# gives up in the end; only what it waits for is cut short.
HANGING = "; ".join((
    "unit=/run/systemd/system/vv-update-confirm.service.d",
    "mkdir -p $unit",
    "for line in [Service] WatchdogSec=5s TimeoutStopSec=1s RestartSec=100ms",
    "do echo $line; done >$unit/soon.conf",
    "systemctl daemon-reload",
    "systemctl --no-block restart vv-update-confirm",
    "while sleep 1",
    "do systemctl show -P NRestarts vv-update-confirm >/data/restarts.new",
    "mv /data/restarts.new /data/restarts",
    "systemctl is-active --quiet vv-update-confirm && pkill -STOP -x vv-update; done"))
# Nothing but this runs any more, not even the kernel's own threads: there is one processor.
SPINNING = ("echo -1 >/proc/sys/kernel/sched_rt_runtime_us; "
            'exec chrt --fifo 99 sh -c "while :; do :; done"')


class Systemd(GivenUp):
    """The service that is shipped, under a real systemd."""

    def install_with(self, rig, script, setting):
        """To the trial of 2.0, in which a unit that boot-complete.target requires does this."""
        self.install_and_reboot(rig, "2.0", f"echo '{script}' >/data/boot_check-2.0", setting)

    def check_boot_check(self, script):
        """That unit keeps the target from being reached."""
        with Rig(factory_card("order", "debian"), "debian") as rig:
            self.install_with(rig, script, SOON)
            rig.boots("2.0", "b")
            self.check_back(rig, "2.0", "check boot-complete.target: not healthy within 1 min",
                            "is inactive")

    def test_a_unit_of_boot_complete_that_fails_rolls_back(self):
        self.check_boot_check("exit 1")

    def test_a_unit_of_boot_complete_that_hangs_rolls_back(self):
        self.check_boot_check("exec sleep infinity")

    def check_gone_back(self, rig, version):
        """The one attempt ends with a reset, and the old slot knows no more than that."""
        for slot in "ba":
            self.assertEqual(rig.expect(r"^Booting slot (\w)$")[1], slot)
        self.check_back(rig, version, "within 1 boot")

    def check_release(self, version):
        """A release that is never confirmed, by its own fault."""
        with Rig(factory_card("order", "debian"), "debian") as rig:
            self.install_and_reboot(rig, version, attempts.ONE)
            self.check_gone_back(rig, version)

    def check_reset(self, script):
        """A release that is never confirmed, because of what that unit does."""
        with Rig(factory_card("order", "debian"), "debian") as rig:
            self.install_with(rig, script, attempts.ONE)
            self.check_gone_back(rig, "2.0")

    def test_without_the_program_the_board_is_reset_and_the_old_slot_runs(self):
        self.check_release("6.0")

    def test_a_program_that_crashes_each_time_ends_in_the_old_slot(self):
        self.check_release("7.0")

    def test_a_state_directory_that_cannot_be_mounted_ends_in_the_old_slot(self):
        self.check_release("8.0")

    def test_a_system_that_ends_in_emergency_mode_is_left(self):
        self.check_reset("exec systemctl --no-block emergency")

    def test_a_confirmation_that_hangs_each_time_ends_in_the_old_slot(self):
        with Rig(factory_card("order", "debian"), "debian") as rig:
            self.install_with(rig, HANGING, attempts.ONE)
            self.check_gone_back(rig, "2.0")
            # Not at the first failure: of the five starts three are restarts, and the next one may
            # be counted that is refused.
            self.assertIn(rig.must("cat /data/restarts"), ("3", "4"))

    def test_a_kernel_that_hangs_is_reset_and_the_old_slot_runs(self):
        self.check_reset(SPINNING)

    def test_a_confirmation_that_is_ended_begins_anew_and_the_watchdog_is_systemds(self):
        with Rig(factory_card("order", "debian"), "debian") as rig:
            self.install_and_reboot(rig, "2.0", LATER)
            rig.boots("2.0", "b")
            rig.must("until systemctl is-active -q vv-update-confirm; do sleep 0.2; done")
            rig.must("pkill -TERM -x vv-update")
            rig.must("until grep -qx 0 /run/vv-confirm.rc; do sleep 0.2; done", CONFIRM_S)
            self.assertEqual(rig.must("systemctl show -P NRestarts vv-update-confirm"), "1")
            health = rig.status()["health"]
            self.assertEqual((health["slot"], health["result"], health["watchdog"]),
                             ("b", "good", "busy"))
            self.assertIn("boot-complete.target", [check["name"] for check in health["checks"]])
            rig.check_no_write()
