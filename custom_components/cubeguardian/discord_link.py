"""Tie a host to Discord: what happens goes out by its webhooks, and nobody waits for them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
import logging
from typing import TYPE_CHECKING, Any, Final, Self

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import CONF_LANGUAGE, CONF_URL
from homeassistant.core import HassJob, HomeAssistant, callback

from .const import CONF_ALERTS, CONF_GROUPS, CONF_LIVE_STATUS, SUBENTRY_DISCORD_WEBHOOK
from .discord_bridge.message import Message
from .discord_bridge.notifier import Condition, Pace, WebhookNotifier
from .discord_bridge.render import dropped_note, event_message, status_message
from .discord_bridge.view import BoardView, EventView, Group
from .discord_bridge.webhook_url import BadWebhookUrlError, parse_webhook_url
from .discord_feed import HostFeed
from .webhook_repair import (
    async_clear_removed,
    async_clear_webhook_gone,
    async_is_webhook_gone,
    async_raise_webhook_gone,
)
from .webhook_store import KeptWebhook, WebhookStore

if TYPE_CHECKING:
    from .runtime import CubeGuardianConfigEntry

_LOGGER = logging.getLogger(__name__)

PACE: Final = Pace()
SETTLE_SECONDS: Final = 3.0
RESTART_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a webhook is to be told of."""

    groups: frozenset[Group]
    alerts: bool
    live_status: bool

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read them from a subentry."""
        return cls(
            groups=frozenset(Group(one) for one in data[CONF_GROUPS]),
            alerts=data[CONF_ALERTS],
            live_status=data[CONF_LIVE_STATUS],
        )


class WebhookLink:
    """One webhook: what it is to be told of, in its language, and what sends it."""

    def __init__(
        self,
        *,
        webhook: str,
        wishes: Wishes,
        texts: Mapping[str, str],
        notifier: WebhookNotifier,
        status_id: str | None,
    ) -> None:
        """Tie what a person wished to what sends; `webhook` is the number of the webhook."""
        self.wishes = wishes
        self.notifier = notifier
        self.status_id = status_id
        self._webhook = webhook
        self._texts = texts

    def tell(self, view: EventView) -> None:
        """Say what happened, if that is wished for."""
        wishes = self.wishes
        if view.group in wishes.groups or (wishes.alerts and view.is_alert):
            self.notifier.send(event_message(view, self._texts, advise=wishes.alerts))

    def show(self, board: BoardView) -> None:
        """Keep the status up to date, if that is wished for."""
        if self.wishes.live_status:
            self.notifier.show(status_message(board, self._texts))

    def send(self, message: Message) -> bool:
        """Say something; False where nothing is sent any more."""
        return self.notifier.send(message)

    def kept(self) -> KeptWebhook:
        """Give what outlives a restart; what still waits then is lost, and told later."""
        return KeptWebhook(
            webhook=self._webhook,
            status_id=self.status_id,
            dropped=self.notifier.dropped + self.notifier.waiting,
        )


class DiscordLink:
    """All webhooks of a host, by subentry."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: CubeGuardianConfigEntry,
        texts: Mapping[str, Mapping[str, str]],
        kept: Mapping[str, KeptWebhook],
        store: WebhookStore,
    ) -> None:
        """Build what sends; nothing is sent before the start."""
        self._hass = hass
        self._entry = entry
        self._texts = texts
        self._store = store
        self._tasks: list[asyncio.Task[None]] = []
        self.webhooks: dict[str, WebhookLink] = {}
        for subentry in entry.get_subentries_of_type(SUBENTRY_DISCORD_WEBHOOK):
            if link := self._link(subentry, kept.get(subentry.subentry_id)):
                self.webhooks[subentry.subentry_id] = link

    def _link(self, subentry: ConfigSubentry, kept: KeptWebhook | None) -> WebhookLink | None:
        """Build one webhook; None where what is stored is no address, as in an edited file."""
        try:
            url = parse_webhook_url(subentry.data[CONF_URL])
            wishes = Wishes.from_data(subentry.data)
        except (BadWebhookUrlError, KeyError, ValueError) as err:
            _LOGGER.warning("Webhook %s cannot be used: %s", subentry.title, type(err).__name__)
            return None
        same = kept is not None and kept.webhook == url.webhook_id
        language = subentry.data.get(CONF_LANGUAGE, "")
        texts = self._texts.get(language) or self._texts.get(
            self._hass.config.language.partition("-")[0], self._texts["en"]
        )
        status_id = kept.status_id if kept and same and wishes.live_status else None
        notifier = WebhookNotifier(
            url,
            name=subentry.title,
            tell_dropped=partial(dropped_note, texts=texts),
            on_condition=partial(self._condition_changed, subentry),
            on_status_id=partial(self._status_moved, subentry.subentry_id),
            status_id=status_id,
            dropped=kept.dropped if kept else 0,
            pace=PACE,
        )
        if async_is_webhook_gone(self._hass, subentry.subentry_id):
            # So that the first message which gets through is a change, and takes the repair back.
            notifier.condition = Condition.AWAY
        return WebhookLink(
            webhook=url.webhook_id,
            wishes=wishes,
            texts=texts,
            notifier=notifier,
            status_id=status_id,
        )

    @callback
    def async_start(self, feed: HostFeed) -> None:
        """Send from now on what happens, until the entry is unloaded."""
        async_clear_removed(self._hass, self._entry)
        if not self.webhooks:
            return
        for subentry_id, link in self.webhooks.items():
            self._tasks.append(
                self._entry.async_create_background_task(
                    self._hass, self._async_run(link), f"cubeguardian webhook {subentry_id}"
                )
            )
        self._entry.async_on_unload(self._hass.async_add_shutdown_job(HassJob(self.async_close)))
        feed.async_add(self)

    async def async_close(self) -> None:
        """Let what is under way come to its end, but not for long; keep what is owed."""
        await asyncio.gather(*(self._async_settle(link) for link in self.webhooks.values()))
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
            await self._async_save()

    async def _async_settle(self, link: WebhookLink) -> None:
        """Wait for what is sent; a Discord that is away is not waited for."""
        if link.notifier.condition is Condition.FINE:
            await link.notifier.settle(SETTLE_SECONDS)

    async def _async_run(self, link: WebhookLink) -> None:
        """Send until the webhook is gone; whatever goes wrong, begin anew after a while."""
        while not link.notifier.is_stopped:
            try:
                await link.notifier.run()
            except Exception as err:
                # A traceback may show the address of the webhook.
                _LOGGER.error("A webhook has failed: %s", type(err).__name__)  # noqa: TRY400
                await asyncio.sleep(RESTART_SECONDS)

    async def _async_save(self) -> None:
        """Store what must outlive a restart."""
        await self._store.async_save({key: link.kept() for key, link in self.webhooks.items()})

    @property
    def is_listening(self) -> bool:
        """Say whether there is any webhook."""
        return bool(self.webhooks)

    def tell(self, view: EventView) -> None:
        """Tell every webhook that wants to know."""
        for link in self.webhooks.values():
            link.tell(view)

    def show(self, board: BoardView) -> None:
        """Show every webhook that wants to know how things stand."""
        for link in self.webhooks.values():
            link.show(board)

    @callback
    def _condition_changed(self, subentry: ConfigSubentry, condition: Condition) -> None:
        """Offer a repair for a webhook that will never work again, or take it back."""
        _LOGGER.debug("Webhook %s is now %s", subentry.title, condition.value)
        if condition in {Condition.GONE, Condition.DENIED}:
            async_raise_webhook_gone(self._hass, self._entry, subentry)
        elif condition is Condition.FINE:
            async_clear_webhook_gone(self._hass, subentry.subentry_id)

    @callback
    def _status_moved(self, key: str, status_id: str | None) -> None:
        """Remember which message shows the status."""
        self.webhooks[key].status_id = status_id
        self._entry.async_create_task(self._hass, self._async_save(), "cubeguardian webhooks")


async def async_link(
    hass: HomeAssistant,
    entry: CubeGuardianConfigEntry,
    texts: Mapping[str, Mapping[str, str]],
) -> DiscordLink:
    """Build what ties a host to Discord from what was stored."""
    store = WebhookStore(hass, entry.entry_id)
    return DiscordLink(hass, entry, texts, await store.async_load(), store)
