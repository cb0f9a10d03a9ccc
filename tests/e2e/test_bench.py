# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks count and parse, and how they show it. Nothing is timed here, and no other
updater is needed."""

import argparse
import hashlib
import io
import pathlib
import struct
import sys
import unittest

import fixtures
import web_server
from fixtures import MIB, DeviceTest

sys.path += [str(pathlib.Path(__file__).resolve().parent.parent / "bench")]
import formats  # pylint: disable=wrong-import-position
import inputs  # pylint: disable=wrong-import-position
import main as bench  # pylint: disable=wrong-import-position
import measure  # pylint: disable=wrong-import-position
import peers  # pylint: disable=wrong-import-position
import tables  # pylint: disable=wrong-import-position


class Counting(DeviceTest):
    """Figures out of what the system and the server say."""

    def test_sectors_of_a_block_device_are_512_bytes(self):
        text = "   10   0   8   1   20   0   2048   5   0   7   8   0   0   0   0   0   0\n"
        self.assertEqual(measure.parse_block_stat(text), (8 * 512, 1 * MIB))

    def test_time_may_say_first_how_a_command_ended(self):
        self.assertEqual(measure.parse_time_file("1234\n"), 1234)
        self.assertEqual(measure.parse_time_file("Command exited with non-zero status 3\n77\n"), 77)

    def test_memory_of_a_process_that_has_gone_is_nothing(self):
        self.assertEqual(measure.parse_status("Name:\tx\nVmHWM:\t    5120 kB\n"), 5120)
        self.assertEqual(measure.parse_status(""), 0)

    def test_ticks_are_those_of_a_process_and_of_its_children(self):
        text = "7 (a ) b) S 1 7 7 0 -1 0 10 11 12 13 100 20 3 4 20 0 1 0\n"
        self.assertEqual(measure.parse_stat_ticks(text), 127)

    def test_a_process_tree_has_all_that_is_below(self):
        below = {1: [2, 3], 3: [4]}
        self.assertEqual(set(measure.tree_of(1, lambda pid: below.get(pid, []))), {1, 2, 3, 4})

    def test_requests_are_counted_in_the_servers_log(self):
        root = self.folder / "root"
        root.mkdir()
        (root / "file").write_bytes(b"x" * 1000)
        server = web_server.Nginx(root, self.folder / "nginx")
        self.addCleanup(server.stop)
        web_server.get(f"{server.url}/none")
        before = len(measure.settled(server.requests))
        web_server.get(f"{server.url}/file")
        web_server.get(f"{server.url}/file")
        rows = measure.settled(server.requests)
        self.assertEqual(measure.count_requests(rows, before), (2000, 2))

    def test_a_pipeline_is_counted_with_all_its_stages(self):
        out = self.folder / "out"
        usage = measure.run_steps([[["printf", "some text"], ["cat"], ["sh", "-c", f"cat >{out}"]],
                                   [["test", "-s", str(out)]]])
        self.assertEqual(out.read_text(), "some text")
        self.assertGreater(usage.rss_kib, 3 * 256)

    def test_a_stage_that_fails_fails_the_run_with_what_it_said(self):
        with self.assertRaisesRegex(measure.Failed, "a reason"):
            measure.run_steps([[["sh", "-c", "echo a reason >&2; exit 3"], ["cat"]]])

    def test_a_target_is_filled_without_zeros_and_compared(self):
        target = measure.Target(self.folder / "slot", 1 * MIB + 4096)
        self.addCleanup(target.close)
        target.release()
        target.fill()
        self.assertNotIn(b"\0", target.file.read_bytes())
        image = self.folder / "image"
        image.write_bytes(fixtures.content(1 * MIB, 3))
        self.assertFalse(target.holds(image))
        with open(target.file, "r+b") as stream:
            stream.write(image.read_bytes())
        self.assertTrue(target.holds(image))


class Formats(DeviceTest):
    """What is read out of the files of the tools."""

    def image(self, name, parts):
        """(table, content) of an image of ours."""
        content = b"".join(parts)
        (self.folder / name).write_bytes(content)
        path = fixtures.build(self.folder / f"{name}.vvi", {"rootfs": self.folder / name},
                              cut="fixed", chunk_avg="64K")
        return formats.read_vvi(path)

    def test_the_table_of_an_image_is_read_as_the_format_page_says(self):
        parts = [fixtures.content(64 << 10, 5), bytes(64 << 10), b"a" * 70000]
        table = self.image("one", parts)
        raw = b"".join(parts)
        self.assertEqual(sum(chunk.raw_len for chunk in table.chunks), len(raw))
        self.assertEqual(table.chunks[0].raw_hash, hashlib.sha256(raw[:64 << 10]).digest())
        self.assertEqual(table.chunks[1].codec, formats.ZERO_CODEC)
        self.assertEqual(table.table_bytes, 64 * len(table.chunks))
        stored = {chunk.stored_off: chunk.stored_len for chunk in table.chunks}
        self.assertEqual(table.head_bytes + sum(stored.values()), table.file_bytes)

    def test_missing_chunks_are_counted_once_and_zeros_never(self):
        a, b, c, d = (hashlib.sha256(bytes([n])).digest() * 2048 for n in range(4))
        zeros = bytes(64 << 10)
        old = self.image("old", [a, zeros, c])
        new = self.image("new", [b, a, d, zeros, d, b"end of it"])
        missing, ranges = formats.missing(old, new)
        stored = [new.chunks[at].stored_len for at in (0, 2, 5)]
        self.assertEqual(missing, sum(stored))
        # a stands between b and d; d and the end touch.
        self.assertEqual(ranges, 2)
        self.assertEqual(formats.missing(new, new), (0, 0))

    def test_what_a_pack_brings_is_not_missing(self):
        a, b, c = (hashlib.sha256(bytes([n])).digest() * 2048 for n in range(3))
        old, new = self.image("old", [a]), self.image("new", [b, a, c])
        self.assertEqual(formats.missing(old, new, {0})[0], new.chunks[2].stored_len)
        pack = bytearray(128 + 2 * 48)
        pack[:8] = formats.VVD_MAGIC
        struct.pack_into("<Q", pack, 24, len(pack))
        struct.pack_into("<QI", pack, 40, 128, 2 * 48)
        struct.pack_into("<I", pack, 128, 0)
        struct.pack_into("<I", pack, 128 + 48, 2)
        self.assertEqual(formats.parse_pack(io.BytesIO(pack)), (len(pack), {0, 2}))

    def test_what_is_no_image_is_told(self):
        for parse in (formats.parse_vvi, formats.parse_pack):
            with self.assertRaises(ValueError):
                parse(io.BytesIO(bytes(200)))

    def test_the_index_of_casync_ends_at_its_tail(self):
        ids = [bytes([n]) * 32 for n in (1, 2)]
        items = b"".join(struct.pack("<Q", at + 1) + ident for at, ident in enumerate(ids))
        tail = struct.pack("<QQQQQ", 0, 0, 48, 120, 7)
        self.assertEqual(formats.parse_caibx(bytes(64) + items + tail),
                         [ident.hex() for ident in ids])

    def test_the_words_of_zchunk(self):
        text = "Would download 17665299 of 81249066 bytes\nMatched 6335 of 7281 chunks\n"
        self.assertEqual(formats.parse_zck_delta(text), (17665299, 946))
        with self.assertRaises(ValueError):
            formats.parse_zck_delta("no such file")


class Inputs(unittest.TestCase):
    """Where the inputs come from."""

    def test_sources_are_those_of_the_own_architecture(self):
        text = ("http://a.example/|bookworm|main|amd64\nhttp://a.example/|bookworm|main|arm64\n"
                "http://b.example/|bookworm-security|main|arm64\n")
        self.assertEqual(inputs.parse_sources(text, "amd64"),
                         {"bookworm": "deb http://a.example/ bookworm main"})

    def test_kernels_are_the_oldest_and_the_newest_by_number(self):
        def stanza(number, version):
            return (f"Package: linux-image-cloud-amd64\nDepends: linux-image-6.1.0-{number}-cloud-"
                    f"amd64 (= {version})\n\n")
        text = stanza(51, "6.1.192-3") + stanza(9, "6.1.27-1") + stanza(49, "6.1.176-1")
        self.assertEqual(inputs.parse_kernels(text), (
            ("linux-image-6.1.0-9-cloud-amd64", "6.1.27-1"),
            ("linux-image-6.1.0-51-cloud-amd64", "6.1.192-3")))

    def test_only_the_packages_named_come_from_the_updates(self):
        text = inputs.pins(("one", "two"))
        self.assertIn("Package: one two\nPin: release n=bookworm-security\nPin-Priority: 990", text)
        self.assertTrue(text.endswith("Pin-Priority: 100\n"))

    def test_a_word_that_is_none_of_the_choices_is_refused(self):
        parse = bench.words(("ext4", "erofs"))
        self.assertEqual(parse("erofs, ext4"), ["erofs", "ext4"])
        self.assertEqual(parse(""), ["ext4", "erofs"])
        with self.assertRaises(argparse.ArgumentTypeError):
            parse("ext3")


def usage(wall, **more):
    """One run, as it is kept."""
    return {"wall_s": wall, "cpu_s": 1.0, "rss_kib": 14 * 1024, "fetched": 3 * MIB, "requests": 4,
            "written": 2 * MIB, "read": 0, "load": 0.5, **more}


def installed(**rows):
    """A part with whole runs."""
    return {"size": "large", "pair": "security", "file_system": "ext4", "rows": rows, "loop": True,
            "absent": {"rauc": "rauc is not installed"}, "image_bytes": 64 * MIB,
            "date": "2026-01-01", "vv": "vv-update 0.1.0"}


class Tables(unittest.TestCase):
    """How it is shown."""

    def test_medians_and_ratios(self):
        found = installed(ours=[usage(3.0), usage(1.0), usage(2.0)], swupdate=[usage(5.0)])
        rows = {row[0]: row for row in tables.install_rows(found)}
        self.assertEqual(rows["ours"][1:4], ["2.00", "1.00-3.00", "1.00"])
        self.assertEqual(rows["swupdate"][1:4], ["5.00", "5.00-5.00", "2.50"])

    def test_what_was_not_measured_is_said(self):
        text = tables.install_table(installed(ours=[usage(1.0)]))
        self.assertIn("`rauc` was not measured: rauc is not installed", text)
        self.assertRegex(text, "Not run: .*swupdate")

    def test_columns_of_bytes_without_a_figure_have_a_dash_and_a_reason(self):
        cells = {"ours": 7 * MIB, "zchunk": 10 * MIB, "ours, pack": "no packs yet"}
        part = {"x": {"size": "small", "pair": "kernel", "file_system": "ext4", "cells": cells}}
        text = tables.delta_table(part)
        self.assertIn("| 0.70 | - |", text)
        self.assertIn("- ours, pack: no packs yet.", text)
        self.assertRegex(text, "Not run: small small ext4, .*small kernel erofs")
        self.assertNotIn("small kernel ext4,", text)

    def test_totals_of_chunk_sizes_leave_out_what_has_not_all_of_them(self):
        def cells(*downloads):
            return [{"average": name, "download": count, "ranges": 1} if count else
                    {"average": name, "why": "too small"}
                    for name, count in zip(("16K", "32K"), downloads)]
        part = {str(n): {"cells": c} for n, c in enumerate((cells(1, 2), cells(10, 20),
                                                            cells(0, 400)))}
        self.assertEqual(tables.chunk_totals(part), [("16K", 11, 2), ("32K", 22, 2)])

    def test_a_target_is_met_missed_or_met_by_some(self):
        self.assertEqual(tables.target_row("x", 0.5, [0.25]), ["x", 0.5, "0.25", "met"])
        self.assertEqual(tables.target_row("x", 0.5, [0.75]), ["x", 0.5, "0.75", "missed"])
        self.assertEqual(tables.target_row("x", 0.5, [0.75, 0.25]),
                         ["x", 0.5, "0.25-0.75", "met by some"])
        self.assertEqual(tables.target_row("x", 0.5, []), ["x", 0.5, "-", "not measured"])

    def test_targets_are_ratios_of_medians_in_the_same_table(self):
        def runs_of(*seconds):
            return [{"wall_s": wall, "rss_kib": 15 * 1024} for wall in seconds]
        results = {
            "install": {"key": {"size": "large", "file_system": "ext4", "rows": {
                "ours": runs_of(9, 2, 1), "swupdate": runs_of(4, 4, 4)}}},
            "delta": {"a": {"cells": {"ours": 8, "zchunk": 10, "ours, pack": "not made"}}},
        }
        rows = {row[0]: row[1:] for row in tables.target_rows(results)}
        self.assertEqual(rows["time of a whole install to swupdate (large, ext4)"],
                         [0.7, "0.50", "met"])
        self.assertEqual(rows["time of a whole install to rauc (large, ext4)"][1], "-")
        self.assertEqual(rows["peak RSS of it in MiB"], [14, "15.00", "missed"])
        self.assertEqual(rows["bytes of an update, ours to zchunk"], [0.7, "0.80", "missed"])
        self.assertEqual(rows["bytes of an update, ours, pack to zstd --patch-from"][1], "-")

    def test_a_second_processor_is_shown_as_how_many_times_as_fast(self):
        found = {"size": "large", "date": "2026-01-01", "vv": "vv-update 1", "rows": {
            "2": [usage(1.0), usage(1.0)], "1": [usage(1.5), usage(2.5), usage(2.0)]}}
        rows = [line.split("|")[1:5] for line in tables.cores_table(found).splitlines()[-2:]]
        self.assertEqual(rows, [[" 1 ", " 2.00 ", " 1.50-2.50 ", " 1.00 "],
                                [" 2 ", " 1.00 ", " 1.00-1.00 ", " 2.00 "]])
        (row,) = [row for row in tables.target_rows({"cores": {"large": found}})
                  if "processors" in row[0]]
        self.assertEqual(row[1:], [0.59, "0.50", "met"])

    def test_the_processor_is_named_by_its_model(self):
        self.assertEqual(tables.cpu_model("processor\t: 0\nmodel name\t: A CPU\n"), "A CPU")

    def test_a_document_says_of_parts_that_they_were_not_run(self):
        results = {"machine": {"cpu": "A CPU", "cores": 2, "memory_gib": 4},
                   "tools": {"rauc": "1.8-2"}}
        text = tables.document(results)
        self.assertEqual(text.count(tables.NOT_RUN), 4)
        self.assertIn("A CPU, 2 cores", text)
        for name in peers.TOOLS:
            self.assertIn(f"- `{name}`: ", text)
        results["install"] = {"x": installed(ours=[usage(1.0)])}
        self.assertEqual(tables.document(results).count(tables.NOT_RUN), 3)


if __name__ == "__main__":
    unittest.main()
