"""What names, sizes, types and robot rules may be."""

import re
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from local.gateway.storage.errors import (
    StorageError,
    invalid_bucket_name,
    invalid_key,
    invalid_mime_type,
    invalid_request,
    too_large,
)

# Characters that S3 takes without surprises; keys may have slashes too, and 1024 bytes as in S3.
KEY = re.compile(r"[A-Za-z0-9_/!.*'() &$=@;:+,?-]{1,1024}")
BUCKET_NAME = re.compile(r"[A-Za-z0-9_!.*'() &$=@;:+,?-]{1,100}")
# Names that hosted projects keep for buckets of analytics.
RESERVED_SUFFIX = "--iceberg"

# The default of new projects and of the Supabase CLI: 50 MiB.
GLOBAL_SIZE_LIMIT = 50 * 1024 * 1024
SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,18})?)(gb|mb|kb|b)", re.IGNORECASE)
UNITS = {"gb": 10**9, "mb": 10**6, "kb": 10**3, "b": 1}

TOKEN = r"[\w!#$%&'*+.^`|~-]+"
CONTENT_TYPE = re.compile(rf"{TOKEN}/{TOKEN}\s*(;.*)?", re.ASCII)
ALLOWED_MIME_TYPE = re.compile(r"[\w\-+.]+/[\w\-+.*]+(;\s*charset=[\w-]+)?|\*", re.ASCII)

PLAIN_ROBOT_RULES = frozenset(
    "all noindex nofollow none nosnippet indexifembedded notranslate noimageindex".split()
)
IMAGE_PREVIEWS = ("none", "standard", "large")


def check_key(key: str) -> str:
    """The key, when an object may be called that. Raises: 400 InvalidKey."""
    if not KEY.fullmatch(key):
        raise invalid_key(key[:1024])
    return key


def check_bucket_name(name: str) -> str:
    """The name, when a bucket may be called that. Raises: 400 InvalidBucketName."""
    if not BUCKET_NAME.fullmatch(name):
        raise invalid_bucket_name()
    return name


def check_new_bucket_name(name: str) -> str:
    """As above, without spaces around it and without the reserved suffix."""
    if name != name.strip() or name.endswith(RESERVED_SUFFIX):
        raise invalid_bucket_name()
    return check_bucket_name(name)


def size_limit(wanted: int | str) -> int:
    """Bytes of a bucket's limit, given as a number or as '20MB'. Raises: 400, 413."""
    if isinstance(wanted, str):
        match = SIZE.fullmatch(wanted)
        if match is None:
            raise invalid_request("Invalid file size format, hint: use 20GB / 20MB / 30KB / 3B")
        wanted = int(float(match[1]) * UNITS[match[2].lower()])
    if wanted > GLOBAL_SIZE_LIMIT:
        raise too_large()
    return wanted


def object_size_limit(key: str, bucket_limit: int | None) -> int:
    """Bytes an object may have. Placeholders of empty folders have none."""
    if is_folder_placeholder(key):
        return 0
    return GLOBAL_SIZE_LIMIT if bucket_limit is None else min(bucket_limit, GLOBAL_SIZE_LIMIT)


def is_folder_placeholder(key: str) -> bool:
    """Whether the object stands for a folder without objects, as the dashboard makes them."""
    return key.endswith(".emptyFolderPlaceholder")


def check_allowed_mime_types(types: list[str]) -> list[str]:
    """The list for a bucket, without empty entries. Raises: 415 InvalidMimeType."""
    for mime_type in types:
        if mime_type and (len(mime_type) > 1000 or not ALLOWED_MIME_TYPE.fullmatch(mime_type)):
            raise invalid_mime_type(mime_type)
    return [mime_type for mime_type in types if mime_type]


def check_content_type(header: str) -> str:
    """The Content-Type of an upload. Raises: 415 when it is not one."""
    if not CONTENT_TYPE.fullmatch(header):
        message = "Invalid Content-Type header"
        raise StorageError(415, "InvalidMimeType", message, "invalid_mime_type")
    return header


def check_mime_type(mime_type: str, key: str, allowed: list[str] | None) -> str:
    """The type, when the bucket takes it: 'image/png' or 'image/*', compared as written."""
    if not allowed or is_folder_placeholder(key):
        return mime_type
    kind, slash, _ = mime_type.partition("/")
    if not slash or not {mime_type, f"{kind}/*"} & set(allowed):
        raise invalid_mime_type(mime_type)
    return mime_type


def check_robots(header: str, *, of_one_robot: bool = False) -> str:
    """An X-Robots-Tag to serve with the object. Raises: 400 invalid_x_robots_tag."""
    rules = re.split(r",\s*(?=[a-z_-]+(?:\s*[:,]|\s*$))", header.strip())
    for rule in rules:
        name, colon, value = (part.strip() for part in rule.partition(":"))
        if not rule.strip():
            raise _bad_robots("X-Robots-Tag header contains empty rule")
        if not colon and name not in PLAIN_ROBOT_RULES:
            raise _bad_robots(f'Invalid X-Robots-Tag rule: "{rule}"')
        if colon:
            _check_robot_value(name, value, of_one_robot=of_one_robot)
    return header


def _check_robot_value(name: str, value: str, *, of_one_robot: bool) -> None:
    """A rule with a value, or rules for one robot: 'googlebot: noindex'."""
    if not value:
        raise _bad_robots(f'X-Robots-Tag rule "{name}" requires a value')
    if name in ("max-snippet", "max-video-preview"):
        if not re.fullmatch(r"-1|\d+", value):
            raise _bad_robots(f'X-Robots-Tag "{name}" value must be an integer >= -1')
    elif name == "max-image-preview":
        if value not in IMAGE_PREVIEWS:
            choice = ", ".join(IMAGE_PREVIEWS)
            raise _bad_robots(f'X-Robots-Tag "{name}" value must be one of: {choice}')
    elif name == "unavailable_after":
        if date_of(value) is None:
            raise _bad_robots(f'X-Robots-Tag "{name}" value must be a valid date')
    elif of_one_robot:
        raise _bad_robots(f'Invalid X-Robots-Tag rule: "{name}"')
    else:
        check_robots(value, of_one_robot=True)


def date_of(text: str) -> datetime | None:
    """A point in time, as JSON or as HTTP writes it; None when it is neither."""
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        with suppress(ValueError):
            found = parse(text)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def _bad_robots(message: str) -> StorageError:
    return invalid_request(f"Invalid X-Robots-Tag header: {message}", "invalid_x_robots_tag")
