# SPDX-License-Identifier: Apache-2.0
"""What the runner of the tests takes for a success."""

import os
import pathlib
import subprocess
import sys
import unittest

RUNNER = pathlib.Path(__file__).resolve().parent.parent / "run.py"
QUICK = "test_docs.*every_document_that_is_linked_exists"


class Patterns(unittest.TestCase):
    """Of VV_TESTS."""

    def run_tests(self, patterns):
        """(exit status, output) of the end-to-end tests that these match."""
        environment = {**os.environ, "VV_TESTS": patterns, "VV_ONLY": "", "VV_JOBS": "1"}
        done = subprocess.run([sys.executable, str(RUNNER), "e2e"], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def test_only_what_a_pattern_matches_is_run(self):
        code, text = self.run_tests(QUICK)
        self.assertEqual((code, text.splitlines()[-1]), (0, "end-to-end: 1 passed, 0 failed"), text)

    def test_a_pattern_that_matches_nothing_is_a_failure_though_others_match(self):
        code, text = self.run_tests(f"{QUICK} test_docs.*misspelt*")
        self.assertEqual((code, text), (1, "run.py: e2e: no test matches test_docs.*misspelt*\n"))


if __name__ == "__main__":
    unittest.main()
