"""What the volume benchmark reads: each list and search, as a path of the API and as SQL."""

from dataclasses import dataclass
from urllib.parse import quote

import asyncpg

from tests.tenants import Tenant


@dataclass(frozen=True, slots=True)
class Read:
    """`path` and `call` take the columns that `given` selects as {0} and {1}; $1 is the company."""

    name: str
    path: str
    call: str
    given: str = "select ''"


MESSAGES = "/api/conversations/{0}/messages"
INBOX, SEARCH = "/api/conversations?limit=50", "/api/search?q={0}"
ANY = "select id::text from conversations where company_id = $1 order by random() limit 50"
LONG = "select id::text from conversations where company_id = $1 order by version desc limit 10"
NUMBER = "select id::text from instances where company_id = $1"
DEEP = """
  select private.page_cursor(last_message_at, id::text) from conversations where company_id = $1
  order by last_message_at desc, id desc
  offset least({0}, (select count(*) / 2 from conversations where company_id = $1)) limit 1
"""
IN_LONG = """
  select conversation_id::text, private.page_cursor(occurred_at, seq::text) from (
    select conversation_id, occurred_at, seq from messages
    where conversation_id = (
      select id from conversations where company_id = $1 order by version desc limit 1
    ) order by occurred_at desc, seq desc
    offset least({0}, (select max(version) / 2 from conversations where company_id = $1)) limit 1
  ) as place
"""
# Of what was said: of random conversations a random word with so many letters, or the first two.
SAID = """
  select said from (select distinct {0} as said from (
    select body from conversations join messages
      on messages.company_id = conversations.company_id and conversation_id = conversations.id
    where conversations.company_id = $1 and length(body) > 30 order by random() limit 1000
  ) as sample) as given where trim(said) <> '' limit 40
"""
NAMED = """
  select said from (select distinct {0} as said from (
    select name, phone from contacts where company_id = $1 order by random() limit 200
  ) as sample) as given where trim(said) <> '' limit 40
"""


def _inbox(name: str, query: str, call: str, given: str = "select ''") -> Read:
    return Read(f"inbox: {name}", f"{INBOX}{query}", f"list_conversations({call})", given)


def _search(name: str, given: str, path: str = "", call: str = "") -> Read:
    return Read(f"search: {name}", f"{SEARCH}{path}", f"search_messages('{{0}}'{call})", given)


def _word(place: int, of: str = "body") -> str:
    return f"split_part({of}, ' ', {place})"


def _contacts(name: str, given: str) -> Read:
    return Read(f"contacts: {name}", f"{SEARCH}&kind=contacts", "search_contacts('{0}')", given)


READS = (
    _inbox("newest", "", ""),
    _inbox("keyset, page 10", "&cursor={0}", "p_cursor => '{0}'", DEEP.format(500)),
    _inbox("keyset, page 1000", "&cursor={0}", "p_cursor => '{0}'", DEEP.format(50_000)),
    _inbox("by number, page 1", "&page=1", "p_page => 1"),
    _inbox("by number, page 150", "&page=150", "p_page => 150"),
    _inbox(
        "by number, page 150, mine",
        "&page=150&assignee=me",
        "p_page => 150, p_assignee => 'me'",
    ),
    _inbox(
        "by number, read, direct",
        "&page=150&unread=false&kind=direct",
        "p_page => 150, p_unread => false, p_kind => 'direct'",
    ),
    _inbox("three fields", "&fields=id,rev,title", "p_fields => '{{id,rev,title}}'"),
    _inbox("open", "&status=open", "p_status => 'open'"),
    _inbox("closed", "&status=closed", "p_status => 'closed'"),
    _inbox("mine", "&assignee=me", "p_assignee => 'me'"),
    _inbox("mine, open", "&assignee=me&status=open", "p_assignee => 'me', p_status => 'open'"),
    _inbox("nobody's", "&assignee=none", "p_assignee => 'none'"),
    _inbox(
        "nobody's, open",
        "&assignee=none&status=open",
        "p_assignee => 'none', p_status => 'open'",
    ),
    _inbox("unread", "&unread=true", "p_unread => true"),
    _inbox(
        "unread, closed", "&unread=true&status=closed", "p_unread => true, p_status => 'closed'"
    ),
    _inbox("read, open", "&unread=false&status=open", "p_unread => false, p_status => 'open'"),
    _inbox("groups", "&kind=group", "p_kind => 'group'"),
    _inbox(
        "groups, open, mine",
        "&kind=group&status=open&assignee=me",
        "p_kind => 'group', p_status => 'open', p_assignee => 'me'",
    ),
    _inbox("of a number", "&instance_id={0}", "p_instance_id => '{0}'", NUMBER),
    _inbox(
        "of a number, open",
        "&instance_id={0}&status=open",
        "p_instance_id => '{0}', p_status => 'open'",
        NUMBER,
    ),
    _inbox("waiting longest", "&sort=waiting", "p_sort => 'waiting'"),
    _inbox(
        "waiting longest, mine",
        "&sort=waiting&assignee=me",
        "p_sort => 'waiting', p_assignee => 'me'",
    ),
    Read("one conversation", "/api/conversations/{0}", "get_conversation('{0}')", ANY),
    Read(
        "messages: of any", "/api/conversations/{0}/messages?limit=50", "list_messages('{0}')", ANY
    ),
    Read(
        "messages: of the longest", "/api/conversations/{0}/messages", "list_messages('{0}')", LONG
    ),
    Read(
        "messages: of the longest, page 900",
        f"{MESSAGES}?cursor={{1}}",
        "list_messages('{0}', p_cursor => '{1}')",
        IN_LONG.format(45_000),
    ),
    _search("a frequent word", "values ('pedido'), ('boleto'), ('entrega'), ('promoção')"),
    _search("the most frequent", "values ('bom dia'), ('obrigado'), ('hoje')"),
    _search("two frequent words", "values ('verde azul'), ('pedido frete'), ('nota fiscal')"),
    _search("in this order", """values ('"bom dia"'), ('"verde azul"'), ('"nota fiscal"')"""),
    _search("or", "values ('boleto or pix'), ('azul or verde')"),
    _search("not", "values ('pedido -azul'), ('-pedido')"),
    _search("any word", SAID.format(_word(6))),
    _search(
        "two words of one",
        SAID.format(f"{_word(5)} || ' ' || {_word(7)}"),
    ),
    _search("a rare word", "select 'raro' || n from generate_series(1000, 40000, 1000) as n"),
    _search("an unknown word", "values ('inexistente'), ('wxyz')"),
    _search(
        "newest first", "values ('pedido'), ('bom dia')", "&sort=newest", ", p_sort => 'newest'"
    ),
    _contacts("a name", NAMED.format(_word(1, "name"))),
    _contacts(
        "two names", NAMED.format("split_part(name, ' ', 1) || ' ' || split_part(name, ' ', 3)")
    ),
    _contacts("a beginning", NAMED.format(f"left({_word(2, 'name')}, 4)")),
    _contacts("a letter", NAMED.format("left(name, 1)")),
    _contacts("four digits", NAMED.format("right(phone, 4)")),
    _contacts("a phone", NAMED.format("phone")),
    _contacts("an area", NAMED.format("left(phone, 5)")),
)


async def asked(database: asyncpg.Connection, tenant: Tenant, read: Read) -> list[tuple[str, str]]:
    """Path and call for each of what is given."""
    rows = await database.fetch(read.given, *[tenant.company_id] if "$1" in read.given else [])
    return [(read.path.format(*map(quote, row)), read.call.format(*row)) for row in rows]
