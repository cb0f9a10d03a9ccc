# SPDX-License-Identifier: Apache-2.0
"""Devices with an agent, for the end-to-end tests."""

import json
import pathlib
import shutil
import signal
import socket
import subprocess

from fixtures import DeviceTest
from virtual_device import until

LIMIT_S = 60


class Agent:
    """`vv-update agent` of one device; `under` is a program that runs it, with its arguments."""

    def __init__(self, device, under=()):
        self.device = device
        self.under = under
        self.process = None
        self.log = device.dir / "agent.log"

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.under, *self.device.command("agent")],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(lambda: self.process.poll() is not None or self.answers(), LIMIT_S, "the agent")
        if self.process.poll() is not None:
            raise AssertionError(f"the agent ended: {self.log.read_text()}")

    def answers(self):
        """Somebody listens: one that was killed leaves its socket there."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.device.dir / "agent.sock")) == 0

    def stop(self, number=signal.SIGTERM):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(LIMIT_S)

    def status(self):
        return self.device.status()["agent"]

    def until(self, state):
        """Waits until the agent says that it is in this state."""
        self.until_seen(lambda: self.status()["state"] == state, state)

    def until_waits_for(self, part):
        """Waits until it says that it waits for something with these words."""
        self.until_seen(lambda: part in self.status()["waits_for"], part)

    def until_seen(self, condition, what):
        """Waits for it; what the agent said instead is part of the failure."""
        try:
            until(condition, LIMIT_S, what)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.status()}\n{self.log.read_text()}") from error

    def until_reboot(self):
        """Waits until the reboot was ordered."""
        until((self.device.dir / "reboot-requested").exists, LIMIT_S, self.log.read_text)


class AgentTest(DeviceTest):
    """A device whose agent looks into a directory each time it is asked."""

    def agent(self, more="", **options):
        device = self.device(**options)
        (device.dir / "drop").mkdir()
        (device.dir / "reports").mkdir()
        with open(device.conf, "a", encoding="ascii") as stream:
            stream.write(f"""
[fleet]
source=dir
dir={device.dir}/drop
report_dir={device.dir}/reports
interval=1h

[agent]
socket={device.dir}/agent.sock
{more}
""")
        agent = Agent(device)
        self.addCleanup(agent.stop)
        return agent

    def put(self, agent, image, name):
        """Puts an image there as a careful program does."""
        part = agent.device.dir / "drop" / ".part"
        shutil.copy(image, part)
        part.rename(agent.device.dir / "drop" / name)

    def drop(self, agent, image):
        """Puts an image there, and says so."""
        self.put(agent, image, pathlib.Path(image).name)
        done = agent.device.run("check")
        self.assertEqual(done.returncode, 0, done.stderr)

    def reports(self, agent):
        """The reports that arrived."""
        return [json.loads(path.read_text())
                for path in sorted((agent.device.dir / "reports").glob("*.json"))]

    def reboot(self, agent):
        """What a reboot does: the agent ends, the boot loader decides. The boot id stays here."""
        agent.stop(signal.SIGKILL)
        return agent.device.boot()


def ask_url(device, url):
    """Makes a URL the source of a device, in the place of its directory."""
    text = device.conf.read_text()
    device.conf.write_text(text.replace(f"dir={device.dir}/drop", f"url={url}"))


def closed_window():
    """A window of one minute that is half a day away."""
    now = int(subprocess.run(["date", "+%H"], stdout=subprocess.PIPE, check=True).stdout)
    return f"{(now + 12) % 24:02}:00-{(now + 12) % 24:02}:01"
