"""Take commands in: decide about them, have them carried out, answer them, write them down."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
import logging
from typing import Final

from .access import COUNTED, Access, Command, Decision, Outcome, Request
from .aiming import aim, by_key
from .answering import (
    boards_message,
    choice_buttons,
    done_message,
    failed_message,
    help_message,
    players_message,
    question_buttons,
    question_message,
    refused_message,
    said,
)
from .bridge_port import Asked, Asker, BridgePort, CommandRecord, Failed, Found, Refused, Result
from .bridge_settings import BridgePace
from .following import FOLLOWED, Changes, Course, Follower, Reply
from .message import Message
from .quoting import NOTHING, plain
from .render import denial_text, ready_message, report_message
from .view import State
from .wording import Texts

_LOGGER = logging.getLogger(__name__)

_SHOWN_AT_ONCE: Final = frozenset({Command.STATUS, Command.PLAYERS, Command.HELP})
_FOLLOWED_MOST: Final = 20


class Desk:
    """Deal with what people ask for. It knows nothing of how Discord is talked to."""

    def __init__(
        self,
        *,
        port: BridgePort,
        access: Access,
        texts: Mapping[str, Texts],
        language: str,
        changes: Changes,
        clock: Callable[[], datetime],
        pace: BridgePace,
        decided: Callable[[], None],
    ) -> None:
        """Take what it works with; `decided` is called whenever `access` has something to keep."""
        self._port = port
        self._access = access
        self._texts = texts
        self._language = language
        self._changes = changes
        self._clock = clock
        self._pace = pace
        self._decided = decided
        self._following = 0
        self._calls: set[asyncio.Future[None]] = set()
        self._asked_back: dict[int, Asked] = {}
        self._waiting_for: set[tuple[int, str]] = set()

    def texts_for(self, language: str) -> Texts:
        """Return the texts in somebody's language, or in the one that was chosen."""
        return self._texts.get(language.partition("-")[0], self._texts[self._language])

    async def ask(self, asked: Asked, reply: Reply) -> None:
        """Deal with a command."""
        meant: tuple[Found, ...] = ()
        if asked.elsewhere:
            await self._turn_away(asked, reply)
            return
        if asked.command not in _SHOWN_AT_ONCE:
            meant = aim(self._port.boards(), asked.target, asked.command)
            if len(meant) != 1:
                await self._ask_which(asked, meant, reply)
                return
        decision = self._decide(asked, meant)
        if not meant and decision.outcome is Outcome.ALLOWED:
            self._write(asked, decision, Result.DONE)
            await reply.whisper(self._look(asked))
        elif meant:
            await self._go_on(decision, asked, meant[0], reply)
        else:
            await self._deny(decision, asked, reply)

    async def confirm(self, question: str, asked: Asked, reply: Reply) -> None:
        """Deal with a yes."""
        texts = self.texts_for(asked.language)
        now = self._clock()
        decision = self._access.confirm(question, asked.user_id, asked.role_ids, now)
        self._decided()
        request = decision.request
        if request is not None:
            self._asked_back.pop(asked.user_id, None)
            asked = replace(
                asked, command=request.command, target=request.target, delay=request.delay
            )
        found = by_key(self._port.boards(), asked.target)
        if decision.outcome is Outcome.ALLOWED and found is not None:
            self._count(decision)
            if await reply.replace(said(texts, "confirmed")):
                await self._carry_out(decision, asked, found, reply)
            else:
                self._take_back(decision)
            return
        if decision.denial is None:
            await reply.replace(said(texts, "nothing_here"))
            return
        self._write(asked, decision, Result.DENIED)
        said_so = denial_text(decision.denial, texts, until=decision.until)
        await reply.replace(Message(content=said_so))

    async def withdraw(self, question: str, asked: Asked, reply: Reply) -> None:
        """Deal with a no."""
        texts = self.texts_for(asked.language)
        if self._access.withdraw(question, asked.user_id):
            meant = self._asked_back.pop(asked.user_id, asked)
            self._write(meant, self._nobody_decided(meant), Result.WITHDRAWN)
        await reply.replace(said(texts, "withdrawn"))

    async def may_look(self, asked: Asked, reply: Reply) -> bool:
        """Decide about something that only looks; whoever may not is told so."""
        decision = self._decide(replace(asked, command=Command.STATUS), ())
        if decision.outcome is not Outcome.ALLOWED:
            await self._deny(decision, asked, reply)
            return False
        return True

    async def _go_on(self, decision: Decision, asked: Asked, found: Found, reply: Reply) -> None:
        """Carry out, ask back or deny."""
        if decision.outcome is Outcome.ALLOWED:
            self._count(decision)
            if await reply.begin(hidden=asked.command is Command.REPORT):
                await self._carry_out(decision, asked, found, reply)
            else:
                self._take_back(decision)
            return
        if decision.outcome is Outcome.DENIED or decision.until is None:
            await self._deny(decision, asked, reply)
            return
        texts = self.texts_for(asked.language)
        self._write(asked, decision, Result.ASKED_BACK, found)
        self._asked_back[asked.user_id] = asked
        await reply.whisper(
            question_message(found, asked, decision.until, texts),
            question_buttons(decision.question, texts),
        )

    async def _carry_out(
        self, decision: Decision, asked: Asked, found: Found, reply: Reply
    ) -> None:
        """Have a command carried out, and show what becomes of it."""
        texts = self.texts_for(asked.language)
        asker = _asker(asked, decision)
        try:
            if asked.command is Command.REPORT:
                message = report_message(await self._port.report(found.board.key), texts)
                self._write(asked, decision, Result.DONE, found)
                await reply.show(message)
            elif asked.command in FOLLOWED:
                await self._follow(decision, asked, found, reply)
            else:
                await self._at_once(asked, asker, found)
                self._write(asked, decision, Result.DONE, found)
                await reply.show(done_message(found, asked, self._clock(), texts))
        except Refused as refused:
            self._write(asked, decision, Result.REFUSED, found, detail=refused.reason)
            await reply.show(refused_message(found, asked.command, refused, texts))
        except Failed as failed:
            self._write(asked, decision, Result.FAILED, found, detail=failed.code)
            await reply.show(failed_message(found, asked.command, failed, texts))
        except Exception:
            _LOGGER.exception("The command %s could not be dealt with", asked.command.value)
            self._write(asked, decision, Result.FAILED, found)
            await reply.show(said(texts, "command_failed"))

    async def _follow(self, decision: Decision, asked: Asked, found: Found, reply: Reply) -> None:
        """Have a thing started or stopped, and keep the answer up to date meanwhile."""
        texts = self.texts_for(asked.language)
        was_up = found.thing.state in {State.RUNNING, State.DEGRADED}
        call = asyncio.ensure_future(self._call(decision, asked, found))
        self._calls.add(call)
        call.add_done_callback(self._called)
        if self._following >= _FOLLOWED_MOST:
            await asyncio.shield(call)
            await reply.show(said(texts, "command_accepted"))
            return
        course = Course(asked.command, settle=self._pace.settle)
        follower = Follower(
            boards=self._port.boards, changes=self._changes, pace=self._pace, texts=texts
        )
        self._following += 1
        waits = (asked.user_id, found.key)
        self._waiting_for.add(waits)
        try:
            ready = await follower.follow(found.key, course, reply, call)
        finally:
            self._following -= 1
        if ready is None or waits not in self._waiting_for:
            return
        # Whoever has asked twice for the same is mentioned once all the same.
        self._waiting_for.discard(waits)
        if course.has_moved or not was_up:
            await reply.announce(ready_message(ready, texts, requester=asked.user_id))

    async def _call(self, decision: Decision, asked: Asked, found: Found) -> None:
        """Hand over a command that takes its time; it costs nothing unless it is accepted."""
        asker = _asker(asked, decision)
        try:
            match asked.command:
                case Command.START:
                    await self._port.wake(found.key, asker)
                case Command.STOP:
                    await self._port.shut_down(found.key, asker, asked.delay)
                case _:
                    await self._port.restart(found.key, asker)
        except Exception:
            self._take_back(decision)
            raise
        self._write(asked, decision, Result.DONE, found)

    def _called(self, call: asyncio.Future[None]) -> None:
        """Let go of a command: nobody who stops looking on ends what was begun."""
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()

    async def _at_once(self, asked: Asked, asker: Asker, found: Found) -> None:
        """Hand over a command that is done when it returns."""
        match asked.command:
            case Command.CANCEL:
                await self._port.cancel(found.key, asker)
            case Command.KEEP_AWAKE:
                await self._port.keep_awake(found.board.key, asker, asked.stay)
            case _:
                await self._port.set_maintenance(found.board.key, asker, asked.maintenance)

    def _look(self, asked: Asked) -> Message:
        """Return the answer to a command that changes nothing."""
        texts = self.texts_for(asked.language)
        boards = self._port.boards()
        if asked.command is Command.HELP:
            return help_message(texts)
        if asked.target:
            keys = {one.board.key for one in aim(boards, asked.target, asked.command)}
            if not keys:
                return said(texts, "unknown_target")
            boards = tuple(board for board in boards if board.key in keys)
        if asked.command is Command.PLAYERS:
            return players_message(boards, texts)
        return boards_message(boards, texts)

    async def _ask_which(self, asked: Asked, meant: tuple[Found, ...], reply: Reply) -> None:
        """Ask what is meant; whoever may not ask at all is told that instead."""
        is_brake = asked.command is Command.CANCEL
        command = Command.CANCEL if is_brake else Command.PLAYERS
        decision = self._decide(replace(asked, command=command), meant)
        if decision.outcome is not Outcome.ALLOWED:
            await self._deny(decision, asked, reply)
            return
        texts = self.texts_for(asked.language)
        key = "which" if meant else "unknown_target" if asked.target else "nothing_here"
        await reply.whisper(said(texts, key), choice_buttons(asked, meant))

    async def _deny(self, decision: Decision, asked: Asked, reply: Reply) -> None:
        """Say why not, and write it down; both only once in a row."""
        if not decision.tell or decision.denial is None:
            return
        self._write(asked, decision, Result.DENIED)
        texts = self.texts_for(asked.language)
        said_so = denial_text(decision.denial, texts, until=decision.until)
        await reply.whisper(Message(content=said_so))

    async def _turn_away(self, asked: Asked, reply: Reply) -> None:
        """Refuse what comes from outside the guild."""
        decision = self._decide(replace(asked, command=Command.HELP, role_ids=frozenset()), ())
        if decision.tell:
            self._write(asked, decision, Result.DENIED)
            await reply.whisper(said(self.texts_for(asked.language), "elsewhere"))

    def _decide(self, asked: Asked, meant: tuple[Found, ...]) -> Decision:
        request = Request(
            user_id=asked.user_id,
            command=asked.command,
            role_ids=asked.role_ids,
            target=meant[0].key if len(meant) == 1 else "",
            delay=asked.delay,
        )
        decision = self._access.decide(request, self._clock())
        self._decided()
        return decision

    def _nobody_decided(self, asked: Asked) -> Decision:
        rank = self._access.people.rank(asked.user_id, asked.role_ids)
        return Decision(outcome=Outcome.DENIED, rank=rank)

    def _count(self, decision: Decision) -> None:
        """Count what is about to be done."""
        if decision.request is not None and decision.request.command in COUNTED:
            self._access.carried_out(decision.request, self._clock())
            self._decided()

    def _take_back(self, decision: Decision) -> None:
        """Count it no longer: it was not done."""
        if decision.request is not None and decision.request.command in COUNTED:
            self._access.taken_back(decision.request)
            self._decided()

    def _write(
        self,
        asked: Asked,
        decision: Decision,
        result: Result,
        found: Found | None = None,
        *,
        detail: str = "",
    ) -> None:
        """Hand a command over for the journal."""
        record = CommandRecord(
            at=self._clock(),
            asker=_asker(asked, decision),
            command=asked.command,
            result=result,
            target=found.key if found else "",
            denial=decision.denial,
            detail=detail,
            violation=decision.violation,
            locked=decision.locked,
            elsewhere=asked.elsewhere,
        )
        try:
            self._port.record(record)
        except Exception:
            _LOGGER.exception("A command could not be written down")


def _asker(asked: Asked, decision: Decision) -> Asker:
    name = plain(asked.name) or NOTHING.strip("`")
    return Asker(user_id=asked.user_id, name=name, rank=decision.rank)
