"""What is asked of a host by the bot while that host cannot, or may not, do it."""

import pytest

from custom_components.cubeguardian.guardian import HOST, Caller, Refused, State

from .bots import BotHouse
from .webhooks import until

pytest_plugins = ("tests.webhook_peer", "tests.bot_peer")

ROBIN = Caller(name="Robin")


async def test_a_command_for_a_host_that_is_loaded_anew_is_in_its_own_journal(
    house: BotHouse,
) -> None:
    other = house.add_cellar()
    await house.serve()
    await house.unload()
    given = await house.give("start", house.town.alex, server="01HOST")
    await given.replied("no answer in time")
    assert house.noted(other) == []
    await house.set_up()
    assert [(one.by, one.error) for one in house.noted()] == [("alex", "timeout_error")]
    await house.reload()
    assert len(house.noted()) == 1


async def test_the_end_of_maintenance_is_the_mode_before_however_long_ago_it_was_chosen(
    house: BotHouse,
) -> None:
    house.start_in("automatic")
    await house.serve()
    target = {"entity_id": "select.attic_mode"}
    await house.hass.services.async_call(
        "select", "select_option", {"option": "manual"}, target=target, blocking=True
    )
    for _ in range(250):
        with pytest.raises(Refused, match="nothing_to_cancel"):
            await house.guardian.cancel_shutdown(HOST, ROBIN)
    for on in (True, False):
        await house.give("maintenance", house.town.ada, host="01HOST", on=on, reason="Disk")
    await until(lambda: house.guardian.snapshot.mode.value != "maintenance")
    assert house.guardian.snapshot.mode.value == "manual"


async def test_a_player_under_a_veto_is_told_why_nothing_is_kept_awake(house: BotHouse) -> None:
    house.start_in("automatic")
    await house.serve()
    house.guardian.set_vetoes({"binary_sensor.night": "Quiet hours"})
    given = await house.give("keep-awake", house.town.kim, host="01HOST", minutes=30)
    assert "Quiet hours" in str(await given.replied("Quiet hours"))
    assert house.host_state is State.OFF
    assert house.noted()[-1].error == "forbidden"
