# SPDX-License-Identifier: Apache-2.0
"""Hostile and broken images: each is wrong in one way, right (and signed) in all others.

Every case is tried on the device, which must refuse it with its own sentence, untouched; and with
`vv-image verify`, which must refuse it too.
"""

import os
import subprocess
import unittest
import zlib

import fixtures
from fixtures import FORMAT, MIB, TOO_LARGE, TRUST, DeviceTest
import hostile

BIG = 0x7FFFFFFFFFFFFFFF


def header(**fields):
    """A header field written as given."""
    return lambda image: image.set.update(fields)


def attribute(**values):
    """An attribute of the image set as given."""
    def change(image):
        for name, value in values.items():
            setattr(image, name, value)
    return change


def manifest(**values):
    """Manifest keys set as given; None removes one."""
    def change(image):
        for name, value in values.items():
            if value is None:
                image.manifest.pop(name, None)
            else:
                image.manifest[name] = value
    return change


def partition(**values):
    """Keys of the first partition set as given."""
    return lambda image: image.manifest["partitions"][0].update(values)


def text(edit):
    """The manifest's bytes, edited as text."""
    def change(image):
        image.manifest_text = edit(image.text())
    return change


def row(index=None, **values):
    """Fields of one chunk record; the first one with data when no index is given."""
    def change(image):
        record = image.records[image.data_records()[0] if index is None else index]
        for name, value in values.items():
            setattr(record, name, value)
    return change


def zero_row(**values):
    """Fields of the first ZERO record."""
    def change(image):
        record = next(r for r in image.records if r.codec == 3)
        for name, value in values.items():
            setattr(record, name, value)
    return change


def stored(make, codec=2):
    """Stored bytes of the first zstd chunk, made from its raw bytes; hashes are made right."""
    def change(image):
        index = next(i for i in image.data_records() if image.records[i].codec == 2)
        record = image.records[index]
        old = image.payload[record.stored_off:record.stored_off + record.stored_len]
        raw = unzstd(old)
        image.replace_stored(index, codec, make(raw, old))
    return change


def unzstd(data):
    """By the zstd program."""
    return subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, check=True).stdout


def zstd(raw, *options):
    """By the zstd program, from a pipe, so that the frame has no content size by itself."""
    return subprocess.run(["zstd", "-cq", "--no-check", *options], input=raw,
                          stdout=subprocess.PIPE, check=True).stdout


def dictionary_frame(raw, old):
    """The same frame, its header saying that dictionary 7 is needed."""
    assert old[4] & 3 == 0, "no dictionary yet"
    del raw
    size_flags = old[4] & 0xE0
    assert size_flags & 0x20, "a single-segment frame"
    return old[:4] + bytes([old[4] | 1, 7]) + old[5:]


def duplicate_partition(**values):
    """The last record's range becomes a second partition."""
    def change(image):
        first = image.manifest["partitions"][0]
        last = image.records[-1]
        first["count"] -= 1
        first["image_size"] -= last.raw_len
        image.manifest["partitions"].append(
            {"id": 1, "name": "other", "image_size": last.raw_len, "count": 1,
             "first": first["first"] + first["count"], "sha256_list": "00" * 32, **values})
    return change


def swap_records(image):
    """Two records with data change places: stored_off no longer runs on."""
    a, b = image.data_records()[:2]
    rows = image.records
    rows[a], rows[b] = rows[b], rows[a]


# name, what is wrong, exit status, words of the sentence
HEADER_CASES = [
    ("text mode damage in the magic", attribute(magic=b"\x89VVI\n\x1a\n\n"), FORMAT, ["magic"]),
    ("another major version", attribute(major=2), FORMAT, ["unsupported"]),
    ("an unknown incompat flag", attribute(incompat=1), FORMAT, ["unsupported"]),
    ("a set reserved field", attribute(reserved1=1), FORMAT, ["unsupported"]),
    ("set reserved bytes", attribute(reserved2=b"\1" + bytes(19)), FORMAT, ["unsupported"]),
    ("another header size", attribute(header_size=256), FORMAT, ["header"]),
    ("a wrong header checksum", attribute(crc=0x12345678), FORMAT, ["corrupt"]),
    ("a file size that is too small", header(file_size=5000), FORMAT, ["size"]),
    ("a file size that overflows", header(file_size=2**64 - 1), FORMAT, ["size"]),
    ("a payload that overflows", header(payload_size=2**64 - 4096), FORMAT, []),
    ("no manifest", header(manifest_size=0), FORMAT, ["manifest"]),
    ("a manifest over 64 KiB", header(manifest_size=65537), FORMAT, ["manifest"]),
    ("a signature area over 64 KiB", header(area_size=65537), FORMAT, ["signature area"]),
    ("a table that overlaps the manifest", header(table_offset=128), FORMAT, ["table"]),
    ("a table behind the payload", header(table_offset=1 << 40), FORMAT, ["table"]),
    ("a table size that is no multiple of 64", header(table_size=100), FORMAT, ["table"]),
    ("a table over 4 MiB", header(table_size=(4 << 20) + 64), FORMAT, ["table"]),
    ("a payload before the table", header(payload_offset=4096), FORMAT, ["payload"]),
    ("a payload that is not aligned", header(payload_offset=20481), FORMAT, ["payload"]),
    ("another manifest hash", header(manifest_sha256=bytes(32)), FORMAT, ["manifest"]),
    ("bytes in the padding", attribute(pad_byte=b"\1"), FORMAT, ["not zero"]),
    ("bytes after the end", attribute(tail=b"x"), FORMAT, ["bytes"]),
]

SIGNATURE_CASES = [
    ("no signature at all", attribute(area=b""), TRUST, ["sign"]),
    ("a signature record longer than the area",
     attribute(area=b"\1\0\0\0\xff\xff\xff\x7f"), FORMAT, ["signature"]),
    ("flags on a signature record", attribute(record_flags=1), FORMAT, ["unsupported"]),
    ("bytes behind the last signature", attribute(area_tail=bytes(8) + b"x"), FORMAT, ["zero"]),
    ("a signature record of unknown type only",
     attribute(area=b"\7\0\0\0\4\0\0\0abcd"), TRUST, ["sign"]),
]

MANIFEST_CASES = [
    ("a manifest that is no JSON", text(lambda t: b"{" * 20), FORMAT, ["manifest"]),
    ("a manifest with spaces", text(lambda t: t.replace(b":", b": ", 1)), FORMAT, ["canonical"]),
    ("a manifest that is not UTF-8", text(lambda t: t.replace(b"vv-edge", b"vv-\xff\xfe", 1)),
     FORMAT, ["manifest"]),
    ("a duplicate key", text(lambda t: t.replace(b'"created"', b'"created":1,"created"', 1)),
     FORMAT, ["duplicate"]),
    ("a real number", text(lambda t: t.replace(b'"release_index":2', b'"release_index":2.0')),
     FORMAT, ["manifest"]),
    ("deep nesting", manifest(zz=[[[[[[[[[[1]]]]]]]]]]), FORMAT, ["deep"]),
    ("an unknown feature it insists on", manifest(crit=["teleport"]), FORMAT,
     ["unsupported", "teleport"]),
    ("no product", manifest(product=None), FORMAT, ["product"]),
    ("a product of odd letters", manifest(product="vv edge"), FORMAT, ["product"]),
    ("a version that is too long", manifest(version="1" * 65), FORMAT, ["version"]),
    ("an empty compatible list", manifest(compatible=[]), FORMAT, ["compatible"]),
    ("a negative release index", manifest(release_index=-1), FORMAT, ["release_index"]),
    ("a floor above its own release", manifest(min_release_index=9), FORMAT,
     ["min_release_index"]),
    ("no partition", manifest(partitions=[]), FORMAT, ["partition"]),
    ("a partition name with a slash", partition(name="../etc"), FORMAT, ["name"]),
    ("a partition of size 0", partition(image_size=0), FORMAT, ["image_size"]),
    ("a duplicate partition id", duplicate_partition(id=0), FORMAT, ["id"]),
    ("a duplicate partition name", duplicate_partition(name="rootfs"), FORMAT, ["name"]),
    ("a range that skips a record", partition(first=1), FORMAT, ["first"]),
    ("ranges that end early", lambda i: i.manifest["partitions"][0].update(
        count=i.manifest["partitions"][0]["count"] - 1), FORMAT, ["record"]),
    ("a range that overflows", partition(count=BIG), FORMAT, ["count"]),
]

POLICY_CASES = [
    ("another product", manifest(product="vv-kiosk"), TRUST, ["vv-kiosk", "vv-edge"]),
    ("another compatible", manifest(compatible=["rpi4", "x86"]), TRUST, ["vv-virtual"]),
    ("another device", manifest(device_ids=["device-7"]), TRUST, ["device-0001"]),
    ("a set of partitions without ours", partition(name="bootfs"), TRUST, ["bootfs"]),
    ("a partition too many", duplicate_partition(), TRUST, ["other"]),
    ("made for later releases only", manifest(min_from=2), TRUST, ["from release 2 on"]),
    ("expired by its own word", manifest(created=1000000000, not_after=1100000000), TRUST,
     ["expired"]),
    ("made after its signer's certificate ends", manifest(created=9000000000), TRUST,
     ["certificate"]),
]

TABLE_CASES = [
    ("another record count in the manifest",
     lambda i: (i.text(), setattr(i, "fix_table", False),
                i.manifest["table"].update(records=len(i.records) - 1)), FORMAT, ["records"]),
    ("another table hash",
     lambda i: (i.text(), setattr(i, "fix_table", False),
                i.manifest["table"].update(sha256="00" * 32)), FORMAT, ["table"]),
    ("another payload size in the manifest",
     lambda i: (i.text(), setattr(i, "fix_table", False),
                i.manifest["payload"].update(size=1)), FORMAT, ["payload"]),
    ("another list hash",
     lambda i: (i.text(), setattr(i, "fix_table", False),
                i.manifest["partitions"][0].update(sha256_list="00" * 32)), FORMAT,
     ["sha256_list"]),
    ("an unknown codec", row(codec=9), FORMAT, ["codec"]),
    ("a chunk of no bytes", row(raw_len=0), FORMAT, ["0 raw bytes"]),
    ("a chunk over 1 MiB", row(raw_len=(1 << 20) + 1), FORMAT, ["1048577 raw bytes"]),
    ("stored bytes longer than they may be", row(stored_len=(1 << 20) + 65), FORMAT,
     ["1048641 stored bytes"]),
    ("no stored bytes", row(stored_len=0), FORMAT, ["no stored bytes"]),
    ("a stored offset far outside", row(stored_off=1 << 62), FORMAT, ["stored offset"]),
    ("a stored offset that overflows", row(stored_off=2**64 - 1), FORMAT, ["stored offset"]),
    ("records out of order", swap_records, FORMAT, ["stored offset"]),
    ("partition size other than its chunks", partition(image_size=3 * MIB + 1), FORMAT,
     ["image_size"]),
    ("payload bytes no record owns", lambda i: setattr(i, "payload", i.payload + bytes(4096)),
     FORMAT, ["payload"]),
    ("a zero chunk with stored bytes", zero_row(stored_len=1), FORMAT, ["zero"]),
    ("a zero chunk with a stored hash", zero_row(stored_sha=b"\1" * 16), FORMAT, ["zero"]),
    ("a zero chunk whose hash is not that of zeros", zero_row(raw_sha=b"\1" * 32), FORMAT,
     ["zero"]),
]

CHUNK_CASES = [
    ("a zstd frame without content size", stored(lambda raw, old: zstd(raw, "--no-content-size",
     "--zstd=wlog=17")), FORMAT, ["content size"]),
    ("a zstd frame with a window over 1 MiB", stored(lambda raw, old: zstd(
        raw, "--no-content-size", "--zstd=wlog=21")), FORMAT, ["window"]),
    ("two zstd frames", stored(lambda raw, old: recompress(raw[:4096]) + recompress(raw[4096:])),
     FORMAT, ["content size"]),
    ("a zstd frame that needs a dictionary", stored(dictionary_frame), FORMAT, ["dictionary"]),
    ("a zstd frame of other content", stored(lambda raw, old: recompress(bytes(len(raw)))),
     FORMAT, ["hash"]),
    ("a zstd frame of another length", stored(lambda raw, old: recompress(raw[:-1])), FORMAT,
     ["content size"]),
    ("a skippable zstd frame", stored(lambda raw, old:
     b"\x50\x2a\x4d\x18" + (len(old) - 8).to_bytes(4, "little") + old[8:]), FORMAT,
     ["begin with a zstd frame"]),
    ("bytes behind the zstd frame", stored(lambda raw, old: old + b"\0"), FORMAT, ["behind"]),
    ("no zstd frame at all", stored(lambda raw, old: b"\0" * len(old)), FORMAT, ["zstd"]),
    ("a cut zstd frame", stored(lambda raw, old: old[:-5]), FORMAT, ["zstd"]),
    ("zlib of another length", stored(lambda raw, old: zlib.compress(raw[:-1]), 1), FORMAT,
     ["zlib"]),
    ("zlib that is longer", stored(lambda raw, old: zlib.compress(raw + b"x"), 1), FORMAT,
     ["zlib"]),
    ("bytes behind zlib", stored(lambda raw, old: zlib.compress(raw) + b"\0", 1), FORMAT,
     ["behind"]),
]


def recompress(raw):
    """A zstd frame with its content size."""
    with open(fixtures.workspace() / "raw", "wb") as stream:
        stream.write(raw)
    return subprocess.run(["zstd", "-cq", "--no-check", stream.name], stdout=subprocess.PIPE,
                          check=True).stdout


class HostileImages(DeviceTest):
    """The corpus: made here, stored nowhere."""

    def try_cases(self, cases):
        """Each case against one device that keeps its state, and against vv-image verify."""
        good, _ = fixtures.release()
        device = self.device()
        before = fixtures.sha256(device.slot_file("b"))
        for name, change, status, words in cases:
            with self.subTest(name):
                image = hostile.Image(good)
                change(image)
                path = self.folder / "hostile.vvi"
                path.write_bytes(image.bytes(fixtures.keys() / "release.pem",
                                             fixtures.keys() / "release.key"))
                done = device.run("install", path)
                self.check_refused(done, status, *words)
                self.assertIsNone(device.status()["trial"])
                if cases is not POLICY_CASES:
                    fixtures.vv_image("verify", path, "--trust", fixtures.trust(), expect=status)
        if cases is not CHUNK_CASES:
            self.assertEqual(fixtures.sha256(device.slot_file("b")), before)
        self.assertEqual(device.run("install", good).returncode, 0, "the next try works")

    def test_hostile_headers_are_refused(self):
        self.try_cases(HEADER_CASES)

    def test_hostile_signature_areas_are_refused(self):
        self.try_cases(SIGNATURE_CASES)

    def test_hostile_manifests_are_refused(self):
        self.try_cases(MANIFEST_CASES)

    def test_images_for_others_are_refused(self):
        self.try_cases(POLICY_CASES)

    def test_hostile_tables_are_refused(self):
        self.try_cases(TABLE_CASES)

    def test_hostile_chunks_are_refused(self):
        self.try_cases(CHUNK_CASES)


class BrokenFiles(DeviceTest):
    """Damage that needs no attacker, and images that others signed."""

    def test_a_changed_byte_anywhere_is_refused(self):
        good, _ = fixtures.release(size=MIB // 2, seed=40)
        data = good.read_bytes()
        head = 128 + int.from_bytes(data[32:36], "little")
        offsets = sorted({*range(0, 128, 5), head // 2, head + 3, head + 60, head + 500,
                          *range(head + 8300, len(data), len(data) // 40), len(data) - 1})
        device = self.device()
        path = self.folder / "changed.vvi"
        for offset in offsets:
            with self.subTest(offset=offset):
                changed = bytearray(data)
                changed[offset] ^= 0x10
                path.write_bytes(changed)
                done = device.run("install", path)
                self.assertIn(done.returncode, (TRUST, FORMAT), done.stderr)
                self.check_refused(done, done.returncode)
                self.assertIsNone(device.status()["trial"])

    def test_a_truncated_or_longer_file_is_refused_naming_both_lengths(self):
        good, _ = fixtures.release()
        data = good.read_bytes()
        device = self.device()
        path = self.folder / "cut.vvi"
        for length in (0, 5, 127, 128, 500, 9000, len(data) // 2, len(data) - 1, len(data) + 1):
            with self.subTest(length=length):
                path.write_bytes((data + b"x")[:length])
                self.check_refused(device.run("install", path), FORMAT)

    def test_an_image_larger_than_the_slot_is_refused(self):
        image, _ = fixtures.release()
        device = self.device(slot_size=2 * MIB)
        self.check_refused(device.run("install", image), TOO_LARGE, "slot b")

    def test_signatures_of_strangers_are_refused(self):
        good, _ = fixtures.release()
        strangers = self.folder / "strangers"
        fixtures.vv_image("keygen", strangers)
        device = self.device(trust=strangers / "trust")
        self.check_refused(device.run("install", good), TRUST, "sign")

    def test_two_signers_need_two_different_keys(self):
        part = fixtures.partition_file(MIB, 41)
        image = fixtures.sign(fixtures.build(self.folder / "one.vvi", {"rootfs": part}))
        device = self.device(signers=2)
        self.check_refused(device.run("install", image), TRUST, "2 required")
        fixtures.sign(image, "second")
        self.assertEqual(device.run("install", image).returncode, 0)

    def test_a_development_ca_embedded_under_the_same_root_is_refused(self):
        root = fixtures.keys()
        work = self.folder
        openssl = lambda *args: subprocess.run(["openssl", *map(str, args)], check=True,
                                               stderr=subprocess.DEVNULL)
        (work / "ca.ext").write_text("basicConstraints=critical,CA:true\n"
                                     "keyUsage=critical,keyCertSign\n")
        (work / "leaf.ext").write_text("extendedKeyUsage=codeSigning\n"
                                       "keyUsage=critical,digitalSignature\n")
        for name in ("dev-ca", "dev"):
            openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out",
                    work / f"{name}.key")
            openssl("req", "-new", "-key", work / f"{name}.key", "-subj", f"/CN={name}", "-out",
                    work / f"{name}.csr")
        openssl("x509", "-req", "-in", work / "dev-ca.csr", "-CA", root / "trust/root.pem",
                "-CAkey", root / "root.key", "-days", "99", "-extfile", work / "ca.ext", "-out",
                work / "dev-ca.pem")
        openssl("x509", "-req", "-in", work / "dev.csr", "-CA", work / "dev-ca.pem", "-CAkey",
                work / "dev-ca.key", "-days", "99", "-extfile", work / "leaf.ext", "-out",
                work / "dev.pem")
        good, _ = fixtures.release()
        image = hostile.Image(good)
        message = image.bytes(root / "release.pem", root / "release.key")
        message = message[:128 + int.from_bytes(message[32:36], "little")]
        signature = hostile.cms(message, work / "dev.pem", work / "dev.key", "-certfile",
                                work / "dev-ca.pem")
        image.area = b"\1\0\0\0" + len(signature).to_bytes(4, "little") + signature
        path = work / "development.vvi"
        path.write_bytes(image.bytes(None, None))
        self.check_refused(self.device().run("install", path), TRUST, "sign")

    def test_an_older_release_is_refused_unless_it_says_it_may(self):
        newer, _ = fixtures.release()
        part = fixtures.partition_file(MIB, 42)
        device = self.device()
        self.assertEqual(device.run("install", newer).returncode, 0)
        device.set_cmdline("b")
        self.assertEqual(device.run("confirm").returncode, 0)
        self.running = [(device.slot_file("b"), fixtures.fingerprint(device.slot_file("b")))]
        older = fixtures.sign(fixtures.build(self.folder / "old.vvi", {"rootfs": part}, "1.0", 1))
        self.check_refused(device.run("install", older), TRUST, "older")
        allowed = fixtures.sign(fixtures.build(self.folder / "allowed.vvi", {"rootfs": part},
                                               "1.0", 1, allow_downgrade=True))
        self.assertEqual(device.run("install", allowed).returncode, 0)

    def test_a_confirmed_floor_keeps_everything_below_it_out(self):
        part = fixtures.partition_file(MIB, 43)
        raises = fixtures.sign(fixtures.build(self.folder / "floor.vvi", {"rootfs": part}, "5.0",
                                              5, min_release_index=4))
        device = self.device()
        self.assertEqual(device.run("install", raises).returncode, 0)
        self.assertNotIn("vv_floor", device.environment(), "the floor rises with confirm only")
        device.set_cmdline("b")
        self.assertEqual(device.run("confirm").returncode, 0)
        self.assertEqual(device.environment()["vv_floor"], "4")
        self.running = []
        below = fixtures.sign(fixtures.build(self.folder / "below.vvi", {"rootfs": part}, "3.0", 3,
                                             allow_downgrade=True))
        self.check_refused(device.run("install", below), TRUST, "floor")

    def test_an_image_whose_first_chunk_is_bad_changes_nothing_on_the_device(self):
        good, _ = fixtures.release()
        data = bytearray(good.read_bytes())
        payload = int.from_bytes(data[56:64], "little")
        data[payload + 5] ^= 1
        path = self.folder / "bad-chunk.vvi"
        path.write_bytes(data)
        device = self.device()
        slot = fixtures.sha256(device.slot_file("b"))
        environment = (device.dir / "uboot.env").read_bytes()
        self.check_refused(device.run("install", path), FORMAT, "hash")
        self.assertEqual(fixtures.sha256(device.slot_file("b")), slot)
        self.assertEqual((device.dir / "uboot.env").read_bytes(), environment)


if __name__ == "__main__":
    os.umask(0o022)
    unittest.main()
