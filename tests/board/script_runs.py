# SPDX-License-Identifier: Apache-2.0
"""One power-on of a state: by the real script in real U-Boot, and by the model in vv-bootsim."""

import contextlib
import dataclasses
import re
import subprocess

import disk
import qemu
from script_states import VALUES
from virtual_device import BIN, VirtualDevice, parse_variables

RESETS_MAX = 3  # where the model gives up; the board would go on
# What U-Boot sets by itself at each start.
OF_THE_START = ("fdtcontroladdr", "stdin", "stdout", "stderr", "vv_next")
SLOT_FILE_BYTES = 4096

# Runs before the boot counter at each power-on: shows what is stored, and carries out one line that
# the test sends. Nothing of it is saved.
PREBOOT = "echo vv-power-on; printenv; askenv vv_next vv-next; run vv_next"
# A slot that can be started is "running" until it resets the board.
START = ("for vv_x in ${vv_can}; do if test ${vv_x} = ${vv_slot}; then "
         "echo vv-run ${vv_slot} ${bootargs}; reset; fi; done")
WATCHDOG = "echo vv-armed"


@dataclasses.dataclass
class Outcome:
    """What a power-on came to."""

    slot: str
    cmdline: str  # behind the board's own arguments
    resets: int
    stored: dict

    def unlike(self, other):
        """This one in words, with the variables that differ from the other's."""
        stored = dict(sorted(self.stored.items() - other.stored.items()))
        return f"slot {self.slot}, {self.resets} resets, {self.cmdline!r}, only here: {stored}"


def there(variables):
    """Empty and absent are the same; what U-Boot sets at each start is nobody's."""
    return {name: value for name, value in variables.items()
            if value != "" and name not in OF_THE_START}


class Board:
    """A board at work on states, one after the other, in one run of QEMU."""

    def __init__(self, uboot, script, folder):
        path = disk.make_disk(folder / "disk.img", script, slot_mib=2, data_mib=2)
        self.machine = qemu.Machine(uboot, qemu.SdCard(path), folder / "console.log", memory=256)
        self.console = None
        self.base = None

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            undo.enter_context(self.machine)
            self.console = self.machine.console
            self.machine.stop_autoboot()
            for command in ("setenv bootcount", "setenv bootlimit", f"setenv preboot '{PREBOOT}'",
                            f"setenv vv_start '{START}'", f"setenv vv_watchdog '{WATCHDOG}'",
                            "saveenv"):
                self.machine.command_output(command)
            self.console.send_line("reset")
            self.base = self._stored()
            undo.pop_all()
        return self

    def __exit__(self, *failure):
        self.machine.__exit__(*failure)

    def _stored(self):
        """What the environment holds, from the next power-on; ends before the boot counter."""
        found = self.console.expect(r"(?s)^vv-power-on\n(.*?)^vv-next ")
        return there(parse_variables(found[1]))

    def run(self, state, more=()):
        """One state, from before the boot counter to the power-on behind it; `more` are commands
        that change what is not stored."""
        settings = ["setenv vv_next", f"setenv vv_can '{state.can_start}'"]
        for name, value in state.variables:
            settings.append(f"setenv {name}" if value is None else f"setenv {name} '{value}'")
        self.console.send_line("; ".join([*settings, "saveenv", "env load", *more]))
        for resets in range(RESETS_MAX + 1):
            found = self.console.expect(
                r"^vv-armed\nvv-run (\S+) (.*)\n|^resetting|^(=> )")
            if found[1]:
                cmdline = found[2].removeprefix(self.base["bootargs"] + " ")
                return Outcome(found[1], cmdline, resets, self._stored())
            if found[3]:
                self.console.send_line("reset")
                return Outcome("none", "", resets, self._stored())
            stored = self._stored()
            if resets < RESETS_MAX:
                self.console.send_line("setenv vv_next")
        return Outcome("none", "", RESETS_MAX, stored)


class Model:
    """vv-bootsim on an environment file."""

    def __init__(self, folder, base):
        self.device = VirtualDevice(folder / "model", trust="none", slot_size=SLOT_FILE_BYTES)
        self.base = base

    def run(self, state):
        """One state; what the board has besides the contract's variables is there too."""
        self.device.make_environment({**self.base, "vv_can": state.can_start, **state.stored()})
        cmdline = self.device.dir / "cmdline"
        cmdline.write_text("\n")
        lost = [f"--unbootable={slot}" for slot in "ab" if slot not in state.can_start.split()]
        done = subprocess.run(
            [str(BIN / "vv-bootsim"), "-e", str(self.device.dir / "fw_env.config"), "-o",
             str(cmdline), "--contract", state.contract, "--resets", *lost],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        said = re.fullmatch(r"resets=(\d)\n(?:slot=(\w+)\n)?", done.stdout)
        if not said:
            raise AssertionError(f"vv-bootsim, {state}: exit {done.returncode}: {done.stderr}")
        return Outcome(said[2] or "none", cmdline.read_text().strip(), int(said[1]),
                       there(self.device.environment()))


def contract_part(contract, stored):
    """The variables of a contract among all."""
    return {name: stored[name] for name in VALUES[contract] if name in stored}
