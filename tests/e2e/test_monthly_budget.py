# SPDX-License-Identifier: Apache-2.0
"""A metered link: what updates cost in a month is counted, and has an end."""

import unittest

import fixtures
from agents import LIMIT_S, AgentTest
import web_server
from virtual_device import until


class MonthlyBudget(AgentTest):
    """A device whose releases come from nginx."""

    def begin(self, budget):
        """An agent with such a budget, and a server with release 2."""
        www = self.folder / "www"
        www.mkdir()
        image, _ = fixtures.release()
        (www / "latest.vvi").write_bytes(image.read_bytes())
        server = web_server.Nginx(www, self.folder / "nginx")
        self.addCleanup(server.stop)
        agent = self.agent(more=f"[gates]\nmonthly_budget={budget}\n")
        text = agent.device.conf.read_text()
        agent.device.conf.write_text(
            text.replace(f"dir={agent.device.dir}/drop", f"url={server.url}/latest.vvi"))
        agent.start()
        agent.device.run("check")
        return agent, server

    def test_what_an_install_fetched_is_what_the_server_sent_to_it(self):
        agent, server = self.begin("1G")
        agent.until_reboot()
        month = agent.status()["month_bytes"]
        polled = sum(row[3] for row in server.requests() if row[1] == "/latest.vvi") - month
        # All but what the poll read of the head.
        self.assertGreater(month, 0)
        self.assertGreaterEqual(polled, 0)
        self.assertLessEqual(polled, 2 * 64 << 10)
        agent.stop()
        agent.start()
        self.assertEqual(agent.status()["month_bytes"], month)

    def test_a_month_that_is_used_up_begins_no_download_until_the_next(self):
        agent, server = self.begin(1)
        agent.until_reboot()  # one that was begun goes on
        self.assertEqual(self.reboot(agent), "b")
        agent.device.run("confirm")
        image = fixtures.sign(fixtures.build(
            self.folder / "3.vvi", {"rootfs": self.parts_of(agent)}, "3.0", 3))
        (server.root / "latest.vvi").write_bytes(image.read_bytes())
        before = agent.device.slot_file("a").read_bytes()
        agent.start()
        agent.device.run("check")
        until(lambda: "byte budget of the next month" in agent.status()["waits_for"], LIMIT_S,
              lambda: str(agent.status()))
        self.assertEqual(agent.device.slot_file("a").read_bytes(), before)

    def parts_of(self, agent):
        """A partition of a third release."""
        path = agent.device.dir / "part-3"
        path.write_bytes(fixtures.content(1 << 20, 3))
        return path


if __name__ == "__main__":
    unittest.main()
