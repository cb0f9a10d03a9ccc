# SPDX-License-Identifier: Apache-2.0
"""vv-bootsim: one power-on after the other on a real environment, checked with fw_printenv."""

import pathlib
import subprocess
import tempfile
import unittest

from virtual_device import BIN, VirtualDevice

NOTHING_BOOTS, USAGE, CONFIG = 1, 2, 3


class BootSim(unittest.TestCase):
    """The program, its options, and what it leaves in the environment."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)

    def device(self, **variables):
        """Plain files with these variables in both copies."""
        device = VirtualDevice(self.dir / "device", trust="none")
        device.make_environment({"bootcmd": "run it", **variables})
        return device

    def boot(self, device, *args):
        """Runs vv-bootsim to its end."""
        return subprocess.run(
            [str(BIN / "vv-bootsim"), "-e", str(device.dir / "fw_env.config"), *args],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)

    def check_boots(self, slot, device, *args):
        """The slot that runs, and a quiet stderr."""
        done = self.boot(device, *args)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, f"slot={slot}\n", ""))

    def check_refused(self, status, word, *args, device=None):
        """One sentence with `word`, nothing on stdout."""
        done = self.boot(device or self.device(), *args)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, rf"^vv-bootsim: .*{word}.*\n$")

    def test_a_trial_ends_in_the_old_slot(self):
        device = self.device(BOOT_ORDER="B A", BOOT_A_LEFT="3", BOOT_B_LEFT="2", vv_trial="b")
        for slot in "bba":
            self.check_boots(slot, device)
        self.assertEqual(device.environment(), {
            "bootcmd": "run it", "BOOT_ORDER": "B A", "BOOT_A_LEFT": "2", "BOOT_B_LEFT": "0",
            "vv_trial": "b"})

    def test_a_trial_ends_in_the_old_slot_by_the_boot_counter(self):
        device = self.device(rpipart="3", upgrade_available="1", bootcount="0", bootlimit="2",
                             vv_trial="b")
        for slot in "bbaa":
            self.check_boots(slot, device, "--contract", "bootcount")
        self.assertEqual(device.environment(), {
            "bootcmd": "run it", "rpipart": "2", "upgrade_available": "0", "bootcount": "0",
            "bootlimit": "2", "vv_trial": "b"})

    def test_the_kernel_command_line_is_written(self):
        device = self.device(BOOT_ORDER="B", BOOT_B_LEFT="1")
        output = self.dir / "cmdline"
        self.check_boots("b", device, "-o", str(output))
        self.assertEqual(output.read_text(), "root=PARTLABEL=rootfs-b vv.slot=b rauc.slot=B\n")

    def test_a_system_on_trial_is_told_by_the_command_line(self):
        device = self.device(BOOT_ORDER="B", BOOT_B_LEFT="1", vv_trial="b")
        output = self.dir / "cmdline"
        self.check_boots("b", device, "-o", str(output))
        self.assertIn(" vv.trial\n", output.read_text())

    def test_slots_and_their_variable_can_be_named(self):
        device = self.device(active_system="linux_b")
        names = ("--contract=bootcount", "--slot-var=active_system", "--slot=one=1,linux_a",
                 "--slot=two=2,linux_b")
        self.check_boots("two", device, *names)

    def test_the_number_of_attempts_can_be_named(self):
        device = self.device()
        self.check_boots("a", device, "--attempts", "7")
        self.assertEqual(device.environment()["BOOT_A_LEFT"], "6")

    def test_a_slot_that_cannot_be_started_costs_an_attempt(self):
        device = self.device(BOOT_ORDER="B A", BOOT_A_LEFT="3", BOOT_B_LEFT="3", vv_trial="b")
        self.check_boots("a", device, "--unbootable", "b")
        variables = device.environment()
        self.assertEqual((variables["BOOT_A_LEFT"], variables["BOOT_B_LEFT"]), ("2", "2"))

    def test_a_slot_may_be_unbootable_before_it_is_named(self):
        device = self.device(rpipart="3", upgrade_available="1", bootlimit="3", vv_trial="two")
        self.check_boots("one", device, "--unbootable=two", "--contract=bootcount",
                         "--slot=one=A,2", "--slot=two=B,3")

    def test_resets_are_counted(self):
        device = self.device(BOOT_ORDER="B A", BOOT_A_LEFT="0", BOOT_B_LEFT="0", vv_trial="b")
        for resets in (1, 0):
            done = self.boot(device, "--resets")
            self.assertEqual((done.returncode, done.stdout), (0, f"resets={resets}\nslot=a\n"))

    def test_nothing_that_can_be_started_is_three_resets_and_an_end(self):
        done = self.boot(self.device(), "--resets", "--unbootable=a", "--unbootable=b")
        self.assertEqual((done.returncode, done.stdout), (NOTHING_BOOTS, "resets=3\n"))
        self.assertIn("no slot could be started", done.stderr)

    def test_a_slot_with_nothing_to_fall_back_to_stops_at_the_prompt(self):
        device = self.device(BOOT_ORDER="B", BOOT_B_LEFT="0", vv_trial="b")
        self.check_refused(NOTHING_BOOTS, "nothing boots: BOOT_ORDER names no slot",
                           device=device)

    def test_one_damaged_copy_boots_and_two_do_not(self):
        device = self.device(BOOT_ORDER="B A")
        device.damage_environment(0)
        self.check_boots("b", device)
        device.damage_environment(0, 1)
        self.check_refused(NOTHING_BOOTS, "built-in environment.*both copies", device=device)

    def test_a_wrong_command_line_is_refused(self):
        device = self.device()
        for word, *args in (
                ("--contract is order or bootcount", "--contract", "grub"),
                ("a number from 1 to 9", "--attempts", "0"),
                ("a number from 1 to 9", "--attempts", "10"),
                ("NAME=BOOTNAME,BOOTVALUE", "--slot", "a"),
                ("NAME=BOOTNAME,BOOTVALUE", "--slot", "a=A"),
                ("NAME=BOOTNAME,BOOTVALUE", "--slot", "a=A,"),
                ("given once", "--slot", "a=A,2"),
                ("more than twice", "--slot=a=A,2", "--slot=b=B,3", "--slot=c=C,4"),
                ("no such slot", "--unbootable", "c"),
                ("more than twice", *["--unbootable=a"] * 3),
                ("takes options only", "boot")):
            with self.subTest(args=args):
                self.check_refused(USAGE, word, *args, device=device)
        done = subprocess.run([str(BIN / "vv-bootsim")], stderr=subprocess.PIPE, text=True,
                              check=False)
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("-e FW_ENV_CONFIG is missing", done.stderr)

    def test_a_missing_configuration_is_named(self):
        device = self.device()
        (device.dir / "fw_env.config").unlink()
        self.check_refused(CONFIG, "fw_env.config", device=device)

    def test_the_version_goes_to_standard_output(self):
        done = self.boot(self.device(), "--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^vv-bootsim \d")

    def test_help_goes_to_standard_output(self):
        done = self.boot(self.device(), "--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("usage: vv-bootsim"))


if __name__ == "__main__":
    unittest.main()
