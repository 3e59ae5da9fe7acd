"""Cron expressions: what they mean where clocks are set, and which cannot be."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pratai_common import cron

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def moment(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def utc(moments: list[int]) -> list[str]:
    return [datetime.fromtimestamp(each / 1000, UTC).strftime("%d %H:%M") for each in moments]


def of_day(expression: str, zone: str, day: str) -> list[str]:
    """Return when it fires from a day's beginning until six hours later."""
    start = moment(f"{day}T00:00", zone) - 1
    return utc(list(cron.ticks(expression, zone, start, start + 6 * HOUR_MS)))


FORWARD, BACK = "2026-03-29", "2026-10-25"  # in Berlin at 01:00 UTC: 2:00 is 3:00, and 3:00 is 2:00


def test_every_hour_follows_real_time() -> None:
    assert of_day("30 * * * *", "Europe/Berlin", FORWARD) == [
        "28 23:30", "29 00:30", "29 01:30", "29 02:30", "29 03:30", "29 04:30",
    ]  # fmt: skip
    assert of_day("30 * * * *", "Europe/Berlin", BACK) == [
        "24 22:30", "24 23:30", "25 00:30", "25 01:30", "25 02:30", "25 03:30",
    ]  # fmt: skip


def test_every_other_hour_fires_in_both_passes_and_not_in_the_skipped_hour() -> None:
    assert of_day("0 */2 * * *", "Europe/Berlin", FORWARD) == ["28 23:00", "29 02:00", "29 04:00"]
    assert of_day("0 */2 * * *", "Europe/Berlin", BACK) == [
        "24 22:00", "25 00:00", "25 01:00", "25 03:00",
    ]  # fmt: skip


def test_a_time_of_the_day_that_is_skipped_fires_when_the_gap_ends() -> None:
    for expression in ("30 2 * * *", "0,15,30 2 * * *", "0 2,3 * * *"):
        assert of_day(expression, "Europe/Berlin", FORWARD) == ["29 01:00"]


def test_a_time_of_the_day_that_is_there_twice_fires_once_the_first_time() -> None:
    assert of_day("30 2 * * *", "Europe/Berlin", BACK) == ["25 00:30"]
    assert of_day("*/30 1-3 * * *", "Europe/Berlin", BACK) == [
        "24 23:00", "24 23:30", "25 00:00", "25 00:30", "25 02:00", "25 02:30",
    ]  # fmt: skip


def test_zones_whose_clocks_are_set_by_half_an_hour_or_a_day() -> None:
    assert of_day("15 2 * * *", "Australia/Lord_Howe", "2026-10-04") == ["03 15:30"]
    start = moment("2011-12-29T13:00", "Pacific/Apia")
    found = cron.ticks("0 12 * * *", "Pacific/Apia", start, start + 24 * HOUR_MS)
    assert utc(list(found)) == ["30 10:00", "30 22:00"]  # the 30th was left out there


def test_the_next_and_the_latest() -> None:
    at = moment("2026-11-26T12:00")
    assert cron.next_tick("0 12 * * *", "UTC", at - 1) == at
    assert cron.next_tick("0 12 * * *", "UTC", at) == at + 24 * HOUR_MS
    assert cron.next_tick("@hourly", "UTC", at) == at + HOUR_MS
    assert cron.next_tick("0 0 29 2 *", "UTC", at) == moment("2028-02-29T00:00")
    year = 365 * 24 * HOUR_MS
    assert cron.latest_ticks("* * * * *", "UTC", at - year, at, 2) == [at - MINUTE_MS, at]
    assert cron.latest_ticks("0 12 26 * *", "UTC", at - year, at - 1, 1) == [
        moment("2026-10-26T12:00")
    ]
    assert cron.latest_ticks("0 0 29 2 *", "UTC", at - year, at, 5) == []


@pytest.mark.parametrize(
    ("expression", "timezone", "message"),
    [
        ("* * * *", "UTC", "five fields"),
        ("* * * * * *", "UTC", "not 6"),
        ("", "UTC", "not 0"),
        ("@reboot", "UTC", "there is no '@reboot'"),
        ("60 * * * *", "UTC", "minute: '60' cannot be"),
        ("* 24 * * *", "UTC", "hour: '24' cannot be"),
        ("* * 0 * *", "UTC", "day of the month: '0' cannot be"),
        ("* * * 13 *", "UTC", "month: '13' cannot be"),
        ("* * * * mon-xyz", "UTC", "day of the week: 'mon-xyz' cannot be"),
        ("*/0 * * * *", "UTC", "minute: '*/0' cannot be"),
        ("H * * * *", "UTC", "minute: 'H' cannot be"),
        ("* 1,R * * *", "UTC", "hour: '1,R' cannot be"),
        ("0 0 30 2 *", "UTC", "never fires within 8 years"),
        ("0 0 31 4,6,9,11 *", "UTC", "never fires within 8 years"),
        ("1" * 201, "UTC", "at most 200 characters"),
        ("* * * * *", "Mars/Olympus", "there is no time zone 'Mars/Olympus'"),
        ("* * * * *", "../UTC", "there is no time zone '../UTC'"),
        ("* * * * *", "", "there is no time zone ''"),
    ],
)
def test_what_cannot_be(expression: str, timezone: str, message: str) -> None:
    with pytest.raises(cron.CronError) as refused:
        cron.check(expression, timezone)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "expression",
    ["* * * * *", "*/5 9-17 * * mon-fri", "0 0 29 2 *", "@daily", "0 4 L * *", "0 9 * jan,Jul 1#2"],
)
def test_what_can_be(expression: str) -> None:
    cron.check(expression, "Europe/Berlin")
    assert cron.next_tick(expression, "Europe/Berlin", moment("2026-11-26T12:00")) is not None


def test_a_zone_that_is_not_known_here_is_told_of() -> None:
    with pytest.raises(cron.CronError, match="Mars/Olympus"):
        cron.next_tick("* * * * *", "Mars/Olympus", 0)


ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca",
    "Asia/Kathmandu", "America/St_Johns", "Pacific/Chatham",
)  # fmt: skip
DAY_MINUTES = 24 * 60


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),
    st.sampled_from(range(0, 60, 5)),
    st.sampled_from(["*", "*/2", "*/3", "1", "2", "3", "0,2,23", "1-3"]),
)
@example("Europe/Berlin", datetime(2026, 3, 28, 20), 30, "2")
@example("Europe/Berlin", datetime(2026, 10, 24, 20), 30, "2")
@example("Europe/Berlin", datetime(2026, 10, 24, 20), 30, "*/2")
@example("Africa/Casablanca", datetime(2026, 2, 14, 20), 0, "*")
@example("America/St_Johns", datetime(2026, 10, 31, 20), 5, "1-3")
def test_two_days_are_as_who_looks_at_each_minute_says(
    zone: str, start: datetime, minute: int, hour: str
) -> None:
    began = int(start.replace(tzinfo=UTC, second=0, microsecond=0).timestamp()) // 60
    hours = _hours(hour)
    expected = (_by_real_time if hour.startswith("*") else _by_days)(zone, began, minute, hours)
    expression = f"{minute} {hour} * * *"
    after, until = began * MINUTE_MS, (began + 2 * DAY_MINUTES) * MINUTE_MS
    assert [each // MINUTE_MS for each in cron.ticks(expression, zone, after, until)] == expected
    assert cron.latest_ticks(expression, zone, after, until, 3) == [
        each * MINUTE_MS for each in expected[-3:]
    ]


def _hours(text: str) -> set[int]:
    if text.startswith("*"):
        return set(range(0, 24, int(text[2:] or 1)))
    if "-" in text:
        return {1, 2, 3}
    return {int(each) for each in text.split(",")}


def _by_real_time(zone: str, began: int, minute: int, hours: set[int]) -> list[int]:
    """Look at what clocks show in each minute."""
    found = []
    for at in range(began + 1, began + 2 * DAY_MINUTES + 1):
        shown = datetime.fromtimestamp(at * 60, ZoneInfo(zone))
        if shown.minute == minute and shown.hour in hours:
            found.append(at)
    return found


def _by_days(zone: str, began: int, minute: int, hours: set[int]) -> list[int]:
    """Look, for each time of each day, when clocks first show that, or a later one."""
    found = set()
    first_day = datetime.fromtimestamp(began * 60, ZoneInfo(zone)).date() - timedelta(days=1)
    for days in range(5):
        day = first_day + timedelta(days=days)
        for hour in hours:
            wanted = datetime(day.year, day.month, day.day, hour, minute)
            guess = int(wanted.replace(tzinfo=UTC).timestamp()) // 60
            at = guess - 16 * 60
            while datetime.fromtimestamp(at * 60, ZoneInfo(zone)).replace(tzinfo=None) < wanted:
                at += 1 if _near(at, zone, wanted) else 60
            found.add(at)
    return sorted(at for at in found if began < at <= began + 2 * DAY_MINUTES)


def _near(at: int, zone: str, wanted: datetime) -> bool:
    shown = datetime.fromtimestamp(at * 60, ZoneInfo(zone)).replace(tzinfo=None)
    return wanted - shown <= timedelta(hours=3)
