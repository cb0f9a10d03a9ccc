# SPDX-License-Identifier: Apache-2.0
"""Folders of a run of the tests: one that is gone at its end, and one of what failed.

The newest failure of each test lies in failed/TEST of the store until that test begins again.
"""

import atexit
import concurrent.futures
import functools
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

import images_cache

# Which test this thread is part of: the last one that began in it.
_thread = threading.local()


def once(function):
    """Like functools.cache; tests that run side by side wait for the one that makes a thing."""
    cached, lock = functools.cache(function), threading.RLock()

    @functools.wraps(function)
    def guarded(*arguments, **named):
        with lock:
            return cached(*arguments, **named)
    return guarded


@once
def workspace():
    """One folder for the whole run, gone at its end."""
    folder = tempfile.mkdtemp(prefix="vv-board-")
    atexit.register(shutil.rmtree, folder, True)
    return pathlib.Path(folder)


def fresh_folder():
    """A folder for one board."""
    return pathlib.Path(tempfile.mkdtemp(dir=workspace()))


def copy_sparse(source, target):
    """A copy of a file; holes stay holes."""
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(source), str(target)],
                   check=True)
    return target


# --- failures -------------------------------------------------------------------------------------

def _name():
    """The test of this thread; without one, the program."""
    return getattr(_thread, "test", pathlib.Path(sys.argv[0]).stem)


def _failed(store):
    return store / "failed" / _name()


class Result(unittest.TextTestResult):
    """Tells this thread which test it runs."""

    STORE = images_cache.STORE

    def startTest(self, test):
        _thread.test = test.id()
        shutil.rmtree(_failed(self.STORE), ignore_errors=True)
        super().startTest(test)


def pool(workers):
    """Threads that work for the test of this one."""
    return concurrent.futures.ThreadPoolExecutor(
        workers, initializer=functools.partial(setattr, _thread, "test", _name()))


def keep(error, cards, console, store=images_cache.STORE):
    """Keeps cards and the whole console of a board that failed, in the place of those that this
    test kept before; the error says where."""
    folder = _failed(store)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in cards:
        copy_sparse(path, folder)
    shutil.copy(console, folder / "console.log")
    (folder / "error").write_text("\n".join([str(error), *getattr(error, "__notes__", ())]) + "\n")
    error.add_note(f"card and console are kept in {folder}")
