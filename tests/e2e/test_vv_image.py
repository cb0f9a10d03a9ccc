# SPDX-License-Identifier: Apache-2.0
"""vv-image as its users meet it: every command, every refusal with its exit status, and what is
left on the disk when it is stopped in the middle."""

import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

BIN = pathlib.Path(os.environ["VV_BIN"]) / "vv-image"
OK, USAGE, CONFIG, TRUST, FORMAT, IO, AGAIN = 0, 2, 3, 5, 6, 7, 75
MIB = 1 << 20
EPOCH = "1700000000"
IDENTITY = ("--product", "gw", "--compatible", "board-1", "--version", "1.0",
            "--release-index", "7")


def environment(**changes):
    """This process's environment with a fixed time of creation; None removes a variable."""
    env = dict(os.environ, SOURCE_DATE_EPOCH=EPOCH)
    for name, value in changes.items():
        env.pop(name, None)
        if value is not None:
            env[name] = value
    return env


def content(size, seed):
    """Zero runs, repeats, random data and text, as file systems have them."""
    rng = random.Random(seed)
    repeated = rng.randbytes(300_000)
    out = bytearray()
    while len(out) < size:
        length = rng.randrange(1, 64) * 4096
        out += rng.choice((bytes(length), rng.randbytes(length), repeated,
                           b"some line of text, " * (length // 19)))
    return bytes(out[:size])


class Case(unittest.TestCase):
    """A directory, keys, and how to call the program."""

    @classmethod
    def setUpClass(cls):
        cls.shared = pathlib.Path(tempfile.mkdtemp(prefix="vv-image-"))
        cls.addClassCleanup(shutil.rmtree, cls.shared, True)
        cls.keys = cls.shared / "keys"
        subprocess.run([BIN, "keygen", cls.keys], check=True, stdout=subprocess.DEVNULL)
        cls.part = cls.shared / "part.img"
        cls.part.write_bytes(content(3 * MIB + 777, 1))

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(dir=self.shared))
        self.image = self.dir / "image.vvi"

    def run_tool(self, *args, expect=OK, says=None, env=None, file_limit=None):
        """Runs it; on failure there must be one sentence on stderr and nothing on stdout.

        With a limit, writing behind that many bytes of a file fails as on a full disk."""
        def limit():
            if file_limit is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
        done = subprocess.run([BIN, *map(str, args)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=env or environment(), preexec_fn=limit, check=False)
        self.assertEqual(done.returncode, expect, f"{args}\n{done.stdout}\n{done.stderr}")
        if expect != OK:
            self.assertEqual(done.stdout, "")
            self.assertRegex(done.stderr, r"\Avv-image: error: [^\n]+\n\Z")
        else:
            self.assertEqual(done.stderr, "")
        if says is not None:
            self.assertRegex(done.stdout if expect == OK else done.stderr, says)
        return done

    def build(self, *more, out=None, part=None, **how):
        """Builds an image of one partition."""
        return self.run_tool("build", "-o", out or self.image, *IDENTITY, "--partition",
                             f"rootfs={part or self.part}", *more, **how)

    def sign(self, name="release", image=None, **how):
        """Adds a signature by one of the two signers."""
        return self.run_tool("sign", image or self.image, "--cert", self.keys / f"{name}.pem",
                             "--key", self.keys / f"{name}.key", **how)

    def verify(self, *more, image=None, **how):
        """Checks an image against the root of the keys."""
        return self.run_tool("verify", image or self.image, "--trust", self.keys / "trust", *more,
                             **how)

    def left(self):
        """What stands in the directory, hidden files too."""
        return sorted(os.listdir(self.dir))


class Commands(Case):
    """The good ways, help, and usage errors."""

    def test_from_build_to_verify(self):
        self.build(says=r"not signed yet\n\Z")
        self.sign(says="signed; 1 signature record,")
        done = self.verify(says=r"\AOK: product gw version 1\.0 \(release 7\), 1 partition, ")
        self.assertIn(f" {self.image.stat().st_size} bytes, signed by ", done.stdout)
        self.assertIn("Release signer", done.stdout)
        self.assertEqual(self.left(), ["image.vvi"])

    def test_every_command_has_help_on_stdout(self):
        overview = self.run_tool("--help").stdout
        for verb in ("keygen", "build", "delta", "sign", "verify", "inspect"):
            self.assertIn(verb, overview)
            self.run_tool(verb, "--help", says=rf"\Ausage: vv-image {verb} ")

    def test_version(self):
        self.run_tool("--version", says=r"\Avv-image \S+\n\Z")

    def test_usage_errors(self):
        for args in ((), ("frobnicate",), ("build", "--frobnicate"), ("keygen",), ("sign",),
                     ("verify", "x"), ("inspect",), ("inspect", "a", "b"),
                     ("sign", "x", "--cert", "y")):
            self.run_tool(*args, expect=USAGE)

    def test_keygen_makes_a_set_once(self):
        self.assertEqual(sorted(str(p.relative_to(self.keys)) for p in self.keys.rglob("*.*")),
                         ["release.key", "release.pem", "root.key", "second.key", "second.pem",
                          "trust/root.pem"])
        for key in self.keys.glob("*.key"):
            self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        self.run_tool("keygen", self.keys, expect=CONFIG)

    def test_inspect_says_that_nothing_was_checked(self):
        self.build()
        self.sign()
        self.run_tool("inspect", self.image,
                      says=r"signatures: 1 record, not checked \(use vv-image verify\)")
        shown = json.loads(self.run_tool("inspect", self.image, "--json").stdout)
        self.assertIs(shown["signatures"]["checked"], False)
        self.assertEqual(len(shown["signatures"]["records"]), 1)
        self.assertEqual(shown["manifest"]["created"], int(EPOCH))
        self.assertEqual(shown["manifest"]["product"], "gw")
        self.assertEqual(shown["header"]["file_size"], self.image.stat().st_size)
        self.assertEqual(shown["partitions"][0]["image_size"], self.part.stat().st_size)
        self.assertGreater(shown["sums"]["repeated_chunks"], 0)
        self.assertGreater(shown["sums"]["codecs"]["zero"]["chunks"], 0)

    def test_output_that_nobody_takes_is_an_error(self):
        self.build()
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([BIN, "inspect", self.image], stdout=full,
                                  stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, IO)


class Build(Case):
    """What build makes and what it refuses."""

    def test_two_builds_are_the_same_bytes(self):
        other = self.dir / "other.vvi"
        for codec in ("zstd", "zlib", "raw"):
            for cut in ("block", "byte", "fixed"):
                self.build("--jobs", 1, "--codec", codec, "--cut", cut)
                self.build("--jobs", 2, "--codec", codec, "--cut", cut, out=other)
                self.assertEqual(self.image.read_bytes(), other.read_bytes(), (codec, cut))

    def test_a_squashfs_is_cut_by_bytes_unless_told_otherwise(self):
        squashfs = self.dir / "squashfs"
        squashfs.write_bytes(b"hsqs" + content(MIB, 8))
        for cut, names in (((), ["block:65536", "byte:65536"]),
                           (("--cut", "block"), ["block:65536", "block:65536"])):
            self.build("--partition", f"files={squashfs}", *cut)
            shown = json.loads(self.run_tool("inspect", self.image, "--json").stdout)
            self.assertEqual([p["cut"] for p in shown["manifest"]["partitions"]], names)
            self.sign()
            self.verify(says="OK: ")

    def test_holes_do_not_change_the_image(self):
        other, sparse, dense = (self.dir / n for n in ("other.vvi", "sparse", "dense"))
        data = content(MIB, 5)
        sparse.write_bytes(data)
        os.truncate(sparse, 9 * MIB + 5)
        with open(sparse, "r+b") as file:
            file.seek(5 * MIB + 100)
            file.write(b"x")
        dense.write_bytes(sparse.read_bytes())
        self.assertLess(sparse.stat().st_blocks, dense.stat().st_blocks)
        self.build(part=sparse)
        self.build(part=dense, out=other)
        self.assertEqual(self.image.read_bytes(), other.read_bytes())

    def test_a_sparse_partition_of_6_gib_builds_quickly_into_little(self):
        sparse = self.dir / "sparse"
        sparse.write_bytes(content(2 * MIB, 6))
        os.truncate(sparse, 6 << 30)
        begin = time.monotonic()
        self.build(part=sparse)
        # A generous bound and no benchmark: it takes less than a second where holes are skipped.
        self.assertLess(time.monotonic() - begin, 60)
        self.assertLess(self.image.stat().st_size, 4 * MIB)
        self.sign()
        self.verify(says="OK: ")

    def test_the_average_is_raised_until_the_table_fits(self):
        sparse = self.dir / "sparse"
        sparse.touch()
        os.truncate(sparse, 300 * MIB)
        self.build("--cut", "fixed", "--chunk-avg", "4K", part=sparse, expect=USAGE,
                   says="8192 is the smallest that fits")
        self.build("--cut", "fixed", "--chunk-avg", "8K", part=sparse)
        os.truncate(sparse, 5 << 30)
        self.build("--cut", "fixed", part=sparse)
        shown = json.loads(self.run_tool("inspect", self.image, "--json").stdout)
        self.assertEqual(shown["manifest"]["partitions"][0]["cut"], "fixed:131072")
        os.truncate(sparse, (64 << 30) + 1)
        self.build("--cut", "fixed", part=sparse, expect=FORMAT, says="too large")

    def test_created_is_now_without_source_date_epoch(self):
        before = int(time.time())
        self.build(env=environment(SOURCE_DATE_EPOCH=None))
        shown = json.loads(self.run_tool("inspect", self.image, "--json").stdout)
        self.assertLessEqual(before, shown["manifest"]["created"])
        self.assertLessEqual(shown["manifest"]["created"], int(time.time()))

    def test_refusals(self):
        empty = self.dir / "empty"
        empty.touch()
        part = f"p={self.part}"
        cases = (
            (USAGE, "--partition is required", ()),
            (USAGE, "it is empty", ("--partition", f"p={empty}")),
            (USAGE, "is given twice", ("--partition", part, "--partition", part)),
            (USAGE, "must be 1 to 64 characters", ("--partition", f"p/q={self.part}")),
            (USAGE, "must be NAME=FILE", ("--partition", "p")),
            (USAGE, "more than 16 partitions",
             [w for i in range(17) for w in ("--partition", f"p{i}={self.part}")]),
            (IO, "No such file", ("--partition", f"p={self.dir / 'none'}")),
            (IO, "neither a file nor a block device", ("--partition", f"p={self.dir}")),
            (USAGE, "--codec lz4", ("--partition", part, "--codec", "lz4")),
            (USAGE, "--level 99", ("--partition", part, "--level", 99)),
            (USAGE, "--cut odd", ("--partition", part, "--cut", "odd")),
            (USAGE, "power of two", ("--partition", part, "--chunk-avg", "5000")),
            (USAGE, "--jobs 0", ("--partition", part, "--jobs", 0)),
            (USAGE, "--sig-reserve 65K", ("--partition", part, "--sig-reserve", "65K")),
            (USAGE, "forbid itself", ("--partition", part, "--min-release-index", 8)),
            (USAGE, "--min-from x", ("--partition", part, "--min-from", "x")),
            (USAGE, "before the image is created", ("--partition", part, "--not-after", 5)),
            (USAGE, "--not-after 2027-02-30", ("--partition", part, "--not-after", "2027-02-30")),
            (USAGE, "--device-id", ("--partition", part, "--device-id", "a b")),
        )
        for status, says, args in cases:
            with self.subTest(says):
                self.run_tool("build", "-o", self.image, *IDENTITY, *args, expect=status,
                              says=says)
                self.assertEqual(self.left(), ["empty"])

    def test_bad_source_date_epoch(self):
        self.build(expect=USAGE, says="SOURCE_DATE_EPOCH",
                   env=environment(SOURCE_DATE_EPOCH="yesterday"))

    def test_outputs_that_cannot_be(self):
        self.build(out=self.dir, expect=IO, says="not a regular file")
        self.build(out=self.dir / "no" / "x.vvi", expect=IO, says="No such file")
        self.build(out=self.part, expect=USAGE, says="is also the output")

    def test_a_build_that_is_stopped_leaves_nothing_new(self):
        big = self.shared / "big.img"
        if not big.exists():
            big.write_bytes(random.Random(3).randbytes(24 * MIB))
        rng = random.Random(4)
        finished = 0
        for how in [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL] * 5:
            self.image.write_text("old", encoding="ascii")
            with subprocess.Popen([BIN, "build", "-o", self.image, *IDENTITY, "--partition",
                                   f"p={big}", "--level", "3"], env=environment(),
                                  stdout=subprocess.DEVNULL) as child:
                time.sleep(rng.uniform(0, 0.3))
                child.send_signal(how)
                status = child.wait()
            if status == 0:
                finished += 1
                self.run_tool("inspect", self.image)
            else:
                self.assertEqual(status, -how)
                if self.image.stat().st_size == 3:
                    self.assertEqual(self.image.read_text(encoding="ascii"), "old")
                else:
                    self.run_tool("inspect", self.image)
            if how == signal.SIGKILL:
                # Between link and rename, and only there, SIGKILL can leave the temporary name.
                self.remove_litter()
            self.assertEqual(self.left(), ["image.vvi"])
        self.assertLess(finished, 20, "no build was stopped")

    def remove_litter(self):
        """Removes what only SIGKILL may leave."""
        for path in self.dir.glob(".vv-image-*"):
            path.unlink()

    def test_a_failing_build_leaves_the_old_output(self):
        self.build()
        old = self.image.read_bytes()
        self.build("--chunk-avg", "3", expect=USAGE)
        self.build(part=self.dir / "none", expect=IO)
        self.assertEqual(self.image.read_bytes(), old)
        self.assertEqual(self.left(), ["image.vvi"])


    def test_a_full_disk_leaves_the_old_output(self):
        self.image.write_text("old", encoding="ascii")
        self.build(expect=IO, says="payload: .*File too large", file_limit=MIB // 2)
        # Room for the payload, but not for the image.
        self.build("--codec", "raw", "--cut", "fixed", part=self.part, out=self.dir / "raw.vvi")
        payload = json.loads(self.run_tool("inspect", self.dir / "raw.vvi", "--json").stdout)
        (self.dir / "raw.vvi").unlink()
        self.build("--codec", "raw", "--cut", "fixed", expect=IO, says="File too large",
                   file_limit=payload["header"]["payload_size"] + 4096)
        self.assertEqual(self.image.read_text(encoding="ascii"), "old")
        self.assertEqual(self.left(), ["image.vvi"])


class Sign(Case):
    """Signatures: adding, refusing, and being killed."""

    def test_two_signers(self):
        self.build()
        self.verify(expect=TRUST)
        self.sign("release")
        self.verify()
        self.verify("--signers", 2, expect=TRUST)
        self.sign("second", says="2 signature records")
        self.verify("--signers", 2, says="Release signer.* and .*Second signer")
        self.verify("--signers", 3, expect=TRUST)

    def test_the_same_key_twice_is_refused(self):
        self.build()
        self.sign()
        signed = self.image.read_bytes()
        self.sign(expect=TRUST, says="this key has signed the image already")
        self.assertEqual(self.image.read_bytes(), signed)

    def test_missing_room_is_named_in_bytes_and_then_enough(self):
        self.build("--sig-reserve", "200")
        done = self.sign(expect=FORMAT, says="--sig-reserve")
        missing = int(re.search(r"(\d+) bytes of room are missing", done.stderr).group(1))
        # A signature's length varies by a few bytes from one to the next.
        self.build("--sig-reserve", str(200 + missing + 8))
        self.sign()
        self.sign("second", expect=FORMAT, says="bytes of room are missing")
        self.build("--sig-reserve", "0")
        self.sign(expect=FORMAT, says="bytes of room are missing")

    def test_the_default_reserve_holds_both(self):
        self.build()
        self.sign("release")
        self.sign("second")
        self.build("--sig-reserve", "64K")
        self.sign("release")
        self.verify()

    def test_garbage_is_not_signed(self):
        self.build()
        image = bytearray(self.image.read_bytes())
        for at in (0, 64, 130, 9000):
            image[at] ^= 0xFF
            self.image.write_bytes(image)
            self.sign(expect=FORMAT)
            image[at] ^= 0xFF
        self.image.write_bytes(image[:-1])
        self.sign(expect=FORMAT, says="fewer than")
        self.image.write_bytes(image + b"x")
        self.sign(expect=FORMAT, says="more than")
        self.sign(image=self.dir / "none", expect=IO)

    def test_keys_that_do_not_fit(self):
        self.build()
        release, second = self.keys / "release.pem", self.keys / "second.key"
        self.run_tool("sign", self.image, "--cert", release, "--key", second, expect=CONFIG)
        self.run_tool("sign", self.image, "--cert", release, "--key", self.dir / "none",
                      expect=CONFIG)
        self.run_tool("sign", self.image, "--cert", self.keys / "trust" / "root.pem", "--key",
                      self.keys / "root.key", expect=CONFIG)

    def test_an_image_from_after_the_certificate_is_refused(self):
        self.build(env=environment(SOURCE_DATE_EPOCH="4102444800"))
        self.sign(expect=TRUST, says="after the certificate ends")

    def test_a_full_disk_leaves_the_image(self):
        self.build()
        old = self.image.read_bytes()
        self.sign(expect=IO, says="File too large", file_limit=len(old) // 2)
        self.assertEqual(self.image.read_bytes(), old)
        self.assertEqual(self.left(), ["image.vvi"])

    def test_mode_and_link_stay(self):
        self.build()
        link = self.dir / "link.vvi"
        link.symlink_to(self.image)
        self.image.chmod(0o640)
        self.sign(image=link)
        self.assertTrue(link.is_symlink())
        self.assertEqual(self.image.stat().st_mode & 0o777, 0o640)
        self.verify()

    def test_a_killed_sign_leaves_a_whole_image(self):
        part = self.dir / "part"
        part.write_bytes(random.Random(8).randbytes(8 * MIB))
        self.build("--codec", "raw", part=part)
        fresh = self.image.read_bytes()
        rng = random.Random(9)
        signed = 0
        for _ in range(20):
            self.image.write_bytes(fresh)
            with subprocess.Popen([BIN, "sign", self.image, "--cert", self.keys / "release.pem",
                                   "--key", self.keys / "release.key"],
                                  stdout=subprocess.DEVNULL) as child:
                time.sleep(rng.uniform(0, 0.04))
                child.kill()
            if self.image.read_bytes() == fresh:
                self.verify(expect=TRUST)
            else:
                signed += 1
                self.verify()
        # What a kill may have left does not disturb the next one.
        if signed == 0 or self.image.read_bytes() == fresh:
            self.sign()
        self.verify()


class Verify(Case):
    """What verify refuses."""

    def setUp(self):
        super().setUp()
        self.build()
        self.sign()

    def test_a_flipped_byte_in_every_section(self):
        header = json.loads(self.run_tool("inspect", self.image, "--json").stdout)["header"]
        area = 128 + header["manifest_size"]
        data = bytearray(self.image.read_bytes())
        places = {
            "magic": (0, FORMAT), "header": (50, FORMAT), "manifest": (200, FORMAT),
            "signature": (area + 100, TRUST), "signature pad": (area + 5000, FORMAT),
            "pad": (header["table_offset"] - 1, FORMAT) if header["table_offset"] >
                   area + header["signature_area_size"] else (0, FORMAT),
            "table": (header["table_offset"] + 5, FORMAT),
            "payload pad": (header["payload_offset"] - 1, FORMAT),
            "payload": (header["payload_offset"], FORMAT),
            "end": (len(data) - 1, FORMAT),
        }
        for name, (at, status) in places.items():
            with self.subTest(name):
                data[at] ^= 0x01
                self.image.write_bytes(data)
                self.verify(expect=status)
                data[at] ^= 0x01
        self.image.write_bytes(data)
        self.verify()

    def test_cut_short_or_longer(self):
        data = self.image.read_bytes()
        for length in (0, 1, 127, 128, 4096, len(data) // 2, len(data) - 1):
            self.image.write_bytes(data[:length])
            self.verify(expect=FORMAT)
        self.image.write_bytes(data + b"\0")
        self.verify(expect=FORMAT, says="more than")
        self.image.unlink()
        self.verify(expect=IO)

    def test_other_trust(self):
        self.run_tool("keygen", self.dir / "other")
        self.run_tool("verify", self.image, "--trust", self.dir / "other" / "trust", expect=TRUST)
        (self.dir / "empty").mkdir()
        self.run_tool("verify", self.image, "--trust", self.dir / "empty", expect=CONFIG)
        self.run_tool("verify", self.image, "--trust", self.dir / "none", expect=CONFIG)

    def test_usage(self):
        self.verify("--signers", 0, expect=USAGE)
        self.verify("--signers", "x", expect=USAGE)
        self.verify("--jobs", 0, expect=USAGE)

    def test_an_image_past_its_time(self):
        self.build("--not-after", int(EPOCH) + 1)
        self.sign()
        self.verify(expect=TRUST, says="not to be installed after 2023-11-14")
        self.build("--not-after", "2999-12-31")
        self.sign()
        self.verify()


if __name__ == "__main__":
    unittest.main()
