# SPDX-License-Identifier: Apache-2.0
"""Devices that are set up wrong or damaged: one sentence, the right status, nothing lost."""

import fcntl
import os
import shutil
import subprocess
import unittest

import fixtures
from fixtures import AGAIN, CONFIG, IO, NOT_NOW, USAGE, DeviceTest


class BadConfiguration(DeviceTest):
    """What is refused before anything is read from the image."""

    def edited(self, old, new):
        """A device whose configuration was edited."""
        device = self.device()
        text = device.conf.read_text()
        self.assertIn(old, text)
        device.conf.write_text(text.replace(old, new))
        return device

    def refused(self, device, status, *words):
        """Install is refused, and the environment keeps every byte."""
        before = (device.dir / "uboot.env").read_bytes()
        self.check_refused(device.run("install", fixtures.release()[0]), status, *words)
        self.assertEqual((device.dir / "uboot.env").read_bytes(), before)

    def test_a_missing_configuration_file_is_named(self):
        device = self.device()
        device.conf.unlink()
        self.refused(device, CONFIG, "update.conf")

    def test_an_unknown_key_is_refused_with_file_and_line(self):
        self.refused(self.edited("product=vv-edge", "produkt=vv-edge"), CONFIG,
                     "update.conf:2", "produkt")

    def test_a_duplicate_key_is_refused_with_file_and_line(self):
        self.refused(self.edited("product=vv-edge", "product=vv-edge\nproduct=x"), CONFIG,
                     "update.conf:3", "product")

    def test_a_bad_number_is_refused_with_what_is_allowed(self):
        self.refused(self.edited("retries=2", "retries=many"), CONFIG, "retries")

    def test_a_world_writable_configuration_is_refused(self):
        device = self.device()
        device.conf.chmod(0o666)
        if os.geteuid() == 0:
            self.refused(device, CONFIG, "writable")

    def test_one_device_for_both_slots_is_refused(self):
        device = self.device()
        device.slot_file("b").unlink()
        device.slot_file("b").symlink_to(device.slot_file("a"))
        self.refused(device, CONFIG, "same")

    def test_a_missing_slot_is_refused(self):
        device = self.device()
        device.slot_file("b").unlink()
        self.refused(device, CONFIG, "rootfs-b.img")

    def test_a_missing_state_directory_is_refused(self):
        device = self.device()
        (device.dir / "state").rmdir()
        self.refused(device, CONFIG, "state")

    def test_an_empty_trust_directory_is_refused(self):
        (self.folder / "empty").mkdir()
        self.refused(self.device(trust=self.folder / "empty"), CONFIG, "certificate")

    def test_a_release_that_empties_the_trust_directory_can_be_got_rid_of(self):
        for verb in (("confirm",), ("rollback",), ("mark", "bad")):
            with self.subTest(verb=verb):
                trust = self.folder / f"trust-{verb[-1]}"
                shutil.copytree(fixtures.trust(), trust)
                device = self.device(f"trial-{verb[-1]}", trust=trust)
                with open(device.conf, "a", encoding="ascii") as stream:
                    stream.write("\n[confirm]\ndeadline=2s\nbaseline=no\n[check no]\nkind=exec\n"
                                 "command=false\ninterval=100ms\nretries=2\n")
                self.assertEqual(device.run("install", fixtures.release()[0]).returncode, 0)
                self.assertEqual(device.boot(), "b")
                for pem in trust.iterdir():
                    pem.unlink()
                status = device.status()
                self.assertEqual(status["trial"], "b")
                self.assertIn("trust directory", "".join(status["warnings"]))
                done = device.run(*verb)
                self.assertEqual(done.returncode, fixtures.HEALTH if verb[0] == "confirm" else 0,
                                 done.stderr)
                self.assertEqual(device.boot(), "a")
                status = device.status()
                self.assertEqual((status["next_boot"], status["trial"]), ("a", None))
                self.assertEqual(device.run("install", fixtures.release()[0]).returncode, CONFIG)

    def test_an_environment_that_is_set_up_wrong_is_refused(self):
        env = "{dir}/uboot.env 0x0 0x4000\n{dir}/uboot.env 0x2000 0x4000\n"
        device = self.device()
        (device.dir / "fw_env.config").write_text(env.format(dir=device.dir))
        self.refused(device, CONFIG, "overlap")

    def test_wrong_words_on_the_command_line_are_usage_errors(self):
        device = self.device()
        for words in (["explode"], ["install"], ["install", "a", "b"], ["install", "--force", "x"],
                      ["mark"], ["mark", "fine"], ["status", "x"]):
            with self.subTest(words=words):
                self.check_refused(device.run(*words), USAGE)


class UnclearRunningSlot(DeviceTest):
    """The running slot comes from the kernel command line or not at all."""

    def refused(self, cmdline, *words):
        """Install with this command line is not allowed now."""
        device = self.device(cmdline.replace(" ", "_") or "none")
        (device.dir / "cmdline").write_text(cmdline + "\n")
        self.check_refused(device.run("install", fixtures.release()[0]), NOT_NOW, *words)

    def test_a_command_line_that_names_no_slot_is_refused(self):
        self.refused("console=ttyS0 quiet", "slot")

    def test_a_command_line_that_names_an_unknown_slot_is_refused(self):
        self.refused("vv.slot=c", "c")

    def test_a_command_line_that_names_two_slots_is_refused(self):
        self.refused("vv.slot=a vv.slot=b")

    def test_the_names_of_rauc_are_understood(self):
        device = self.device()
        (device.dir / "cmdline").write_text("rauc.slot=A quiet\n")
        self.assertEqual(device.status()["running"], "a")


class DamagedEnvironment(DeviceTest):
    """One copy: works and says so. Both: refuses and never writes."""

    def test_with_one_damaged_copy_the_update_works_and_says_so(self):
        image, part = fixtures.release()
        for copy in (0, 1):
            with self.subTest(copy=copy):
                device = self.device(f"copy-{copy}")
                device.damage_environment(copy)
                done = device.run("install", image)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("warning", done.stderr)
                self.assertIn("environment", done.stderr)
                self.check_installed(device, part)

    def test_with_both_copies_damaged_nothing_is_written(self):
        image, _ = fixtures.release()
        device = self.device()
        device.damage_environment(0, 1)
        before = (device.dir / "uboot.env").read_bytes()
        slot = fixtures.sha256(device.slot_file("b"))
        self.check_refused(device.run("install", image), IO, "both")
        for verb in (["confirm"], ["rollback"], ["mark", "good"], ["activate"]):
            self.assertEqual(device.run(*verb).returncode, IO, verb)
        self.assertEqual((device.dir / "uboot.env").read_bytes(), before)
        self.assertEqual(fixtures.sha256(device.slot_file("b")), slot)

    def test_foreign_variables_keep_every_byte(self):
        device = self.device()
        before = device.environment()
        foreign = {f"vendor_{i}": f"value {i} = {'x' * (i % 40)}" for i in range(200)}
        device.make_environment({**before, **foreign})
        self.assertEqual(device.run("install", fixtures.release()[0]).returncode, 0)
        after = device.environment()
        self.assertEqual({k: v for k, v in after.items() if k.startswith("vendor_")}, foreign)
        self.assertEqual(after["bootcmd"], before["bootcmd"])


class NotNow(DeviceTest):
    """Refusals that depend on the state of the device."""

    def test_nothing_is_installed_while_the_running_system_is_on_trial(self):
        image, _ = fixtures.release()
        device = self.device()
        self.assertEqual(device.run("install", image).returncode, 0)
        self.assertEqual(device.boot(), "b")
        self.check_refused(device.run("install", image), NOT_NOW, "trial")

    def test_a_slot_without_a_verified_release_is_never_made_bootable(self):
        device = self.device()
        for verb in (["activate"], ["mark", "active", "b"]):
            with self.subTest(verb=verb):
                self.check_refused(device.run(*verb), NOT_NOW, "slot b")

    def test_a_slot_that_was_changed_behind_our_back_is_never_made_bootable(self):
        image, part = fixtures.release()
        device = self.device()
        self.assertEqual(device.run("install", image, "--no-activate").returncode, 0)
        with open(device.slot_file("b"), "r+b") as stream:
            stream.seek(part.stat().st_size // 2)
            byte = stream.read(1)
            stream.seek(-1, os.SEEK_CUR)
            stream.write(bytes([byte[0] ^ 1]))
        self.check_refused(device.run("activate"), NOT_NOW, "slot b")
        self.assertIsNone(device.status()["trial"])

    def test_a_second_update_at_the_same_time_is_told_to_try_again(self):
        image, _ = fixtures.release()
        device = self.device()
        with open(device.dir / "state/lock", "a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.check_refused(device.run("install", image), AGAIN, "lock")


class StateDirectory(DeviceTest):
    """The state directory is shown to work before anything irreversible."""

    def test_a_read_only_state_directory_is_refused_before_the_slot_changes(self):
        device = self.device()
        self.mount_state(device, "ro")
        slot = fixtures.sha256(device.slot_file("b"))
        self.check_refused(device.run("install", fixtures.release()[0]), IO, "state")
        self.assertEqual(fixtures.sha256(device.slot_file("b")), slot)

    def test_a_full_state_directory_is_refused_and_works_again_with_room(self):
        image, part = fixtures.release()
        device = self.device()
        filler = fixtures.fill(self.mount_state(device, "size=1M"))
        self.check_refused(device.run("install", image), IO, "state")
        filler.unlink()
        self.assertEqual(device.run("install", image).returncode, 0)
        self.check_installed(device, part)

    def test_without_room_for_the_record_the_old_slot_is_not_given_up(self):
        image, part = fixtures.release()
        device = self.device()
        state = self.mount_state(device, "size=1M")
        filler = state / "filler"
        filler.write_bytes(bytes((1 << 20) - 4096 * 3))  # room for the journal, not for more
        slot = fixtures.sha256(device.slot_file("b"))
        environment = (device.dir / "uboot.env").read_bytes()
        self.check_refused(device.run("install", image), IO, "the record of slot b", str(state))
        self.assertEqual(fixtures.sha256(device.slot_file("b")), slot)
        self.assertEqual((device.dir / "uboot.env").read_bytes(), environment)
        filler.unlink()
        self.assertEqual(device.run("install", image).returncode, 0)
        self.check_installed(device, part)


@unittest.skipUnless(os.geteuid() == 0 and os.path.exists("/dev/loop-control"),
                     "loop devices need root")
class BlockDevices(DeviceTest):
    """Slots that are block devices, as on a board."""

    def loop(self, path):
        """A loop device of our own over a file."""
        done = subprocess.run(["losetup", "--find", "--show", str(path)], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            self.skipTest("no loop device is to be had here")
        name = done.stdout.strip()
        self.addCleanup(subprocess.run, ["losetup", "--detach", name], check=False)
        return name

    def with_loop_as_b(self):
        """A device whose slot b is a loop device."""
        device = self.device()
        name = self.loop(device.slot_file("b"))
        device.conf.write_text(device.conf.read_text().replace(
            f"rootfs={device.slot_file('b')}", f"rootfs={name}"))
        return device, name

    def test_an_image_goes_onto_a_block_device(self):
        image, part = fixtures.release()
        device, _ = self.with_loop_as_b()
        done = device.run("install", image)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_installed(device, part)

    def test_a_mounted_slot_is_refused(self):
        device, name = self.with_loop_as_b()
        subprocess.run(["mke2fs", "-q", "-t", "ext4", name], check=True)
        (self.folder / "mnt").mkdir()
        subprocess.run(["mount", name, str(self.folder / "mnt")], check=True)
        self.addCleanup(subprocess.run, ["umount", str(self.folder / "mnt")], check=False)
        self.check_refused(device.run("install", fixtures.release()[0]), NOT_NOW, "in use")

    def test_status_warns_of_a_slot_that_is_mounted_writable(self):
        device, name = self.with_loop_as_b()
        subprocess.run(["mke2fs", "-q", "-t", "ext4", name], check=True)
        self.assertEqual(device.status()["warnings"], [])
        (self.folder / "mnt").mkdir()
        self.addCleanup(subprocess.run, ["umount", str(self.folder / "mnt")], check=False)
        for options, warned in (("ro,noload", 0), ("rw", 1)):
            subprocess.run(["mount", "-o", options, name, str(self.folder / "mnt")], check=True)
            self.assertEqual(len(device.status()["warnings"]), warned, options)
            subprocess.run(["umount", str(self.folder / "mnt")], check=True)

    def test_a_state_directory_inside_a_slot_is_refused(self):
        device, name = self.with_loop_as_b()
        subprocess.run(["mke2fs", "-q", "-t", "ext4", name], check=True)
        shutil.rmtree(device.dir / "state")
        (device.dir / "state").mkdir()
        subprocess.run(["mount", name, str(device.dir / "state")], check=True)
        self.addCleanup(subprocess.run, ["umount", str(device.dir / "state")], check=False)
        self.check_refused(device.run("install", fixtures.release()[0]), CONFIG, "state_dir",
                           "slot b")

    def test_a_running_slot_that_is_not_the_mounted_root_is_refused(self):
        device = self.device()
        name = self.loop(device.slot_file("a"))
        device.conf.write_text(device.conf.read_text().replace(
            f"rootfs={device.slot_file('a')}", f"rootfs={name}"))
        self.check_refused(device.run("install", fixtures.release()[0]), NOT_NOW, "slot a")


if __name__ == "__main__":
    unittest.main()
