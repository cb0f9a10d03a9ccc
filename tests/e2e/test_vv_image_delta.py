# SPDX-License-Identifier: Apache-2.0
"""vv-image delta as its users meet it; and what stands in a pack, read without our own reader."""

import json
import os
import random
import struct
import subprocess
import time
import unittest

from test_vv_image import (BIN, FORMAT, IO, MIB, OK, TRUST, USAGE, Case, content, environment)

SIZE = 4 * MIB + 999


def changed(data):
    """The next release of a partition: bytes here and there, one block more, one byte more."""
    rng = random.Random(5)
    out = bytearray(data)
    for _ in range(40):
        at = rng.randrange(len(out))
        out[at] = (out[at] + 1) % 256
    out[MIB:MIB] = rng.randbytes(4096)
    out[3 * MIB:3 * MIB] = b"x"
    return bytes(out[:len(data)])


class DeltaCase(Case):
    """Two releases of one partition."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.old_part = cls.shared / "old.img"
        cls.new_part = cls.shared / "new.img"
        cls.old_data = random.Random(4).randbytes(MIB) + content(SIZE - MIB, 3)
        cls.new_data = changed(cls.old_data)
        cls.old_part.write_bytes(cls.old_data)
        cls.new_part.write_bytes(cls.new_data)

    def setUp(self):
        super().setUp()
        self.old = self.dir / "old.vvi"
        self.new = self.dir / "new.vvi"
        self.pack = self.dir / "new.vvi.from-1.vvd"
        self.release(self.old, self.old_part, 1)
        self.release(self.new, self.new_part, 2)

    def release(self, out, part, index):
        """Builds an image of one partition."""
        self.run_tool("build", "-o", out, "--product", "gw", "--compatible", "board-1",
                      "--version", f"{index}.0", "--release-index", index, "--partition",
                      f"rootfs={part}")

    def delta(self, *more, base=None, new=None, out=None, **how):
        """Makes the pack."""
        return self.run_tool("delta", "--base", base or self.old, "--new", new or self.new, "-o",
                             out or self.pack, *more, **how)

    def inspect(self, path):
        """What inspect says, as an object."""
        return json.loads(self.run_tool("inspect", path, "--json").stdout)

    def verify_pack(self, **how):
        """Checks the pack against the root of the keys."""
        return self.verify(image=self.pack, **how)


class Delta(DeltaCase):
    """The good ways."""

    def test_from_delta_to_verify(self):
        done = self.delta(says=r"release 1 to 2, \d+ of \d+ new chunks, .* not signed yet\n\Z")
        size = self.pack.stat().st_size
        self.assertIn(f" ({size} bytes)", done.stdout)
        self.verify_pack(expect=TRUST)
        self.sign(image=self.pack, says="signed; 1 signature record,")
        self.sign("second", image=self.pack)
        self.verify("--signers", 2, image=self.pack,
                    says=r"\AOK: delta pack from release 1 to release 2, \d+ chunks, "
                         rf"{size} bytes, signed by ")
        self.sign(image=self.pack, expect=TRUST, says="has signed the pack already")
        self.assertEqual(self.left(), ["new.vvi", "new.vvi.from-1.vvd", "old.vvi"])

    def test_a_pack_is_much_smaller_than_what_it_stands_for(self):
        self.delta()
        old, new = self.chunks(self.old), self.chunks(self.new)
        have = {raw for raw, _, _ in old}
        missing = {raw: stored for raw, stored, _ in new if raw not in have}
        self.assertGreater(sum(missing.values()), MIB)
        self.assertLess(self.pack.stat().st_size, 64 << 10)

    def chunks(self, path):
        """Raw hash, stored length and raw length of each record of an image."""
        header = self.inspect(path)["header"]
        data = path.read_bytes()
        at = header["table_offset"]
        table = data[at:at + header["table_size"]]
        return [(record[:32], struct.unpack_from("<I", record, 56)[0],
                 int.from_bytes(record[60:63], "little"))
                for record in (table[i:i + 64] for i in range(0, len(table), 64))]

    def test_a_pack_is_what_the_format_page_says(self):
        self.delta()
        data = self.pack.read_bytes()
        self.assertEqual(data[:8], b"\x89VVD\r\n\x1a\n")
        table_at, table_size = struct.unpack_from("<QI", data, 40)
        payload_at, payload_size = struct.unpack_from("<QQ", data, 56)
        self.assertEqual(payload_at + payload_size, len(data))
        shown = self.inspect(self.pack)["manifest"]
        for end, path in (("base", self.old), ("target", self.new)):
            self.assertEqual(shown[end]["manifest_sha256"],
                             self.inspect(path)["header"]["manifest_sha256"])
        chunks = self.chunks(self.new)
        starts = [0]
        for _, _, raw_len in chunks:
            starts.append(starts[-1] + raw_len)
        window, delta, raw = (self.dir / n for n in ("window", "delta", "raw"))
        self.assertGreater(table_size, 0)
        expected_off = 0
        for at in range(table_at, table_at + table_size, 48):
            chunk, part, off, length, stored_len, stored_off = struct.unpack_from("<IIQIIQ", data,
                                                                                 at)
            self.assertEqual((part, stored_off), (0, expected_off))
            expected_off += stored_len
            window.write_bytes(self.old_data[off:off + length])
            begin = payload_at + stored_off
            delta.write_bytes(data[begin:begin + stored_len])
            subprocess.run(["zstd", "-d", "-q", "-f", f"--patch-from={window}", delta, "-o", raw],
                           check=True)
            self.assertEqual(raw.read_bytes(),
                             self.new_data[starts[chunk]:starts[chunk + 1]], chunk)
        self.assertEqual(expected_off, payload_size)

    def test_the_same_images_give_the_same_pack(self):
        other = self.dir / "other.vvd"
        self.delta("--jobs", 1)
        self.delta("--jobs", 3, out=other, env=environment(SOURCE_DATE_EPOCH=None))
        self.assertEqual(self.pack.read_bytes(), other.read_bytes())

    def test_a_signature_added_to_an_image_changes_no_pack(self):
        other = self.dir / "other.vvd"
        self.delta()
        self.sign(image=self.old)
        self.sign(image=self.new)
        self.delta(out=other)
        self.assertEqual(self.pack.read_bytes(), other.read_bytes())

    def test_inspect_says_that_nothing_was_checked(self):
        self.delta()
        self.run_tool("inspect", self.pack,
                      says=r"(?s)from +release 1, manifest [0-9a-f]{64}\nto +release 2, .*"
                           r"signatures: 0 records, not checked \(use vv-image verify\)")
        shown = self.inspect(self.pack)
        self.assertIs(shown["signatures"]["checked"], False)
        self.assertEqual(shown["sums"]["chunks"], shown["manifest"]["table"]["records"])

    @unittest.skipIf(os.environ.get("VV_SAN"), "sanitizers need memory of their own")
    def test_memory_does_not_grow_with_the_images(self):
        def peak(old, new):
            usage = self.dir / "usage"
            code = ("import resource, subprocess, sys\n"
                    "subprocess.run(sys.argv[2:], check=True, stdout=subprocess.DEVNULL)\n"
                    "open(sys.argv[1], 'w').write(str(resource.getrusage("
                    "resource.RUSAGE_CHILDREN).ru_maxrss))")
            subprocess.run(["python3", "-c", code, usage, BIN, "delta", "--jobs", "1", "--base",
                            old, "--new", new, "-o", self.pack], check=True)
            return int(usage.read_text()) << 10
        small = peak(self.old, self.new)
        large = []
        for index, tail in ((3, b"a"), (4, b"b")):
            part = self.dir / "large.img"
            with open(part, "wb") as file:
                for seed in range(96):
                    file.write(random.Random(seed).randbytes(MIB))
                file.write(self.old_data + tail)
            large.append(self.dir / f"{index}.vvi")
            self.run_tool("build", "-o", large[-1], "--product", "gw", "--compatible", "board-1",
                          "--version", f"{index}.0", "--release-index", index, "--codec", "raw",
                          "--partition", f"rootfs={part}")
            part.unlink()
        grown = peak(*large) - small
        # The index grows with the image up to 32 MiB, 32 bytes a KiB; the images would be 200 MiB.
        self.assertLess(grown, 16 * MIB)


class Refusals(DeltaCase):
    """What delta and verify do not take."""

    def test_usage(self):
        self.run_tool("delta", expect=USAGE, says="--base is required")
        self.run_tool("delta", "--base", self.old, "--new", self.new, expect=USAGE,
                      says="--output is required")
        self.delta("--jobs", 0, expect=USAGE, says="--jobs 0")
        self.delta("--sig-reserve", "65K", expect=USAGE, says="--sig-reserve 65K")
        self.delta("more", expect=USAGE)
        self.assertEqual(self.left(), ["new.vvi", "old.vvi"])

    def test_images_that_make_no_pack(self):
        self.delta(new=self.old, expect=USAGE, says="are the same image")
        self.release(self.new, self.old_part, 3)
        self.delta(expect=USAGE, says="would save nothing")
        self.delta(base=self.dir / "none", expect=IO, says="No such file")
        self.delta(base=self.old_part, expect=FORMAT, says="not a .vvi image")
        self.delta(out=self.old, expect=USAGE, says="is also the output")
        self.delta(out=self.dir, expect=IO, says="not a regular file")
        self.assertEqual(self.left(), ["new.vvi", "old.vvi"])

    def test_a_pack_is_no_image(self):
        self.delta()
        self.delta(base=self.pack, out=self.dir / "x", expect=FORMAT,
                   says="it is a delta pack, not an image")

    def test_a_flipped_byte_in_every_section(self):
        self.delta()
        self.sign(image=self.pack)
        header = self.inspect(self.pack)["header"]
        area = 128 + header["manifest_size"]
        data = bytearray(self.pack.read_bytes())
        places = {
            "magic": (0, FORMAT), "kind": (3, FORMAT), "header": (50, FORMAT),
            "manifest": (200, FORMAT), "signature": (area + 100, TRUST),
            "signature pad": (area + 5000, FORMAT), "table": (header["table_offset"], FORMAT),
            "payload pad": (header["payload_offset"] - 1, FORMAT),
            "payload": (header["payload_offset"], FORMAT), "end": (len(data) - 1, FORMAT),
        }
        for name, (at, status) in places.items():
            with self.subTest(name):
                data[at] ^= 0x01
                self.pack.write_bytes(data)
                self.verify_pack(expect=status)
                data[at] ^= 0x01
        self.pack.write_bytes(data[:-1])
        self.verify_pack(expect=FORMAT, says="fewer than")
        self.pack.write_bytes(data)
        self.verify_pack(expect=OK)

    def test_a_full_disk_leaves_nothing(self):
        self.delta(expect=IO, says="File too large", file_limit=8192)
        self.assertEqual(self.left(), ["new.vvi", "old.vvi"])

    def test_a_killed_delta_leaves_an_older_pack(self):
        self.pack.write_bytes(b"older")
        rng = random.Random(6)
        for _ in range(6):
            with subprocess.Popen([BIN, "delta", "--base", self.old, "--new", self.new, "-o",
                                   self.pack], stdout=subprocess.DEVNULL) as child:
                time.sleep(rng.uniform(0, 0.2))
                child.kill()
            if child.returncode != 0:
                self.assertEqual(self.pack.read_bytes(), b"older")
            self.pack.write_bytes(b"older")
        self.assertEqual(self.left(), ["new.vvi", "new.vvi.from-1.vvd", "old.vvi"])


if __name__ == "__main__":
    unittest.main()
