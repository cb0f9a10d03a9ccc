# SPDX-License-Identifier: Apache-2.0
"""An update with a delta pack beside the image: what it saves, counted by nginx, and what it costs
when something is wrong with it."""

import random
import unittest

import fixtures
import test_delta
import web_server
from fixtures import MIB

SIZE = 24 * MIB


def edited(data, seed):
    """A few bytes in many places: most chunks are others, and none has much that is new."""
    rng = random.Random(seed)
    out = bytearray(data)
    for at in range(16 << 10, len(out), 200 << 10):
        out[at:at + 32] = rng.randbytes(32)
    return bytes(out)


class Pack(test_delta.Releases):
    """Release 1 runs, is confirmed, and release 2 is to be installed."""

    def setUp(self):
        super().setUp()
        data = fixtures.content(SIZE, 40)
        for index in (1, 2, 3):
            part = self.folder / f"part-{index}"
            part.write_bytes(data)
            self.parts.append(part)
            self.images.append(fixtures.sign(fixtures.build(
                self.folder / f"{index}.vvi", {"rootfs": part}, f"{index}.0", index)))
            data = edited(data, index)
        self.target = self.images[1]
        self.pack = self.folder / "2.vvi.from-1.vvd"
        self.pack_device = self.device(slot_size=SIZE)
        self.assertEqual(self.pack_device.run("install", self.images[0]).returncode, 0)
        self.assertEqual(self.settle(self.pack_device), "b")

    def make_pack(self, base=0, sign=True):
        """The pack for release 2, at the place where it is looked for."""
        fixtures.vv_image("delta", "--base", self.images[base], "--new", self.target, "-o",
                          self.pack)
        if sign:
            fixtures.sign(self.pack)

    def update(self):
        """Installs release 2, and says what was sent of image and pack."""
        report, of_image = self.install(self.pack_device, self.target)
        self.check_installed(self.pack_device, self.parts[1], slot="a")
        return report, of_image, self.sent(self.pack)

    def needed(self):
        """Stored bytes of the chunks that release 1 does not have."""
        return test_delta.new_bytes(self.target, self.images[0])

    def overhead(self):
        """What is asked for of an image before its payload."""
        return max(test_delta.table(self.target)[1], test_delta.FIRST_RANGE)

    def expect_all_of_the_image(self, of_image):
        """As without a pack."""
        self.assertGreaterEqual(of_image, self.needed())

    def test_what_is_sent_is_a_fraction(self):
        self.make_pack()
        report, of_image, of_pack = self.update()
        # Of the image little more than head and table; of the pack all of it, once.
        self.assertLessEqual(of_image, self.overhead() + self.needed() // 20)
        self.assertLessEqual(of_pack, self.pack.stat().st_size + test_delta.FIRST_RANGE)
        self.assertEqual(report["fetched_bytes"], of_image + of_pack)
        self.assertLess(of_pack, self.needed() // 10)
        print(f"\n    {of_pack >> 10} KiB of the pack, {of_image >> 10} KiB of the image sent; "
              f"{self.needed() >> 10} KiB without it", end=" ")

    def test_without_a_pack_one_request_more_is_made(self):
        _, of_image, _ = self.update()
        self.expect_all_of_the_image(of_image)
        rows = [row for row in self.server.requests() if row[1] == f"/{self.pack.name}"]
        self.assertEqual([row[2] for row in rows], [404])

    def test_a_pack_by_nobody_we_trust_is_not_used(self):
        self.make_pack(sign=False)
        _, of_image, of_pack = self.update()
        self.expect_all_of_the_image(of_image)
        self.assertLessEqual(of_pack, test_delta.FIRST_RANGE)

    def test_a_pack_from_another_release_is_not_used(self):
        self.target = self.images[2]
        self.pack = self.folder / "3.vvi.from-2.vvd"
        self.make_pack(base=1)
        self.pack = self.pack.rename(self.folder / "3.vvi.from-1.vvd")
        report, of_image = self.install(self.pack_device, self.target)
        self.check_installed(self.pack_device, self.parts[2], slot="a")
        self.assertGreaterEqual(of_image, report["planned_bytes"])
        self.assertLessEqual(self.sent(self.pack), test_delta.FIRST_RANGE)

    def test_a_damaged_pack_costs_the_chunks_that_are_damaged(self):
        self.make_pack()
        data = bytearray(self.pack.read_bytes())
        data[-100] ^= 1
        self.pack.write_bytes(data)
        _, of_image, _ = self.update()
        largest = max(row[1] for row in test_delta.table(self.target)[0])
        self.assertLessEqual(of_image, self.overhead() + self.needed() // 20 + largest)

    def test_a_pack_that_was_cut_short_is_not_used(self):
        self.make_pack()
        data = self.pack.read_bytes()
        self.pack.write_bytes(data[:len(data) - 1])
        _, of_image, _ = self.update()
        self.expect_all_of_the_image(of_image)

    def test_a_running_system_that_was_written_to_is_no_base(self):
        self.make_pack()
        path = self.pack_device.slot_file("b")
        path.write_bytes(random.Random(8).randbytes(SIZE))
        self.running = [(path, fixtures.fingerprint(path))]
        _, of_image, _ = self.update()
        self.expect_all_of_the_image(of_image)

    def test_a_server_of_one_connection_serves_image_and_pack(self):
        self.server.stop()
        self.server = web_server.Nginx(self.folder, self.folder / "nginx-1",
                                       extra="limit_conn server 1; limit_rate 1m;")
        self.addCleanup(self.server.stop)
        # Of the image and of the pack there is much to fetch.
        data = bytearray(self.parts[1].read_bytes())
        rng = random.Random(9)
        for at in range(2 * MIB, SIZE, 8 * MIB):
            data[at:at + MIB] = rng.randbytes(MIB)
        self.parts[1].write_bytes(data)
        fixtures.sign(fixtures.build(self.target, {"rootfs": self.parts[1]}, "2.0", 2))
        self.make_pack()
        conf = self.pack_device.conf
        text = conf.read_text()
        for number, extra in enumerate(("connections=1", "connections=4")):
            conf.write_text(text.replace("[network]\n", f"[network]\n{extra}\n"))
            with open(self.pack_device.slot_file("a"), "wb") as stream:
                stream.truncate(SIZE)
            done = self.pack_device.run("install", f"{self.server.url}/{self.target.name}",
                                        "--again")
            self.assertEqual(done.returncode, 0, f"{number}: {done.stderr}")
            self.check_installed(self.pack_device, self.parts[1], slot="a")
            self.pack_device.run("mark", "bad", "a")

    def test_a_pack_on_a_stick_is_used_too(self):
        self.make_pack()
        done = self.pack_device.run("install", self.target, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_installed(self.pack_device, self.parts[1], slot="a")
        self.assertLess(int(done.stdout.split('"fetched_bytes":')[1].split(",")[0]),
                        self.needed() // 2)

    def test_one_thread_gets_the_same_from_it(self):
        self.make_pack()
        conf = self.pack_device.conf
        conf.write_text(conf.read_text() + "\n[install]\nworkers=0\n")
        _, of_image, of_pack = self.update()
        self.assertLessEqual(of_image, self.overhead() + self.needed() // 20)
        self.assertLess(of_pack, self.needed() // 10)


if __name__ == "__main__":
    unittest.main()
