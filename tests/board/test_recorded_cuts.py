# SPDX-License-Identifier: Apache-2.0
"""A power cut at any point of a recorded update leaves a board that boots a whole release."""

import json
import os
import pathlib
import random
import re
import struct
import tempfile
import unittest
import zlib

import disk
import folders
import images_cache
import recorded_cuts
import recording

BOOTED = int(os.environ.get("BOOTED", "25"))  # states that are booted
LOST = max(1, BOOTED // 6)  # and others, with both copies of the environment damaged as well
COMPARED = 20               # journals read by e2fsck and debugfs too
SLOT_B, SLOT_BYTES = disk.place_of("rootfs-b")
STEPS = {1, *range(3, 13)}  # step 2 writes nothing
# The first start, the factory's release confirmed, "invalidate", "activate", the trial's start,
# "confirm". Two where there should be one would be one more.
STORES = 6
LEAST = {"flushes": 40, "windows": 40, "prefixes": 500, "single writes lost": 500,
         "subsets": 10000}


def counts(text):
    """{step: states} of what the checker printed."""
    line = re.search(r"^states checked by step: (.*)$", text, re.M)[1]
    return {int(step): int(count) for step, count in (pair.split(":") for pair in line.split())}


def amounts(text):
    """{what: how many} of what the checker printed: of the recording, and of the cuts."""
    lines = re.findall(r"^(?:recorded|cut): ([^(]*)", text, re.M)
    return {what.strip(): int(count)
            for count, what in re.findall(r"(\d+) ([a-z ]+)", " ".join(lines))}


def violations(text):
    """{invariant: how often it was violated}."""
    line = re.search(r"^violations:.*$", text, re.M)[0]
    return {name: int(count) for name, count in re.findall(r"(I\d) (\d+)", line)}


class Checked(unittest.TestCase):
    """All cuts, by the checker."""

    def check(self, name):
        """Nothing is violated, and every step was cut."""
        failures, text = recorded_cuts.check(name)
        print(f"\n{text}", end="", flush=True)
        self.assertEqual(failures, 0, text)
        self.assertEqual({step for step, count in counts(text).items() if count}, STEPS)
        found = amounts(text)
        self.assertEqual(found["stores of the environment"], STORES, text)
        for what, least in LEAST.items():
            self.assertGreaterEqual(found[what], least, f"{what}:\n{text}")

    def test_no_cut_of_an_update_into_an_unused_slot_leaves_anything_but_whole_releases(self):
        self.check("fresh")

    def test_no_cut_of_an_update_over_an_older_release_leaves_anything_but_whole_releases(self):
        self.check("used")


class Tampered(unittest.TestCase):
    """A log that is not what happened: each kind of violation is found, so the checker can fail."""

    def setUp(self):
        self.folder = recording.recording("used")
        self.log = bytearray((self.folder / "log.img").read_bytes())

    def entries(self):
        """(place of the header, offset on the card, bytes, flags) of each entry."""
        _, _, count, sector = struct.unpack_from("<QQQI", self.log)
        at = sector
        for _ in range(count):
            where, sectors, flags, _ = struct.unpack_from("<QQQQ", self.log, at)
            yield at, where * sector, sectors * sector, flags
            at += (1 + sectors) * sector

    def last_store(self):
        """Where in the log the data of the store by "confirm" begins: Linux writes it at once."""
        return [at for at, where, length, _ in self.entries()
                if where in disk.ENV_OFFSETS and length == disk.ENV_SIZE][-1] + 512

    def change_store(self, old, new):
        """Changes a variable in it, checksum included."""
        begin = self.last_store()
        data = bytes(self.log[begin + 5:begin + disk.ENV_SIZE])
        # Behind the last variable libubootenv leaves what was in its memory.
        used = data.index(b"\0\0")
        self.assertEqual((data.count(old, 0, used), len(old)), (1, len(new)))
        data = data[:used].replace(old, new) + data[used:]
        self.log[begin:begin + 4] = zlib.crc32(data).to_bytes(4, "little")
        self.log[begin + 5:begin + disk.ENV_SIZE] = data

    def run_cuts(self):
        """What the checker says of the log."""
        with tempfile.TemporaryDirectory(prefix="vv-board-") as folder:
            for name in ("card.img", "layout"):
                pathlib.Path(folder, name).symlink_to(self.folder / name)
            pathlib.Path(folder, "log.img").write_bytes(self.log)
            return recorded_cuts.run_cuts(folder)[1]

    def check_found(self, *invariants):
        """These are violated, and no others. What cannot be played again is not said to be."""
        text = self.run_cuts()
        self.assertNotIn("REPLAY=", text)
        found = violations(text)
        self.assertEqual({name for name, count in found.items() if count}, set(invariants), text)

    def test_an_activation_that_no_sync_keeps_behind_the_heads_is_found(self):
        heads = [at for at, where, length, _ in self.entries()
                 if where == SLOT_B and length == 512][-1]
        store = next(at for at, where, _, _ in self.entries()
                     if at > heads and where in disk.ENV_OFFSETS)
        for at, _, _, flags in list(self.entries()):
            if heads < at < store and flags & 1:
                struct.pack_into("<Q", self.log, at + 16, 0)
        # The journal says "installed" too early then.
        self.check_found("I2", "I4")

    def test_a_variable_of_the_board_that_changes_is_found(self):
        self.change_store(b"site=shop 7", b"site=shop 8")
        self.check_found("I3")

    def test_a_floor_above_what_was_confirmed_is_found(self):
        self.change_store(b"vv_floor=2", b"vv_floor=3")
        self.check_found("I6")

    def test_a_confirmed_release_without_its_floor_is_found(self):
        self.change_store(b"vv_floor=2", b"vv_floor=0")
        self.check_found("I6")

    def test_a_resume_mark_for_bytes_that_are_others_is_found(self):
        body = next(at for at, where, length, _ in self.entries()
                    if 0 < where - SLOT_B < SLOT_BYTES and length > 4096)
        self.log[body + 512 + 4096] ^= 1
        self.check_found("I1", "I2", "I4")

    def test_a_journal_that_is_gone_is_found(self):
        start, size = disk.place_of("data")
        confirm = self.last_store()
        for at, where, length, _ in self.entries():
            if at > confirm and start <= where < start + size:
                block = self.log[at + 512:at + 512 + length]
                self.log[at + 512:at + 512 + length] = block.replace(b"journal", b"another")
        self.check_found("I4")

    def test_a_write_to_the_running_slot_is_found(self):
        heads = next(at for at, where, _, _ in self.entries() if where == SLOT_B)
        struct.pack_into("<Q", self.log, heads, disk.place_of("rootfs-a")[0] // 512)
        self.check_found("I1", "I2", "I7")

    def test_a_log_that_cannot_be_read_is_not_said_to_violate_anything(self):
        struct.pack_into("<Q", self.log, 512 + 16, 2)  # the flag of the first entry: no flush
        with self.assertRaisesRegex(AssertionError, "exit 2: cuts: "):
            self.run_cuts()

    def test_a_write_to_the_target_before_the_environment_leaves_it_out_is_found(self):
        entries = list(self.entries())
        first = next(at for at, where, _, _ in entries if where == SLOT_B)
        store = max(at for at, where, length, _ in entries
                    if at < first and where in disk.ENV_OFFSETS and length == disk.ENV_SIZE)
        # What is there already: nothing is wrong with it but the step.
        where = SLOT_B + 4096
        with open(self.folder / "card.img", "rb") as stream:
            stream.seek(where)
            data = stream.read(4096)
        header = struct.pack("<QQQQ", where // 512, len(data) // 512, 0, 0).ljust(512, b"\0")
        self.log[store:store] = header + data
        struct.pack_into("<Q", self.log, 16, len(entries) + 1)
        self.check_found("I7")


class Journal(unittest.TestCase):
    """The checker's reader of the data partition has a second opinion."""

    def journal_by_debugfs(self, path):
        """The record after e2fsck has played the file system's own journal, and finds nothing to
        repair then; None: there is none."""
        start, size = disk.place_of("data")
        with tempfile.TemporaryDirectory(prefix="vv-board-") as folder:
            data = pathlib.Path(folder, "data.img")
            images_cache.run("dd", f"if={path}", f"of={data}", "bs=1M",
                             f"skip={start // disk.MIB}", f"count={size // disk.MIB}",
                             "conv=sparse", "status=none")
            images_cache.run("e2fsck", "-p", "-E", "journal_only", data)
            images_cache.run("e2fsck", "-fn", data)
            text = images_cache.run("debugfs", "-R", "cat vv-update/journal", data).decode()
        return json.loads(text.splitlines()[0]) if text else None

    def test_the_data_partition_is_read_as_e2fsck_and_debugfs_read_it(self):
        chance = random.Random(1)
        for name in recording.NAMES:
            folder = recording.recording(name)
            _, text = recorded_cuts.run_cuts(folder, "--steps")
            windows = [line.split()[1] for line in text.splitlines() if line.startswith("window")]
            for window in chance.sample(windows, COMPARED // 2):
                state = f"s{window}.{chance.randrange(2)}"
                with self.subTest(recording=name, state=state):
                    path = folders.fresh_folder() / "card.img"
                    _, text = recorded_cuts.run_cuts(folder, "--state", state, "--save", path)
                    said = re.search(
                        r"^  journal: (\S+), slot (-?\d+), release (\S*), (\d+) chunks$",
                        text, re.M).groups()
                    there = self.journal_by_debugfs(path)
                    path.unlink()
                    wanted = ("idle", "-1", "", "0") if there is None else (
                        there["step"], str(there["slot"]), there["release"]["version"],
                        str(there["next_chunk"]))
                    self.assertEqual(said, wanted)


class Booted(unittest.TestCase):
    """Some of them, by real U-Boot and Linux."""

    def test_after_a_cut_the_board_boots_and_finishes_the_update(self):
        chosen = recorded_cuts.choose(BOOTED)
        self.assertEqual(len(chosen), BOOTED)
        for name, state in chosen:
            with self.subTest(state=f"{name}:{state}"):
                ran = recorded_cuts.boot_to_the_end(name, state)
                print(f"\n  {name}:{state} booted {ran[0]} in slot {ran[1]}, then confirmed 2.0",
                      end="", flush=True)

    def test_after_a_cut_the_board_boots_even_without_an_environment(self):
        chance = random.Random(2)
        for number in range(LOST):
            name = recording.NAMES[number % 2]
            _, text = recorded_cuts.run_cuts(recording.recording(name), "--steps")
            writes = int(text.split()[-1])
            state = f"p{chance.randrange(1, writes)}"
            with self.subTest(state=f"{name}:{state}"):
                ran = recorded_cuts.boot_without_environment(name, state)
                print(f"\n  {name}:{state} without an environment booted {ran[0]} in slot {ran[1]}",
                      end="", flush=True)


class Planted(unittest.TestCase):
    """Bugs are found in the recording of a program that has them."""

    def check_found(self, patch, *invariants):
        """At least these invariants are violated."""
        with tempfile.TemporaryDirectory(prefix="vv-board-") as folder:
            recording.record_planted(pathlib.Path(folder), patch)
            code, text = recorded_cuts.run_cuts(folder)
        found = violations(text)
        print(f"\n  {patch}: {found}", end="", flush=True)
        self.assertEqual(code, 1)
        self.assertTrue(all(found[name] > 0 for name in invariants), text)

    def test_an_activation_before_the_last_sync_is_found(self):
        self.check_found("flip-before-heads", "I2")

    def test_a_superblock_that_is_written_with_the_rest_unsynced_is_found(self):
        self.check_found("heads-written-not-synced", "I2")
