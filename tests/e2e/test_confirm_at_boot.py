# SPDX-License-Identifier: Apache-2.0
"""The script for systems without systemd, with a vv-update that ends as each test says. What it
does on a system on trial is tested on the virtual board."""

import subprocess
import unittest

from fixtures import AGAIN, HEALTH, IO
from init_scripts import SCRIPTS, InitScriptTest

TRIES = 5


class ConfirmAtBoot(InitScriptTest):
    """It tries again until there is a verdict."""

    def play(self, *statuses, programs=("vv-update", "sleep", "reboot")):
        """(exit status, what it called) when vv-update ends so, one time after the other."""
        folder = self.prepare(statuses, programs)
        done = subprocess.run([SCRIPTS / "confirm-at-boot"], cwd=folder, env={"PATH": str(folder)},
                              stderr=subprocess.PIPE, timeout=60, check=False)
        return done.returncode, self.calls(folder)

    def test_a_verdict_ends_it(self):
        for status in (0, HEALTH):
            with self.subTest(status=status):
                self.assertEqual(self.play(status), (status, ["vv-update confirm"]))

    def test_without_a_verdict_it_is_tried_again(self):
        for status in (AGAIN, IO):
            with self.subTest(status=status):
                self.assertEqual(
                    self.play(status, status, 0),
                    (0, ["vv-update confirm", "sleep 5"] * 2 + ["vv-update confirm"]))

    def test_in_the_end_a_system_not_on_trial_is_left_as_it_is(self):
        calls = (["vv-update confirm", "sleep 5"] * TRIES)[:-1]
        self.assertEqual(self.play(*[IO] * TRIES), (IO, calls))

    def test_a_program_that_is_missing_is_no_verdict(self):
        self.assertEqual(self.play(programs=("sleep", "reboot")),
                         (127, ["sleep 5"] * (TRIES - 1)))


if __name__ == "__main__":
    unittest.main()
