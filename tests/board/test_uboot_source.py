# SPDX-License-Identifier: Apache-2.0
"""The source of U-Boot is what apt knows it to be, whatever lies in the folder of downloads."""

import hashlib
import pathlib
import tempfile
import unittest

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
        self.files = FILES

    def download(self, *_, cwd):
        """Like apt, which leaves alone what is there."""
        self.asked += 1
        for name, content in self.files.items():
            if not (cwd / name).exists():
                (cwd / name).write_bytes(content)

    def fetch(self):
        """The path of the .dsc file."""
        return uboot.fetch(SOURCES, self.dir, self.download)

    def test_what_is_there_and_intact_is_not_fetched_again(self):
        for _ in range(2):
            self.assertEqual(self.fetch(), self.dir / "u-boot.dsc")
            self.assertEqual(self.asked, 1)

    def test_a_file_that_is_cut_off_or_changed_is_fetched_again(self):
        self.fetch()
        for content in (b"sour", b"Source", b""):
            with self.subTest(content=content):
                (self.dir / "u-boot.tar.xz").write_bytes(content)
                asked = self.asked
                self.fetch()
                self.assertEqual(self.asked, asked + 1)
                self.assertEqual((self.dir / "u-boot.tar.xz").read_bytes(), b"source")

    def test_a_download_that_is_something_else_is_not_taken(self):
        self.files = {**FILES, "u-boot.tar.xz": b"another"}
        with self.assertRaisesRegex(SystemExit, "is not what apt knows it to be: u-boot.tar.xz"):
            self.fetch()
