# SPDX-License-Identifier: Apache-2.0
"""What the boot scripts do with U-Boot and the board beyond the variables: a watchdog, an
environment that cannot be saved, one that is new; and U-Boot's configuration."""

import pathlib
import tempfile
import unittest

import card
import disk
import qemu
import uboot
from script_runs import Board
from script_states import State

SCRIPTS = uboot.ROOT / "bootloader"
# Makes the environment larger than its place, in memory only: saving fails.
TOO_LARGE = ("setenv big 0123456789abcdef",
             "for x in 1 2 3 4 5 6 7 8 9 10; do setenv big ${big}${big}; done")


class OnTheBoard(unittest.TestCase):
    """One board per test."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="vv-board-")
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)

    def order(self, names, trial=None):
        """A state of contract `order` with attempts left."""
        variables = {"BOOT_ORDER": names, "BOOT_A_LEFT": "3", "BOOT_B_LEFT": "3",
                     "vv_trial": trial}
        return State("order", tuple(variables.items()), "a b")

    def test_a_trial_whose_attempt_cannot_be_saved_is_passed_over(self):
        with Board(uboot.build(), SCRIPTS / "boot-order.cmd", self.dir) as board:
            outcome = board.run(self.order("B A", "b"), more=TOO_LARGE)
            self.assertEqual((outcome.slot, outcome.resets), ("a", 0))
            self.assertEqual((outcome.stored["BOOT_A_LEFT"], outcome.stored["BOOT_B_LEFT"]),
                             ("3", "3"))
            # Nothing is to be proven of a slot that is not on trial: it starts.
            self.assertEqual(board.run(self.order("B A"), more=TOO_LARGE).slot, "b")
            # And with room again all is as ever.
            outcome = board.run(self.order("B A", "b"))
            self.assertEqual((outcome.slot, outcome.stored["BOOT_B_LEFT"]), ("b", "2"))

    def test_a_trial_whose_count_cannot_be_saved_is_passed_over(self):
        variables = {"rpipart": "3", "upgrade_available": "1", "bootcount": "0", "bootlimit": "3",
                     "vv_trial": "b"}
        state = State("bootcount", tuple(variables.items()), "a b")
        with Board(uboot.build(), SCRIPTS / "boot-bootcount.cmd", self.dir) as board:
            outcome = board.run(state, more=TOO_LARGE)
            self.assertEqual((outcome.slot, outcome.resets, outcome.stored["bootcount"]),
                             ("a", 0, "0"))
            outcome = board.run(state)
            self.assertEqual((outcome.slot, outcome.stored["bootcount"]), ("b", "1"))

    def start(self, contract, variables, **options):
        """A board with the built-in variables, the board's and these."""
        path = disk.make_disk(self.dir / "disk.img", SCRIPTS / f"boot-{contract}.cmd", slot_mib=2,
                              data_mib=2, variables={**card.built_in(), **variables})
        machine = qemu.Machine(uboot.build(), [path], self.dir / "console.log", memory=256,
                               **options)
        self.addCleanup(machine.power_cut)
        machine.power_on()
        return machine, path

    def test_an_attempt_that_hangs_is_ended_by_the_watchdog(self):
        # Two stages of about 1 s.
        watchdog = disk.environment_file(uboot.ENVIRONMENT[1])["vv_watchdog"].replace("7800", "400")
        hang = {"vv_watchdog": watchdog, "vv_start": "echo vv-run ${vv_slot}; sleep 600"}
        for contract, variables in (
                ("order", {"BOOT_ORDER": "B A", "BOOT_B_LEFT": "1", "vv_trial": "b"}),
                ("bootcount", {"rpipart": "3", "upgrade_available": "1", "bootlimit": "1",
                               "vv_trial": "b"})):
            with self.subTest(contract=contract):
                machine, path = self.start(contract, {**hang, **variables})
                for slot in "ba":
                    machine.console.expect(rf"^vv: watchdog armed\nvv-run {slot}\n")
                machine.power_cut()
                stored = disk.read_environment(path)
                self.assertEqual(stored["vv_trial"], "b")
                self.assertFalse([name for name in stored if name.startswith("wd_") or
                                  name in ("filesize", "fileaddr")])

    def test_a_board_without_its_watchdog_boots_all_the_same(self):
        machine, _ = self.start("order", {"vv_start": "echo vv-run ${vv_slot}; sleep 600"},
                                watchdog=False)
        machine.console.expect(r"^Booting slot a\nvv-run a\n")

    def test_a_new_board_boots_by_its_built_in_environment_and_keeps_it(self):
        path = disk.make_disk(self.dir / "disk.img", SCRIPTS / "boot-order.cmd", slot_mib=2,
                              data_mib=2)
        with qemu.Machine(uboot.build(), [path], self.dir / "console.log") as machine:
            machine.console.expect(r"bad CRC, using default environment")
            machine.console.expect(r"^Booting slot a\n")
            machine.console.expect(r"^Slot a cannot be started\n")
        stored = disk.read_environment(path)
        self.assertEqual((stored["BOOT_ORDER"], stored["BOOT_A_LEFT"]), ("A B", "2"))
        for name, value in disk.environment_file(uboot.ENVIRONMENT[0]).items():
            self.assertEqual(stored[name], value)


class Configuration(unittest.TestCase):
    """What U-Boot is built with."""

    def test_the_copies_of_the_environment_lie_at_the_same_place_everywhere(self):
        fragment = dict(line.split("=") for line in uboot.FRAGMENTS[0].read_text().splitlines()
                        if line.startswith("CONFIG_ENV_"))
        shipped = [tuple(int(number, 16) for number in line.split()[1:])
                   for line in (SCRIPTS / "fw_env.config").read_text().splitlines()
                   if line.startswith("/dev/")]
        size = int(fragment["CONFIG_ENV_SIZE"], 16)
        built = [(int(fragment[name], 16), size)
                 for name in ("CONFIG_ENV_OFFSET", "CONFIG_ENV_OFFSET_REDUND")]
        card = [(offset, disk.ENV_SIZE) for offset in disk.ENV_OFFSETS]
        self.assertEqual(shipped, built)
        self.assertEqual(card, built)

    def test_a_line_that_is_missing_or_different_is_found(self):
        config = "CONFIG_A=y\nCONFIG_B=0x10\n# CONFIG_C is not set\nCONFIG_D=y\n"
        for line, taken in (("CONFIG_A=y", True), ("CONFIG_B=0x10", True), ("CONFIG_B=0x1", False),
                            ("CONFIG_C=y", False), ("CONFIG_X=y", False),
                            ("# CONFIG_C is not set", True), ("# CONFIG_X is not set", True),
                            ("# CONFIG_D is not set", False), ("# a comment", True), ("", True)):
            with self.subTest(line=line):
                self.assertEqual(uboot.lines_not_taken(line, config), [] if taken else [line])
