# SPDX-License-Identifier: Apache-2.0
"""Who makes what is kept by content, and when."""

import concurrent.futures
import pathlib
import tempfile
import threading
import unittest

import images_cache

WAIT_S = 30  # a safeguard


class Products(unittest.TestCase):
    """Products of a cache of their own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="vv-board-")
        self.addCleanup(folder.cleanup)
        self.cache = pathlib.Path(folder.name, "images")
        self.made = []

    def product(self, name, inputs=None, meanwhile=lambda: None):
        """A product with one file; `meanwhile` is called while it is made."""
        def make(work):
            self.made.append(name)
            (work / "content").write_text(name)
            meanwhile()
        return images_cache.product(name, inputs, make, self.cache)

    def check_there(self, *names):
        """These products are there, whole, and nothing else is."""
        found = {path.name for path in self.cache.iterdir() if path.suffix != ".lock"}
        self.assertEqual({name.rpartition("-")[0] for name in found}, set(names))
        for name in found:
            self.assertEqual((self.cache / name / "content").read_text(), name.rpartition("-")[0])

    def test_a_product_is_made_once_and_again_from_other_inputs(self):
        first = self.product("card", 1)
        self.assertEqual(self.product("card", 1), first)
        self.assertEqual(self.made, ["card"])
        self.assertNotEqual(self.product("card", 2), first)
        self.assertEqual(self.made, ["card", "card"])
        self.assertFalse(first.exists())
        self.check_there("card")

    def test_what_fails_or_is_killed_leaves_no_product(self):
        def fail():
            raise ValueError("cannot be made")
        with self.assertRaisesRegex(ValueError, "cannot be made"):
            self.product("card", meanwhile=fail)
        self.check_there()
        (self.cache / ".card.work/rest").mkdir(parents=True)
        self.assertFalse((self.product("card") / "rest").exists())
        self.check_there("card")

    def test_others_are_made_while_one_is(self):
        # Names that begin alike, too; and by the maker itself.
        self.product("card-2.0", meanwhile=lambda: self.product("card"))
        self.assertEqual(self.made, ["card-2.0", "card"])
        self.check_there("card-2.0", "card")

    def test_who_wants_what_is_being_made_waits_for_it(self):
        begun, go_on = threading.Event(), threading.Event()

        def wait():
            begun.set()
            self.assertTrue(go_on.wait(WAIT_S))
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            first = threads.submit(self.product, "card", meanwhile=wait)
            self.assertTrue(begun.wait(WAIT_S))
            second = threads.submit(self.product, "card")
            with self.assertRaises(concurrent.futures.TimeoutError):
                second.result(0.2)
            go_on.set()
            self.assertEqual(first.result(WAIT_S), second.result(WAIT_S))
        self.assertEqual(self.made, ["card"])
        self.check_there("card")
