# SPDX-License-Identifier: Apache-2.0
"""Commands in an order nobody planned, and state that was lost in between: a good slot is never
overwritten, a bad one never made bootable, and the release floor never forgotten."""

import json
import shutil
import unittest

import fixtures
from fixtures import HEALTH, MIB, NOT_NOW, TRUST, DeviceTest

UNHEALTHY = """
[confirm]
deadline=3s
stable_for=0s

[check camera]
kind=exec
command=test -e {marker}
interval=100ms
retries=1
"""


def release(version, index, **options):
    """A signed image of a release, made once."""
    out = fixtures.workspace() / f"odd-{version}.vvi"
    if not out.exists():
        part = fixtures.partition_file(2 * MIB, 100 + index)
        fixtures.sign(fixtures.build(out, {"rootfs": part}, version, index, **options))
    return out


def crc32c(data):
    """CRC-32C, as the journal's last line has it."""
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def edit_journal(device, change):
    """Calls change(journal) on the journal and writes it back with a right checksum."""
    path = device.dir / "state/journal"
    line = path.read_bytes().split(b"\n")[0]
    journal = json.loads(line)
    change(journal)
    line = json.dumps(journal, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    path.write_bytes(line + f"crc32c {crc32c(line):08x}\n".encode())


class OddOrders(DeviceTest):
    """With contract order; the class below does the same with bootcount."""

    contract = "order"

    def setUp(self):
        super().setUp()
        self.marker = self.folder / "healthy"
        self.marker.touch()

    def new(self):
        """A device whose one check is healthy as long as the marker is there."""
        return self.device(contract=self.contract, extra=UNHEALTHY.format(marker=self.marker))

    def ok(self, device, *args):
        """Runs a verb that must succeed."""
        done = device.run(*args)
        self.assertEqual(done.returncode, 0, f"{args}: {done.stdout}{done.stderr}")
        return done

    def update(self, device, image, slot):
        """Installs, boots and confirms; slot a is written to sooner or later."""
        self.running = []
        self.ok(device, "install", image)
        self.assertEqual(device.boot(), slot)
        self.ok(device, "confirm")

    def check_refused_unstored(self, device, done, *words, status=NOT_NOW):
        """Refused with the words, and the environment keeps every byte."""
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual((device.dir / "uboot.env").read_bytes(), self.before)

    def remember(self, device):
        """What check_refused_unstored() compares with."""
        self.before = (device.dir / "uboot.env").read_bytes()

    def lose_state(self, device):
        """The state directory, empty as after a repair."""
        shutil.rmtree(device.dir / "state")
        (device.dir / "state").mkdir()

    def rejected(self, device):
        """Slot b with 2.0 runs, was rejected, and the device was not rebooted yet."""
        self.ok(device, "install", release("2.0", 2))
        self.assertEqual(device.boot(), "b")
        self.marker.unlink()
        self.assertEqual(device.run("confirm").returncode, HEALTH)
        self.remember(device)

    # --- between a rejection and the reboot -------------------------------------------------------

    def test_nothing_is_installed_over_the_good_slot_before_the_reboot(self):
        for lost in (False, True):
            with self.subTest(state_lost=lost):
                device = self.device(f"lost-{lost}", contract=self.contract,
                                     extra=UNHEALTHY.format(marker=self.marker))
                self.marker.touch()
                self.rejected(device)
                if lost:
                    self.lose_state(device)
                done = device.run("install", release("3.0", 3))
                self.check_refused_unstored(device, done, "slot a boots next", "given up",
                                            "reboot first")
                self.check_running_slot_untouched()
                if not lost:
                    # What the old system has to tell is not overwritten by the refusal.
                    self.assertEqual(device.status()["last"]["result"], "rolled_back")
                    self.assertEqual(device.run("confirm").returncode, HEALTH)
                self.assertEqual(device.boot(), "a")
                self.ok(device, "install", release("3.0", 3))
                self.assertEqual(device.boot(), "b")

    def test_the_same_after_rollback_and_after_mark_bad(self):
        for args in (("rollback",), ("mark", "bad")):
            with self.subTest(verb=args):
                device = self.device(args[0], contract=self.contract)
                self.ok(device, "install", release("2.0", 2))
                self.assertEqual(device.boot(), "b")
                self.ok(device, *args)
                self.remember(device)
                self.check_refused_unstored(device, device.run("install", release("3.0", 3)),
                                            "reboot first")
                self.check_running_slot_untouched()

    def test_activate_does_not_revive_the_rejected_slot(self):
        device = self.new()
        self.update(device, release("1.0", 1), "b")
        self.ok(device, "install", release("2.0", 2))
        self.assertEqual(device.boot(), "a")
        self.marker.unlink()
        self.assertEqual(device.run("confirm").returncode, HEALTH)
        self.remember(device)
        for lost in (False, True):
            done = self.ok(device, "activate")
            self.assertIn("slot b boots next already", done.stdout)
            self.assertNotIn("on trial", done.stdout)
            answer = json.loads(self.ok(device, "activate", "--json").stdout)
            self.assertEqual((answer["slot"], answer["activated"], answer["version"]),
                             ("b", False, "1.0"))
            self.assertIn("given up before", self.ok(device, "rollback").stdout)
            self.ok(device, "mark", "active", "b")
            self.assertEqual(device.run("mark", "bad", "b").returncode, NOT_NOW)
            self.assertEqual((device.dir / "uboot.env").read_bytes(), self.before, lost)
            (device.dir / "state/journal").unlink(missing_ok=True)
        self.assertEqual(device.boot(), "b")

    # --- the release floor ------------------------------------------------------------------------

    def test_the_floor_outlives_the_release_that_raised_it(self):
        device = self.new()
        self.update(device, release("5.0", 5), "b")
        self.update(device, release("10.0", 10, min_release_index=10), "a")
        self.ok(device, "rollback")
        self.assertEqual(device.boot(), "b")
        self.ok(device, "confirm")
        old = release("7.0", 7)
        self.assertEqual(device.run("install", old).returncode, TRUST)
        # The slot with 10.0 is overwritten: what raised the floor is nowhere any more.
        self.ok(device, "install", "--no-activate", release("11.0", 11))
        done = device.run("install", old)
        self.assertEqual(done.returncode, TRUST, done.stderr)
        self.assertIn("below the floor 10", done.stderr)
        self.assertNotIn("damaged", done.stderr)
        self.assertEqual((device.status()["floor"], device.status()["warnings"]), (10, []))
        # Nor does a lost journal open the way, nor a confirmation after the loss.
        (device.dir / "state/journal").unlink()
        self.assertIn("below the floor 10", device.run("install", old).stderr)
        self.update(device, release("11.0", 11), "a")
        self.ok(device, "rollback")
        self.assertEqual(device.boot(), "b")
        self.ok(device, "confirm")
        self.assertIn("below the floor 10", device.run("install", old).stderr)

    # --- a slot that is called partly written -----------------------------------------------------

    def wrongly_partial(self, device):
        """2.0 in b runs and the journal calls it partly written, as after a cut in step 3."""
        self.update(device, release("2.0", 2), "b")

        def change(journal):
            journal["slots"][1]["content"] = "partial"
            journal["step"], journal["slot"] = "installing", 1
        edit_journal(device, change)

    def test_a_wrong_mark_does_not_turn_rollback_off(self):
        device = self.new()
        self.wrongly_partial(device)
        self.ok(device, "confirm")
        status = device.status()
        self.assertEqual((status["slots"]["b"]["state"], status["slots"]["b"]["version"]),
                         ("good", "2.0"))
        self.ok(device, "install", release("3.0", 3))
        self.assertEqual(device.boot(), "a")
        edit_journal(device, lambda j: j["slots"][1].update(content="partial"))
        self.marker.unlink()
        done = device.run("confirm")
        self.assertEqual(done.returncode, HEALTH, done.stderr)
        self.assertIn("rolled back to slot b", done.stderr)
        self.assertEqual(device.boot(), "b")

    def test_above_a_slot_that_is_partly_written_the_unhealthy_one_goes_on_alone(self):
        device = self.new()
        self.wrongly_partial(device)
        self.ok(device, "install", release("3.0", 3))
        self.assertEqual(device.boot(), "a")
        edit_journal(device, lambda j: j["slots"][1].update(content="partial"))
        with open(device.slot_file("b"), "r+b") as stream:
            stream.write(bytes(4096))
        self.marker.unlink()
        for _ in range(5):
            done = device.run("confirm")
            self.assertEqual(done.returncode, HEALTH, done.stderr)
            self.assertIn("last bootable slot", done.stderr)
            status = device.status()
            self.assertFalse(status["slots"]["b"]["bootable"])
            self.assertNotEqual(status["slots"]["a"]["state"], "good")
            self.assertNotIn("2.0", status["summary"])
            self.assertEqual(device.boot(), "a")
        self.ok(device, "install", release("4.0", 4))
        self.marker.touch()
        self.assertEqual(device.boot(), "b")
        self.ok(device, "confirm")

    # --- the state directory is lost --------------------------------------------------------------

    def test_a_half_written_slot_is_no_factory_slot_when_the_state_is_lost(self):
        device = self.new()
        self.ok(device, "install", "--no-activate", release("2.0", 2))
        with open(device.slot_file("b"), "r+b") as stream:
            stream.write(bytes(4096))
        self.lose_state(device)
        self.remember(device)
        self.check_refused_unstored(device, device.run("rollback"), "slot b")
        # A journal that begins anew knows no more.
        self.assertNotEqual(device.run("install", "/nonexistent").returncode, 0)
        self.check_refused_unstored(device, device.run("rollback"), "slot b")
        self.assertEqual(device.boot(), "a")

    def test_an_empty_slot_is_not_rolled_back_to(self):
        device = self.new()
        self.remember(device)
        self.check_refused_unstored(device, device.run("rollback"), "it is empty")

    def test_the_factory_slot_can_be_rolled_back_to_again(self):
        device = self.new()
        self.update(device, release("2.0", 2), "b")
        for _ in range(2):
            self.ok(device, "rollback")
            self.assertEqual(device.boot(), "a")
            self.ok(device, "confirm")
            self.assertEqual(device.status()["slots"]["a"]["version"], None)
            self.ok(device, "rollback")
            self.assertEqual(device.boot(), "b")
            self.ok(device, "confirm")

    def test_other_attempts_in_the_configuration_do_not_end_a_trial_that_waits(self):
        device = self.new()
        self.ok(device, "install", release("2.0", 2))
        device.conf.write_text(device.conf.read_text().replace(
            "slot_var=rpipart", "slot_var=rpipart\nattempts=5"))
        self.ok(device, "confirm")
        self.assertEqual(device.status()["trial"], "b")
        self.assertEqual(device.boot(), "b")


class OddOrdersByBootcount(OddOrders):
    """The same under U-Boot's own contract."""

    contract = "bootcount"


if __name__ == "__main__":
    unittest.main()
