"""How a game server is managed: the section of its form, and what is tried out on it."""

from collections.abc import Mapping
from dataclasses import replace
import logging
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
import voluptuous as vol

from .const import (
    CONF_MANAGEMENT,
    CONF_MANAGEMENT_KIND,
    CONF_MANAGEMENT_PORT,
    CONF_MANAGEMENT_SECRET,
    CONF_MANAGEMENT_TLS,
    CONF_MANAGEMENT_TRUST,
)
from .flow_fields import PASSWORD, PORT
from .flow_input import InputRefusedError
from .server_manager import (
    AuthenticationError,
    CertificateError,
    Edition,
    HostConnectionError,
    HostTimeoutError,
    InvalidInputError,
    ManagementKind,
    ManagementSettings,
    PresentedCertificate,
    ServerManagerError,
    TlsTrust,
    accepts,
    fetch_certificate,
    open_management,
)

_LOGGER = logging.getLogger(__name__)

MANAGEMENT_TIMEOUT: Final = 5.0
NO_MANAGEMENT: Final = "none"
SECRET_REFUSED: Final = "management_refused"
KINDS: Final = SelectSelector(
    SelectSelectorConfig(
        options=[NO_MANAGEMENT, *ManagementKind],
        mode=SelectSelectorMode.DROPDOWN,
        translation_key="management_kind",
    )
)

MANAGEMENT_ERRORS: Final[Mapping[type[BaseException], str]] = {
    AuthenticationError: SECRET_REFUSED,
    CertificateError: "management_no_certificate",
    HostTimeoutError: "management_silent",
    HostConnectionError: "management_silent",
    ServerManagerError: "management_not_understood",
}


def management_section(*, collapsed: bool) -> section:
    """Return the section of the form."""
    fields = {
        vol.Required(CONF_MANAGEMENT_KIND, default=NO_MANAGEMENT): KINDS,
        vol.Optional(CONF_MANAGEMENT_PORT): PORT,
        vol.Optional(CONF_MANAGEMENT_SECRET): PASSWORD,
        vol.Required(CONF_MANAGEMENT_TLS, default=True): BooleanSelector(),
    }
    return section(vol.Schema(fields), {"collapsed": collapsed})


def read_management(
    typed: Mapping[str, Any], host: str, edition: Edition, known: Mapping[str, Any]
) -> ManagementSettings | None:
    """Return what was typed, None for no management; `known` gives the secret that was left out.

    A secret for the one way is none for the other.
    """
    chosen = typed.get(CONF_MANAGEMENT_KIND, NO_MANAGEMENT)
    if chosen == NO_MANAGEMENT:
        return None
    kept = known if known.get(CONF_MANAGEMENT_KIND) == chosen else {}
    secret = typed.get(CONF_MANAGEMENT_SECRET, "").strip() or kept.get(CONF_MANAGEMENT_SECRET, "")
    port, trust = typed.get(CONF_MANAGEMENT_PORT), kept.get(CONF_MANAGEMENT_TRUST)
    if edition is not Edition.JAVA:
        raise _refused("management_needs_java")
    if port is None:
        raise _refused("management_port_missing")
    if not secret:
        raise _refused("management_secret_missing")
    kind = ManagementKind(chosen)
    tls = kind is ManagementKind.PROTOCOL and typed[CONF_MANAGEMENT_TLS]
    try:
        return ManagementSettings(
            kind=kind,
            host=host,
            port=port,
            secret=secret,
            tls=tls,
            trust=TlsTrust.from_dict(trust) if tls and trust else None,
        )
    except InvalidInputError as err:
        raise _refused("management_secret_invalid") from err


def management_data(settings: ManagementSettings) -> dict[str, Any]:
    """Return what a subentry keeps of it; the host is that of the game server's address."""
    return {
        CONF_MANAGEMENT_KIND: settings.kind.value,
        CONF_MANAGEMENT_PORT: settings.port,
        CONF_MANAGEMENT_SECRET: settings.secret,
        CONF_MANAGEMENT_TLS: settings.tls,
        CONF_MANAGEMENT_TRUST: settings.trust.to_dict() if settings.trust else None,
    }


class ManagementChecks:
    """Try out one way to manage a game server; `accepted` is what a person confirmed before."""

    presented: PresentedCertificate

    def __init__(
        self, hass: HomeAssistant, settings: ManagementSettings, accepted: TlsTrust | None = None
    ) -> None:
        """Start from what was typed and from what is trusted already."""
        trust = (accepted or settings.trust) if settings.tls else None
        self.settings = replace(settings, trust=trust)
        self._hass = hass

    async def advance(self) -> bool:
        """Check everything; False where a person must compare the certificate first.

        The secret is sent to nobody before that.
        """
        try:
            if self.settings.tls and not await self._trusted():
                return False
            session = async_get_clientsession(self._hass)
            management = open_management(_LOGGER, self.settings, session=session)
            await management.check(timeout=MANAGEMENT_TIMEOUT)
        except ServerManagerError as err:
            _LOGGER.debug("The management at %s cannot be used: %s", self.settings.where, err)
            key = next(
                MANAGEMENT_ERRORS[kind] for kind in type(err).__mro__ if kind in MANAGEMENT_ERRORS
            )
            raise _refused(key) from err
        return True

    def accept_certificate(self) -> TlsTrust:
        """Trust the certificate that was shown."""
        pinned = TlsTrust.pin_leaf(self.presented.fingerprint)
        self.settings = replace(self.settings, trust=pinned)
        return pinned

    async def _trusted(self) -> bool:
        """Tell whether the certificate is the pinned one, or one that the system knows."""
        where = self.settings.host, self.settings.port
        trust = self.settings.trust
        if trust is not None and await accepts(*where, trust, MANAGEMENT_TIMEOUT):
            return True
        self.presented = await fetch_certificate(*where, MANAGEMENT_TIMEOUT)
        self.settings = replace(self.settings, trust=None)
        return self.presented.trusted


def _refused(key: str) -> InputRefusedError:
    """Return the refusal; the interface shows no error at a field inside a section."""
    return InputRefusedError({CONF_MANAGEMENT: key})
