# SPDX-License-Identifier: Apache-2.0
"""What real web servers do: nginx in the settings that operators use, and a plain file."""

import os
import random
import subprocess
import threading
import time
import unittest

import fixtures
from fixtures import FORMAT, MIB, NETWORK, USAGE, DeviceTest
import virtual_device
import web_server

# More than the ranges that are under way at the same time.
SIZE = 24 * MIB


class Servers(DeviceTest):
    """The install ends installed, or is refused with a sentence and works afterwards."""

    def setUp(self):
        super().setUp()
        # Nothing to be compressed: several ranges, and figures that are easy to compare.
        self.part = self.random_file("part", 40)
        self.www = self.folder / "www"
        self.www.mkdir()
        self.image = fixtures.sign(fixtures.build(self.www / "image.vvi", {"rootfs": self.part}))

    def random_file(self, name, seed):
        """A file of SIZE in the test's folder."""
        path = self.folder / name
        path.write_bytes(random.Random(seed).randbytes(SIZE))
        return path

    def device(self, name="device", **options):
        """With slots for it."""
        return super().device(name, slot_size=SIZE, **options)

    def nginx(self, **options):
        """Serves www until the test is over."""
        server = web_server.Nginx(self.www, self.folder / f"nginx-{web_server.free_port()}",
                                  **options)
        self.addCleanup(server.stop)
        return server

    def works(self, server, device=None):
        """Installs from there."""
        device = device or self.device()
        done = device.run("install", f"{server.url}/image.vvi")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_installed(device, self.part)
        return done

    # --- ranges -----------------------------------------------------------------------------

    def test_with_ranges_nothing_comes_twice(self):
        server = self.nginx()
        self.works(server)
        rows = server.requests()
        self.assertTrue(all(status == 206 for _, _, status, _, _ in rows), rows)
        self.assertLess(sum(count for _, _, _, count, _ in rows), self.image.stat().st_size + MIB)

    def test_a_server_that_ignores_ranges_is_read_in_order(self):
        server = self.nginx(extra="max_ranges 0;")
        self.works(server)
        rows = server.requests()
        self.assertEqual([row[2] for row in rows], [200] * len(rows))
        # What is read twice is bounded by max_waste.
        self.assertLessEqual(sum(row[3] for row in rows), self.image.stat().st_size + 64 * MIB)

    def test_a_server_that_ignores_ranges_is_given_up_when_it_is_too_wasteful(self):
        server = self.nginx(extra="max_ranges 0;")
        device = self.device(extra="max_waste=1M")
        good = self.nginx()
        # The slot has the first half already: to get at the rest, as much would be thrown away.
        with open(self.part, "rb") as part, open(device.slot_file("b"), "r+b") as slot:
            slot.write(part.read(SIZE // 2))
        done = device.run("install", f"{server.url}/image.vvi")
        self.check_refused(done, NETWORK, "does not honour ranges", "max_waste")
        self.works(good, device)

    # --- connections ------------------------------------------------------------------------

    def test_a_server_that_allows_one_connection_is_enough(self):
        server = self.nginx(extra="limit_conn server 1;")
        self.works(server)
        self.assertIn(206, {row[2] for row in server.requests()})

    def test_a_connection_that_is_refused_for_a_while_is_tried_again(self):
        server = self.nginx(extra="limit_conn server 1; limit_rate 1m; sendfile_max_chunk 64k;")
        device = self.device(extra="connections=1")
        # Somebody else has the one connection, and gives it back when we were refused.
        other = subprocess.Popen(["curl", "-s", "--limit-rate", "50K", "-o", "/dev/null",
                                  f"{server.url}/image.vvi"])
        self.addCleanup(web_server.stop, other)
        virtual_device.until(lambda: web_server.get(f"{server.url}/none")[0] == 503, 10, "busy")
        # The log of the requests before may come late: of the image nobody else is refused.
        refusals = threading.Thread(target=lambda: (virtual_device.until(
            lambda: any(row[1:3] == ("/image.vvi", 503) for row in server.requests()), 20,
            "a refusal"), other.kill()))
        refusals.start()
        self.addCleanup(refusals.join)
        done = self.works(server, device)
        self.assertIn("503", done.stderr)

    def test_a_server_that_closes_its_connections_is_connected_to_again(self):
        server = self.nginx(extra="keepalive_requests 1;")
        self.works(server)

    def test_a_server_that_is_restarted_on_the_way_is_gone_on_with(self):
        server = self.nginx(rate="8m")
        device = self.device()
        child = subprocess.Popen(device.command("install", f"{server.url}/image.vvi"),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, text=True)
        virtual_device.until(server.requests, 20, "the first range is over")
        server.stop()
        again = self.nginx(port=server.port)
        _, stderr = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 0, stderr)
        self.check_installed(device, self.part)
        self.assertTrue(again.requests())

    # --- the file ---------------------------------------------------------------------------

    def change_on_the_way(self, device, server, change):
        """What an install says when the file is changed between its first ranges."""
        child = subprocess.Popen(device.command("install", f"{server.url}/image.vvi"),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        virtual_device.until(server.requests, 20, "the first range is over")
        change()
        stdout, stderr = child.communicate(timeout=60)
        return subprocess.CompletedProcess([], child.returncode, stdout, stderr)

    def replacement(self, modified_s):
        """What puts another release in the place of the image, at once."""
        part = self.random_file("other", 41)
        other = fixtures.sign(fixtures.build(self.folder / "other.vvi", {"rootfs": part},
                                             "2.1", 3))
        os.utime(other, (modified_s, modified_s))

        def replace():
            os.replace(other, self.image)
            self.part = part
        return replace

    def test_a_file_that_is_replaced_on_the_way_is_noticed(self):
        server, device = self.nginx(rate="8m"), self.device()
        done = self.change_on_the_way(device, server, self.replacement(time.time() + 100))
        self.check_refused(done, NETWORK, "the file changed while it was being read")
        self.assertIsNone(device.status()["trial"])
        self.works(server, device)

    def test_a_file_that_is_replaced_under_the_same_entity_tag_is_noticed_by_its_hashes(self):
        server, device = self.nginx(rate="8m"), self.device()
        # nginx makes the tag of size and time in seconds, and these are the same.
        modified_s = self.image.stat().st_mtime
        size = self.image.stat().st_size
        done = self.change_on_the_way(device, server, self.replacement(modified_s))
        self.assertEqual(self.image.stat().st_size, size)
        # Of chunks, or of the table, when it was replaced before that.
        self.check_refused(done, FORMAT, "corrupt")
        self.assertIsNone(device.status()["trial"])
        self.works(server, device)

    def test_a_file_that_was_only_touched_on_the_way_is_noticed_too(self):
        server, device = self.nginx(rate="8m"), self.device()
        later_s = time.time() + 100
        done = self.change_on_the_way(device, server,
                                      lambda: os.utime(self.image, (later_s, later_s)))
        self.check_refused(done, NETWORK, "the file changed while it was being read")
        self.works(server, device)

    # --- versions of HTTP ---------------------------------------------------------------------

    def test_a_server_with_http_2_is_spoken_to_in_the_version_before(self):
        tls = fixtures.server_certificate()
        server = self.nginx(tls=tls, http2=True)
        # It does offer it.
        subprocess.run(["curl", "-s", "--http2", "--cacert", tls[0], "-o", "/dev/null",
                        f"{server.url}/none"], check=True)
        virtual_device.until(lambda: "HTTP/2.0" in server.protocols(), 10, "HTTP/2")
        self.works(server, self.device(extra=f"ca={tls[0]}"))
        self.assertEqual(server.protocols(), {"HTTP/2.0", "HTTP/1.1"})

    # --- no server ----------------------------------------------------------------------------

    def test_a_file_url_is_installed_without_a_server(self):
        device = self.device()
        odd = self.www / "image of today.vvi"
        self.image.rename(odd)
        url = f"file://localhost{odd}".replace(" ", "%20")
        done = device.run("install", url)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_installed(device, self.part)
        done = device.run("install", f"file://server{odd}")
        self.check_refused(done, USAGE, "file:///PATH, not another host")


if __name__ == "__main__":
    unittest.main()
