# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at random instants of whole lives of devices, each life then carried on to its end.

A life: 1.0 is installed and confirmed, 2.0 is installed, activated and confirmed, the device goes
back to 1.0 (or half way), 3.0 fails its check (or never confirms) and is rolled back, and is mended
and confirmed. The same life without a kill is measured first; the instants are drawn uniformly over
that time. After every kill a Witness looks at everything that survives, then the same command is
run again, sometimes after a reboot.

VV_KILLS is how many kills must hit a running process; VV_KILL_SEED repeats the draws of a run, and
VV_KILL_LIFE with it repeats one life. When a process is where is up to the kernel, so that life is
lived several times.
"""

import collections
import concurrent.futures
import itertools
import os
import random
import shutil
import subprocess
import threading
import time
import unittest

import fixtures
from fixtures import HEALTH, MIB
from virtual_device import VirtualDevice
import web_server
from witness import ATTEMPTS, Witness, expect, other

SANITIZED = bool(os.environ.get("VV_SAN"))
KILLS = int(os.environ.get("VV_KILLS") or (100 if SANITIZED else 1000))
KILLS_PER_LIFE = 24
REPLAYS = 20
LOCK_S = 10

# Odd sizes: the last block of a partition is not all the image's.
SIZES = {"rootfs": 2 * MIB - 1000, "boot": 200 * 1000}
SLOT_SIZE = 2 * MIB

CHECKS = """
[confirm]
deadline=20s

[check works]
kind=exec
command=test ! -e {broken}
interval=50ms
timeout=10s
retries=1
"""

class Release:
    """A signed image and what its partitions hold."""

    def __init__(self, index):
        self.index = index
        self.version = f"{index}.0"
        self.floor = max(0, index - 1)
        # The first sector is never zeros: that is how a slot that is not whole looks.
        self.parts = {name: (f"{name} {index}\n" * 512).encode()[:4096] +
                      fixtures.content(size - 4096, 60 + index) for name, size in SIZES.items()}

    def build(self, folder):
        """FOLDER/INDEX.vvi."""
        files = {}
        for name, data in self.parts.items():
            files[name] = folder / f"{name}-{self.index}"
            files[name].write_bytes(data)
        fixtures.sign(fixtures.build(folder / f"{self.index}.vvi", files, self.version, self.index,
                                     min_release_index=self.floor))


class Life:
    """One device from the factory to a confirmed 3.0."""

    def __init__(self, number, seed, folder, releases, sources):
        self.rng = random.Random(f"{seed} {number}")
        self.number, self.releases, self.sources = number, releases, sources
        self.folder = folder / f"life-{number}-{threading.get_ident()}"
        self.contract = ("order", "bootcount")[number % 2]
        self.kills = collections.Counter()
        self.took = []
        self.doing = "nothing yet"
        self.instants = collections.defaultdict(list)
        self.step_number = -1
        back = self.rng.choice((self.confirm, self.withdraw))
        bad = self.rng.choice((self.reject, self.never_confirm))
        _, one, two, three = releases
        self.script = [
            (self.install, one), (self.confirm, one), (self.install, two, "--no-activate"),
            (self.activate,), (self.confirm, two), (self.rollback,),
            (back, one), (self.install, three), (bad, three), (self.install, three),
            (self.confirm, three)]

    def draw(self, durations):
        """The instants of the kills: uniform over the measured life."""
        total = sum(durations)
        for _ in range(KILLS_PER_LIFE):
            at, step = self.rng.uniform(0, total), 0
            while at > durations[step]:
                at -= durations[step]
                step += 1
            self.instants[step].append(at)

    def live(self):
        """The whole life."""
        self.folder.mkdir()
        self.device = VirtualDevice(
            self.folder / "device", fixtures.trust(), slot_size=SLOT_SIZE, partitions=tuple(SIZES),
            contract=self.contract, extra=CHECKS.format(broken=self.folder / "broken"))
        for name, data in self.releases[0].parts.items():
            with open(self.device.slot_file("a", name), "r+b") as stream:
                stream.write(data)
        self.witness = Witness(self.device, self.releases)
        self.runs("a")
        for self.step_number, (step, *args) in enumerate(self.script):
            step(*args)
        self.check_end()
        shutil.rmtree(self.folder)

    def runs(self, slot):
        """What holds from a power-on to the next."""
        self.running = slot
        self.running_bytes = self.witness.slot(slot)

    # --- one command: killed, and run to its end --------------------------------------------------

    def kill_at(self, seconds, command):
        """SIGKILL so long after the start; whether it hit a running process."""
        process = subprocess.Popen(self.device.command(*command), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        process.kill()
        return process.wait() == -9

    def carry_out(self, command, status, decisions, arrived, reboots=1):
        """Kills the command at each instant of this step, checks, perhaps reboots; then runs it to
        its end. Not once `arrived` says that a killed one got there."""
        for seconds in self.instants[self.step_number]:
            if arrived():
                return
            before = self.witness.environment()
            self.doing = f"{command} killed after {seconds * 1000:.2f} ms"
            if not self.kill_at(seconds, command):
                continue
            self.kills[command[0]] += 1
            self.witness.check(self.running, self.running_bytes, before, decisions)
            if reboots > 0 and self.rng.random() < 0.2:
                reboots -= 1
                self.reboot()
        if not arrived():
            before = self.witness.environment()
            self.finish(command, status)
            self.witness.check(self.running, self.running_bytes, before, decisions)

    def finish(self, command, status=0):
        """Runs a command to its end."""
        self.doing = f"{command} run to its end"
        begin = time.monotonic()
        done = self.device.run(*command)
        # A health check that the killed one had just begun has its lock too, until it gets to close
        # it or is ended: exit 75 says to try again.
        while done.returncode == 75 and time.monotonic() - begin < LOCK_S:
            time.sleep(0.05)
            done = self.device.run(*command)
        self.took.append((self.step_number, time.monotonic() - begin))
        expect(done.returncode == status, f"exit {done.returncode}: {done.stdout}{done.stderr}")

    def reboot(self):
        """A power-on, and the service that runs at boot unless the slot is on trial: then the next
        step is that."""
        expected = self.witness.next_boot()
        slot = self.device.boot()
        expect(slot == expected, f"slot {slot} booted, {expected} was next")
        self.runs(slot)
        if self.trial() != slot:
            self.finish(("confirm",))

    def trial(self):
        """The slot on trial, or None."""
        return self.witness.environment().get("vv_trial")

    def boot_into(self, slot):
        """Power-on, unless a reboot after a kill led there already."""
        if self.running != slot:
            self.reboot()
        expect(self.running == slot, f"slot {self.running} runs, {slot} should")

    def check_settled(self, slot):
        """The slot runs, boots next, and none is on trial."""
        found = (self.running, self.witness.next_boot(), self.trial())
        expect(found == (slot, slot, None), f"running, next boot and trial: {found}")

    # --- the steps --------------------------------------------------------------------------------

    def install(self, release, *options):
        """Into the slot that does not run, which boots unless it is only prepared."""
        target = other(self.running)
        source = f"{self.rng.choice(self.sources)}/{release.index}.vvi"
        invalidate, activate = ("invalidate", target), ("activate", target)
        decisions = [[invalidate]]
        if not options:
            decisions += [[activate], [invalidate, activate]]
        self.carry_out(("install", *options, source), 0, decisions,
                       lambda: self.running == target)
        expect(self.witness.holds(target, release), f"slot {target} is not {release.version}")
        if options:
            self.check_settled(self.running)
        else:
            self.boot_into(target)

    def activate(self):
        """The slot that was prepared."""
        target = other(self.running)
        self.carry_out(("activate",), 0, [[("activate", target)]], lambda: self.running == target)
        self.boot_into(target)

    def rollback(self):
        """To the release before, on trial again. A second one would take the first back."""
        target = other(self.running)
        self.carry_out(("rollback",), 0, [[("activate", target)]],
                       lambda: target in (self.running, self.trial()))
        self.boot_into(target)

    def confirm(self, release):
        """Keeps the running trial."""
        slot = self.running
        self.carry_out(("confirm",), 0, [[("confirm", slot, release.floor)],
                                         [("settle", slot)]], lambda: False)
        self.check_settled(slot)
        expect(self.witness.holds(slot, release), f"slot {slot} is not {release.version}")

    def given_up(self, command, status):
        """A command that rejects the running trial."""
        slot = self.running
        self.carry_out(command, status, [[("reject", slot)]], lambda: self.running != slot)
        self.boot_into(other(slot))
        self.check_settled(other(slot))

    def withdraw(self, _):
        """The operator rolls the running trial back."""
        self.given_up(("rollback",), 0)

    def reject(self, _):
        """The check fails."""
        (self.folder / "broken").touch()
        self.given_up(("confirm",), HEALTH)
        (self.folder / "broken").unlink()

    def never_confirm(self, _):
        """The trial uses its boots up; the old slot finds that out."""
        slot = self.running
        for _ in range(ATTEMPTS - 1):
            expect(self.device.boot() == slot, "an attempt is left")
        expect(self.device.boot() == other(slot), "the boot loader falls back")
        self.runs(other(slot))
        self.carry_out(("confirm",), 0, [[("reject", slot)], [("settle", self.running)]],
                       lambda: False)
        self.check_settled(other(slot))

    def check_end(self):
        """3.0 runs, is confirmed, boots next, and nothing of a killed process is left."""
        self.doing = "the end of the life"
        latest = self.releases[-1]
        self.check_settled(self.running)
        status = self.device.status()
        slot = status["slots"][self.running]
        expect((slot["state"], slot["version"], status["last"]["result"]) ==
               ("good", latest.version, "confirmed"), str(status))
        expect(self.witness.holds(self.running, latest), "the slot is not the release")
        self.witness.check_state(nothing_left=True)


class Witnessed(unittest.TestCase):
    """What the witness says of a device that something is wrong with."""

    def setUp(self):
        folder = fixtures.fast_folder(16 * MIB)
        self.addCleanup(shutil.rmtree, folder, True)
        self.device = VirtualDevice(folder / "device", fixtures.trust(), slot_size=SLOT_SIZE,
                                    partitions=tuple(SIZES))
        self.releases = [Release(index) for index in range(2)]
        for slot, release in zip("ab", self.releases):
            for name, data in release.parts.items():
                self.write(data, slot, name)
        self.witness = Witness(self.device, self.releases)
        self.before = self.witness.environment()
        self.running = self.witness.slot("a")

    def write(self, data, slot, name, offset=0):
        """Bytes of a slot."""
        with open(self.device.slot_file(slot, name), "r+b") as stream:
            stream.seek(offset)
            stream.write(data)

    def check(self):
        """All of the witness's checks, an install into b being under way."""
        self.witness.check("a", self.running, self.before,
                           [[("invalidate", "b")], [("activate", "b")]])

    def check_noticed(self, words):
        """They fail, and for that reason."""
        with self.assertRaisesRegex(AssertionError, words):
            self.check()

    def store(self, **changes):
        """An environment with these changes."""
        self.device.make_environment(self.before | changes)

    def test_nothing_wrong_is_no_failure(self):
        self.check()
        self.store(BOOT_ORDER="A", BOOT_B_LEFT="0")
        self.write(bytes(4096), "b", "boot")
        self.check()

    def test_a_changed_byte_of_the_running_slot_is_noticed(self):
        self.write(b"?", "a", "rootfs", SLOT_SIZE - 1)
        self.check_noticed("running slot a changed")

    def test_a_slot_with_a_head_that_is_not_whole_is_noticed(self):
        self.write(b"????", "b", "rootfs", SIZES["rootfs"] - 4)
        self.check_noticed("slot b: rootfs has a superblock and is no whole release")

    def test_a_slot_of_two_releases_is_noticed(self):
        self.write(self.releases[0].parts["boot"], "b", "boot")
        self.check_noticed("slot b mixes releases")

    def test_a_slot_that_boots_and_has_no_head_is_noticed(self):
        self.write(bytes(4096), "b", "boot")
        self.store(BOOT_ORDER="B A", vv_trial="b")
        self.check_noticed("slot b boots next and is not whole")

    def test_half_a_decision_is_noticed(self):
        self.store(BOOT_ORDER="A")
        self.check_noticed("half a decision")

    def test_a_changed_foreign_variable_is_noticed(self):
        for changes in ({"board_serial": "000124"}, {"rpipart": "3"}, {"new": "1"}):
            self.store(**changes)
            self.check_noticed("foreign variables changed")

    def test_an_environment_without_a_whole_copy_is_noticed(self):
        self.device.damage_environment(0)
        self.check()
        self.device.damage_environment(1)
        self.check_noticed("no copy of the environment is whole")

    def test_a_damaged_journal_is_noticed(self):
        (self.device.dir / "state/journal").write_text('{"format":1}\ncrc32c 00000000\n')
        self.check_noticed("the journal is damaged")

    def test_a_file_nobody_knows_is_noticed(self):
        (self.device.dir / "state/.journal.12").touch()
        self.check_noticed("the state directory has .journal.12")


class KillLoop(unittest.TestCase):
    """Many lives at once."""

    @classmethod
    def setUpClass(cls):
        cls.folder = fixtures.fast_folder(64 * MIB)
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        images = cls.folder / "images"
        images.mkdir()
        cls.releases = [Release(index) for index in range(4)]
        for release in cls.releases[1:]:
            release.build(images)
        nginx = web_server.Nginx(images, cls.folder / "nginx")
        cls.addClassCleanup(nginx.stop)
        cls.sources = (nginx.url, str(images))

    def setUp(self):
        self.seed = os.environ.get("VV_KILL_SEED") or f"{random.SystemRandom().randrange(10 ** 9)}"
        self.lock = threading.Lock()
        self.numbers = itertools.count()
        self.kills, self.found = collections.Counter(), collections.Counter()
        self.begun = self.ended = 0
        self.failed = False

    def life(self, number):
        """A life that was not lived yet."""
        return Life(number, self.seed, self.folder, self.releases, self.sources)

    def durations(self, number):
        """How long each step's own command takes in this life when nothing is killed."""
        life = self.life(number)
        life.live()
        took = [0.0] * len(life.script)
        for step, seconds in reversed(life.took):
            took[step] = seconds  # the first of a step is its own, the others are of the boot
        return took

    def live(self, number, durations):
        """One life with kills."""
        life = self.life(number)
        life.draw(durations)
        try:
            life.live()
        except Exception as why:
            self.failed = True
            raise AssertionError(
                f"seed {self.seed}, life {number} ({life.contract}), kill "
                f"{life.kills.total()} of it, step {life.step_number}: {life.doing}: {why}\n"
                f"again: VV_KILL_SEED={self.seed} VV_KILL_LIFE={number} VV_ONLY=kill_loop "
                f"make e2e{' SAN=1' if SANITIZED else ''}") from why
        with self.lock:
            self.kills += life.kills
            self.found += life.witness.found
            self.ended += 1

    def live_on(self, durations):
        """Life after life until enough kills have hit, or something is wrong."""
        while True:
            with self.lock:
                if self.failed or self.kills.total() >= KILLS:
                    return
                number = next(self.numbers)
                self.begun += 1
            self.live(number, durations[number % 2])

    def test_killed_at_random_instants_every_life_ends_confirmed(self):
        durations = [self.durations(number) for number in (0, 1)]
        print(f"\n    seed {self.seed}, a life takes "
              f"{sum(map(sum, durations)) / 2 * 1000:.0f} ms in vv-update", flush=True)
        if os.environ.get("VV_KILL_LIFE"):
            number = int(os.environ["VV_KILL_LIFE"])
            for _ in range(REPLAYS):
                self.live(number, durations[number % 2])
            return
        with concurrent.futures.ThreadPoolExecutor() as pool:
            workers = [pool.submit(self.live_on, durations)
                       for _ in range(min(2, os.cpu_count() or 1))]
            for worker in workers:
                worker.result()
        print(f"    {self.kills.total()} kills hit a running process: {dict(self.kills)}\n"
              f"    they left: {dict(self.found)}\n"
              f"    {self.ended} lives ended installed and confirmed", flush=True)
        self.assertGreaterEqual(self.kills.total(), KILLS)
        self.assertEqual(self.ended, self.begun)
        for verb in ("install", "confirm", "rollback", "activate"):
            self.assertGreater(self.kills[verb], 0, f"a kill hit {verb}")
        for sign in ("a partition partly written", "a decision stored"):
            self.assertGreater(self.found[sign], 0, f"a kill left {sign}")
