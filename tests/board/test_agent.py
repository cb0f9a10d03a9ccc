# SPDX-License-Identifier: Apache-2.0
"""The agent: it finds a release on this machine's web server, installs it when it may, and reports
what became of it, over its reboots. Nothing is typed but questions, and what time it is."""

import datetime
import json
import re
import time

from rig import HOST, Rig, factory_card, server, userland
from test_rollback import GivenUp

LIMIT_S = 600  # a safeguard, as those of rig.py: an install may be behind a wait for the lock
EVENTS = "/data/agent-events"
FLEET = f"""[fleet]
source=dir
url={{url}}
report_dir=/data/reports
interval=10s

[agent]
hook=echo "$VV_EVENT $VV_STATE $VV_OUTCOME: $VV_REASON" >>{EVENTS}

"""
# Longer from now than any test takes.
LATER = datetime.timedelta(minutes=45)
# What a time service does: steps the clock by so many seconds (0: not at all) and tells the kernel
# that it is right. adjtimex(2) is 171 on arm64; ADJ_STATUS, ADJ_MAXERROR; ADJ_SETOFFSET to step.
SYNCHRONISE = """perl -e '$s = shift; $t = pack("L x4 q4 l x4 q3 q2 x120", \
$s ? 0x114 : 0x14, 0, 0, 0, 0, 0, 0, 0, 0, $s, 0); syscall(171, $t) >= 0 or die "$!\\n"' """


class Offered:
    """A release on the web server, in the place where the agent of one test looks."""

    def __init__(self, name, version):
        image = userland(name).release(version)
        folder = server().root / f"agent-{name}-{version}"
        folder.mkdir()
        (folder / "latest.vvi").symlink_to(image)
        self.name = name
        self.path = f"/{folder.name}/latest.vvi"

    def card(self, more):
        """A device that is told to look there, and more."""
        url = f"http://{HOST}:{server().port}{self.path}"
        return factory_card("order", self.name, {
            "conf.d/70-fleet.conf": FLEET.format(url=url) + more, "reports/.keep": ""})

    def ranges(self):
        """(first, last) of each range of the image that was answered so far."""
        rows = [row for row in server().requests() if row[1] == self.path]
        return [tuple(map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", row[4]).groups()))
                for row in rows]

    def looks(self):
        """How often somebody asked what there is."""
        return len([first for first, _ in self.ranges() if first == 0])

    def fetched(self):
        """The ranges behind that, in the order of the image."""
        return sorted((first, last) for first, last in self.ranges() if first > 0)


class Agent(GivenUp):
    """From the release on the server to the report."""

    def agent_that(self, rig, condition):
        """What the agent says of itself, once this is true of it."""
        end = time.monotonic() + LIMIT_S
        while not condition(agent := rig.status()["agent"]):
            if time.monotonic() > end:
                raise AssertionError(f"never seen of the agent: {agent}")
            time.sleep(1)
        return agent

    def wait_for(self, rig, event):
        """Until the hook was told: what asks the agent again and again takes its time away."""
        rig.must(f"until grep -q '{event}' {EVENTS}; do sleep 1; done", LIMIT_S)

    def check_reported(self, rig, outcome):
        """The one report, and what its hook and the history have of it."""
        self.wait_for(rig, "^state idle")
        (name,) = rig.must("ls /data/reports").split()
        report = json.loads(rig.must(f"cat /data/reports/{name}"))
        self.assertEqual(report["outcome"], outcome)
        # Told when it is decided, and when it is delivered.
        told = re.findall(r"^report reporting (\w+): ", rig.must(f"cat {EVENTS}"), re.M)
        self.assertEqual(told, [outcome] * 2)
        entries = json.loads(rig.must("vv-update history --json"))["entries"]
        self.assertEqual([entry["outcome"] for entry in entries], [outcome])
        return report

    def check_left_alone(self, rig, offered):
        """The next poll takes nothing."""
        fetched, looks = offered.fetched(), offered.looks()
        # A poll that is under way is not the next one.
        agent = self.agent_that(rig, lambda agent: agent["state"] == "idle")
        polls = agent["poll"]["polls"]
        agent = self.agent_that(rig, lambda agent: agent["poll"]["polls"] > polls)
        self.assertIsNone(agent["offer"])
        self.assertGreater(offered.looks(), looks)
        self.assertEqual(offered.fetched(), fetched)
        return agent["poll"]["says"]

    def check_fetched_once(self, offered):
        """No byte of the payload was asked for twice."""
        fetched = offered.fetched()
        self.assertGreater(len(fetched), 0)
        for (_, last), (first, _) in zip(fetched, fetched[1:]):
            self.assertLess(last, first)

    def test_a_release_waits_for_its_window_and_is_kept_and_reported_once_with_systemd(self):
        offered = Offered("debian", "2.0")
        opens = LATER + datetime.datetime.now(datetime.timezone.utc).replace(second=0,
                                                                            microsecond=0)
        closes = opens + LATER
        gates = f"[gates]\nreboot_window={opens:%H:%M}-{closes:%H:%M}\n"
        with Rig(offered.card(gates), "debian") as rig:
            rig.boots("1.0", "a")
            rig.must(SYNCHRONISE + "0")
            self.wait_for(rig, "^state waiting : waiting for window")
            self.assertIn(f"\nAgent: waiting, release 2.0: waiting for window {opens:%a %H:%M}.\n",
                          rig.must("vv-update status"))
            status = rig.status()
            self.assertEqual((status["running"], status["next_boot"]), ("a", "b"))
            self.assertEqual(rig.must("ls /data/reports"), "")
            self.check_fetched_once(offered)
            fetched = offered.fetched()
            rig.check_no_write()
            rig.console.send_line(f"{SYNCHRONISE} $(({int(opens.timestamp())} + 1 - $(date +%s)))")
            rig.expect(r"^U-Boot 20")
            rig.boots("2.0", "b")
            self.assertEqual(rig.confirmed(), 0)
            report = self.check_reported(rig, "success")
            self.assertEqual((report["version"], report["failed_checks"]), ("2.0", ""))
            self.assertEqual(rig.must("journalctl -q -o cat VV_EVENT=report VV_OUTCOME=success "
                                      "_SYSTEMD_UNIT=vv-update-agent.service | wc -l"), "2")
            self.assertIn("not newer than the running release",
                          self.check_left_alone(rig, offered))
            self.assertEqual(offered.fetched(), fetched)
            status = rig.status()
            self.assertEqual((status["running"], status["next_boot"], status["trial"]),
                             ("b", "b", None))
            rig.check_no_write()

    def test_a_release_that_fails_its_checks_is_reported_once_and_denied_with_a_plain_init(self):
        offered = Offered("small", "3.0")
        # Up for half a minute already when it is asked about.
        with Rig(offered.card("[check tv_api]\nstart_period=1s\n")) as rig:
            rig.boots("1.0", "a")
            rig.expect(r"^U-Boot 20", LIMIT_S)
            rig.boots("3.0", "b")
            self.check_back(rig, "3.0", "check tv_api", "HTTP 500", "no model")
            report = self.check_reported(rig, "failure")
            self.assertEqual(report["version"], "3.0")
            self.assertRegex(report["failed_checks"], "^tv_api: HTTP 500")
            self.check_fetched_once(offered)
            self.assertRegex(self.check_left_alone(rig, offered),
                             "^release 3.0 failed here: check tv_api")
            status = rig.status()
            self.assertEqual((status["next_boot"], status["slots"]["b"]["state"]), ("a", "bad"))
            rig.check_no_write()
