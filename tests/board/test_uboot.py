# SPDX-License-Identifier: Apache-2.0
"""What the boot scripts do with U-Boot and the board beyond the variables: a watchdog, an
environment that cannot be saved, one that is new; and U-Boot's configuration."""

import pathlib
import tempfile
import unittest

import card
import disk
import images_cache
import kernel
import qemu
import uboot
from script_runs import Board
from script_states import State
from tree import Tree

SCRIPTS = uboot.ROOT / "bootloader"
# As large as those of real boards: smaller than a block of the slot's file system.
DEVICE_TREE_BYTES = 40 << 10
# Makes the environment larger than its place, in memory only: saving fails.
TOO_LARGE = ("setenv big 0123456789abcdef",
             "for x in 1 2 3 4 5 6 7 8 9 10; do setenv big ${big}${big}; done")


def boot_partition(path):
    """What mtools call partition 1 of a card."""
    return f"{path}@@{disk.BOOT_AT_MIB}M"


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
            self.check_told_of_unsaved_trial(board)

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
            self.check_told_of_unsaved_trial(board)

    def check_told_of_unsaved_trial(self, board):
        """The console names the reason: the slot itself may be fine."""
        said = board.machine.log_path.read_text(errors="replace")
        self.assertIn("vv: the attempt cannot be saved; slot b is on trial and passed over", said)
        self.assertNotIn("Slot b cannot be started", said)

    def card(self, contract, variables, **content):
        """A card with the built-in variables, the board's and these; None: without this one."""
        there = {name: value for name, value in {**card.built_in(), **variables}.items()
                 if value is not None}
        return disk.make_disk(self.dir / "disk.img", SCRIPTS / f"boot-{contract}.cmd",
                              variables=there, data_mib=2, **{"slot_mib": 2, **content})

    def machine(self, path, **options):
        """A board with this card, off."""
        return qemu.Machine(uboot.build(), qemu.SdCard(path), self.dir / "console.log",
                            **{"memory": 256, **options})

    def slot(self, name, files):
        """A file system for a slot: {path: content or where it lies}."""
        tree = Tree()
        for path, content in files.items():
            tree.file(path, content)
        image = self.dir / f"{name}.squashfs"
        tree.write_squashfs(image)
        return image

    def device_tree(self):
        """That of the machine, as QEMU hands it to U-Boot: with another firmware or none the
        machine has other devices. QEMU's has 1 MiB, nearly all of it empty."""
        whole, path = self.dir / "whole.dtb", self.dir / "board.dtb"
        images_cache.run("qemu-system-aarch64", "-M", f"virt,dumpdtb={whole}", "-cpu", "cortex-a53",
                         "-m", 512, "-bios", uboot.build(), "-nic", "none", "-display", "none")
        images_cache.run("dtc", "-q", "-I", "dtb", "-O", "dtb", "-S", DEVICE_TREE_BYTES,
                         "-o", path, whole)
        self.assertEqual(path.stat().st_size, DEVICE_TREE_BYTES)
        return path

    def test_without_vv_start_the_script_loads_and_starts_a_kernel_by_itself(self):
        whole = self.slot("whole", {"boot/Image": kernel.base() / "Image",
                                    "boot/board.dtb": self.device_tree()})
        half = self.slot("half", {"boot/Image": "never started"})
        on_trial_in_b = {
            "order": {"BOOT_ORDER": "B A", "vv_trial": "b"},
            "bootcount": {"rpipart": "3", "upgrade_available": "1", "vv_trial": "b"}}
        for contract, variables in on_trial_in_b.items():
            for failure, content in (("Can't set block device", None),
                                     ("Failed to load '/boot/board.dtb'", half)):
                with self.subTest(contract=contract, failure=failure):
                    path = self.card(contract, {**variables, "vv_start": None}, slot_mib=32,
                                     contents={"rootfs-a": whole, "rootfs-b": content})
                    with self.machine(path, memory=512) as machine:
                        for said in (r"^Booting slot b$", rf"^{failure}$",
                                     r"^Slot b cannot be started$", r"^Booting slot a$",
                                     # The kernel speaks by the device tree only.
                                     r"^Starting kernel",
                                     r"Kernel command line: console=ttyAMA0 panic=5 "
                                     r"root=PARTLABEL=rootfs-a vv\.slot=a rauc\.slot=A$"):
                            machine.console.expect(said)

    def check_resets(self, path, said):
        """Says this at each power-on, and is never at the prompt."""
        with self.machine(path) as machine:
            for _ in range(2):
                self.assertTrue(machine.console.expect(rf"^({said})$|^=> ")[1])
                self.assertTrue(machine.console.expect(r"^(resetting)|^=> ")[1])

    def test_a_boot_script_that_cannot_be_loaded_is_tried_again(self):
        path = self.card("order", {})
        images_cache.run("mdel", "-i", boot_partition(path), "::boot.scr")
        self.check_resets(path, "Failed to load 'boot.scr'")

    def test_a_boot_script_that_is_damaged_is_tried_again(self):
        path = self.card("order", {})
        script = self.dir / "boot.scr"
        images_cache.run("mcopy", "-i", boot_partition(path), "::boot.scr", script)
        whole = script.read_bytes()
        for place, said in ((0, 'Wrong image format for "source" command'),
                            (8, "Bad header crc"), (len(whole) - 1, "Bad data crc")):
            with self.subTest(place=place):
                damaged = bytearray(whole)
                damaged[place] ^= 1
                script.write_bytes(damaged)
                images_cache.run("mcopy", "-o", "-i", boot_partition(path), script, "::boot.scr")
                self.check_resets(path, said)

    def test_a_boot_script_that_ends_at_the_prompt_is_left_there(self):
        with self.machine(self.card("order", {"BOOT_ORDER": "R"})) as machine:
            machine.console.expect(r"^vv: BOOT_ORDER names no slot that may be tried again\n=> ")

    def test_an_attempt_that_hangs_is_ended_by_the_watchdog(self):
        # Two stages of about 1 s.
        watchdog = disk.environment_file(uboot.ENVIRONMENT[1])["vv_watchdog"].replace("7800", "400")
        hang = {"vv_watchdog": watchdog, "vv_start": "echo vv-run ${vv_slot}; sleep 600"}
        for contract, variables in (
                ("order", {"BOOT_ORDER": "B A", "BOOT_B_LEFT": "1", "vv_trial": "b"}),
                ("bootcount", {"rpipart": "3", "upgrade_available": "1", "bootlimit": "1",
                               "vv_trial": "b"})):
            with self.subTest(contract=contract):
                path = self.card(contract, {**hang, **variables})
                with self.machine(path) as machine:
                    for slot in "ba":
                        machine.console.expect(rf"^vv: watchdog armed\nvv-run {slot}\n")
                    machine.power_cut()
                    stored = disk.read_environment(path)
                    self.assertEqual(stored["vv_trial"], "b")
                    self.assertFalse([name for name in stored if name.startswith("wd_") or
                                      name in ("filesize", "fileaddr")])

    def test_a_board_without_its_watchdog_boots_all_the_same(self):
        path = self.card("order", {"vv_start": "echo vv-run ${vv_slot}; sleep 600"})
        with self.machine(path, watchdog=False) as machine:
            machine.console.expect(r"^Booting slot a\nvv-run a\n")

    def test_a_new_board_boots_by_its_built_in_environment_and_keeps_it(self):
        path = disk.make_disk(self.dir / "disk.img", SCRIPTS / "boot-order.cmd", slot_mib=2,
                              data_mib=2)
        with self.machine(path, memory=512) as machine:
            machine.console.expect(r"bad CRC, using default environment")
            machine.console.expect(r"^Booting slot a\n")
            machine.console.expect(r"^Slot a cannot be started\n")
            machine.power_cut()
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
