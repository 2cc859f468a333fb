"""The journal and its rotation."""

from custom_components.cubeguardian.guardian.journal import Journal, JournalEntry, entry_of
from custom_components.cubeguardian.guardian.safety import HoldUp, HoldUpKey
from custom_components.cubeguardian.guardian.status import Event, EventKind

from .world import SECOND, START


def entry(number: int) -> JournalEntry:
    return JournalEntry(at=START + number * SECOND, kind=str(number), target="host")


def test_on_reaching_two_hundred_the_newest_hundred_stay_and_the_rotation_is_recorded() -> None:
    journal = Journal()
    for number in range(199):
        journal.add(entry(number))
    assert len(journal.entries) == 199
    journal.add(entry(199))
    *kept, rotation = journal.entries
    assert [one.kind for one in kept] == [str(number) for number in range(100, 200)]
    assert (rotation.kind, rotation.details) == ("rotation", {"before": "200", "after": "100"})
    journal.add(entry(200))
    assert journal.entries[-1].kind == "200"


def test_a_journal_survives_json() -> None:
    journal = Journal([entry(1), entry(2)])
    assert Journal.from_list(journal.to_list()).entries == journal.entries


def test_an_event_is_written_down_with_its_code_and_what_held() -> None:
    event = Event(
        kind=EventKind.SHUTDOWN_FAILED,
        placeholders={"code": "auth_error", "phase": "power"},
        by="Ada",
        hold_ups=(HoldUp(key=HoldUpKey.PLAYERS, subject="survival"),),
    )
    written = entry_of(event, START)
    assert (written.kind, written.by, written.at) == ("shutdown_failed", "Ada", START)
    assert (written.success, written.error) == (False, "auth_error")
    assert written.details == {"phase": "power", "held": "players:survival"}
