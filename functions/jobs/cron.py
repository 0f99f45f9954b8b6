"""When a cron expression comes round, on the clocks of a time zone.

Five fields, read by cronsim as Debian's cron reads them. The clock changes are ours: the library
knows them for some expressions only, so it walks local times here and they become moments below.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from functions.core.errors import InvalidRequest

if TYPE_CHECKING:
    from cronsim import CronSim

# Longer ones are mistakes.
MAX_CRON_LENGTH = 200
EVERY_HOUR = frozenset(range(24))
# Names in the folder of zones that are no IANA zone: the machine's own, and copies of all.
NO_ZONES = ("localtime", "posixrules", "Factory", "posix/", "right/")
# The latest slot before a moment is looked for in ever longer stretches of time.
LOOK_BACK = tuple(timedelta(days=days) for days in (1 / 24, 1, 32, 366, 36_525))


def time_zone(name: str) -> ZoneInfo:
    """The IANA zone of this name. Raises InvalidRequest invalid_time_zone."""
    try:
        if not name.startswith(NO_ZONES):
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        pass
    raise InvalidRequest(
        "There is no such time zone.",
        code="invalid_time_zone",
        hint="Give an IANA name such as America/Sao_Paulo.",
    )


def slots(cron: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """The moments of the expression later than `after`, in UTC, each once, in order.

    A local time that the clocks skip counts as the first moment after the gap; one that they show
    twice counts the first time. An expression for every hour goes on in real time instead. Ends
    where nothing comes in 50 years. Raises InvalidRequest invalid_cron.
    """
    start = after.astimezone(zone)
    expression = _parse(cron, start.replace(tzinfo=None, fold=0))
    if expression.hours != EVERY_HOUR:
        return _ascending((_moment(local, zone) for local in expression), after)
    # Behind a star in this field the library goes by real time.
    minute, _, *days = cron.split()
    in_real_time = _parse(" ".join((minute, "*", *days)), start)
    return _ascending((moment.astimezone(UTC) for moment in in_real_time), after)


def next_slot(cron: str, zone: ZoneInfo, after: datetime) -> datetime:
    """The first of `slots`. Raises InvalidRequest invalid_cron, also where there is none."""
    slot = next(slots(cron, zone, after), None)
    if slot is None:
        raise _invalid("This date never comes.")
    return slot


def latest_slot(cron: str, zone: ZoneInfo, due: datetime, now: datetime) -> datetime:
    """The last slot not after `now`; `due`, where none has come since."""
    for stretch in LOOK_BACK:
        found = None
        for slot in slots(cron, zone, max(due, now - stretch)):
            if slot > now:
                break
            found = slot
        if found is not None:
            return found
    return due


def _parse(cron: str, start: datetime) -> "CronSim":
    from cronsim import CronSim, CronSimError  # most processes never run a schedule

    if len(cron) > MAX_CRON_LENGTH or len(cron.split()) != 5:
        raise _invalid("A cron expression has five fields and at most 200 characters.")
    try:
        return CronSim(cron, start)
    except (CronSimError, AssertionError) as error:
        raise _invalid(f"This is no cron expression: {error or 'unknown form'}.") from None


def _ascending(moments: Iterator[datetime], after: datetime) -> Iterator[datetime]:
    last = after
    for moment in moments:
        if moment > last:
            yield moment
            last = moment


def _moment(local: datetime, zone: tzinfo) -> datetime:
    moment = local.replace(tzinfo=zone).astimezone(UTC)
    while moment.astimezone(zone).replace(tzinfo=None) != local:
        local += timedelta(minutes=1)
        moment = local.replace(tzinfo=zone).astimezone(UTC)
    return moment


def _invalid(detail: str) -> InvalidRequest:
    return InvalidRequest(
        detail,
        code="invalid_cron",
        hint="Write minute, hour, day of month, month and day of week, e.g. '30 8 * * MON-FRI'.",
    )
