# SPDX-License-Identifier: Apache-2.0
"""The script for systems without systemd, with a vv-update that ends as each test says. What it
does on a system on trial is tested on the virtual board."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

from fixtures import AGAIN, HEALTH, IO, workspace

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "updater/init/confirm-at-boot"
# Says what it was called for, and ends with the next status of the list.
PROGRAM = """#!/bin/sh
echo "$0 $*" | sed 's|.*/||' >>calls
[ -s statuses ] || exit 0
read -r status <statuses
sed -i 1d statuses
exit "$status"
"""
TRIES = 5


class ConfirmAtBoot(unittest.TestCase):
    """It runs in a folder with programs that take the place of others."""

    def play(self, *statuses, programs=("vv-update", "sleep", "reboot")):
        """(exit status, what it called) when vv-update ends so, one time after the other."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=workspace()))
        for name in programs:
            (folder / name).write_text(PROGRAM if name == "vv-update" else
                                       PROGRAM.replace("statuses", "none"))
            (folder / name).chmod(0o755)
        # Nothing else of this machine is to be found.
        for name in ("cat", "sed"):
            (folder / name).symlink_to(shutil.which(name))
        (folder / "statuses").write_text("".join(f"{status}\n" for status in statuses))
        done = subprocess.run([SCRIPT], cwd=folder, env={"PATH": str(folder)},
                              stderr=subprocess.PIPE, timeout=60, check=False)
        return done.returncode, (folder / "calls").read_text().splitlines()

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
