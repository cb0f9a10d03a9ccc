# SPDX-License-Identifier: Apache-2.0
"""The same install, killed at the same place again and again: it ends, says so, and goes on when
told.

strace kills the program at its first fallocate, which is step 5 (docs/crash-safety.md): the install
is in the journal, and nothing of the image is in the slot.
"""

import os
import subprocess
import unittest

import fixtures
from fixtures import MIB, DeviceTest

RESTARTS_MAX = 20


@unittest.skipIf(os.environ.get("VV_SAN"), "a sanitized program makes calls of its own")
class Restarts(DeviceTest):
    """The loop breaker, on the real program."""

    def kill_once(self, device, image):
        """Runs install until its step 5."""
        done = subprocess.run(
            ["strace", "-f", "-o", "/dev/null", "-e", "trace=fallocate",
             "-e", "inject=fallocate:signal=KILL:when=1", *device.command("install", image)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            check=False)
        self.assertIn(done.returncode, (-9, 137), "it was killed")

    def test_killed_twenty_times_in_one_place_it_is_refused_until_again_is_said(self):
        image, part = fixtures.release(size=1 * MIB, seed=60)
        device = self.device()
        for number in range(RESTARTS_MAX):
            self.kill_once(device, image)
            self.assertEqual(device.status()["update"]["restarts"], number)
        slot = fixtures.sha256(device.slot_file("b"))
        environment = (device.dir / "uboot.env").read_bytes()
        for _ in range(2):
            self.check_refused(device.run("install", image), fixtures.NOT_NOW, "slot b", "2.0",
                               "20 times", "install --again")
        self.assertEqual(fixtures.sha256(device.slot_file("b")), slot)
        self.assertEqual((device.dir / "uboot.env").read_bytes(), environment)
        status = device.status()
        self.assertEqual(status["last"]["result"], "failed")
        self.assertIn("20 times", status["last"]["reason"])
        self.assertEqual(status["update"]["restarts"], RESTARTS_MAX)
        self.assertEqual(status["next_boot"], "a")
        done = device.run("install", "--again", image)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_installed(device, part)
        self.assertEqual(device.status()["update"]["restarts"], 0)

    def test_another_release_is_installed_after_one_that_is_refused(self):
        image, _ = fixtures.release(size=1 * MIB, seed=60)
        device = self.device()
        for _ in range(RESTARTS_MAX):
            self.kill_once(device, image)
        self.check_refused(device.run("install", image), fixtures.NOT_NOW, "20 times")
        other, part = fixtures.release("2.1", 3, size=1 * MIB, seed=61)
        done = device.run("install", other)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_installed(device, part)


if __name__ == "__main__":
    unittest.main()
