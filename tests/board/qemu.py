# SPDX-License-Identifier: Apache-2.0
"""The virtual board: QEMU's arm64 machine with U-Boot, an SD card and a watchdog, without KVM."""

import contextlib
import dataclasses
import fcntl
import pathlib
import signal
import subprocess
import time

import folders
import images_cache
from console import Console

PROMPT = r"^=> "
# Boards that are on at the same time, in all processes that share a store: more of them starve each
# other of processor time and memory.
GUESTS_MAX = 2
POLL_S = 0.1
# A board that waits for another one to end says so, and does not wait for ever.
TOLD_S = 60
WAIT_S = 1800


@dataclasses.dataclass(frozen=True)
class FlushedCard:
    """One medium with two faces: an SD card for U-Boot, and for Linux a disk (vda) with a volatile
    write cache, which Linux flushes. QEMU's SD card has no flush command.

    `log`: every write and flush is written down there, in the format of Linux's dm-log-writes.
    """

    path: pathlib.Path
    log: pathlib.Path = None
    # The driver of the card is kept from loading: one kernel, one face.
    BOOTARGS = "module_blacklist=sdhci_pci"

    def arguments(self):
        """Node `medium`, and both devices on it."""
        arguments = ["-blockdev", f"driver=file,node-name=file0,filename={self.path}"]
        node = "file0"
        if self.log:
            node = "logged0"
            arguments += ["-blockdev", f"driver=file,node-name=log0,filename={self.log}",
                          "-blockdev", f"driver=blklogwrites,node-name={node},file=file0,"
                          "log=log0,log-sector-size=512"]
        return [*arguments, "-device", "sdhci-pci,addr=4", "-device", f"sd-card,drive={node}",
                "-device", f"virtio-blk-pci,drive={node},share-rw=on"]


@dataclasses.dataclass(frozen=True)
class SdCard:
    """One medium, an SD card for both."""

    path: pathlib.Path

    def arguments(self):
        """The medium, and the device on it."""
        return ["-drive", f"if=none,id=card0,file={self.path},format=raw,cache=writeback",
                "-device", "sdhci-pci,addr=4", "-device", "sd-card,drive=card0"]


def free_place(store=images_cache.STORE):
    """The lock of a board that may be on, None when GUESTS_MAX boards are. It is held until all who
    have the file open are gone."""
    store.mkdir(parents=True, exist_ok=True)
    for number in range(GUESTS_MAX):
        place = open(store / f"guest-{number}.lock", "wb")
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return place
        except BlockingIOError:
            place.close()
    return None


def wait_for_place(store=images_cache.STORE, told_s=TOLD_S, wait_s=WAIT_S, tell=print):
    """The same, once there is one. After `told_s` it is told what is waited for; after `wait_s` it
    is waited for no longer."""
    began, told = time.monotonic(), False
    while (place := free_place(store)) is None:
        waited = time.monotonic() - began
        held = ", ".join(str(store / f"guest-{number}.lock") for number in range(GUESTS_MAX))
        if waited > wait_s:
            raise AssertionError(f"no board may start within {wait_s} s: others hold {held}")
        if waited > told_s and not told:
            tell(f"board: waiting until another board is off; held are {held}", flush=True)
            told = True
        time.sleep(POLL_S)
    return place


class Machine:
    """One board; a context manager, so that its process is ended whatever happens, and what is left
    of it kept when something failed. It also ends with the thread that started it. It starts when
    fewer than GUESTS_MAX are on.

    `network`: the guest reaches servers on this machine's 127.0.0.1 as 10.0.2.2. `watchdog`: there
    is one. `store`: whose places are shared, and what keeps what failed.
    """

    def __init__(self, uboot, card, log, *, memory=512, network=False, watchdog=True,
                 store=images_cache.STORE):
        self.card = card.path
        self.log_path = pathlib.Path(log)
        self.store = store
        self.process = None
        self.console = None
        self.log = None
        # setpriv: the process must not outlive this one, not even when this one is killed.
        self.command = [
            "setpriv", "--pdeathsig", "KILL", "qemu-system-aarch64", "-M", "virt",
            "-cpu", "cortex-a53", "-smp", "1", "-m", str(memory), "-bios", str(uboot),
            "-display", "none", "-monitor", "none",
            # Ctrl-C goes to the guest.
            "-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial",
            *card.arguments()]
        if watchdog:
            self.command += ["-device", "i6300esb,addr=5", "-action", "watchdog=reset"]
        # No option ROM: the firmware is U-Boot, and the ROM is in a package of its own.
        self.command += (["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="]
                         if network else ["-nic", "none"])

    def __enter__(self):
        self.power_on()
        return self

    def __exit__(self, kind, error, trace):
        self.power_cut()
        if error is not None:
            self.keep(error)

    def keep(self, error):
        """The card and all that the console said, for who looks for the cause."""
        folders.keep(error, self.card, self.log_path, self.store)

    def power_on(self):
        """Starts the process; all consoles of one machine go to one log."""
        # Only the process of the board keeps the place: it is free again when that one is gone.
        with wait_for_place(self.store) as place:
            self.log = open(self.log_path, "ab")
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=self.log,
                                            pass_fds=[place.fileno()])
        self.console = Console(self.process.stdout.fileno(), self.process.stdin.fileno(), self.log)

    def power_cut(self):
        """Ends the process as a cut does: nothing is flushed, nothing is asked."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGKILL)
        self._closed()

    def wait_for_end(self, seconds=60):
        """Waits for a guest that powers itself off."""
        self.process.wait(seconds)
        self._closed()

    def _closed(self):
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.log):
            with contextlib.suppress(OSError):
                stream.close()
        self.process = None

    # --- U-Boot's prompt --------------------------------------------------------------------------

    def stop_autoboot(self):
        """Leads to U-Boot's prompt, from power-on or reset."""
        self.console.expect(PROMPT, nudge=" \x03")

    def command_output(self, command, seconds=60):
        """What a command at the prompt prints."""
        # The echo of the line has the quotes, what echo prints has not.
        self.console.send_line(f'{command}; echo vv-""end')
        found = self.console.expect(r'(?s)vv-""end\n(.*?)^vv-end\n', seconds)
        self.console.expect(PROMPT)
        return found[1]
