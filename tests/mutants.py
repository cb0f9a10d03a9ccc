#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows that the crash sweep can fail: each patch in tests/mutants/ plants one bug in a copy of the
tree, and the sweep has to name an invariant that the patch says is violated.

usage: mutants.py [NAME ...]

With NAMEs only those patches are run, and the sweep on the tree as it is, and the count of mutants
by invariant, are left out. Trees are copied to build/mutants/, which is emptied first.

A mutant is hunted with slices of the sweep, with three seeds, and then with all of it.

A patch begins with a sentence that says what is wrong, then "Violates: I2 I8": at least one of
those has to be named by the sweep, which has to end with status 1. It has to apply without fuzz, to
build, and to change nothing but what runs on a device.

Where slices find it late, a line "In: offer-" behind that names the lives that are played whole
before them, as --only of the sweep does.

What no device can come to harm by, because something else stands behind it, violates no invariant.
Its patch says "Fails: format/test_pack" instead: each of those unit tests passes without it, and
has to fail with it.
"""

import concurrent.futures
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATCHES = ROOT / "tests" / "mutants"
WORK = ROOT / "build" / "mutants"
PRODUCT = ("base/", "bootloader/", "format/", "updater/")
INVARIANTS = [f"I{n}" for n in range(1, 12)]
# The sweeps of the tree as it is, and of each mutant until it is caught.
SWEEPS = [["--slice", "--seed", seed] for seed in ("1", "2", "3")]
# What they do not catch, all of the sweep has to; that this is clean else, `make crash` says.
WHOLE = ["--seed", "1"]
SWEEP_MAX_S = 5400
TEST_MAX_S = 300
CRASH = "build/tests/sim/crash"


class Bad(Exception):
    """What is wrong with a mutant, or with the tree."""


class Mutant:
    """One patch."""

    def __init__(self, path):
        self.path = path
        self.name = path.stem
        text = path.read_text()
        head = re.match(r"(.+\.)\n(?:Violates: (I\d+(?: I\d+)*)\n(?:In: (\S+)\n)?|"
                        r"Fails: (\S+(?: \S+)*)\n)\n--- ", text)
        if not head:
            raise Bad(f"{self.name}: does not begin with a sentence and 'Violates: I...' (and "
                      "'In: LIFE' or not) or 'Fails: ROOM/TEST'")
        self.violates = (head[2] or "").split()
        self.lives = head[3]
        self.fails = (head[4] or "").split()
        self.files = sorted(re.findall(r"^\+\+\+ b/(\S+)", text, re.M))
        if not set(self.violates) <= set(INVARIANTS):
            raise Bad(f"{self.name}: violates an invariant that there is not")
        if not all(f.startswith(PRODUCT) for f in self.files):
            raise Bad(f"{self.name}: changes more than {', '.join(PRODUCT)}")


class Found:
    """What a sweep printed."""

    def __init__(self, status, output):
        self.status = status
        self.output = output
        self.named = re.findall(r"^(I\d+): \d+ violations$", output, re.M)
        total = re.search(r"^crash: (\d+) states, .*$", output, re.M)
        if total is None or "a worker crashed" in output:
            raise Bad("the sweep crashed:\n" + output[-2000:])
        self.states = int(total[1])
        self.summary = total[0]


def run(command, folder, limit_s=None):
    """Status and output."""
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace",
                          start_new_session=True) as process:
        try:
            output, _ = process.communicate(timeout=limit_s)
        except BaseException as why:
            os.killpg(process.pid, signal.SIGKILL)  # the sweep has processes of its own
            if not isinstance(why, subprocess.TimeoutExpired):
                raise
            raise Bad(f"'{' '.join(command)}' does not end within {limit_s} s") from None
    return process.returncode, output


def build(tree, jobs, programs=(CRASH,)):
    """Programs of a tree, the sweep; only what has changed is compiled."""
    status, output = run(["make", f"-j{jobs}", "--no-print-directory", "BUILD=build", *programs],
                         tree)
    if status != 0:
        raise Bad("does not build:\n" + output[-4000:])


def sweep(tree, *options):
    return Found(*run([str(tree / CRASH), *options], tree, SWEEP_MAX_S))


def copy_tree(tree):
    """What git knows of, or would take."""
    listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT,
                            stdout=subprocess.PIPE, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)


def hunt(mutant, tree):
    """The invariants it says it violates and that a sweep named; the states until then."""
    states = 0
    named = set()
    near = [[*WHOLE, "--only", mutant.lives]] if mutant.lives else []
    for options in [*near, *SWEEPS, WHOLE]:
        found = sweep(tree, *options, "--jobs", "1", "--until", ",".join(mutant.violates))
        states += found.states
        caught = [name for name in mutant.violates if name in found.named]
        if caught and found.status == 1:
            return caught, states
        named.update(found.named)
    raise Bad(f"SURVIVES {states} states: not caught as {' or '.join(mutant.violates)}, "
              f"but as {' '.join(sorted(named)) or 'nothing'}")


def failed_tests(mutant, tree):
    """How many tests fail in each of the unit tests that the mutant names."""
    programs = [f"build/tests/{name}" for name in mutant.fails]
    build(tree, 1, programs)
    counts = []
    for program in programs:
        status, output = run([str(tree / program)], tree, TEST_MAX_S)
        failed = len(re.findall(r"^\[  FAILED  \] \w+$", output.split("test(s) run.")[0], re.M))
        if (status == 0) != (failed == 0):
            raise Bad(f"{program} ends with status {status}:\n{output[-2000:]}")
        counts.append(failed)
    return counts


def fail_tests(mutant, tree):
    """The unit tests it says that fail, and the tests in them that do."""
    counts = failed_tests(mutant, tree)
    if 0 in counts:
        raise Bad(f"SURVIVES {mutant.fails[counts.index(0)]}")
    return mutant.fails, sum(counts)


def run_mutant(mutant, tree):
    """Who has caught it, and within what; the tree is as before then."""
    if mutant.fails and any(failed_tests(mutant, tree)):
        raise Bad(f"{' or '.join(mutant.fails)} fails without it")
    before = {name: (tree / name).read_bytes() for name in mutant.files}
    try:
        status, output = run(["patch", "-p1", "--fuzz=0", "--forward", "--no-backup-if-mismatch",
                              f"--input={mutant.path}"], tree)
        if status != 0:
            raise Bad("does not apply:\n" + output)
        if mutant.fails:
            caught, tests = fail_tests(mutant, tree)
            return caught, f"in {tests} tests"
        build(tree, 1)
        caught, states = hunt(mutant, tree)
        return caught, f"within {states} states"
    finally:
        for name, content in before.items():
            (tree / name).write_bytes(content)
            (tree / f"{name}.rej").unlink(missing_ok=True)


def run_mutants(mutants, trees):
    """(passed, names of invariants with the number of mutants they caught)"""
    free = queue.Queue()
    counts = dict.fromkeys(INVARIANTS, 0)
    passed = 0
    for tree in trees:
        free.put(tree)

    def one(mutant):
        tree = free.get()
        begin = time.monotonic()
        try:
            caught, how = run_mutant(mutant, tree)
            return caught, (f"{mutant.name}: caught by {' '.join(caught)} {how}, "
                            f"{time.monotonic() - begin:.0f} s")
        except Bad as bad:
            return [], f"{mutant.name}: FAILED: {bad}"
        finally:
            free.put(tree)

    with concurrent.futures.ThreadPoolExecutor(len(trees)) as pool:
        for caught, line in pool.map(one, mutants):
            print(line, flush=True)
            passed += bool(caught)
            for name in set(caught) & set(INVARIANTS):
                counts[name] += 1
    return passed, counts


def sweep_unchanged(tree, jobs):
    for options in SWEEPS:
        begin = time.monotonic()
        found = sweep(tree, *options, "--jobs", str(jobs))
        print(f"no mutant: {found.summary}, {time.monotonic() - begin:.0f} s", flush=True)
        if found.status != 0 or found.named:
            raise Bad("the tree as it is has violations:\n" + found.output[-4000:])


def show_counts(counts):
    """How many invariants caught nothing."""
    for name, count in counts.items():
        print(f"{name}: caught {count} mutants" + ("" if count else ": FAILED"))
    return sum(count == 0 for count in counts.values())


def choose(names):
    mutants = [Mutant(path) for path in sorted(PATCHES.glob("*.patch"))]
    unknown = set(names) - {m.name for m in mutants}
    if unknown:
        raise Bad(f"there is no tests/mutants/{unknown.pop()}.patch")
    return [m for m in mutants if not names or m.name in names]


def main(names):
    jobs = os.cpu_count() or 1
    mutants = choose(names)
    shutil.rmtree(WORK, ignore_errors=True)
    trees = [WORK / str(i) for i in range(min(jobs, len(mutants)))]
    copy_tree(trees[0])
    build(trees[0], jobs)
    if not names:
        sweep_unchanged(trees[0], jobs)
    for tree in trees[1:]:
        shutil.copytree(trees[0], tree, symlinks=True)
    passed, counts = run_mutants(mutants, trees)
    failed = len(mutants) - passed
    idle = 0 if names else show_counts(counts)
    print(f"mutants: {passed} passed, {failed} failed")
    return failed > 0 or idle > 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Bad as why:
        sys.exit(f"mutants: {why}")
