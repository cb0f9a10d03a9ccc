# SPDX-License-Identifier: Apache-2.0
"""From the trial boot to its end: confirmed, rejected, or given up by the boot loader."""

import subprocess
import unittest

import fixtures
from fixtures import HEALTH, NOT_NOW, DeviceTest
from virtual_device import until
import web_server


class Trial(DeviceTest):
    """A device that has installed 2.0 into slot b."""

    contract = "order"

    def installed(self, checks="", name="device", baseline="no"):
        """A device with a pending trial of slot b and these checks."""
        device = self.device(name, contract=self.contract)
        with open(device.conf, "a", encoding="ascii") as stream:
            stream.write(f"\n[confirm]\ndeadline=3s\nbaseline={baseline}\n" + checks)
        done = device.run("install", fixtures.release()[0])
        self.assertEqual(done.returncode, 0, done.stderr)
        return device

    @staticmethod
    def check(name, kind, **keys):
        """One [check] section that decides quickly."""
        keys = {"interval": "100ms", "timeout": "1s", "retries": 2, **keys}
        return f"\n[check {name}]\nkind={kind}\n" + "".join(f"{k}={v}\n" for k, v in keys.items())

    def check_confirmed(self, device):
        """Slot b is good and boots from now on."""
        status = device.status()
        self.assertEqual((status["running"], status["next_boot"], status["trial"]),
                         ("b", "b", None))
        self.assertEqual(status["slots"]["b"]["state"], "good")
        self.assertEqual(status["last"]["result"], "confirmed")
        for _ in range(5):
            self.assertEqual(device.boot(), "b")
            self.assertEqual(device.run("confirm").returncode, 0)

    def check_rolled_back(self, device, *words):
        """Slot a boots from now on, slot b is bad, and the reason is told."""
        for _ in range(5):
            self.assertEqual(device.boot(), "a")
            self.assertEqual(device.run("confirm").returncode, 0)
        status = device.status()
        self.assertEqual((status["running"], status["next_boot"], status["trial"]),
                         ("a", "a", None))
        self.assertEqual(status["slots"]["b"]["state"], "bad")
        self.assertEqual(status["last"]["result"], "rolled_back")
        for word in words:
            self.assertIn(word, status["last"]["reason"])
        self.check_running_slot_untouched()

    def test_without_checks_a_trial_is_confirmed_with_a_warning(self):
        device = self.installed()
        self.assertEqual(device.boot(), "b")
        done = device.run("confirm")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("warning", done.stderr)
        self.check_confirmed(device)

    def test_a_healthy_trial_is_confirmed(self):
        (self.folder / "www").mkdir()
        (self.folder / "www/status").write_text("ok")
        server = web_server.Nginx(self.folder / "www", self.folder / "nginx")
        self.addCleanup(server.stop)
        (self.folder / "heartbeat").write_text("now")
        device = self.installed(
            self.check("api", "http", url=f"{server.url}/status") +
            self.check("beat", "file-age", path=self.folder / "heartbeat", max_age="5min") +
            self.check("script", "exec", command="true"))
        self.assertEqual(device.boot(), "b")
        done = device.run("confirm")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_confirmed(device)
        self.assertFalse((device.dir / "reboot-requested").exists())

    def test_a_failed_check_of_each_kind_rolls_back_and_is_named(self):
        port = web_server.free_port()
        kinds = {
            "http": self.check("api", "http", url=f"http://127.0.0.1:{port}/status"),
            "exec": self.check("api", "exec", command="'echo no camera found; exit 1'".strip("'")),
            "file-age": self.check("api", "file-age", path=self.folder / "never", max_age="1s"),
        }
        for kind, section in kinds.items():
            with self.subTest(kind=kind):
                device = self.installed(section, kind)
                self.assertEqual(device.boot(), "b")
                self.check_refused(device.run("confirm"), HEALTH, "api")
                self.assertTrue((device.dir / "reboot-requested").exists())
                self.check_rolled_back(device, "api", *(["no camera"] if kind == "exec" else []))

    def test_what_failed_before_the_update_is_not_asked_of_it(self):
        device = self.installed(self.check("api", "exec", command="echo no camera; exit 1") +
                                self.check("must", "exec", command="true"), baseline="yes")
        self.assertEqual(device.boot(), "b")
        done = device.run("confirm")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("check api failed before the update already", done.stderr)
        self.check_confirmed(device)

    def test_what_broke_with_the_update_is_asked_of_it(self):
        camera = self.folder / "camera"
        camera.touch()
        device = self.installed(self.check("api", "exec", command=f"ls {camera}"), baseline="yes")
        camera.unlink()
        self.assertEqual(device.boot(), "b")
        self.check_refused(device.run("confirm"), HEALTH, "api")
        self.check_rolled_back(device, "api", "camera")

    def test_status_tells_what_is_waited_for_and_afterwards_what_was_said(self):
        device = self.installed(self.check("slow", "exec", command="sleep 60", timeout="60s"))
        self.assertEqual(device.boot(), "b")
        with subprocess.Popen(device.command("confirm"), stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as confirm:
            until(lambda: "Waiting for" in device.run("status").stdout, 30, "waiting")
            told = device.run("status").stdout
            self.assertEqual(confirm.wait(60), HEALTH)
        self.assertRegex(told, r"Waiting for the health checks, \S+ m?s at most: slow is starting")
        self.assertNotIn("Waiting for", device.run("status").stdout)
        self.assertEqual(device.boot(), "a")
        health = device.status()["health"]
        self.assertEqual((health["slot"], health["result"]), ("b", "bad"))
        self.assertEqual([check["name"] for check in health["checks"]], ["slow"])

    def test_a_hung_check_ends_at_the_deadline(self):
        device = self.installed(self.check("slow", "exec", command="sleep 60", timeout="60s"))
        self.assertEqual(device.boot(), "b")
        self.check_refused(device.run("confirm", seconds=30), HEALTH, "slow")
        self.check_rolled_back(device, "slow")

    def test_a_wanted_check_that_fails_does_not_roll_back(self):
        device = self.installed(self.check("nice", "exec", command="false", severity="wanted") +
                                self.check("must", "exec", command="true"))
        self.assertEqual(device.boot(), "b")
        self.assertEqual(device.run("confirm").returncode, 0)
        self.check_confirmed(device)

    def test_a_check_that_says_not_yet_is_asked_again(self):
        marker = self.folder / "asked"
        command = f"test -e {marker} && exit 0; touch {marker}; exit 75"
        device = self.installed(self.check("late", "exec", command=command, retries=1))
        self.assertEqual(device.boot(), "b")
        self.assertEqual(device.run("confirm").returncode, 0)
        self.check_confirmed(device)

    def test_a_trial_that_never_confirms_ends_in_the_old_slot_which_says_so(self):
        device = self.installed()
        for attempt in range(3):
            self.assertEqual(device.boot(), "b", f"attempt {attempt}")
        self.assertEqual(device.boot(), "a")
        done = device.run("confirm")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_rolled_back(device, "boot")

    def test_a_pending_trial_is_left_alone_by_confirm_in_the_old_slot(self):
        device = self.installed()
        self.assertEqual(device.run("confirm").returncode, 0)
        self.assertEqual(device.status()["trial"], "b")
        self.assertEqual(device.boot(), "b")

    def test_rollback_during_the_trial_rejects_it(self):
        device = self.installed()
        self.assertEqual(device.boot(), "b")
        done = device.run("rollback")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_rolled_back(device)

    def test_rollback_of_a_pending_trial_takes_it_back(self):
        device = self.installed()
        self.assertEqual(device.run("rollback").returncode, 0)
        self.assertEqual(device.boot(), "a")

    def test_after_a_second_update_rollback_returns_to_the_release_before(self):
        device = self.installed()
        self.assertEqual(device.boot(), "b")
        self.assertEqual(device.run("confirm").returncode, 0)
        self.running = []
        next_image, part = fixtures.release("3.0", 3, seed=3)
        self.assertEqual(device.run("install", next_image).returncode, 0)
        self.assertEqual(device.boot(), "a")
        self.assertEqual(device.run("confirm").returncode, 0)
        self.assertTrue(fixtures.same_start(device.slot_file("a"), part))
        self.assertEqual(device.run("rollback").returncode, 0)
        self.assertEqual(device.boot(), "b")
        self.assertEqual(device.run("confirm").returncode, 0)
        self.assertEqual(device.status()["running"], "b")
        self.assertEqual(device.boot(), "b")

    def test_a_rollback_that_is_taken_back_leaves_the_old_release_to_fall_back_to(self):
        device = self.installed()
        self.assertEqual(device.boot(), "b")
        self.assertEqual(device.run("confirm").returncode, 0)
        self.running = []
        self.assertEqual(device.run("install", fixtures.release("3.0", 3, seed=3)[0]).returncode, 0)
        self.assertEqual(device.boot(), "a")
        self.assertEqual(device.run("confirm").returncode, 0)
        before = device.status()["slots"]
        self.assertEqual(device.run("rollback").returncode, 0)
        self.assertEqual(device.run("rollback").returncode, 0)
        self.assertEqual(device.status()["slots"], before)
        self.assertEqual(before["b"]["state"], "good")

    def test_mark_good_confirms_the_running_trial_and_no_other_slot(self):
        device = self.installed()
        self.check_refused(device.run("mark", "good", "b"), NOT_NOW, "running")
        self.assertEqual(device.boot(), "b")
        self.assertEqual(device.run("mark", "good").returncode, 0)
        self.check_confirmed(device)

    def test_mark_bad_takes_the_other_slot_out_and_never_the_last_one(self):
        device = self.installed()
        self.assertEqual(device.run("mark", "bad", "b").returncode, 0)
        self.assertEqual(device.boot(), "a")
        self.assertEqual(device.status()["slots"]["b"]["state"], "bad")
        self.check_refused(device.run("mark", "bad", "a"), NOT_NOW, "last")
        self.assertEqual(device.boot(), "a")

    def test_health_prints_every_check_and_changes_nothing(self):
        device = self.installed(self.check("one", "exec", command="echo fine") +
                                self.check("two", "exec", command="echo broken; exit 3"))
        before = (device.dir / "uboot.env").read_bytes()
        done = device.run("health")
        self.assertEqual(done.returncode, HEALTH, done.stderr)
        for word in ("one", "two", "fine", "broken"):
            self.assertIn(word, done.stdout)
        self.assertEqual((device.dir / "uboot.env").read_bytes(), before)


class TrialByBootcount(Trial):
    """The same under U-Boot's own contract."""

    contract = "bootcount"


if __name__ == "__main__":
    unittest.main()
