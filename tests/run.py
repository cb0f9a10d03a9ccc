#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the unit tests (built cmocka programs), a slice of the crash sweep, the end-to-end tests and
those on the virtual board, and prints counts.

usage: run.py unit|threads|valgrind|crash|e2e|board ...

VV_BIN is the directory of the built programs; VV_SAN is set when they carry sanitizers.
Set VV_ONLY to a word to run only the test files whose path contains it; of Python's, VV_TESTS to
patterns (FILE.CLASS.TEST, with *) to run only the tests that one of them matches. None is run
when a pattern matches no test.
"""

import concurrent.futures
import fnmatch
import importlib
import io
import os
import pathlib
import re
import subprocess
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parent
ROOMS = ("base", "format", "keys", "bootloader", "updater", "updater/agent", "image-tools", "sim",
         "board")
BIN = pathlib.Path(os.environ["VV_BIN"])
ONLY = os.environ.get("VV_ONLY", "")
TESTS_ONLY = os.environ.get("VV_TESTS", "*").split()
# Python's tests that run side by side.
JOBS = int(os.environ.get("VV_JOBS", "1"))
TIMEOUT_S = 900

VALGRIND = [
    "valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full",
    "--errors-for-leak-kinds=definite,indirect,possible", "--child-silent-after-fork=yes",
    f"--suppressions={TESTS / 'valgrind.supp'}",
]


class Totals:
    """Counts of one kind of tests."""

    def __init__(self, label):
        self.label = label
        self.passed = self.failed = self.skipped = 0

    def show(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        print(f"{self.label}: {self.passed} passed, {self.failed} failed{skipped}", flush=True)


def unit_programs():
    """The built test programs, each named like its source."""
    for room in ROOMS:
        for source in sorted((TESTS / room).glob("test_*.c")):
            if ONLY in str(source):
                yield BIN / "tests" / room / source.stem


def run_unit(program, prefix):
    """One cmocka program; its output in TAP form, so that tests can be counted."""
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP",
               ASAN_OPTIONS="detect_leaks=1:allocator_may_return_null=1")
    try:
        return subprocess.run(prefix + [str(program)], env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as late:
        text = (late.stdout or b"") + b"\nno end within the time limit\n"
        return subprocess.CompletedProcess(late.cmd, 124, text)
    except FileNotFoundError:
        return subprocess.CompletedProcess([program], 127, b"not built\n")


def count_tap(text):
    """(passed, failed, skipped) of one program. Debian 12's cmocka says "not ok" of a skipped test;
    a test that the plan announced and that said nothing has failed."""
    skipped = len(re.findall(r"^(?:not )?ok \d+.*# SKIP", text, re.M))
    passed = len(re.findall(r"^ok \d+(?!.*# SKIP)", text, re.M))
    failed = len(re.findall(r"^not ok \d+(?!.*# SKIP)", text, re.M))
    plan = re.search(r"^1\.\.(\d+)", text, re.M)
    announced = int(plan.group(1)) if plan else 1
    return passed, failed + max(0, announced - passed - failed - skipped), skipped


def run_units(label, prefix):
    """All unit programs, as many at once as there are processors."""
    totals = Totals(label)
    # Not all are built for the sanitizer of threads, but those with threads.
    programs = [p for p in unit_programs() if label != "threads" or p.exists()]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda p: run_unit(p, prefix), programs)
        for program, result in zip(programs, results):
            text = result.stdout.decode(errors="replace")
            passed, failed, skipped = count_tap(text)
            if result.returncode != 0 and failed == 0:
                failed = 1
            name = program.relative_to(BIN / "tests")
            if failed:
                print(f"--- {name} (exit {result.returncode})\n{text}")
            more = f", {skipped} skipped" if skipped else ""
            print(f"  {name}: {passed} passed, {failed} failed{more}", flush=True)
            totals.passed += passed
            totals.failed += failed
            totals.skipped += skipped
    totals.show()
    return totals.failed == 0 and totals.passed > 0


def run_crash(label):
    """A slice of the crash sweep: a test that passes when nothing is violated."""
    totals = Totals(label)
    seed = os.environ.get("VV_CRASH_SEED", "1")
    program = [str(BIN / "tests/sim/crash"), "--slice", "--seed", seed]
    if os.environ.get("VV_SAN"):
        program += ["--only", "-4096"]  # sanitizers are slow
    try:
        result = subprocess.run(program, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S, check=False)
        totals.passed = int(result.returncode == 0)
    except (subprocess.TimeoutExpired, FileNotFoundError) as error:
        print(f"--- {error}")
    totals.failed = 1 - totals.passed
    totals.show()
    return totals.failed == 0


def tests_of(suite):
    """The tests of a suite, in their order."""
    todo = list(suite)
    while todo:
        test = todo.pop(0)
        if isinstance(test, unittest.TestSuite):
            todo[:0] = list(test)
        else:
            yield test


def unmatched(suite):
    """The patterns that no test was taken for: one that is misspelt must not pass unseen."""
    names = [test.id() for test in tests_of(suite)]
    return [pattern for pattern in TESTS_ONLY
            if not any(fnmatch.fnmatchcase(name, pattern) for name in names)]


def run_suite(suite, result_class):
    """A suite, or one test; when others run beside it, what is told of it comes in one piece."""
    stream = sys.stdout if JOBS == 1 else io.StringIO()
    result = unittest.TextTestRunner(stream=stream, verbosity=2,
                                     resultclass=result_class).run(suite)
    if JOBS > 1:
        print(stream.getvalue(), flush=True)
    return result


def run_python(label, folder):
    """Python's unittest over the real programs; the board's tests use what those of e2e do."""
    sys.path[:0] = [str(TESTS / folder), str(TESTS / "e2e")]
    loader = unittest.TestLoader()
    loader.testNamePatterns = TESTS_ONLY
    suite = unittest.TestSuite()
    for source in sorted((TESTS / folder).glob("test_*.py")):
        if ONLY in str(source):
            suite.addTests(loader.loadTestsFromName(source.stem))
    if missing := unmatched(suite):
        print(*loader.errors, sep="\n", end="")
        print(f"run.py: {folder}: no test matches {' '.join(missing)}", flush=True)
        return False
    # The board's tests keep what a failure leaves, under the name of the test.
    result_class = importlib.import_module("folders").Result if folder == "board" else None
    if JOBS == 1:
        results = [run_suite(suite, result_class)]
    else:
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            results = list(pool.map(lambda one: run_suite(one, result_class), tests_of(suite)))
    totals = Totals(label)
    for result in results:
        failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
        totals.failed += failed
        totals.skipped += len(result.skipped)
        totals.passed += result.testsRun - failed - len(result.skipped)
    totals.show()
    return totals.failed == 0 and totals.passed > 0


def check_library_lock():
    """libubootenv has one lock file for the whole machine: without it nothing here can pass."""
    lock = pathlib.Path("/var/lock/fw_printenv.lock")
    if lock.exists() and not os.access(lock, os.W_OK):
        sys.exit(f"run.py: {lock} belongs to another user; remove it as root first")


def main(kinds):
    """Runs each kind named; exit 0 if all passed."""
    check_library_lock()
    label = " sanitized" if os.environ.get("VV_SAN") else ""
    good = True
    for kind in kinds:
        if kind == "unit":
            good &= run_units("unit" + label, [])
        elif kind == "threads":
            good &= run_units("threads", [])
        elif kind == "valgrind":
            good &= run_units("valgrind", VALGRIND)
        elif kind == "crash":
            good &= run_crash("crash slice" + label)
        elif kind == "e2e":
            good &= run_python("end-to-end", "e2e")
        elif kind == "board":
            good &= run_python("board", "board")
        else:
            sys.exit(__doc__)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
