# SPDX-License-Identifier: Apache-2.0
"""Folders of a run of the tests: one that is gone at its end, and one of what failed.

What boards of a test left when they failed lies in failed/TEST/1, 2, ... of the store until that
test begins again.
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
# {folder of a test: boards that are kept in it}; tests run side by side, so do boards of a test.
_kept = {}
_keeping = threading.Lock()


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


def _forget(folder):
    """Takes away what an earlier run of a test left; the lock is held."""
    shutil.rmtree(folder, ignore_errors=True)
    _kept[folder] = 0


def _new_place(store):
    """The folder for one more board of this test."""
    folder = _failed(store)
    with _keeping:
        # Without a test nothing has told of the beginning.
        if folder not in _kept:
            _forget(folder)
        _kept[folder] += 1
        place = folder / str(_kept[folder])
        place.mkdir(parents=True)
    return place


class Result(unittest.TextTestResult):
    """Tells this thread which test it runs."""

    STORE = images_cache.STORE

    def startTest(self, test):
        _thread.test = test.id()
        with _keeping:
            _forget(_failed(self.STORE))
        super().startTest(test)


def pool(workers):
    """Threads that work for the test of this one."""
    return concurrent.futures.ThreadPoolExecutor(
        workers, initializer=functools.partial(setattr, _thread, "test", _name()))


def _copy(error, card, console, folder):
    """Into a folder: card, console, and what went wrong."""
    copy_sparse(card, folder)
    shutil.copy(console, folder / "console.log")
    (folder / "error").write_text("\n".join([str(error), *getattr(error, "__notes__", ())]) + "\n")


def keep(error, card, console, store=images_cache.STORE):
    """Keeps card and the whole console of a board that failed, beside those that this test has
    kept already; the error says where, or why not."""
    try:
        folder = _new_place(store)
        _copy(error, card, console, folder)
    except Exception as failed:  # pylint: disable=broad-exception-caught
        error.add_note(f"card and console are not kept, or not all of them: {failed}")
    else:
        error.add_note(f"card and console are kept in {folder}")
