# SPDX-License-Identifier: Apache-2.0
"""How many boards are on at the same time."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import qemu

ASK = "import qemu; print(qemu.free_place() is not None)"


class Places(unittest.TestCase):
    """Processes that run side by side share them."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="vv-board-")
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)

    def machine(self, name):
        """A board that is on, with an idle process in the place of QEMU."""
        machine = qemu.Machine("none", qemu.SdCard(self.dir / "card.img"), self.dir / f"{name}.log",
                               store=self.dir)
        machine.command = ["sleep", "600"]
        self.addCleanup(machine.power_cut)
        machine.power_on()
        return machine

    def free_elsewhere(self):
        """Whether another process could start a board."""
        environment = {**os.environ, "VV_BOARD_DIR": str(self.dir),
                       "PYTHONPATH": str(pathlib.Path(qemu.__file__).parent)}
        return subprocess.run([sys.executable, "-c", ASK], env=environment, check=True,
                              stdout=subprocess.PIPE, text=True).stdout.strip() == "True"

    def test_no_process_starts_a_board_while_as_many_are_on_as_may_be(self):
        machines = []
        for number in range(qemu.GUESTS_MAX):
            self.assertTrue(self.free_elsewhere(), f"{number} boards are on")
            machines.append(self.machine(str(number)))
        self.assertFalse(self.free_elsewhere())
        self.assertIsNone(qemu.free_place(self.dir))
        machines[0].power_cut()
        self.assertTrue(self.free_elsewhere())

    def test_who_waits_for_a_place_says_once_for_which_and_gives_up_in_the_end(self):
        locks = [str(self.dir / f"guest-{number}.lock") for number in range(qemu.GUESTS_MAX)]
        for number in range(qemu.GUESTS_MAX):
            self.machine(str(number))
        said = []
        with self.assertRaises(AssertionError) as failed:
            qemu.wait_for_place(self.dir, told_s=0, wait_s=4 * qemu.POLL_S,
                                tell=lambda text, **_: said.append(text))
        self.assertEqual(len(said), 1)
        for lock in locks:
            self.assertIn(lock, said[0])
            self.assertIn(lock, str(failed.exception))
