# SPDX-License-Identifier: Apache-2.0
"""The byte budget of a release, on the real program and with real servers."""

import random
import unittest

import fixtures
from fixtures import MIB, NOT_NOW, DeviceTest
import web_server

SIZE = 4 * MIB


class Budget(DeviceTest):
    """What one release may cost."""

    def setUp(self):
        super().setUp()
        # Nothing to be compressed: what is installed is what comes over the network.
        self.part = self.folder / "part"
        self.part.write_bytes(random.Random(9).randbytes(SIZE))
        self.image = fixtures.sign(fixtures.build(self.folder / "image.vvi",
                                                  {"rootfs": self.part}))

    def allow(self, device, size):
        """A drop-in that sets the budget."""
        folder = device.dir / "update.conf.d"
        folder.mkdir(exist_ok=True)
        (folder / "fleet.conf").write_text(f"[network]\nbyte_budget={size}\n")

    def nginx(self):
        """Serves the folder until the test is over."""
        server = web_server.Nginx(self.folder, self.folder / "nginx")
        self.addCleanup(server.stop)
        return server

    def test_what_does_not_fit_is_refused_before_anything_is_changed(self):
        server, device = self.nginx(), self.device()
        self.allow(device, "3M")
        before = fixtures.sha256(device.slot_file("b"))
        environment = device.environment()
        done = device.run("install", f"{server.url}/image.vvi")
        self.check_refused(done, NOT_NOW, "byte budget", "3.0 MiB", "install --again")
        self.assertEqual(fixtures.sha256(device.slot_file("b")), before)
        self.assertEqual(device.environment(), environment)
        self.assertIn("byte budget", device.status()["last"]["reason"])
        self.allow(device, "5M")
        done = device.run("install", f"{server.url}/image.vvi")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_installed(device, self.part)

    def test_a_budget_that_ends_on_the_way_is_gone_on_with_when_it_is_raised(self):
        device = self.device()
        # Without ranges, and lost once: the beginning has to come twice.
        server = web_server.BadServer(self.folder, "no-range,drop-after=3000000@1", self.folder)
        self.addCleanup(server.stop)
        self.allow(device, "5M")
        done = device.run("install", f"{server.url}/image.vvi")
        self.check_refused(done, NOT_NOW, "byte budget", "5.0 MiB of 5.0 MiB")
        status = device.status()
        self.assertEqual(status["update"]["step"], "installing")
        self.assertEqual(status["next_boot"], "a")
        counted = device.journal()["fetched"]["bytes"]
        self.assertTrue(5 * MIB <= counted <= 5 * MIB + MIB // 4, counted)
        # As much again is refused at once, and costs no more than the head.
        self.check_refused(device.run("install", f"{server.url}/image.vvi"), NOT_NOW)
        self.assertLess(device.journal()["fetched"]["bytes"], counted + MIB // 2)
        other = self.nginx()
        self.allow(device, "10M")
        done = device.run("install", f"{other.url}/image.vvi")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_installed(device, self.part)
        self.assertEqual(device.journal()["fetched"]["bytes"], 0)

    def test_again_counts_anew(self):
        server, device = self.nginx(), self.device()
        self.allow(device, "4500K")
        bad = web_server.BadServer(self.folder, "no-range,drop-after=3000000", self.folder)
        self.addCleanup(bad.stop)
        done = device.run("install", f"{bad.url}/image.vvi")
        self.assertNotEqual(done.returncode, 0)
        self.check_refused(device.run("install", f"{server.url}/image.vvi"), NOT_NOW)
        done = device.run("install", "--again", f"{server.url}/image.vvi")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_installed(device, self.part)

    def test_a_file_costs_nothing(self):
        device = self.device()
        self.allow(device, "1K")
        done = device.run("install", self.image)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_installed(device, self.part)


if __name__ == "__main__":
    unittest.main()
