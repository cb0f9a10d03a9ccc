# SPDX-License-Identifier: Apache-2.0
"""What is kept of a test that failed, and what is told of it."""

import io
import pathlib
import tempfile
import unittest

import folders
import qemu
import rig


class OddCard(rig.Rig):
    """A board whose card cannot be looked at."""

    def __init__(self, machine):  # pylint: disable=super-init-not-called
        self.machine = machine

    def __enter__(self):
        self.machine.power_on()
        self.console.expect("Hello")
        return self

    def check_card(self):
        raise ValueError("this card is odd")


class Kept(unittest.TestCase):
    """Card and console of each board that failed in the last run of a test."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="vv-board-")
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)
        self.card = self.dir / "card.img"
        self.result_class = type("Result", (folders.Result,), {"STORE": self.dir})

    def machine(self):
        """A board with `echo` in the place of QEMU."""
        (self.dir / "console.txt").unlink(missing_ok=True)
        machine = qemu.Machine("none", qemu.SdCard(self.card), self.dir / "console.txt",
                               store=self.dir)
        machine.command = ["echo", "Hello"]
        return machine

    def fail_on_the_board(self, content):
        """A board that is on, and something that goes wrong."""
        self.card.write_bytes(content)
        with self.machine() as machine:
            machine.console.expect("Hello")
            raise AssertionError("nothing is right")

    def play(self, function):
        """The outcome of a test named body, and the text of its failures."""
        def body():
            function()
        test = unittest.FunctionTestCase(body)
        result = unittest.TextTestRunner(stream=io.StringIO(),
                                         resultclass=self.result_class).run(test)
        return result, "".join(text for _, text in result.failures + result.errors)

    def kept(self):
        """{path below the folder of failures: content}."""
        root = self.dir / "failed"
        return {str(path.relative_to(root)): path.read_bytes()
                for path in root.rglob("*") if path.is_file()}

    def check_kept(self, *contents, error=b"nothing is right\n"):
        """Boards with these cards are kept under the name of the test, and nothing else is."""
        wanted = {}
        for number, content in enumerate(contents, 1):
            wanted |= {f"body/{number}/card.img": content,
                       f"body/{number}/console.log": b"Hello\n",
                       f"body/{number}/error": error}
        self.assertEqual(self.kept(), wanted)

    def test_a_failure_leaves_card_and_console_and_says_where(self):
        for content in (b"first", b"second"):
            _, text = self.play(lambda content=content: self.fail_on_the_board(content))
            self.check_kept(content)
            self.assertIn(f"card and console are kept in {self.dir}/failed/body/1\n", text)

    def test_a_thread_of_a_test_keeps_what_it_leaves_under_the_same_name(self):
        def in_a_thread():
            with folders.pool(1) as threads:
                threads.submit(self.fail_on_the_board, b"card").result()
        self.play(in_a_thread)
        self.check_kept(b"card")

    def test_each_board_that_fails_in_a_test_is_kept(self):
        def one_after_the_other():
            for content in (b"first", b"second"):
                with self.assertRaises(AssertionError):
                    self.fail_on_the_board(content)
            self.fail_on_the_board(b"third")
        _, text = self.play(one_after_the_other)
        self.check_kept(b"first", b"second", b"third")
        self.assertIn(f"kept in {self.dir}/failed/body/3\n", text)

    def test_boards_that_fail_at_the_same_time_have_folders_of_their_own(self):
        self.card.write_bytes(b"card")
        console = self.dir / "console.txt"
        console.write_bytes(b"Hello\n")
        def at_the_same_time():
            errors = [AssertionError("nothing is right") for _ in range(20)]
            with folders.pool(4) as threads:
                list(threads.map(lambda one: folders.keep(one, self.card, console, self.dir),
                                 errors))
        self.play(at_the_same_time)
        self.check_kept(*[b"card"] * 20)

    def test_a_failure_stays_the_failure_when_nothing_can_be_kept_of_it(self):
        (self.dir / "failed").write_text("no folder")
        result, text = self.play(lambda: self.fail_on_the_board(b"card"))
        self.assertEqual((len(result.failures), len(result.errors)), (1, 0))
        self.assertIn("nothing is right\ncard and console are not kept, or not all of them: ", text)

    def test_whatever_goes_wrong_with_a_look_at_the_card_is_told_and_kept(self):
        def odd():
            with OddCard(self.machine()):
                pass
        self.card.write_bytes(b"card")
        _, text = self.play(odd)
        said = "this card is odd\nthe console ended with:\nHello\n"
        self.assertIn(f"{said}card and console are kept in {self.dir}/failed/", text)
        self.check_kept(b"card", error=said.encode())

    def test_nothing_is_left_of_it_once_the_test_has_passed(self):
        self.play(lambda: self.fail_on_the_board(b"card"))
        self.assertTrue(self.kept())
        result, _ = self.play(lambda: None)
        self.assertTrue(result.wasSuccessful())
        self.assertEqual(self.kept(), {})
