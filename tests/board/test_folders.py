# SPDX-License-Identifier: Apache-2.0
"""What is kept of a test that failed."""

import io
import pathlib
import tempfile
import unittest

import folders
import qemu


class Kept(unittest.TestCase):
    """Card and console, the newest of each test."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="vv-board-")
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)
        self.card = self.dir / "card.img"
        self.result_class = type("Result", (folders.Result,), {"STORE": self.dir})

    def fail_on_the_board(self, content):
        """A board that is on, with `echo` in the place of QEMU, and something that goes wrong."""
        self.card.write_bytes(content)
        machine = qemu.Machine("none", [self.card], self.dir / "console.txt", store=self.dir)
        machine.command = ["echo", "Hello"]
        with machine:
            machine.console.expect("Hello")
            raise AssertionError("nothing is right")

    def play(self, function):
        """The outcome of a test, and the text of its failures."""
        def body():
            function()
        test = unittest.FunctionTestCase(body)
        result = unittest.TextTestRunner(stream=io.StringIO(),
                                         resultclass=self.result_class).run(test)
        return result, "".join(text for _, text in result.failures)

    def kept(self):
        """{path below the folder of failures: content}."""
        root = self.dir / "failed"
        return {str(path.relative_to(root)): path.read_bytes()
                for path in root.rglob("*") if path.is_file()}

    def test_a_failure_leaves_card_and_console_and_says_where(self):
        for content in (b"first", b"second"):
            _, text = self.play(lambda content=content: self.fail_on_the_board(content))
            (name,) = [path.name for path in (self.dir / "failed").iterdir()]
            self.assertEqual(self.kept(), {
                f"{name}/card.img": content, f"{name}/console.log": b"Hello\n",
                f"{name}/error": b"nothing is right\n"})
            self.assertIn(f"card and console are kept in {self.dir}/failed/{name}", text)
            (self.dir / "console.txt").unlink()

    def test_a_thread_of_a_test_keeps_what_it_leaves_under_the_same_name(self):
        def in_a_thread():
            with folders.pool(1) as threads:
                threads.submit(self.fail_on_the_board, b"card").result()
        self.play(in_a_thread)
        self.assertEqual(sorted(pathlib.Path(path).name for path in self.kept()),
                         ["card.img", "console.log", "error"])

    def test_nothing_is_left_of_it_once_the_test_has_passed(self):
        self.play(lambda: self.fail_on_the_board(b"card"))
        self.assertTrue(self.kept())
        result, _ = self.play(lambda: None)
        self.assertTrue(result.wasSuccessful())
        self.assertEqual(self.kept(), {})
