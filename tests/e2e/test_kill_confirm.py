# SPDX-License-Identifier: Apache-2.0
"""SIGKILL of `confirm` at random instants, then `confirm` again: in the end all is as if it had
never been killed."""

import os
import random
import subprocess
import time
import unittest

import fixtures
from fixtures import AGAIN, HEALTH, DeviceTest

KILLS = 50
# Some come before the program is there, or after it has ended: these are drawn again.
DRAWS_MAX = 20 * KILLS
LOCK_TRIES = 200

CHECKS = """
[confirm]
deadline=20s

[check works]
kind=exec
command=sleep 0.01; test ! -e {broken}
interval=50ms
timeout=10s
retries=2
"""


class KilledConfirm(DeviceTest):
    """A trial that is kept, and one that is rejected."""

    def setUp(self):
        super().setUp()
        self.chance = random.Random(int(os.environ.get("VV_KILL_SEED", "1")))
        self.broken = self.folder / "broken"

    def trial(self, name, code):
        """A device that has booted what it installed, which is broken when `code` is to be that."""
        self.broken.unlink(missing_ok=True)
        device = self.device(name, extra=CHECKS.format(broken=self.broken))
        done = device.run("install", fixtures.release()[0])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(device.boot(), "b")
        if code == HEALTH:
            self.broken.touch()
        return device

    def finish(self, device, code):
        """confirm, and what comes of it: all that is not a time."""
        # A check of the killed one has the lock until it is gone.
        done = device.run("confirm")
        for _ in range(LOCK_TRIES):
            if done.returncode != AGAIN:
                break
            time.sleep(0.05)
            done = device.run("confirm")
        self.assertEqual(done.returncode, code, done.stderr)
        device.boot()
        self.assertEqual(device.run("confirm").returncode, 0)
        status = device.status()
        status["last"].pop("time")
        status["health"].pop("until_ms")
        for check in status["health"]["checks"]:
            check.pop("tries")
            check.pop("duration_ms")
        # Half a record is taken away by the next one of its name, whenever that comes.
        left = sorted(path.name for path in (device.dir / "state").iterdir()
                      if path.suffix != ".new")
        return status, device.environment(), left

    def kill(self, device, seconds):
        """Whether `confirm` was killed before it ended."""
        with subprocess.Popen(device.command("confirm"), stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as confirm:
            time.sleep(seconds)
            confirm.kill()
            return confirm.wait(60) == -9

    def check_kills(self, code, kills):
        """In every case the end is that of a device whose `confirm` was left alone."""
        began = time.monotonic()
        wanted = self.finish(self.trial(f"whole-{code}", code), code)
        took = time.monotonic() - began
        done = 0
        for draw in range(DRAWS_MAX):
            if done == kills:
                return
            device = self.trial(f"killed-{code}-{draw}", code)
            seconds = self.chance.uniform(0, took / 4)
            if self.kill(device, seconds):
                done += 1
                with self.subTest(draw=draw, seconds=seconds):
                    self.assertEqual(self.finish(device, code), wanted)
        self.fail(f"only {done} of {kills} kills hit a running confirm")

    def test_a_trial_that_is_kept_ends_the_same_after_any_kill(self):
        self.check_kills(0, KILLS // 2)

    def test_a_trial_that_is_rejected_ends_the_same_after_any_kill(self):
        self.check_kills(HEALTH, KILLS // 2)


if __name__ == "__main__":
    unittest.main()
