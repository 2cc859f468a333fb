"""Entry of the demo; scripts/demo calls it with the right interpreter."""

import argparse
import asyncio
import contextlib
from pathlib import Path
import signal
import socket
import sys
from tempfile import TemporaryDirectory
import time

from tests.lab.home_assistant import USER_NAME

from . import evidence, judge
from .discord_story import DiscordStory
from .evening_story import EveningStory
from .main_story import MainStory
from .progress import Progress
from .story import Story
from .world import ADDRESS, World, build

_MINECRAFT_PORT = 25565
_REST = 1.0
_STORIES: dict[str, type[Story]] = {
    story.name: story for story in (MainStory, EveningStory, DiscordStory)
}

_WELCOME = """
Home Assistant     {url}
  user             {user}
  password         {password}
Proxmox (asleep)   {address}:{api_port}, wakes by a magic packet on UDP port {wake_port}
Minecraft          {game} once it is awake; join with any 1.21.4 client in offline mode

Everything listens on loopback only. Ctrl-C ends it all.
"""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="Show the main job: Home Assistant wakes a sleeping Proxmox host with a magic "
        "packet, sees Proxmox and Minecraft come up, and shuts the host down again. The host is "
        "simulated (it truly sleeps), everything else is real; nothing leaves this machine.",
        epilog="Without options it prints the address and a fresh password, and runs until Ctrl-C.",
    )
    parser.add_argument(
        "--headless",
        action="store_true",
        help="tell the whole story by itself; exit 0 only if every step was truly seen",
    )
    parser.add_argument(
        "--story",
        choices=list(_STORIES),
        default=MainStory.name,
        help="with --headless: what is told; main (about a minute): somebody switches the host on "
        "and off; evening (about five minutes): players come and go, and it goes to sleep by "
        "itself a minute after nobody needs it; discord (about five minutes): they meet in a voice "
        "channel of a simulated Discord, with the real bot's commands, panel and messages",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="with --headless: write the raw evidence"
    )
    options = parser.parse_args()
    if not options.headless and (options.json or options.story != MainStory.name):
        parser.error("--json and --story need --headless")
    return options


def _minecraft_port() -> int:
    """Return the port that players know, or 0 where somebody has it already."""
    with socket.socket() as probe:
        try:
            probe.bind((ADDRESS, _MINECRAFT_PORT))
        except OSError:
            return 0
    return _MINECRAFT_PORT


async def _tell(story: Story, target: Path | None) -> int:
    started_at = time.time()
    await story.play(Progress(len(story.steps)))
    await asyncio.sleep(_REST)
    found = evidence.collect(story, started_at, time.time())
    if target:
        await asyncio.to_thread(evidence.save, found, target)
    judgement = judge.judge(found)
    print(judge.report(judgement, started_at))
    return 0 if judgement.passed else 1


async def _welcome(world: World) -> int:
    machine = world.machine
    print(
        _WELCOME.format(
            url=world.home.url,
            user=USER_NAME,
            password=world.home.password,
            address=machine.address,
            api_port=machine.pve.port,
            wake_port=world.wake_port,
            game=world.game.address,
        ),
        flush=True,
    )
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    return 0


async def _main(options: argparse.Namespace) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    for ending in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(ending, task.cancel)
    begun = time.monotonic()
    with TemporaryDirectory(prefix="cubeguardian-demo-") as directory:
        print("Starting the host and Home Assistant ...", file=sys.stderr, flush=True)
        port = 0 if options.headless else _minecraft_port()
        story = _STORIES[options.story]
        async with build(Path(directory), story.household, squid_port=port) as world:
            took = time.monotonic() - begun
            print(f"Set up through its own flows in {took:.1f} s.", file=sys.stderr, flush=True)
            if options.headless:
                return await _tell(story(world), options.json)
            return await _welcome(world)


def main() -> int:
    """Run the demo; the exit code says whether it worked."""
    try:
        return asyncio.run(_main(_options()))
    except KeyboardInterrupt, asyncio.CancelledError:
        return 130


if __name__ == "__main__":
    sys.exit(main())
