# SPDX-License-Identifier: Apache-2.0
"""Lives of one board: an update from the factory's release to the next one, during which the power
goes, again and again, at instants that a seed chooses."""

import dataclasses
import random
import time

import card
import rig as rigs

PHASES = ("install", "boot", "confirm")
FROM, TO = "1.0", "2.0"
CUTS_PER_LIFE = 5
# Behind the end of a phase, too: there the next one begins.
LATEST = 1.1
ROUNDS_MAX = 30  # of one life; some cuts cost a round or two


@dataclasses.dataclass(frozen=True)
class Cut:
    """The phase a cut falls into, and how far into it, as a share of the time it takes."""

    phase: str
    share: float


def plan(seed, count):
    """The cuts of a life: one in each phase, the rest anywhere, in the order of the phases."""
    chance = random.Random(seed)
    phases = [*PHASES, *chance.choices(PHASES, weights=(2, 2, 1), k=count)][:count]
    return [Cut(phase, chance.uniform(0, LATEST)) for phase in sorted(phases, key=PHASES.index)]


class Life:
    """One board from the factory to the confirmed update.

    `durations`: seconds per phase, as a life without cuts measures them.
    """

    def __init__(self, seed, count, durations=None):
        self.seed = seed
        self.count = count
        self.measuring = durations is None
        self.contract = ("order", "bootcount")[seed % 2]
        self.cuts = plan(seed, count)
        self.durations = durations or {}
        self.on_trial = None  # the slot, when the power was last off
        self.told = []
        self.rig = self.running_slot = None

    def __str__(self):
        return f"SEED={self.seed} N={self.count} ({self.contract}): {', '.join(self.told)}"

    def check(self):
        """What is on the card after a cut."""
        held = self.rig.check_card()
        for copy in card.environment_copies(self.rig.card):
            if copy and any(copy[1].get(name) != value for name, value in card.FOREIGN.items()):
                raise AssertionError(f"expected the board's variables in each copy, got {copy}")
        if card.slot_hash(self.rig.card, "a") != self.running_slot:
            raise AssertionError("expected slot a as the factory left it, every byte")
        self.on_trial = card.environment(self.rig.card).get("vv_trial")
        if self.on_trial and held[self.on_trial] != TO:
            raise AssertionError(f"expected release {TO} in slot {self.on_trial}, which is on "
                                 f"trial, got {held}")

    def cut_in(self, phase):
        """Lets the phase go on until its cut, and looks at the card; False when none is due. A cut
        that was meant for an earlier phase is made up for."""
        if not self.cuts or PHASES.index(self.cuts[0].phase) > PHASES.index(phase):
            return False
        seconds = self.cuts.pop(0).share * self.durations[phase]
        self.rig.console.listen(seconds)
        self.rig.power_cut()
        self.told.append(f"{phase} {seconds:.2f} s")
        self.check()
        self.rig.power_on()
        return True

    def measured(self, phase, wait):
        """What wait() returns; in a life that measures, what it takes is the time of the phase."""
        began = time.monotonic()
        result = wait()
        if self.measuring:
            self.durations[phase] = time.monotonic() - began
        return result

    def install(self):
        """Installs the release and begins to reboot; False when the power went."""
        if self.cuts and self.cuts[0].phase == "install":
            self.rig.console.send_line(
                f"vv-update install {rigs.release_url(self.rig.name, TO)}")
            return not self.cut_in("install")
        self.measured("install", lambda: self.rig.install(TO))
        self.rig.check_no_write()
        self.rig.console.send_line("reboot")
        return True

    def round(self):
        """From power-on or reboot to the next one, or to the end: True."""
        if self.on_trial and self.cut_in("boot"):
            return False
        version, _ = self.measured("boot", self.rig.system)
        if version == TO and self.cut_in("confirm"):
            return False
        code = self.measured("confirm", self.rig.confirmed)
        status = self.rig.status()
        if version == TO and code == 0 and status["trial"] is None:
            self.rig.check_no_write()
            return True
        if code != 0 or version != FROM:
            raise AssertionError(f"release {version}, confirm {code}, {status}")
        if self.install():
            self.on_trial = "b"
        return False

    def live(self):
        """From power-on to the confirmed update, and what is on the card then."""
        if not any(self.round() for _ in range(ROUNDS_MAX)):
            raise AssertionError(f"not confirmed after {ROUNDS_MAX} rounds")
        self.rig.power_cut()
        self.check()
        if self.on_trial or self.cuts:
            raise AssertionError(f"trial {self.on_trial}, cuts left {self.cuts}")

    def play(self):
        """All of it; a failure comes with the cuts so far, and what plays a life like this one."""
        self.rig = rigs.Rig(rigs.factory_card(self.contract))
        self.running_slot = card.slot_hash(self.rig.card, "a")
        try:
            with self.rig:
                try:
                    self.live()
                except BaseException as error:
                    error.add_note(f"in make board-cuts {self}")
                    raise
        finally:
            self.rig.card.unlink()
        return self
