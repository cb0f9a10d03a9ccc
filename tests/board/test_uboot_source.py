# SPDX-License-Identifier: Apache-2.0
"""The source of U-Boot is what apt knows it to be, whatever lies in the folder of downloads."""

import hashlib
import pathlib
import tempfile
import unittest
from unittest import mock

import images_cache
import uboot

FILES = {"u-boot.dsc": b"Format: 3.0", "u-boot.tar.xz": b"source"}
SOURCES = [(name, f"SHA256:{hashlib.sha256(content).hexdigest()}")
           for name, content in FILES.items()]


class Download(unittest.TestCase):
    """apt is asked for what is not there, or is something else."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="vv-board-")
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name, "download")
        self.asked = 0
        for target, name, value in ((images_cache, "STORE", self.dir.parent),
                                    (uboot, "run", self.download)):
            patched = mock.patch.object(target, name, value)
            patched.start()
            self.addCleanup(patched.stop)

    def download(self, *_, cwd):
        """Like apt, which leaves alone what is there."""
        self.asked += 1
        for name, content in FILES.items():
            if not (cwd / name).exists():
                (cwd / name).write_bytes(content)

    def test_what_is_there_and_intact_is_not_fetched_again(self):
        for _ in range(2):
            self.assertEqual(uboot.fetch(SOURCES), self.dir / "u-boot.dsc")
            self.assertEqual(self.asked, 1)

    def test_a_file_that_is_cut_off_or_changed_is_fetched_again(self):
        uboot.fetch(SOURCES)
        for content in (b"sour", b"Source", b""):
            with self.subTest(content=content):
                (self.dir / "u-boot.tar.xz").write_bytes(content)
                asked = self.asked
                uboot.fetch(SOURCES)
                self.assertEqual(self.asked, asked + 1)
                self.assertEqual((self.dir / "u-boot.tar.xz").read_bytes(), b"source")
