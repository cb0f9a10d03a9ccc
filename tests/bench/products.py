# SPDX-License-Identifier: Apache-2.0
"""What each tool makes of a pair of images for its devices, kept by content: signed images,
bundles, stores, patches. What it took is kept beside it."""

import functools
import hashlib
import json
import os
import pathlib
import random
import resource
import shutil
import tempfile

import inputs

VV = pathlib.Path(os.environ.get("VV") or inputs.ROOT / "build/release").resolve()
INSTALL_LEVEL = 3   # of zstd, for all that install a whole image
PATCH_LEVEL = 19
SLOT_LINK = inputs.CACHE / "slot"  # stands in SWUpdate's description; leads to the target
PACK_NAME = "image.vvi.from-1.vvd"  # the older image has index 1, see vvi()
COMPATIBLE = "vv-bench"
DESCRIPTION = """software =
{{
	version = "2.0";
	hardware-compatibility: [ "1.0" ];
	bootloader_transaction_marker = false;
	bootloader_state_marker = false;
	images: (
		{{
			filename = "rootfs.img.zst";
			device = "{device}";
			type = "raw";
			compressed = "zstd";
			installed-directly = true;
			sha256 = "{sha256}";
		}}
	);
}}
"""
MANIFEST = f"""[update]
compatible={COMPATIBLE}
version=2.0

[bundle]
format=plain

[image.rootfs]
filename=rootfs.img
"""


def low(*command):
    """A command that leaves the processor to others."""
    return ["nice", "-n", "19", *command]


def children_cpu():
    """Seconds of processor that all children took which have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def timed(name, given, make):
    """A product that also says how much processor time it took, in cpu.json: it is the same
    beside other work, more or less."""
    def make_timed(work):
        began = children_cpu()
        make(work)
        (work / "cpu.json").write_text(json.dumps(children_cpu() - began))
    return inputs.product(name, given, make_timed)


def cpu_of(folder):
    """Seconds of processor that the product took to make."""
    path = folder / "cpu.json"
    return json.loads(path.read_text()) if path.exists() else None


@functools.cache
def peer_keys():
    """The folder of a self-signed certificate, made here and never tracked."""
    def make(work):
        inputs.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "7300",
                   "-keyout", work / "peer.key", "-out", work / "peer.pem", "-subj", "/CN=bench",
                   "-addext", "keyUsage=critical,digitalSignature",
                   "-addext", "extendedKeyUsage=emailProtection,codeSigning")
    return inputs.product("peer-keys", {}, make)


@functools.cache
def vv_keys():
    """The folder of what `vv-image keygen` makes."""
    def make(work):
        inputs.run(VV / "vv-image", "keygen", work / "keys")
    return inputs.product("vv-keys", {}, make) / "keys"


def vv_trust():
    """The certificates that devices trust."""
    return vv_keys() / "trust"


def vv_build(output, image, index, *options):
    """Builds an unsigned image."""
    inputs.run(*low(VV / "vv-image"), "build", "-o", output, "--product", "vv-bench",
               "--compatible", COMPATIBLE, "--version", f"{index}.0", "--release-index", index,
               "--partition", f"rootfs={image}", *options)


def sample_content(changed=0):
    """Some megabytes, a few bytes of which may be others."""
    rng = random.Random(7)
    parts = [rng.randbytes(96 << 10), bytes(1 << 20), b"a line of a text\n" * 40000]
    content = bytearray(b"".join(parts[rng.randrange(3)] for _ in range(24)))
    for _ in range(changed):
        content[rng.randrange(len(content))] = 1
    return content


@functools.cache
def vv_image_kind():
    """Tells versions of vv-image apart that make different images: a hash over what it makes of a
    few megabytes. Its own hash would change with every commit."""
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory(prefix="vv-bench-") as name:
        folder = pathlib.Path(name)
        (folder / "content").write_bytes(sample_content())
        for options in ([], ["--chunk-avg", "16K"], ["--level", "3"]):
            vv_build(folder / "out.vvi", folder / "content", 1, *options)
            digest.update((folder / "out.vvi").read_bytes())
    return digest.hexdigest()[:8]


@functools.cache
def vv_pack_kind():
    """The same for packs."""
    with tempfile.TemporaryDirectory(prefix="vv-bench-") as name:
        folder = pathlib.Path(name)
        for index, changed in ((1, 0), (2, 9)):
            (folder / "content").write_bytes(sample_content(changed))
            vv_build(folder / f"{index}.vvi", folder / "content", index)
        vv_delta(folder / "1.vvi", folder / "2.vvi", folder / "pack")
        return hashlib.sha256((folder / "pack").read_bytes()).hexdigest()[:8]


def vv_delta(old, new, pack):
    """Makes an unsigned pack."""
    inputs.run(*low(VV / "vv-image"), "delta", "--base", old, "--new", new, "-o", pack)


def vvi(image, *options):
    """The folder of a signed image."""
    given = {"image": image.folder().name, "options": options, "keys": vv_keys().parent.name}
    label = "".join(options).replace("--", "-") or "-default"

    def make(work):
        vv_build(work / "image.vvi", image.path(), 2 if image.newer else 1, *options)
        inputs.run(VV / "vv-image", "sign", work / "image.vvi", "--cert",
                   vv_keys() / "release.pem", "--key", vv_keys() / "release.key")
    return timed(f"vvi-{vv_image_kind()}-{image.name()}{label}", given, make)


def zst(image, level=INSTALL_LEVEL):
    """The folder with rootfs.img.zst."""
    def make(work):
        inputs.run(*low("zstd"), "-q", f"-{level}", "-T0", image.path(),
                   "-o", work / "rootfs.img.zst")
    return timed(f"zst{level}-{image.name()}", {"image": image.folder().name}, make)


def swu(image):
    """The folder with a signed update.swu."""
    compressed = zst(image)
    given = {"zst": compressed.name, "keys": peer_keys().name, "text": DESCRIPTION,
             "device": str(SLOT_LINK)}

    def make(work):
        os.link(compressed / "rootfs.img.zst", work / "rootfs.img.zst")
        (work / "sw-description").write_text(DESCRIPTION.format(
            device=SLOT_LINK, sha256=inputs.file_hash(work / "rootfs.img.zst")))
        inputs.run("openssl", "cms", "-sign", "-in", work / "sw-description", "-out",
                   work / "sw-description.sig", "-signer", peer_keys() / "peer.pem", "-inkey",
                   peer_keys() / "peer.key", "-outform", "DER", "-nosmimecap", "-binary")
        inputs.run("sh", "-c", "printf '%s\\n' sw-description sw-description.sig rootfs.img.zst |"
                   " cpio -o -H crc --quiet >update.swu", cwd=work)
        (work / "rootfs.img.zst").unlink()
    return timed(f"swu-{image.name()}", given, make)


def raucb(image):
    """The folder with a signed bundle.raucb in the plain format."""
    given = {"image": image.folder().name, "keys": peer_keys().name, "manifest": MANIFEST,
             "level": INSTALL_LEVEL}

    def make(work):
        (work / "content").mkdir()
        os.link(image.path(), work / "content/rootfs.img")
        (work / "content/manifest.raucm").write_text(MANIFEST)
        inputs.run(*low("rauc"), "--cert", peer_keys() / "peer.pem", "--key",
                   peer_keys() / "peer.key",
                   f"--mksquashfs-args=-comp zstd -Xcompression-level {INSTALL_LEVEL}", "bundle",
                   work / "content", work / "bundle.raucb")
        shutil.rmtree(work / "content")
    return timed(f"raucb-{image.name()}", given, make)


def casync(image):
    """The folder with image.caibx and its store."""
    def make(work):
        inputs.run(*low("casync"), "make", f"--store={work}/store.castr", work / "image.caibx",
                   image.path())
    return timed(f"casync-{image.name()}", {"image": image.folder().name}, make)


def zck(image):
    """The folder with image.zck."""
    def make(work):
        inputs.run(*low("zck"), "-o", work / "image.zck", image.path())
    return timed(f"zck-{image.name()}", {"image": image.folder().name}, make)


def xdelta(old, new):
    """The folder with patch.xdelta."""
    def make(work):
        window = max(1 << 19, old.path().stat().st_size)
        inputs.run(*low("xdelta3"), "-e", "-9", "-S", "djw", "-B", window, "-s", old.path(),
                   new.path(), work / "patch.xdelta")
    return timed(f"xdelta-{new.name()}", {"old": old.folder().name, "new": new.folder().name},
                 make)


def zstd_patch(old, new, level=PATCH_LEVEL):
    """The folder with patch.zst."""
    def make(work):
        inputs.run(*low("zstd"), "-q", f"-{level}", "--ultra", "--long=31",
                   f"--patch-from={old.path()}", new.path(), "-o", work / "patch.zst")
    return timed(f"zstdpatch{level}-{new.name()}",
                 {"old": old.folder().name, "new": new.folder().name}, make)


def vv_pack(old, new, *options):
    """The folder with image.vvi and, where devices look for it, the pack from the older image."""
    images = [vvi(image, *options) / "image.vvi" for image in (old, new)]
    label = "".join(options).replace("--", "-") or "-default"

    def make(work):
        pack = work / PACK_NAME
        vv_delta(*images, pack)
        inputs.run(VV / "vv-image", "sign", pack, "--cert", vv_keys() / "release.pem", "--key",
                   vv_keys() / "release.key")
        shutil.copyfile(images[1], work / "image.vvi")
    return timed(f"vvd-{vv_pack_kind()}-{new.name()}{label}",
                 {"images": [image.parent.name for image in images]}, make)
