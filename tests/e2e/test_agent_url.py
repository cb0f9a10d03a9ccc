# SPDX-License-Identifier: Apache-2.0
"""A URL that the agent asks again and again: what an image that did not change costs, at nginx; and
when a server that refuses is asked again."""

import json
import unittest

import fixtures
import agents
import web_server
from virtual_device import until

FIRST_RANGE = 16 << 10
POLLS = 10
HOUR_S = 3600


class Url(agents.AgentTest):
    """An agent whose source is an image on nginx."""

    def setUp(self):
        super().setUp()
        www = self.folder / "www"
        www.mkdir()
        self.image = www / "latest.vvi"
        self.server = web_server.Nginx(www, self.folder / "nginx")
        self.addCleanup(self.server.stop)

    def agent(self, more="", **options):
        """One that asks each 10 s."""
        agent = super().agent(more, **options)
        agents.ask_url(agent.device, f"{self.server.url}/latest.vvi")
        text = agent.device.conf.read_text()
        agent.device.conf.write_text(text.replace("interval=1h", "interval=10s"))
        return agent

    def publish(self, version, index):
        """Another image under the same name, as a careful program puts it there."""
        image, _ = fixtures.release(version, index, size=fixtures.MIB, seed=index)
        part = self.image.with_name(".part")
        part.write_bytes(image.read_bytes())
        part.rename(self.image)

    def check(self, device, *words):
        """The answer of a poll that an agent would make."""
        done = device.run("--json", "check", "--dry-run", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def rows(self, count):
        """(status, body bytes) of each request; so many are waited for."""
        until(lambda: len(self.server.requests()) >= count, agents.LIMIT_S, "requests")
        rows = [(status, sent) for _, uri, status, sent, _ in self.server.requests()
                if uri == "/latest.vvi"]
        self.assertEqual(len(rows), count)
        return rows

    def test_of_ten_polls_of_an_image_one_has_its_head_and_the_others_have_no_body(self):
        self.publish("2.0", 2)
        device = self.agent().device
        first = self.check(device)
        self.assertEqual(first["result"], "offer")
        for _ in range(POLLS - 1):
            again = self.check(device, "--seen", first["seen"])
            self.assertEqual(again, {"result": "unchanged", "incomplete": False})
        self.assertEqual(self.rows(POLLS), [(206, FIRST_RANGE)] + [(304, 0)] * (POLLS - 1))
        # Another image is another answer, and is verified as ever.
        self.publish("3.0", 3)
        other = self.check(device, "--seen", first["seen"])
        self.assertEqual((other["result"], other["version"]), ("offer", "3.0"))
        self.image.write_bytes(b"no image" * FIRST_RANGE)
        bad = self.check(device, "--seen", other["seen"])
        self.assertEqual((bad["result"], bad["seen"]), ("nothing", ""))
        self.assertEqual(self.rows(POLLS + 2)[POLLS:], [(206, FIRST_RANGE)] * 2)

    def test_the_agent_asks_for_something_else_than_it_has_seen(self):
        self.publish("2.0", 2)
        agent = self.agent(more="[gates]\ndownload_command=exit 75\n")
        agent.start()
        agent.until_waits_for("gate command")
        until(lambda: len(self.server.requests()) >= 3, agents.LIMIT_S, "polls")
        self.assertEqual(self.rows(3), [(206, FIRST_RANGE), (304, 0), (304, 0)])
        self.assertEqual(agent.status()["offer"]["version"], "2.0")
        # By hand it is asked in full.
        self.assertEqual(agent.device.run("check").returncode, 0)
        self.assertEqual(self.rows(4)[3], (206, FIRST_RANGE))
        self.publish("3.0", 3)
        agent.until_seen(lambda: (agent.status()["offer"] or {}).get("version") == "3.0", "3.0")
        self.assertEqual([report["version"] for report in self.reports(agent)], ["2.0"])


class Refused(agents.AgentTest):
    """A server that refuses what it is asked; the interval is an hour."""

    def refuse(self, mode):
        """How a poll ended, and in how many seconds the next one is due."""
        server = web_server.BadServer(self.folder, mode, self.folder)
        self.addCleanup(server.stop)
        agent = self.agent(name=mode)
        agents.ask_url(agent.device, f"{server.url}/latest.vvi")
        agent.start()
        self.assertEqual(agent.device.run("check").returncode, 0)
        agent.until_seen(lambda: agent.status()["poll"]["polls"] > 0, "a poll")
        poll = agent.status()["poll"]
        agent.stop()
        # Nothing is tried again.
        until(lambda: len(server.requests()) >= poll["polls"], agents.LIMIT_S, "requests")
        self.assertEqual(len(server.requests()), poll["polls"])
        self.assertEqual(poll["failed"], poll["polls"])
        return poll["answer"], poll["next_in_s"]

    def test_what_a_server_asks_for_by_retry_after_is_waited_in_full(self):
        for mode in ("status=503,retry-after=6000", "status=429,retry-after=6000",
                     "status=503,retry-after=+6000"):
            with self.subTest(mode):
                answer, next_s = self.refuse(mode)
                self.assertEqual(answer, "busy")
                # Some of it is over by now; an interval is the spread.
                self.assertGreater(next_s, 6000 - agents.LIMIT_S)
                self.assertLessEqual(next_s, 6000 + HOUR_S)

    def test_what_is_refused_is_asked_for_later_than_what_is_not_there(self):
        for mode, wanted, least_s, most_s in (
                ("status=404", "refused", 3 * HOUR_S, 6 * HOUR_S),
                ("status=429", "busy", HOUR_S, 2 * HOUR_S),
                ("status=500", "failed", HOUR_S, 2 * HOUR_S),
                ("silent,hang-up", "unreachable", HOUR_S // 12, HOUR_S // 6)):
            with self.subTest(mode):
                answer, next_s = self.refuse(mode)
                self.assertEqual(answer, wanted)
                self.assertGreater(next_s, least_s - agents.LIMIT_S)
                self.assertLessEqual(next_s, most_s)


if __name__ == "__main__":
    unittest.main()
