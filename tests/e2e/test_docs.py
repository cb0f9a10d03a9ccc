# SPDX-License-Identifier: Apache-2.0
"""The commands that the documents show, run as they stand."""

import os
import re
import subprocess
import textwrap
import unittest

import fixtures
from documents import ROOT, code_block
from fixtures import MIB, DeviceTest


def headings(page):
    """What links can name behind a #, as the forges make it of headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", page.read_text(), re.M)}


class Documents(DeviceTest):
    """What a reader would copy into a shell."""

    def shell(self, script, folder=None):
        """Runs a block with the built programs in PATH; its output. Temporary files go to the
        folder of the test."""
        path = f"{fixtures.BIN}:{os.environ['PATH']}:/usr/sbin"
        environment = {**os.environ, "PATH": path, "TMPDIR": str(self.folder)}
        environment.pop("MAKEFLAGS", None)
        done = subprocess.run(["sh", "-euc", script], cwd=folder or self.folder, text=True,
                              env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_the_build_host_commands_of_the_readme_work(self):
        (self.folder / "rootfs.ext4").write_bytes(fixtures.content(1 * MIB, 70))
        block = code_block("README.md", "vv-image keygen keys")
        host, _, device = block.partition("\n\n")
        self.assertIn("vv-update install", device)
        self.assertIn("OK: product vv-edge version 2.0", self.shell(host))

    def test_the_first_environment_of_the_boot_loader_readme_boots(self):
        tracked = (ROOT / "bootloader/fw_env.config").read_bytes()
        block = code_block("bootloader/README.md", "PATH=")
        self.assertEqual(self.shell(block, ROOT).splitlines()[-1], "slot=a")
        self.assertEqual(len(list(self.folder.glob("*/uboot.env"))), 1)
        self.assertEqual((ROOT / "bootloader/fw_env.config").read_bytes(), tracked)

    def test_what_is_shown_of_the_playbook_stands_in_it(self):
        block = code_block("docs/operations.md", "- name: Copy it under a name")
        playbook = (ROOT / "docs/examples/update.yml").read_text()
        self.assertIn(textwrap.indent(block, " " * 8), playbook)

    def check_links(self, root):
        """Every link of the pages below leads to a file, and to a heading in it; how many."""
        count = 0
        for document in root.glob("**/*.md"):
            if "build" in document.relative_to(root).parts:
                continue
            links = re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", document.read_text())
            for target, heading in links:
                with self.subTest(document=document.name, target=target, heading=heading):
                    page = document.parent / target if target else document
                    self.assertTrue(page.exists())
                    if heading:
                        self.assertIn(heading, headings(page))
            count += len(links)
        return count

    def test_every_document_that_is_linked_exists(self):
        self.assertGreater(self.check_links(ROOT), 20)

    def test_every_document_that_is_linked_exists_where_they_are_installed(self):
        self.shell(f"make -s install-docs DESTDIR='{self.folder}' PREFIX=/usr", ROOT)
        self.assertGreater(self.check_links(self.folder / "usr/share/doc/vv-update"), 20)

    def test_every_test_that_a_document_names_exists(self):
        sources = [*ROOT.glob("tests/**/test_*.c"), *ROOT.glob("tests/**/test_*.py")]
        files = {path.name for path in sources}
        text = "\n".join(path.read_text() for path in sources)
        documents = [ROOT / "README.md", *ROOT.glob("docs/*.md"), ROOT / "bootloader/README.md"]
        for document in documents:
            for name in set(re.findall(r"\b(test_[a-z0-9_]+\.(?:c|py))\b", document.read_text())):
                self.assertTrue(name in files, f"{document.name} names {name}")
            for name in set(re.findall(r"`(\w+_\w+_\w+_\w+_\w+)`", document.read_text())):
                self.assertTrue(name in text, f"{document.name} names {name}")


if __name__ == "__main__":
    unittest.main()
