# SPDX-License-Identifier: Apache-2.0
"""A device made of plain files: two slots, a redundant boot environment, a state directory.

power_on() does what a board does as far as files go: vv-bootsim plays the boot loader on the real
environment, the slot it picks has its file system extracted *from the slot file*, and the services
of the system are started from there, with that system's own interpreter and libraries.
"""

import functools
import json
import os
import pathlib
import shutil
import subprocess
import time
import zlib

import web_server

BIN = pathlib.Path(os.environ["VV_BIN"])
ENV_SIZE = 0x4000
ENV_OFFSETS = (0, 0x10000)

CONFIG = """[device]
product={product}
compatible={compatible}
id=device-0001
state_dir={dir}/state
cmdline_file={dir}/cmdline
reboot_command=touch {dir}/reboot-requested
watchdog=

[slot a]
bootname=A
bootvalue=2
{slot_a}

[slot b]
bootname=B
bootvalue=3
{slot_b}

[bootloader]
env_config={dir}/fw_env.config
contract={contract}
slot_var=rpipart

[trust]
roots={trust}
signers={signers}

[network]
retries=2
low_speed=1K/3s
{extra}
"""


def write_env_copy(path, offset, flag, variables):
    """One copy of a redundant U-Boot environment: crc32, flag, name=value strings."""
    data = b"".join(f"{k}={v}".encode() + b"\0" for k, v in variables.items()) + b"\0"
    data = data.ljust(ENV_SIZE - 5, b"\0")
    with open(path, "r+b") as stream:
        stream.seek(offset)
        stream.write(zlib.crc32(data).to_bytes(4, "little") + bytes([flag]) + data)


def environment_copies(path, offsets=ENV_OFFSETS):
    """[(flag, variables) or None where the checksum is wrong] of both copies, read by nobody
    else's code."""
    copies = []
    for offset in offsets:
        with open(path, "rb") as stream:
            stream.seek(offset)
            copy = stream.read(ENV_SIZE)
        if zlib.crc32(copy[5:]).to_bytes(4, "little") != copy[:4]:
            copies.append(None)
            continue
        text = copy[5:copy.index(b"\0\0", 5)].decode()
        copies.append((copy[4], dict(line.split("=", 1) for line in text.split("\0"))))
    return copies


def current_copy(copies):
    """The variables U-Boot would take: of the valid copy that was written last, else None."""
    first, second = copies
    if first is None or second is None:
        return (first or second or (0, None))[1]
    newer = (second[0] - first[0]) % 256
    return second[1] if 0 < newer < 128 else first[1]


def damage_copies(path, offsets):
    """Flips a bit inside the data of the copies that lie there."""
    with open(path, "r+b") as stream:
        for offset in offsets:
            stream.seek(offset + 9)
            byte = stream.read(1)[0]
            stream.seek(offset + 9)
            stream.write(bytes([byte ^ 0x40]))


def parse_variables(text):
    """{name: value} of what fw_printenv or U-Boot's printenv shows."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def read_environment(config):
    """All variables, read by fw_printenv of libubootenv."""
    return parse_variables(subprocess.run(["fw_printenv", "-c", str(config)], check=True,
                                          stdout=subprocess.PIPE, text=True).stdout)


@functools.cache
def _crc32c_table():
    """Of the reflected polynomial 0x82f63b78."""
    table = list(range(256))
    for _ in range(8):
        table = [value >> 1 ^ (0x82f63b78 if value & 1 else 0) for value in table]
    return table


def crc32c(data):
    """The checksum at the end of the journal."""
    table, crc = _crc32c_table(), 0xffffffff
    for byte in data:
        crc = table[(crc ^ byte) & 0xff] ^ crc >> 8
    return crc ^ 0xffffffff


class VirtualDevice:
    """One device in a folder of its own."""

    def __init__(self, folder, trust, slot_size=8 << 20, partitions=("rootfs",), contract="order",
                 product="vv-edge", compatible="vv-virtual", signers=1, extra=""):
        self.dir = pathlib.Path(folder)
        self.partitions = partitions
        self.contract = contract
        self.services = []
        self.port = web_server.free_port()
        (self.dir / "state").mkdir(parents=True)
        (self.dir / "data").mkdir()
        self.conf = self.dir / "update.conf"
        slots = {}
        for slot in "ab":
            lines = []
            for name in partitions:
                path = self.slot_file(slot, name)
                with open(path, "wb") as stream:
                    stream.truncate(slot_size)
                lines.append(f"{name}={path}")
            slots[slot] = "\n".join(lines)
        self.conf.write_text(CONFIG.format(
            dir=self.dir, product=product, compatible=compatible, slot_a=slots["a"],
            slot_b=slots["b"], contract=contract, trust=trust, signers=signers, extra=extra))
        self.make_environment()
        self.set_cmdline("a")

    def slot_file(self, slot, name=None):
        """The file that stands for a partition of a slot."""
        return self.dir / f"{name or self.partitions[0]}-{slot}.img"

    def make_environment(self, variables=None):
        """Both copies of the environment, as a factory leaves them."""
        variables = variables or {
            "bootcmd": "run vv_boot", "board_serial": "000123", "BOOT_ORDER": "A B",
            "BOOT_A_LEFT": "3", "BOOT_B_LEFT": "3", "rpipart": "2", "bootlimit": "3"}
        env = self.dir / "uboot.env"
        with open(env, "wb") as stream:
            stream.truncate(ENV_OFFSETS[1] + ENV_SIZE)
        for flag, offset in enumerate(ENV_OFFSETS):
            write_env_copy(env, offset, flag, variables)
        (self.dir / "fw_env.config").write_text(
            "".join(f"{env} {offset:#x} {ENV_SIZE:#x}\n" for offset in ENV_OFFSETS))

    def damage_environment(self, *copies):
        """Damages each copy named (0, 1)."""
        damage_copies(self.dir / "uboot.env", [ENV_OFFSETS[copy] for copy in copies])

    def environment(self):
        """All variables."""
        return read_environment(self.dir / "fw_env.config")

    def journal(self):
        """The journal's record, None when there is none; fails when it is damaged."""
        path = self.dir / "state/journal"
        if not path.exists():
            return None
        line, _, trailer = path.read_bytes().rpartition(b"crc32c ")
        if trailer != b"%08x\n" % crc32c(line):
            raise AssertionError(f"the journal is damaged: {line!r} {trailer!r}")
        return json.loads(line)

    def set_cmdline(self, slot):
        """What the kernel was started with."""
        (self.dir / "cmdline").write_text(
            f"console=ttyS0 root=/dev/none vv.slot={slot} rauc.slot={slot.upper()} ro\n")

    # --- the device's program ---------------------------------------------------------------

    def command(self, *args):
        """The command line of vv-update on this device."""
        return [str(BIN / "vv-update"), "-c", str(self.conf), *map(str, args)]

    def run(self, *args, seconds=120):
        """Runs vv-update to its end; a CompletedProcess with text."""
        return subprocess.run(self.command(*args), stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds,
                              check=False)

    def status(self):
        """`status --json`, parsed."""
        done = self.run("status", "--json")
        if done.returncode != 0:
            raise AssertionError(f"status: exit {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    # --- power --------------------------------------------------------------------------------

    def boot(self):
        """One power-on of the boot loader: the slot that starts, or None and why."""
        done = subprocess.run(
            [str(BIN / "vv-bootsim"), "-e", str(self.dir / "fw_env.config"), "--contract",
             self.contract, "-o", str(self.dir / "cmdline")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        (self.dir / "reboot-requested").unlink(missing_ok=True)
        if done.returncode != 0:
            return None
        return done.stdout.strip().removeprefix("slot=")

    def power_on(self):
        """Boots, extracts the root file system of the slot, starts its services."""
        self.power_off()
        slot = self.boot()
        if slot is None:
            return None
        root = self.dir / "booted"
        if root.exists():
            subprocess.run(["chmod", "-R", "u+rwx", str(root)], check=True)
            shutil.rmtree(root)
        root.mkdir()
        extracted = subprocess.run(
            ["debugfs", "-R", f"rdump / {root}", str(self.slot_file(slot))],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        if extracted.returncode != 0 or not (root / "etc").exists():
            raise RuntimeError(f"slot {slot} holds no file system: {extracted.stderr}")
        for service in ("tv_api", "playlist_manager"):
            self.start_service(root, service)
        return slot

    def start_service(self, root, name):
        """Runs a script of the booted system with that system's own loader and interpreter."""
        script = root / "usr/lib/vv" / name
        if not script.exists():
            return
        interpreter = script.read_text().splitlines()[0].removeprefix("#!").strip().lstrip("/")
        loader = next(path for place in ("usr/lib*", "usr/lib/*", "lib*")
                      for path in sorted(root.glob(f"{place}/ld-linux-*.so.*")))
        libraries = ":".join(str(p) for p in sorted(root.glob("usr/lib/*-linux-gnu")) +
                             sorted(root.glob("lib/*-linux-gnu")))
        perl = [f"-I{p}" for p in root.glob("usr/lib/*/perl-base")] if "perl" in interpreter else []
        environment = {"VV_ROOT": str(root), "VV_DATA": str(self.dir / "data"),
                       "VV_PORT": str(self.port), "PATH": os.environ["PATH"]}
        with open(self.dir / f"{name}.log", "ab") as log:
            self.services.append(subprocess.Popen(
                [str(loader), "--library-path", libraries, str(root / interpreter), *perl,
                 str(script)], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True))
        if name == "tv_api":
            web_server.wait_for_port(self.port, self.services[-1])

    def power_off(self):
        """Ends every service of the booted system."""
        for service in self.services:
            web_server.stop(service)
        self.services = []

    def tv_api(self):
        """What the running system answers at /status: (HTTP status, body)."""
        return web_server.get(f"http://127.0.0.1:{self.port}/status")

    def add_checks(self):
        """The health checks of the VV services, as an operator would write them."""
        with open(self.conf, "a", encoding="ascii") as stream:
            stream.write(f"""
[confirm]
deadline=15s
stable_for=0s

[check tv_api]
kind=http
url=http://127.0.0.1:{self.port}/status
interval=200ms
timeout=2s
retries=3

[check playlist_manager]
kind=file-age
path={self.dir}/data/heartbeat
max_age=5min
interval=200ms
retries=3
start_period=5s
""")


def until(condition, seconds, what):
    """Waits for a condition of another process; the limit is a safeguard, not an assertion."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never seen: {what}")
        time.sleep(0.01)
