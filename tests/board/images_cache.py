# SPDX-License-Identifier: Apache-2.0
"""Products kept by content: what was made from the same inputs is not made again.

A product is a directory `NAME-KEY`, the key a hash over all that went into it. It appears whole or
not at all, and one made from other inputs before it is removed. It is made in `.NAME.work`, by whom
holds `.NAME.lock`: one may wait for a board, or make others, while others are made.
"""

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# What is kept between two runs.
STORE = pathlib.Path(os.environ.get("VV_BOARD_DIR", ROOT / "build/board")).resolve()
CACHE = STORE / "images"
KEY_DIGITS = 16
# 2026-01-01: the time of every file in every product. The makefile reads it here.
EPOCH = 1767225600


@functools.cache
def file_hash(path):
    """sha256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@functools.cache
def folder_hash(folder):
    """{relative path: [executable, hash or link target]} of all files in a folder."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ["link", os.readlink(path)]
        elif path.is_file():
            found[name] = [bool(path.stat().st_mode & 0o100), file_hash(path)]
    return found


@contextlib.contextmanager
def _lock(cache, name):
    """One builder of a product at a time; the lock ends with the process."""
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / f".{name}.lock", "wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def product(name, inputs, make, cache=CACHE, label="board"):
    """The directory of a product; make(folder) fills it when it is not there yet. It may ask for
    other products, not for this one, and must not wait for something whose holder asks for this.

    inputs is anything that JSON can say, and must hold all that make depends on; label is what the
    line that tells of it begins with.
    """
    text = json.dumps(inputs, sort_keys=True).encode()
    key = hashlib.sha256(text).hexdigest()[:KEY_DIGITS]
    folder = cache / f"{name}-{key}"
    if folder.exists():
        return folder
    print(f"{label}: making {name}", flush=True)
    with _lock(cache, name):
        if folder.exists():
            return folder
        work = cache / f".{name}.work"
        if work.exists():  # of one that was killed
            shutil.rmtree(work)
        work.mkdir()
        try:
            make(work)
            (work / "inputs.json").write_bytes(text)
            work.chmod(0o755)
            os.rename(work, folder)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
        for old in cache.glob(f"{name}-" + "[0-9a-f]" * KEY_DIGITS):
            if old != folder:
                shutil.rmtree(old)
    return folder


def run(*command, **more):
    """Runs a tool of the build host; its output is shown only when it fails."""
    environment = dict(os.environ, SOURCE_DATE_EPOCH=str(EPOCH), LC_ALL="C",
                       PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
    environment.update(more.pop("env", {}))
    label = more.pop("label", "board")
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=environment, check=False, **more)
    if done.returncode != 0:
        raise SystemExit(f"{label}: exit {done.returncode}: {' '.join(map(str, command))}\n"
                         f"{done.stderr.decode(errors='replace')}")
    return done.stdout
