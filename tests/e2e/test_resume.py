# SPDX-License-Identifier: Apache-2.0
"""How much is fetched again after a cut, counted by the server.

One installation of a large image is cut at 50 points, each when the server has sent so much more
of the file for the first time. What it sends a second time between one cut and the next is what
the first of the two cost. A byte counts as sent when the kernel has it: what waits in the buffers
of the connection and is never received counts too, so the number is the server's bill and no less
than what the device took.

A power cut is a SIGKILL after which all is zeroed that the killed process has written behind its
resume mark: the most that a medium may lose.
"""

import collections
import itertools
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import threading
import unittest

import fixtures
from fixtures import MIB, NETWORK, DeviceTest
import web_server
from web_server import PIECE

SANITIZED = bool(os.environ.get("VV_SAN"))
SIZE = (128 if SANITIZED else 256) * MIB
POINTS = 20 if SANITIZED else 50
LIMIT = 16 * MIB
CHUNK = 64 << 10

# How the program is stopped, and what happens before it is started again. In a blip the link is
# back at once and the program goes on by itself: after two of them it has a resume mark.
CUTS = (
    ("kill", ()), ("link", ()), ("kill", ("reboot",)), ("link", ("other path",)), ("blip", ()),
    ("blip", ()), ("kill", ("power cut", "reboot")), ("kill", ("journal lost", "reboot")),
    ("link", ("journal damaged",)), ("kill", ("other server",)),
    ("kill", ("journal lost",)), ("link", ("reboot", "other path")), ("kill", ()), ("link", ()),
    ("blip", ()), ("blip", ()), ("kill", ("slot damaged",)), ("kill", ("journal damaged",)),
    ("link", ("journal lost", "other server")), ("kill", ("reboot", "other path")))
ENDS = {"kill": -9, "link": NETWORK}


def cut(number):
    """What is done at the cut with this number, 1 the first; None behind the last."""
    return CUTS[(number - 1) % len(CUTS)] if number <= POINTS else None


class LinkLost(OSError):
    """The connection ends here."""


class Ledger:
    """What was sent of a file, by any server; cuts when so much of it went out."""

    def __init__(self, size):
        self.size = size
        self.lock = threading.Lock()
        self.process = None
        self.down = False
        self.cuts = 0
        self.total = 0
        self.fresh = 0  # sent for the first time
        self.seen = bytearray(-(-size // PIECE))
        self.again = collections.defaultdict(list)  # cut: where the pieces sent again after it are
        self.end = 0  # how far the last run got

    def begin(self, process):
        """A run; the link is up."""
        self.process = process
        self.end = 0
        self.down = False

    def sent(self, at, length):
        """One piece, which lies in one block. A block is fresh once."""
        with self.lock:
            self.total += length
            self.end = max(self.end, at + length)
            if self.seen[at // PIECE]:
                self.again[self.cuts].append((at, length))
            else:
                self.seen[at // PIECE] = 1
                self.fresh += length
            if self.down:
                raise LinkLost
            if (self.cuts < POINTS and
                    self.fresh * (POINTS + 1) >= self.size * (self.cuts + 1)):
                self.cuts += 1
                self.cut(cut(self.cuts)[0])

    def cut(self, kind):
        """Ends the connection, and perhaps more."""
        self.down = kind != "blip"
        if kind == "kill":
            self.process.kill()
        raise LinkLost

    def sent_again(self, number):
        """Bytes sent a second time between a cut and the next."""
        return sum(length for _, length in self.again[number])


class Server(web_server.CountingServer):
    """One of the servers that have the image, under any path."""

    def __init__(self, root, ledger):
        self.ledger = ledger
        super().__init__(root)

    def file(self, url_path):
        return self.root / pathlib.PurePath(url_path).name

    def count(self, at, length):
        self.ledger.sent(at, length)

    def verify_request(self, request, client_address):
        """Nobody is there while the link is down."""
        return not self.ledger.down


class Resume(DeviceTest):
    """A large image over a bad link."""

    @classmethod
    def setUpClass(cls):
        cls.store = fixtures.fast_folder(3 * SIZE)
        cls.addClassCleanup(shutil.rmtree, cls.store, True)
        cls.part = cls.store / "part"
        rng = random.Random(71)
        with open(cls.part, "wb") as stream:
            for _ in range(SIZE // MIB):
                stream.write(rng.randbytes(MIB))
        # Cut at fixed places, so that a chunk is where its number says.
        cls.image = fixtures.sign(fixtures.build(
            cls.store / "release.vvi", {"rootfs": cls.part}, cut="fixed", chunk_avg=CHUNK))
        with open(cls.image, "rb") as stream:
            cls.payload = int.from_bytes(stream.read(64)[56:], "little")

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.store))
        self.ledger = Ledger(self.image.stat().st_size)
        self.assertEqual(self.ledger.size, self.payload + SIZE, "nothing was compressed")
        self.servers = [Server(self.store, self.ledger) for _ in range(2)]
        for server in self.servers:
            self.addCleanup(server.stop)
        self.urls = itertools.cycle(f"{server.url}/mirror/release.vvi" for server in self.servers)
        self.target = self.device("device", slot_size=SIZE)
        slot_a = self.target.slot_file("a")
        os.truncate(slot_a, MIB)
        self.running = [(slot_a, fixtures.fingerprint(slot_a))]
        self.damaged = {}  # cut: the chunks damaged after it

    # --- between a cut and the next run -----------------------------------------------------------

    def mark(self):
        """The resume mark: a chunk, and with it an offset in the slot."""
        return self.target.journal()["next_chunk"]

    def reboot(self):
        """Into the running slot, which settles."""
        self.assertEqual(self.target.boot(), "a")
        self.assertEqual(self.target.run("confirm").returncode, 0)

    def cut_power(self):
        """The medium loses all it may lose."""
        begin, end = self.mark() * CHUNK, self.ledger.end - self.payload
        self.assertGreater(begin, 0, "the killed run had a mark")
        with open(self.target.slot_file("b"), "r+b") as stream:
            stream.seek(begin)
            stream.write(bytes(end - begin))

    def damage_slot(self):
        """A byte of some chunks that lie before the resume mark."""
        mark = self.mark()
        self.assertGreater(mark, 2, "the killed run had a mark")
        self.damaged[self.ledger.cuts] = chunks = (1, mark // 2, mark - 1)
        with open(self.target.slot_file("b"), "r+b") as stream:
            for chunk in chunks:
                stream.seek(chunk * CHUNK + CHUNK // 2)
                byte = stream.read(1)[0]
                stream.seek(-1, os.SEEK_CUR)
                stream.write(bytes([byte ^ 1]))

    def lose_journal(self):
        """The file is gone."""
        (self.target.dir / "state/journal").unlink()

    def damage_journal(self):
        """A byte in its middle."""
        path = self.target.dir / "state/journal"
        record = bytearray(path.read_bytes())
        record[len(record) // 2] ^= 1
        path.write_bytes(record)

    def meanwhile(self, events, url):
        """What happens after a cut; the URL from then on."""
        acts = {"reboot": self.reboot, "power cut": self.cut_power,
                "slot damaged": self.damage_slot, "journal lost": self.lose_journal,
                "journal damaged": self.damage_journal}
        for event in events:
            if event == "other server":
                url = next(self.urls)
            elif event == "other path":
                url = url.replace("mirror", "moved/mirror")
            else:
                acts[event]()
        return url

    # --- the runs ---------------------------------------------------------------------------------

    def run_until_cut(self, url):
        """One run, to the next cut that ends it or to its own end; what is to happen then."""
        number = self.ledger.cuts + 1
        while cut(number) is not None and cut(number)[0] == "blip":
            number += 1
        kind, events = cut(number) or ("end", ())
        options = self.target.dir / "update.conf.d/link.conf"
        options.parent.mkdir(exist_ok=True)
        options.write_text(f"[network]\nretries={0 if kind == 'link' else 3}\n")
        with open(self.target.dir / "log", "wb") as log:
            process = subprocess.Popen(self.target.command("install", url), stderr=log,
                                       stdin=subprocess.DEVNULL, stdout=log)
            self.ledger.begin(process)
            status = process.wait(600)
        told = (self.target.dir / "log").read_text(errors="replace")
        self.assertEqual(status, ENDS.get(kind, 0), f"at cut {self.ledger.cuts}: {told}")
        self.assertEqual(self.ledger.cuts, min(number, POINTS))
        return kind, events

    def check_cut(self, number):
        """The bill of one cut."""
        again = self.ledger.sent_again(number)
        self.assertLessEqual(again, LIMIT, f"after cut {number}, {cut(number)}")
        offsets = {at - self.payload for at, _ in self.ledger.again[number]}
        for chunk in self.damaged.get(number, ()):
            self.assertLessEqual(set(range(chunk * CHUNK, (chunk + 1) * CHUNK, PIECE)), offsets,
                                 f"chunk {chunk}, damaged after cut {number}, is fetched again")
        return again

    def test_at_most_16_mib_are_fetched_again_at_each_of_many_cuts(self):
        kind, url = "", next(self.urls)
        while kind != "end":
            kind, events = self.run_until_cut(url)
            url = self.meanwhile(events, url)
        self.check_installed(self.target, self.part)
        self.assertEqual(self.ledger.cuts, POINTS)
        bills = [self.check_cut(number) for number in range(1, POINTS + 1)]
        self.assertEqual(self.ledger.sent_again(0), 0, "nothing is sent twice without a cut")
        self.assertEqual(self.ledger.total, self.ledger.fresh + sum(bills))
        print(f"\n    {POINTS} cuts of {SIZE // MIB} MiB; sent again after one, in KiB: at most "
              f"{max(bills) >> 10}, on average {sum(bills) // POINTS >> 10}")
        for what in sorted(set(CUTS), key=CUTS.index):
            of_kind = [bill >> 10 for number, bill in enumerate(bills, 1) if cut(number) == what]
            print(f"      {what[0]:4} {', '.join(what[1]):28} {of_kind}", flush=True)


if __name__ == "__main__":
    unittest.main()
