# SPDX-License-Identifier: Apache-2.0
"""What must hold on a device after any kill, read without the program that is under test.

What a decision stores is written down here once more, from the table of docs/bootloader.md.
"""

import collections
import re
import shutil
import subprocess

from virtual_device import BIN, current_copy, environment_copies

ATTEMPTS = 3
RECORDS = ("journal", "slot-a", "slot-b", "baseline", "health")
SECTOR = bytes(512)

OURS = {
    "order": {"BOOT_ORDER", "BOOT_A_LEFT", "BOOT_B_LEFT", "vv_trial", "vv_floor"},
    "bootcount": {"rpipart", "upgrade_available", "bootcount", "bootlimit", "vv_trial", "vv_floor"},
}
VALUE = {"a": "2", "b": "3"}


def expect(condition, what):
    """An assertion outside a test case, which python's -O does not drop."""
    if not condition:
        raise AssertionError(what)


def other(slot):
    """The slot that is not this one."""
    return "ab".replace(slot, "")


def decided(contract, before, decision, slot, floor=0):
    """The environment after one decision about a slot: the table of docs/bootloader.md."""
    after, k = dict(before), other(slot)
    if decision == "activate":
        after["vv_trial"] = slot
    elif decision != "settle":
        after.pop("vv_trial", None)
    if decision == "confirm":
        after["vv_floor"] = str(max(floor, int(before.get("vv_floor", 0))))
    winner = slot if decision in ("activate", "confirm") else k
    if contract == "bootcount":
        if decision != "settle":
            after |= {"rpipart": VALUE[winner], "bootcount": "0",
                      "upgrade_available": "1" if decision == "activate" else "0"}
        if decision == "activate":
            after["bootlimit"] = str(ATTEMPTS)
        return after
    name, kept = slot.upper(), k.upper()
    if decision in ("activate", "confirm"):
        after |= {"BOOT_ORDER": f"{name} {kept}", f"BOOT_{name}_LEFT": str(ATTEMPTS)}
    if decision == "settle":
        after[f"BOOT_{name}_LEFT"] = str(ATTEMPTS)
    if decision in ("invalidate", "reject"):
        after |= {"BOOT_ORDER": kept, f"BOOT_{name}_LEFT": "0"}
    if decision in ("invalidate", "reject", "activate"):
        after[f"BOOT_{kept}_LEFT"] = str(ATTEMPTS)
    return after


def plain(variables):
    """Without what means the same as nothing."""
    return {key: value for key, value in variables.items()
            if value and (key, value) not in (("upgrade_available", "0"), ("bootcount", "0"))}


class Witness:
    """Looks at what a kill left behind; raises AssertionError for what must never be seen."""

    def __init__(self, device, releases):
        """`releases`: whatever may be in a slot, each with a `version` and `parts`: {partition:
        bytes}, whose first block is not zeros."""
        self.device = device
        self.releases = releases
        self.foreign = self.not_ours(self.environment())
        self.found = collections.Counter()

    def not_ours(self, variables):
        """What no decision may change."""
        ours = OURS[self.device.contract]
        return {key: value for key, value in variables.items() if key not in ours}

    def environment(self):
        """The variables U-Boot would see."""
        copies = environment_copies(self.device.dir / "uboot.env")
        variables = current_copy(copies)
        expect(variables is not None, "no copy of the environment is whole")
        if None in copies:
            self.found["a torn copy of the environment"] += 1
        return variables

    def part(self, slot, name):
        """The bytes of a partition."""
        return self.device.slot_file(slot, name).read_bytes()

    def slot(self, slot):
        """All bytes of a slot."""
        return [self.part(slot, name) for name in self.device.partitions]

    def holds(self, slot, release):
        """Whether each partition begins with exactly the release's."""
        return all(self.part(slot, name).startswith(data) for name, data in release.parts.items())

    def next_boot(self):
        """The slot that the next power-on starts, asked of a copy of the environment."""
        copy, config = self.device.dir / "peek.env", self.device.dir / "peek.config"
        shutil.copyfile(self.device.dir / "uboot.env", copy)
        config.write_text((self.device.dir / "fw_env.config").read_text().replace(
            "uboot.env", "peek.env"))
        done = subprocess.run(
            [str(BIN / "vv-bootsim"), "-e", str(config), "--contract", self.device.contract,
             "--attempts", str(ATTEMPTS)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            check=False)
        expect(done.returncode == 0, f"nothing boots: {done.stderr}")
        return done.stdout.strip().removeprefix("slot=")

    def label(self, slot, name):
        """The version a partition holds, None when it has no superblock: it goes first and comes
        last, so that a partition without one may have the rest of its head."""
        data = self.part(slot, name)
        if data.startswith(SECTOR):
            self.found["a partition partly written"] += len(data.strip(b"\0")) > 0
            return None
        for release in self.releases:
            if data.startswith(release.parts[name]):
                return release.version
        raise AssertionError(f"slot {slot}: {name} has a superblock and is no whole release")

    def check_contents(self, running, running_bytes):
        """The running slot is untouched; what has a superblock is whole, and so is what boots."""
        expect(self.slot(running) == running_bytes, f"the running slot {running} changed")
        held = {slot: {self.label(slot, name) for name in self.device.partitions}
                for slot in "ab"}
        for slot, labels in held.items():
            expect(None in labels or len(labels) == 1, f"slot {slot} mixes releases: {labels}")
        boots = self.next_boot()
        expect(None not in held[boots], f"slot {boots} boots next and is not whole")

    def check_environment(self, before, decisions):
        """It is what it was, or what one of these decisions stores; nothing else changed."""
        now = self.environment()
        expect(self.not_ours(now) == self.foreign, f"foreign variables changed: {now}")
        states = [plain(before)]
        for chain in decisions:
            state = before
            for decision in chain:
                state = decided(self.device.contract, state, *decision)
            states.append(plain(state))
        expect(plain(now) in states, f"half a decision is stored: {now}, before: {before}")
        self.found["a decision stored"] += plain(now) != states[0]

    def check_state(self, nothing_left=False):
        """The journal is readable or absent, and at most one temporary file per record stands."""
        self.device.journal()
        names = [path.name for path in (self.device.dir / "state").iterdir()]
        for name in names:
            allowed = name in RECORDS + ("lock", "env.lock") or (
                not nothing_left and re.fullmatch(rf"\.({'|'.join(RECORDS)}|probe)\.new", name))
            expect(allowed, f"the state directory has {name}")
        self.found["a temporary file"] += any(name.startswith(".") for name in names)

    def check(self, running, running_bytes, before, decisions):
        """All of it."""
        self.check_environment(before, decisions)
        self.check_contents(running, running_bytes)
        self.check_state()
