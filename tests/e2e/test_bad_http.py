# SPDX-License-Identifier: Apache-2.0
"""The whole program against web servers that misbehave."""

import subprocess
import unittest

import fixtures
from fixtures import FORMAT, MIB, NETWORK, DeviceTest
import web_server


class BadServers(DeviceTest):
    """Either the install works all the same, or it is refused and the next try works."""

    def setUp(self):
        super().setUp()
        self.image, self.part = fixtures.release(size=4 * MIB, seed=60)

    def server(self, mode, *options):
        """Our own server in a mode, until the end of the test."""
        server = web_server.BadServer(self.image.parent, mode, self.folder, *options)
        self.addCleanup(server.stop)
        return server

    def url(self, server):
        """Of the good image on a server."""
        return f"{server.url}/{self.image.name}"

    def works(self, mode, **device_options):
        """The install ends installed; returns the server and what the program said."""
        server = self.server(mode)
        device = self.device(mode.replace("/", "_")[:60], **device_options)
        done = device.run("install", self.url(server))
        self.assertEqual(done.returncode, 0, f"{mode}: {done.stderr}")
        self.check_installed(device, self.part)
        return server, done

    def refused(self, mode, status, *words, **device_options):
        """The install is refused with a sentence, and works from a good server afterwards."""
        server = self.server(mode)
        device = self.device(mode.replace("/", "_")[:60], **device_options)
        done = device.run("install", self.url(server))
        self.check_refused(done, status, *words)
        self.assertIsNone(device.status()["trial"])
        again = device.run("install", self.image)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.check_installed(device, self.part)
        return server

    def test_a_server_without_ranges_is_streamed_from_one_answer(self):
        for mode in ("no-range", "chunked", "close"):
            with self.subTest(mode):
                server, _ = self.works(mode)
                self.assertEqual(len(server.requests()), 1, server.requests())

    def test_after_a_kill_a_server_without_ranges_is_used_within_max_waste(self):
        device = self.device("waste", extra="max_waste=100K")
        server = web_server.CountingServer(self.image.parent)
        self.addCleanup(server.stop)
        child = subprocess.Popen(device.command("install", self.url(server)),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        enough = self.image.stat().st_size * 3 // 4
        server.hook = lambda total: child.kill() if total > enough else None
        child.wait(60)
        wasteful = self.server("no-range")
        done = device.run("install", self.url(wasteful))
        self.check_refused(done, NETWORK, "100.0 KiB")
        device.conf.write_text(device.conf.read_text().replace("max_waste=100K", "max_waste=64M"))
        self.assertEqual(device.run("install", self.url(wasteful)).returncode, 0)
        self.check_installed(device, self.part)

    def test_a_lost_connection_is_taken_up_where_it_broke(self):
        for mode in ("drop-after=300000,first=3", "drop-after=300000,reset,first=2"):
            with self.subTest(mode):
                server, done = self.works(mode)
                self.assertIn("trying again", done.stderr)
                sent = sum(r["sent"] for r in server.requests())
                self.assertLess(sent, self.image.stat().st_size + 3 * MIB)

    def test_a_server_that_dies_for_good_is_given_up(self):
        self.refused("drop-after=1000", NETWORK)

    def test_errors_that_pass_are_waited_out(self):
        for mode in ("status=503,retry-after=1,first=1", "status=500,first=1",
                     "status=429,retry-after=1,first=1"):
            with self.subTest(mode):
                self.works(mode)

    def test_404_stops_at_once(self):
        server = self.refused("status=404", NETWORK, "404")
        self.assertEqual(len(server.requests()), 1)

    def test_500_stops_after_the_retries(self):
        server = self.refused("status=500", NETWORK, "500")
        self.assertEqual(len(server.requests()), 3)

    def test_one_byte_a_second_is_given_up(self):
        self.refused("slow=1", NETWORK, "slow")

    def test_a_file_that_changes_while_it_is_read_is_noticed(self):
        self.refused("changed=1", NETWORK, "changed")

    def test_answers_of_wrong_ranges_are_refused(self):
        for mode in ("wrong-range", "no-content-range", "multipart", "gzip"):
            with self.subTest(mode):
                self.refused(mode, NETWORK)

    def test_a_redirect_is_followed_and_a_loop_is_not(self):
        good = self.server("ok")
        self.works(f"redirect={good.url}/{self.image.name}")
        self.refused("redirect=/,loop", NETWORK, "redirect")

    def test_a_redirect_to_another_host_does_not_carry_credentials(self):
        good = self.server("ok")
        first = self.server(f"login=user:secret,redirect={good.url}/{self.image.name}")
        device = self.device("credentials")
        url = self.url(first).replace("http://", "http://user:secret@")
        done = device.run("install", url)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("secret", done.stdout + done.stderr)
        self.assertTrue(any(r["authorization"] for r in first.requests()))
        self.assertFalse(any(r["authorization"] for r in good.requests()))

    def test_a_redirect_from_https_to_http_is_refused(self):
        cert, key = fixtures.server_certificate()
        good = self.server("ok")
        tls = self.server(f"tls,cert={cert},key={key},redirect={good.url}/{self.image.name}")
        device = self.device("downgrade", extra=f"ca={cert}")
        url = self.url(tls).replace("http://", "https://")
        self.check_refused(device.run("install", url), NETWORK, "https")
        self.assertEqual(good.requests(), [])

    def test_a_host_that_is_not_there_is_named(self):
        device = self.device("nobody")
        port = web_server.free_port()
        self.check_refused(device.run("install", f"http://127.0.0.1:{port}/x.vvi"), NETWORK,
                           "127.0.0.1")
        self.check_refused(device.run("install", "ftp://127.0.0.1/x.vvi"), fixtures.USAGE, "ftp")
        self.check_refused(device.run("install", "/nowhere/x.vvi"), fixtures.IO, "/nowhere")

    def test_a_shorter_and_a_longer_file_are_refused(self):
        data = self.image.read_bytes()
        for name, changed in (("short", data[:-100]), ("long", data + b"x" * 100)):
            with self.subTest(name):
                (self.folder / f"{name}.vvi").write_bytes(changed)
                server = web_server.BadServer(self.folder, "ok", self.folder)
                self.addCleanup(server.stop)
                device = self.device(name)
                self.check_refused(device.run("install", f"{server.url}/{name}.vvi"), FORMAT,
                                   "bytes")


if __name__ == "__main__":
    unittest.main()
