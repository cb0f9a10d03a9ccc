# SPDX-License-Identifier: Apache-2.0
"""Keys, images and devices for the end-to-end tests, each made once and cheaply."""

import atexit
import errno
import functools
import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest

import virtual_device

BIN = virtual_device.BIN
MIB = 1 << 20
PIECE = 4 << 10

# Exit statuses, as in vv-update(8).
USAGE, CONFIG, NETWORK, TRUST, FORMAT, IO, TOO_LARGE, NOT_NOW, HEALTH, AGAIN = (
    2, 3, 4, 5, 6, 7, 8, 9, 10, 75)


@functools.cache
def workspace():
    """One folder for the whole run, gone at its end."""
    folder = tempfile.mkdtemp(prefix="vv-e2e-")
    atexit.register(shutil.rmtree, folder, True)
    return pathlib.Path(folder)


def fast_folder(size):
    """A folder for `size` bytes that are written often: in memory where there is room for twice
    that, else in the workspace. The caller removes it."""
    memory = pathlib.Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2 * size
    return pathlib.Path(tempfile.mkdtemp(prefix="vv-e2e-", dir=memory if roomy else workspace()))


@functools.cache
def server_certificate():
    """(certificate, key) of a server at 127.0.0.1; the first is the `ca` of its devices."""
    certificate, key = workspace() / "server.pem", workspace() / "server.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "3650", "-subj", "/CN=127.0.0.1", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, stderr=subprocess.DEVNULL)
    return certificate, key


@functools.cache
def keys():
    """What `vv-image keygen` makes."""
    folder = workspace() / "keys"
    vv_image("keygen", folder)
    return folder


def trust():
    """The trust directory of the devices."""
    return keys() / "trust"


def vv_image(*args, expect=0):
    """Runs vv-image; its exit status must be `expect`."""
    done = subprocess.run([str(BIN / "vv-image"), *map(str, args)], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode != expect:
        raise AssertionError(f"vv-image {args[0]}: exit {done.returncode}, expected {expect}: "
                             f"{done.stderr}")
    return done


def content(size, seed):
    """Bytes as a file system has them: random, text, zeros, repeats; the same for a seed."""
    rng = random.Random(seed)
    parts, made = [], 0
    repeated = rng.randbytes(256 << 10)
    while made < size:
        kind = rng.randrange(4)
        length = rng.randrange(16, 128) * 4096
        part = (rng.randbytes(length) if kind == 0 else
                bytes(length) if kind == 1 else
                (f"line {made} of a text\n" * (length // 16)).encode()[:length] if kind == 2 else
                repeated)
        parts.append(part)
        made += len(part)
    return b"".join(parts)[:size]


@functools.cache
def partition_file(size, seed):
    """A file with content(size, seed)."""
    path = workspace() / f"partition-{size}-{seed}"
    path.write_bytes(content(size, seed))
    return path


def build(out, partitions, version="2.0", index=2, **options):
    """An unsigned image; `partitions` maps names to files. Options as on the command line."""
    given = {"product": "vv-edge", "compatible": "vv-virtual", **options}
    if given.get("codec", "zstd") == "zstd":
        given.setdefault("level", 3)
    flags = [word for key, value in given.items()
             for word in ([f"--{key.replace('_', '-')}"] if value is True else
                          [f"--{key.replace('_', '-')}", value])]
    for name, path in partitions.items():
        flags += ["--partition", f"{name}={path}"]
    vv_image("build", "-o", out, "--version", version, "--release-index", index, *flags)
    return pathlib.Path(out)


def sign(image, name="release", folder=None):
    """One signature by keys()/NAME.key."""
    folder = folder or keys()
    vv_image("sign", image, "--cert", folder / f"{name}.pem", "--key", folder / f"{name}.key")
    return image


@functools.cache
def release(version="2.0", index=2, size=3 * MIB, seed=2):
    """(signed image, partition file): made once; do not change it."""
    part = partition_file(size, seed)
    image = workspace() / f"release-{version}-{size}-{seed}.vvi"
    return sign(build(image, {"rootfs": part}, version, index)), part


def sha256(path):
    """Of a whole file."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def data_pieces(fd):
    """(offset, bytes) of a file, in pieces of at most PIECE that begin at multiples of it, without
    those that are all in a hole."""
    size, end = os.fstat(fd).st_size, 0
    while end < size:
        try:
            begin = os.lseek(fd, end, os.SEEK_DATA) // PIECE * PIECE
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return
        yield begin, os.pread(fd, PIECE, begin)
        end = begin + PIECE


def fingerprint(path):
    """As good as sha256() to see whether any byte changed, and quick where a file is mostly holes.
    Zeros are the same in a hole and written."""
    zeros = bytes(PIECE)
    digest = hashlib.sha256(str(os.path.getsize(path)).encode())
    with open(path, "rb") as stream:
        for offset, piece in data_pieces(stream.fileno()):
            if piece != zeros[:len(piece)]:
                digest.update(b"%d %b" % (offset, piece))
    return digest.hexdigest()


def same_start(slot, part):
    """True if the slot begins with exactly the bytes of the partition file."""
    with open(slot, "rb") as a, open(part, "rb") as b:
        while block := b.read(1 << 20):
            if a.read(len(block)) != block:
                return False
    return True


def fill(folder):
    """No byte is left on the file system of the folder, until the file that is returned goes."""
    filler = folder / "filler"
    filling = os.open(filler, os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(filling, bytes(4096)) > 0:
            pass
    except OSError as full:
        if full.errno != errno.ENOSPC:
            raise
    os.close(filling)
    return filler


class DeviceTest(unittest.TestCase):
    """A test with devices in a folder of its own; running slots are compared at the end."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="t-", dir=workspace()))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.running = []
        self.addCleanup(self.check_running_slot_untouched)

    def device(self, name="device", **options):
        """A device that runs a release of its own in slot a; slot b is empty."""
        device = virtual_device.VirtualDevice(self.folder / name, options.pop("trust", trust()),
                                              **options)
        for part in device.partitions:
            with open(device.slot_file("a", part), "r+b") as stream:
                stream.write(content(1 * MIB, 1))
            self.running.append((device.slot_file("a", part),
                                 fingerprint(device.slot_file("a", part))))
        self.addCleanup(device.power_off)
        return device

    def mount_state(self, device, options):
        """A tmpfs as the state directory; skipped where mounting is not allowed."""
        state = device.dir / "state"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(state)],
                              stderr=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            self.skipTest("mounting a tmpfs is not allowed here")
        self.addCleanup(subprocess.run, ["umount", str(state)], check=False)
        return state

    def check_running_slot_untouched(self):
        """No byte of any slot a changed."""
        for path, before in self.running:
            self.assertEqual(fingerprint(path), before, f"the running slot {path} changed")

    def check_refused(self, done, status, *words):
        """The exit status, one sentence on stderr that has the words, nothing made bootable."""
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        sentences = [line for line in done.stderr.splitlines() if ": error: " in line]
        self.assertEqual(len(sentences), 1, f"one sentence expected: {done.stderr}")
        for word in words:
            self.assertIn(word, sentences[0])
        self.check_running_slot_untouched()

    def check_installed(self, device, part, slot="b"):
        """The slot holds the partition, is next on trial, and the running slot is untouched."""
        self.assertTrue(same_start(device.slot_file(slot), part), "the slot differs")
        status = device.status()
        self.assertEqual(status["next_boot"], slot)
        self.assertEqual(status["trial"], slot)
        self.assertEqual(status["slots"][slot]["state"], "trial")
        self.check_running_slot_untouched()
