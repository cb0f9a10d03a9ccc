# SPDX-License-Identifier: Apache-2.0
"""What docs/fleet-json.md and the manual page say of JSON, and what the program prints: each member
that is named is printed, and each that is printed is named."""

import json
import pathlib
import re
import socket
import unittest

import agents
import fixtures
from agents import LIMIT_S, AgentTest
from fleet_lock import FleetLock
import web_server
from virtual_device import until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EVENTS = ("state", "report", "gate", "progress", "log")
NAMES = {str: "string", int: "number", bool: "boolean", dict: "object", list: "array",
         type(None): "null"}
# Fails each time, and says more than a line.
UNHEALTHY = """[check never]
kind=exec
command=echo one; echo two; exit 1
retries=1
interval=50ms
[confirm]
baseline=no
"""


class Member:
    """A row of a table: the types that it names, or the words that a string can be."""

    def __init__(self, types):
        self.words = set(re.findall(r"`([^`]+)`", types))
        self.types = set(re.sub(r"`[^`]+`|,", " ", types).split()) - {"or"}

    def allows(self, value):
        """Whether a value is of one of the types."""
        return NAMES[type(value)] in self.types or (isinstance(value, str) and value in self.words)


def page():
    """{heading: {member: Member}} of the tables of the page."""
    tables, heading = {}, None
    for line in (ROOT / "docs/fleet-json.md").read_text().splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        row = re.fullmatch(r"\| (`[^|]+`) \| ([^|]*) \| ?[^|]*\|", line)
        if row:
            for name in re.findall(r"`([^`]+)`", row.group(1)):
                tables.setdefault(heading, {})[name] = Member(row.group(2))
    return tables


def members(value, path=""):
    """(path as in the tables, value) of each member of an object, and of what is in it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{path}.{key}".lstrip("."), inner
            yield from members(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            if not isinstance(inner, (dict, list)):
                yield f"{path}[]", inner
            yield from members(inner, f"{path}[]")


def inside(table, parent):
    """The names of the members of `parent` in a table."""
    begin = f"{parent}." if parent else ""
    return {name for name in table
            if name.startswith(begin) and "." not in name[len(begin):] and
            not name.endswith("[]")}


def objects(value, path=""):
    """(path, object) of an object and of all in it."""
    if isinstance(value, dict):
        yield path, value
        for key, inner in value.items():
            yield from objects(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner, f"{path}[]")


class Listener:
    """A client of the control socket."""

    def __init__(self, agent):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT_S)
        self.socket.connect(str(agent.device.dir / "agent.sock"))
        self.stream = self.socket.makefile("r", encoding="utf-8")

    def ask(self, what):
        """The answer to a request, of a client that does not listen."""
        self.socket.sendall(json.dumps({"do": what}).encode() + b"\n")
        return json.loads(self.stream.readline())

    def events_until(self, wanted):
        """All that come up to the one that is wanted."""
        events = []
        while not events or not wanted(events[-1]):
            events.append(json.loads(self.stream.readline()))
        return events

    def close(self):
        """Goes away."""
        self.stream.close()
        self.socket.close()


class PageTest(AgentTest):
    """Samples of what is printed, each under the heading of its table."""

    def setUp(self):
        super().setUp()
        self.page = page()
        self.samples = {heading: [] for heading in self.page}
        self.lock = FleetLock()
        self.addCleanup(self.lock.stop)

    def take(self, heading, *samples):
        """Keeps them; the last one."""
        self.samples[heading] += samples
        return samples[-1]

    def printed(self, agent, *args):
        """What a verb prints."""
        return json.loads(agent.device.run(*args, "--json").stdout)

    def check_sample(self, heading, sample):
        """Nothing in it that the table has not; everything that is not absent."""
        table = self.page[heading]
        for path, value in members(sample):
            self.assertTrue(path in table, f"{heading}: {path} is printed and not on the page")
            self.assertTrue(table[path].allows(value), f"{heading}: {path} is {value!r}")
        for path, value in objects(sample):
            for name in inside(table, path):
                if "absent" not in table[name].types:
                    self.assertIn(name.rpartition(".")[2], value, f"{heading}: no {name}")

    def check_page(self):
        """All samples, and that each member of the page is in one of them."""
        for heading, samples in self.samples.items():
            with self.subTest(heading=heading):
                seen = {path for sample in samples for path, _ in members(sample)}
                for sample in samples:
                    self.check_sample(heading, sample)
                self.assertEqual(set(self.page[heading]) - seen, set(), "on the page only")


class Page(PageTest):
    """docs/fleet-json.md."""

    def agent_with_all(self):
        """An agent that has something to say to every member."""
        agent = self.agent()
        device = agent.device
        (device.conf.parent / "update.conf.d").mkdir()
        (device.conf.parent / "update.conf.d/more.conf").write_text(
            UNHEALTHY + f"[agent]\nmetrics={device.dir}/x.prom\n"
            f"hook=env | grep ^VV_ > {device.dir}/part && mv {device.dir}/part "
            f"{device.dir}/hooked\n[gates]\nneed_consent=yes\nreboot_command=true\n"
            f"fleet_lock_url={self.lock.url}\n")
        return agent

    def take_update(self, agent):
        """An update that waits for all that there is, is cancelled, and comes up to the reboot when
        it is asked for again; the events."""
        listener = Listener(agent)
        self.addCleanup(listener.close)
        for what in ("no such thing", "status", "events"):
            answer = self.take("Answers", listener.ask(what))
            if answer["ok"]:
                self.take("Status", answer["agent"])
                answer["agent"] = {}
        self.take("Check", self.printed(agent, "check", "-n"))
        self.take("Status", agent.status())
        agent.device.run("hold", "--owner", "alice", "--for", "1h", "inventory")
        agent.device.run("hold", "--owner", "bob", "--phases", "reboot")
        agent.device.damage_environment(0)  # which the install has to say
        self.drop(agent, fixtures.release()[0])
        agent.until("waiting")
        self.take("Status", agent.status())
        self.take("Check", self.printed(agent, "check", "-n"))
        self.take("Answers", self.printed(agent, "cancel"))
        events = listener.events_until(lambda event: event.get("acknowledged"))
        agent.device.run("check")
        agent.until("waiting")
        for owner in ("alice", "bob"):
            self.take("Answers", self.printed(agent, "release", "--owner", owner))
        until(lambda: "consent" in agent.status()["waits_for"], LIMIT_S, "the question")
        self.take("Answers", self.printed(agent, "consent"))
        agent.until_reboot()
        self.take("Status", agent.status())
        until(lambda: agent.status()["waits_for"] == "the reboot is under way", LIMIT_S, "its end")
        self.take("Answers", self.printed(agent, "hold", "--owner", "carol"))
        agent.device.run("release", "--owner", "carol")
        return events + listener.events_until(lambda event: event["state"] == "rebooting")

    def refused_poll(self, agent):
        """What a poll prints whose server asks to be left alone."""
        server = web_server.BadServer(self.folder, "status=503,retry-after=600", self.folder)
        self.addCleanup(server.stop)
        agents.ask_url(agent.device, f"{server.url}/latest.vvi")
        return self.printed(agent, "check", "-n")

    def fail_trial(self, agent):
        """The trial of the release, and what comes of it."""
        self.assertEqual(self.reboot(agent), "b")
        agent.device.run("confirm")
        agent.device.boot()
        agent.device.run("confirm")
        (agent.device.dir / "agent.sock").unlink(missing_ok=True)
        agent.start()
        until(lambda: any(report["outcome"] == "failure" for report in self.reports(agent)),
              LIMIT_S, "the report")
        agent.until("idle")

    def test_what_is_on_the_page_is_printed_and_what_is_printed_is_on_the_page(self):
        agent = self.agent_with_all()
        agent.start()
        for event in self.take_update(agent):
            common = self.page["Events"]
            kind = self.take("Events", {key: event[key] for key in event if key in common})
            self.take(kind["event"], {key: event[key] for key in event if key not in common})
        self.fail_trial(agent)
        self.take("Report", *self.reports(agent))
        self.take("History", self.printed(agent, "history"))
        self.take("What failed here", self.printed(agent, "allow"))
        self.take("Answers", self.printed(agent, "allow", "all"), self.printed(agent, "cancel"))
        agent.stop()
        self.take("Answers", self.printed(agent, "allow", "all"), self.printed(agent, "check"))
        self.take("Answers", self.refused_poll(agent))
        variables = (agent.device.dir / "hooked").read_text().splitlines()
        self.take("Variables", dict(line.split("=", 1) for line in variables))
        self.check_page()
        self.check_words(agent)

    def check_words(self, agent):
        """The metrics have all states and outcomes."""
        text = (agent.device.dir / "x.prom").read_text()
        states = set(re.findall(r'vv_update_agent_state\{state="(\w+)"\}', text))
        outcomes = set(re.findall(r'vv_update_updates_total\{outcome="(\w+)"\}', text))
        for heading in ("Status", "Events"):
            self.assertEqual(self.page[heading]["state"].words, states)
        for heading, name in (("Report", "outcome"), ("report", "outcome"),
                              ("History", "entries[].outcome")):
            self.assertEqual(self.page[heading][name].words, outcomes)
        for heading, name in (("Status", "offer.outcome"), ("state", "outcome")):
            self.assertEqual(self.page[heading][name].words, outcomes | {"undecided"})
        self.assertEqual(self.page["Events"]["event"].words, set(EVENTS))


def manual(section):
    """The members that a section of the manual page names."""
    text = (ROOT / "docs/man/vv-update.8").read_text()
    part = re.search(rf"^\.Ss {section}\n(.*?)^\.S[sh] ", text, re.M | re.S).group(1)
    lines = re.findall(r"^\.(?:It )?Cm (.*)$", part, re.M)
    return {word for line in lines for word in line.split() if re.fullmatch(r"[a-z0-9_]+", word)}


def names(value):
    """The names of all members of an object and of what is in it."""
    return {re.split(r"[.]", path)[-1] for path, _ in members(value) if not path.endswith("[]")}


class Manual(AgentTest):
    """The sections of vv-update(8)."""

    def printed(self, device, *args):
        """What a verb prints."""
        return json.loads(device.run(*args, "--json").stdout)

    def test_what_it_says_of_install_is_what_is_printed(self):
        device = self.device()
        image, _ = fixtures.release()
        for args in (("-n",), ("--no-activate",), ()):
            self.assertEqual(names(self.printed(device, "install", *args, image)),
                             manual("JSON of install"))

    def test_what_it_says_of_status_is_what_is_printed(self):
        device = self.device(extra=UNHEALTHY)
        device.run("install", "--no-activate", fixtures.release()[0])
        samples = [self.printed(device, "status")]
        device.run("activate")
        device.boot()
        device.run("confirm")
        samples.append(self.printed(device, "status"))
        device.damage_environment(0, 1)
        samples.append(self.printed(device, "status"))
        printed = set()
        for sample in samples:
            self.assertEqual(sample["agent"], None)
            slots = sample.pop("slots")
            printed |= {"slots"} | names(sample) | names(slots["a"])
        self.assertEqual(printed, manual("JSON of status"))


if __name__ == "__main__":
    unittest.main()
