# SPDX-License-Identifier: Apache-2.0
"""That a fingerprint of a file sees a change of it wherever it is, and no hole."""

import os
import pathlib
import tempfile
import unittest

import fixtures
from fixtures import MIB, PIECE

SIZE = 64 * MIB + 77


class Fingerprint(unittest.TestCase):
    """Of a file that is mostly holes."""

    def setUp(self):
        self.path = pathlib.Path(tempfile.mkdtemp(dir=fixtures.workspace())) / "file"
        self.path.touch()
        os.truncate(self.path, SIZE)
        self.write(3 * MIB, b"content")

    def write(self, offset, data):
        """Part of the file anew."""
        with open(self.path, "r+b") as stream:
            stream.seek(offset)
            stream.write(data)

    def test_a_byte_anywhere_changes_it_until_it_is_as_before(self):
        before = fixtures.fingerprint(self.path)
        for offset in (0, PIECE - 1, PIECE, 3 * MIB - 1, 3 * MIB + 7, 40 * MIB + 5000, SIZE - 1):
            with self.subTest(offset=offset):
                self.write(offset, b"\1")
                self.assertNotEqual(fixtures.fingerprint(self.path), before)
                self.write(offset, b"\0")
                self.assertEqual(fixtures.fingerprint(self.path), before)

    def test_the_place_and_the_size_matter(self):
        seen = {fixtures.fingerprint(self.path)}
        self.write(3 * MIB, bytes(7))
        self.write(5 * MIB, b"content")
        seen.add(fixtures.fingerprint(self.path))
        os.truncate(self.path, SIZE + 1)
        seen.add(fixtures.fingerprint(self.path))
        self.assertEqual(len(seen), 3)

    def test_holes_make_no_difference(self):
        before = fixtures.fingerprint(self.path)
        sparse = self.path.stat().st_blocks
        self.path.write_bytes(self.path.read_bytes())
        self.assertLess(sparse, self.path.stat().st_blocks)
        self.assertEqual(fixtures.fingerprint(self.path), before)


if __name__ == "__main__":
    unittest.main()
