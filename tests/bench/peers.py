# SPDX-License-Identifier: Apache-2.0
"""The tools, and how each installs the newer image of a pair onto the target."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

import measure
import products

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
os.environ.setdefault("VV_BIN", str(products.VV))
import virtual_device  # pylint: disable=wrong-import-position
import web_server  # pylint: disable=wrong-import-position

LEVEL = ("--level", str(products.INSTALL_LEVEL))
BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={bus}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/>
    <allow send_type="method_call"/><allow eavesdrop="true"/>
  </policy>
</busconfig>
"""
RAUC_CONFIG = """[system]
compatible={compatible}
bootloader=noop
bundle-formats=plain
mountprefix={folder}/mnt
statusfile={folder}/status

[keyring]
path={certificate}

[slot.rootfs.0]
device={running}
type=raw
bootname=A

[slot.rootfs.1]
device={target}
type=raw
bootname=B
"""


class Room:
    """What a tool finds on the device: the target, the file of the running system and the image
    that was installed there (None: something else), the web server, a folder that is its own."""

    def __init__(self, target, running, old, nginx, folder):
        self.target = target
        self.running = running
        self.old = old
        self.nginx = nginx
        self.folder = folder

    def url(self, path):
        """Of a file of a product."""
        return f"{self.nginx.url}/{pathlib.Path(path).relative_to(self.nginx.root)}"


class Tool:
    """One way to install. `old` is the image in the running system, None for a whole install."""

    programs = ()
    does = ""       # what happens besides writing, for the table's legend
    update = False  # the running slot holds the older image; something unrelated otherwise
    local = False   # begins with a file of the device's own, not with one of the server's

    def absent(self):
        """Why it cannot be measured here, or nothing."""
        return next((f"{name} is not installed" for name in self.programs
                     if not shutil.which(name)), "")

    def make(self, old, new):
        """The files of the products; the first is what the device begins with."""
        raise NotImplementedError

    def steps(self, room, files, old):
        """[[command, ...] to be run as pipelines, one after the other]."""
        raise NotImplementedError

    @contextlib.contextmanager
    def device(self, room):
        """Sets up what runs before the update begins: ([pids that work for it], environment)."""
        yield [], {}


class Ours(Tool):
    """vv-update over HTTP."""

    does = "signature, two hashes of every chunk, fsync, read-back of every byte, boot environment"

    def make(self, old, new):
        return [products.vvi(new, *LEVEL) / "image.vvi"]

    def steps(self, room, files, old):
        return [[[products.VV / "vv-update", "-c", room.folder / "d/update.conf", "install",
                  room.url(files[0])]]]

    @contextlib.contextmanager
    def device(self, room):
        device = virtual_device.VirtualDevice(
            room.folder / "d", products.vv_trust(), slot_size=4096, product="vv-bench",
            compatible=products.COMPATIBLE)
        put_slot(device, "a", room.running)
        if room.old is not None:
            run_older(device, products.vvi(room.old, *LEVEL) / "image.vvi")
        put_slot(device, "b", room.target.device)
        yield [], {}


def put_slot(device, slot, path):
    """What the slot is on."""
    text = device.conf.read_text()
    device.conf.write_text(text.replace(f"={device.slot_file(slot)}\n", f"={path}\n"))


def run_older(device, image):
    """Slot a has the older image as the device's last install, confirmed: its record says so.
    Meanwhile slot b is a file, which may be the running system where a device cannot."""
    device.make_environment({**device.environment(), "BOOT_ORDER": "B A"})
    device.set_cmdline("b")
    for done in (lambda: device.run("install", image), device.boot,
                 lambda: device.run("confirm")):
        end = done()
        if end != "a" and end.returncode != 0:
            raise measure.Failed(f"the older image does not run: {end}")


class OursUpdate(Ours):
    """The same when the running slot holds the older image."""

    does = "as ours; the running slot holds the older image"
    update = True


class OursPack(OursUpdate):
    """The same with a delta pack beside the image."""

    does = "as ours-update, with a delta pack beside the image"

    def make(self, old, new):
        return [products.vv_pack(old, new, *LEVEL) / "image.vvi"]


class Dd(Tool):
    """The image as it is, from a local file."""

    programs = ("dd",)
    does = "local file; fsync; nothing is verified"
    local = True

    def make(self, old, new):
        return [new.path()]

    def steps(self, room, files, old):
        return [[["dd", f"if={files[0]}", f"of={room.target.device}", "bs=1M", "oflag=direct",
                  "conv=fsync,notrunc", "status=none"]]]


def dd_from_pipe(room):
    """Writes what comes down a pipe."""
    return ["dd", f"of={room.target.device}", "bs=1M", "iflag=fullblock", "oflag=direct",
            "conv=fsync,notrunc", "status=none"]


class CurlZstdDd(Tool):
    """The pipe that everybody can write down."""

    programs = ("curl", "zstd", "dd")
    does = "fsync; nothing is verified"

    def make(self, old, new):
        return [products.zst(new) / "rootfs.img.zst"]

    def steps(self, room, files, old):
        return [[["curl", "-sf", room.url(files[0])], ["zstd", "-dcq"], dd_from_pipe(room)]]


class SwUpdate(Tool):
    """A signed .swu with one zstd image, streamed over HTTP by the raw handler."""

    programs = ("swupdate", "cpio", "openssl")
    does = "signature, hash of the compressed image; no fsync, no read-back"

    def make(self, old, new):
        return [products.swu(new) / "update.swu"]

    def steps(self, room, files, old):
        return [[["swupdate", "-M", "-m", "-l", "1", "-k", products.peer_keys() / "peer.pem",
                  "-H", "bench:1.0", "-d", f"-u {room.url(files[0])}"]]]

    @contextlib.contextmanager
    def device(self, room):
        products.SLOT_LINK.unlink(missing_ok=True)
        products.SLOT_LINK.symlink_to(room.target.device)
        yield [], {"TMPDIR": str(room.folder)}


class Rauc(Tool):
    """A signed plain bundle (squashfs, zstd) in a local file: streaming needs NBD and dm-verity."""

    programs = ("rauc", "dbus-daemon", "mksquashfs")
    does = "local file; signature over the whole bundle; fsync, no read-back"
    local = True

    def make(self, old, new):
        return [products.raucb(new) / "bundle.raucb"]

    def steps(self, room, files, old):
        return [[["rauc", "install", files[0]]]]

    @contextlib.contextmanager
    def device(self, room):
        bus = room.folder / "bus"
        (room.folder / "bus.conf").write_text(BUS_CONFIG.format(bus=bus))
        (room.folder / "system.conf").write_text(RAUC_CONFIG.format(
            compatible=products.COMPATIBLE, folder=room.folder, running=room.running,
            target=room.target.device, certificate=products.peer_keys() / "peer.pem"))
        environment = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus}"}
        with open(room.folder / "log", "wb") as log:
            started = []
            try:
                started.append(subprocess.Popen(
                    ["dbus-daemon", f"--config-file={room.folder}/bus.conf", "--nofork"],
                    stdout=log, stderr=log))
                wait_for(bus.exists)
                started.append(subprocess.Popen(
                    ["rauc", f"--conf={room.folder}/system.conf", "--override-boot-slot=A",
                     "service"], stdout=log, stderr=log, env={**os.environ, **environment}))
                wait_for(lambda: answers(environment))
                yield [started[-1].pid], environment
            finally:
                for process in reversed(started):
                    web_server.stop(process)


def answers(environment):
    """True if RAUC's service is on the bus."""
    return subprocess.run(["rauc", "status"], env={**os.environ, **environment}, check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def wait_for(condition, seconds=20):
    """Until something that was started is there."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("bench: a program that was started did not come up")
        time.sleep(0.05)


class Casync(Tool):
    """Chunks over HTTP, those of the older image from there."""

    programs = ("casync",)
    does = "hash of every chunk; the older image as seed; no fsync"
    update = True

    def make(self, old, new):
        return [products.casync(new) / "image.caibx"]

    def steps(self, room, files, old):
        store = room.url(files[0].parent / "store.castr")
        return [[["casync", "extract", f"--store={store}", f"--seed={room.running}",
                  "--seed-output=no", room.url(files[0]), room.target.device]]]


class Zchunk(Tool):
    """Downloaded into a file with the older .zck beside it, then written."""

    programs = ("zck", "zckdl", "unzck")
    does = "hash of every chunk; needs the older .zck and room for the newer; fsync"
    update = True

    def make(self, old, new):
        return [products.zck(new) / "image.zck", products.zck(old) / "image.zck"]

    def steps(self, room, files, old):
        script = 'cd "$1" && exec zckdl -q -s "$2" "$3"'
        return [[["sh", "-c", script, "zckdl", room.folder, files[1], room.url(files[0])]],
                [["unzck", "-c", room.folder / "image.zck"], dd_from_pipe(room)]]


class Xdelta(Tool):
    """A patch against the older image."""

    programs = ("xdelta3", "curl")
    does = "Adler-32; a patch for each older version; fsync"
    update = True

    def make(self, old, new):
        return [products.xdelta(old, new) / "patch.xdelta"]

    def steps(self, room, files, old):
        window = max(1 << 19, old.path().stat().st_size)
        return [[["curl", "-sf", room.url(files[0])],
                 ["xdelta3", "-d", "-c", "-B", window, "-s", room.running],
                 dd_from_pipe(room)]]


class ZstdPatch(Tool):
    """A patch against the older image."""

    programs = ("zstd", "curl")
    does = "a patch for each older version; fsync; nothing is verified"
    update = True

    def make(self, old, new):
        return [products.zstd_patch(old, new) / "patch.zst"]

    def steps(self, room, files, old):
        return [[["curl", "-sf", room.url(files[0])],
                 ["zstd", "-dcq", "--long=31", f"--patch-from={room.running}"],
                 dd_from_pipe(room)]]


TOOLS = {
    "ours": Ours(), "rauc": Rauc(), "swupdate": SwUpdate(), "curl-zstd-dd": CurlZstdDd(),
    "dd": Dd(), "ours-update": OursUpdate(), "ours-pack": OursPack(), "casync": Casync(),
    "zchunk": Zchunk(), "xdelta3": Xdelta(), "zstd-patch": ZstdPatch(),
}
