# SPDX-License-Identifier: Apache-2.0
"""What every scenario needs: one board with a card of its own, a web server on this machine, and a
look at the card when the scenario is over."""

import atexit
import json
import pathlib
import re
import time

import card
import images
import qemu
import uboot
from folders import copy_sparse, fresh_folder, once, workspace
from web_server import Nginx

HOST = "10.0.2.2"  # this machine's loopback, as the guest reaches it
# Safeguards against hanging, not expectations: a machine with other work is slow.
BOOT_S = {"small": 120, "debian": 300}
INSTALL_S = 300
CONFIRM_S = 180
TAIL_LINES = 40
FIRST_SLOT = 2  # the number of its partition
SHELL = "vv-board# "


@once
def userland(name):
    """The images of one userland."""
    return images.Images(name)


@once
def server():
    """nginx with the releases, on loopback."""
    (workspace() / "www").mkdir()
    nginx = Nginx(workspace() / "www", workspace() / "nginx")
    atexit.register(nginx.stop)
    return nginx


def release_url(name, version):
    """Where the guest finds a release."""
    image = userland(name).release(version)
    link = server().root / f"{name}-{image.name}"
    if not link.exists():
        link.symlink_to(image)
    return f"http://{HOST}:{server().port}/{link.name}"


@once
def uboot_binary():
    """u-boot.bin; whether it is up to date is asked once."""
    return uboot.build()


@once
def _card_once(name, script, settings, variables, files):
    """Cards are made once and copied."""
    return card.make_factory_card(
        fresh_folder() / "card.img", userland(name), script=script, settings=settings,
        variables=None if variables is None else dict(variables), files=dict(files))


def new_card(name, script, settings, variables, files=None):
    """A card as a factory leaves it."""
    made = _card_once(name, script, settings, variables and tuple(variables.items()),
                      tuple((files or {}).items()))
    return copy_sparse(made, fresh_folder() / "card.img")


def factory_card(contract, name="small", files=None):
    """A card of a device that has our script."""
    return new_card(name, card.SCRIPTS[contract], card.SETTINGS[contract],
                    card.factory_variables(contract), files)


class Rig:
    """A board at work. As a context manager it starts the board, and in the end holds the card
    against what must be true after every scenario; a failure is told with the console's last lines,
    and card and console are kept.

    `slot` and `version` are what runs, by the system's own word on the console.
    """

    PARTITION = "mmcblk0p{}"  # as Linux calls it

    def __init__(self, path, name="small", foreign=None):
        self.card = pathlib.Path(path)
        self.name = name
        self.foreign = card.FOREIGN if foreign is None else foreign
        self.machine = qemu.Machine(uboot_binary(), self.medium(), self.card.with_suffix(".log"),
                                    network=True)
        self.slot = self.version = None
        self.began = 0.0

    def medium(self):
        """How the card is put into the board."""
        return qemu.SdCard(self.card)

    @property
    def console(self):
        """The serial console."""
        return self.machine.console

    def __enter__(self):
        self.power_on()
        return self

    def __exit__(self, kind, error, trace):
        self.machine.power_cut()
        try:
            if error is None:
                self.check_card()
        except BaseException as failed:  # also what is no verdict on the card
            self.tell(failed)
            raise
        if error is not None:
            self.tell(error)

    def tell(self, error):
        """Adds to a failure what is left of the board."""
        error.add_note(self.last_lines())
        self.machine.keep(error)

    def last_lines(self):
        """The end of all that the console said."""
        try:
            data = self.machine.log_path.read_bytes()
        except OSError as failed:
            return f"the console's log cannot be read: {failed}"
        text = data.decode(errors="replace").replace("\r", "")
        return "\n".join(["the console ended with:", *text.splitlines()[-TAIL_LINES:]])

    # --- power ------------------------------------------------------------------------------------

    def power_on(self):
        """Starts the board."""
        self.slot = self.version = None
        self.machine.power_on()
        self.began = time.monotonic()

    def power_cut(self):
        """Takes the power away; what runs must then be whole on the card."""
        self.machine.power_cut()

    def power_off(self):
        """The running system powers itself off; it must not have written to its own slot."""
        self.check_no_write()
        self.console.send_line("poweroff")
        self.machine.wait_for_end(BOOT_S[self.name])

    def expect(self, pattern, seconds=None):
        """Waits for the console to say something."""
        return self.console.expect(pattern, seconds or BOOT_S[self.name])

    def system(self):
        """Waits until a system runs: its (version, slot)."""
        found = self.expect(r"^vv-board: release (\S+) in slot (\w*)\n")
        self.expect(re.escape(SHELL))
        # What is mounted at /, whatever the kernel's command line says: the low byte of its device
        # number counts the partitions of the card.
        slot = int(self.must("stat -c %d /")) % 256 - FIRST_SLOT
        if slot not in range(len(card.SLOTS)):
            raise AssertionError(f"partition {slot + FIRST_SLOT} is mounted at /, which is no slot")
        self.version, self.slot = found[1], card.SLOTS[slot]
        if found[2] not in ("", self.slot):
            raise AssertionError(f"slot {self.slot} runs and is called {found[2]}")
        return self.version, self.slot

    def boots(self, version, slot):
        """Waits for a system, which must be this one."""
        found = self.system()
        if found != (version, slot):
            raise AssertionError(f"expected release {version} in slot {slot} to run, got {found}")

    def times(self):
        """Starts the board and waits for its verdict: seconds from power-on to U-Boot's script, to
        the kernel, to the userland's shell, and until the confirm step is done."""
        self.power_on()
        times = {}
        for name, wait in (("script", lambda: self.expect(r"^Booting slot")),
                           ("kernel", lambda: self.expect(r"^Starting kernel")),
                           ("userspace", self.system), ("confirmed", self.confirmed)):
            wait()
            times[name] = time.monotonic() - self.began
        return times

    def reboot(self):
        """From the running system, which must not have written to its own slot."""
        self.check_no_write()
        self.console.send_line("reboot")
        self.expect(r"^U-Boot 20")

    # --- the shell of the guest -------------------------------------------------------------------

    def run(self, command, seconds=60):
        """(exit status, output) of a shell command."""
        self.console.send_line(f"{command}; printf '\\nvv-%s %d\\n' rc $?")
        found = self.console.expect(r"(?s)\A(.*?)\nvv-rc (\d+)\n", seconds)
        return int(found[2]), found[1].replace(SHELL, "").strip("\n")

    def must(self, command, seconds=60, status=0):
        """The output of a command that ends with this exit status."""
        code, text = self.run(command, seconds)
        if code != status:
            raise AssertionError(f"{command}: expected exit {status}, got {code}:\n{text}")
        return text

    def install(self, version, *options):
        """vv-update install over HTTP; what it said."""
        return self.must(" ".join(["vv-update install", *options, release_url(self.name, version)]),
                         INSTALL_S)

    def status(self):
        """`status --json`, parsed."""
        return json.loads(self.must("vv-update status --json"))

    def confirmed(self):
        """The exit status of the confirm step of this boot, once it is known."""
        return int(self.must("until cat /run/vv-confirm.rc 2>/dev/null; do sleep 0.2; done",
                             CONFIRM_S))

    def check_no_write(self):
        """The kernel counts the writes to each partition: none to the slot that runs."""
        number = FIRST_SLOT + card.SLOTS.index(self.slot)
        name = self.PARTITION.format(number)
        writes = self.must(f"awk '{{print $5}}' /sys/class/block/{name}/stat")
        if writes != "0":
            raise AssertionError(f"expected no write to the running slot {self.slot}, got {writes}")

    # --- the card ---------------------------------------------------------------------------------

    def check_card(self):
        """What is true whenever the board is off: the environment has a valid copy and the board's
        own variables in it; a slot holds a whole release or cannot be started; the slot that ran
        holds the release that ran."""
        variables = card.environment(self.card)
        if variables is None:
            raise AssertionError("expected a valid copy of the environment, got none")
        kept = {name: variables.get(name) for name in self.foreign}
        if kept != self.foreign:
            raise AssertionError(f"expected the board's variables {self.foreign}, got {kept}")
        held = {slot: card.release_in(self.card, slot, userland(self.name)) for slot in card.SLOTS}
        for slot, version in held.items():
            if version is None and card.can_be_mounted(self.card, slot):
                raise AssertionError(f"slot {slot} can be started and holds no whole release")
        if self.slot and held[self.slot] != self.version:
            raise AssertionError(f"expected every byte of release {self.version} in slot "
                                 f"{self.slot}, which ran, got {held[self.slot]}")
        return held
