# SPDX-License-Identifier: Apache-2.0
"""What is seen of a card from outside."""

import hashlib
import os
import pathlib
import tempfile
import unittest

import card
import disk


class Slots(unittest.TestCase):
    """The content of a slot."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="vv-board-")
        self.addCleanup(folder.cleanup)
        self.card = pathlib.Path(folder.name, "card.img")
        self.card.touch()
        self.start, self.size = disk.place_of("rootfs-b")
        os.truncate(self.card, self.start + self.size)

    def write(self, offset, data):
        """Into slot b."""
        with open(self.card, "r+b") as stream:
            stream.seek(self.start + offset)
            stream.write(data)

    def test_a_slot_with_a_superblock_of_either_file_system_can_be_mounted(self):
        for offset, magic in ((0, b"hsqs"), (1080, b"\x53\xef")):
            with self.subTest(magic=magic):
                self.assertFalse(card.can_be_mounted(self.card, "b"))
                self.write(offset, magic)
                self.assertTrue(card.can_be_mounted(self.card, "b"))
                self.assertFalse(card.can_be_mounted(self.card, "a"))
                self.write(offset, bytes(len(magic)))

    def test_the_hash_of_a_slot_is_that_of_all_its_bytes(self):
        self.write(self.size - 1, b"x")
        wanted = hashlib.sha256(bytes(self.size - 1) + b"x").hexdigest()
        self.assertEqual(card.slot_hash(self.card, "b"), wanted)

    def test_a_card_that_ends_within_a_slot_has_no_hash_of_it(self):
        os.truncate(self.card, self.start + self.size - 1)
        with self.assertRaisesRegex(AssertionError, "ends 1 bytes before the end of slot b"):
            card.slot_hash(self.card, "b")
