"""PostgREST's protocol: one HTTP request is one transaction under the caller's role.

The path of a request, in the order in which the modules take part:

app.py              bytes in, bytes out
tokens.py           who asks
request.py          headers: preferences, schema
plan.py             which of the ways below it goes
querystring.py      select, filters, order, limit: text to tree (nodes.py), no names resolved;
                    grammar.py, filters.py and cursor.py read it
payload.py          the body: JSON, CSV or a form; its keys
window.py           limit, offset and Range
media.py            what the answer is made as; explain.py: Postgres' plan instead
tree.py             names resolved: tables and the embeds in them, by relationship.py
read.py             the tree to one SELECT; so do write.py and call.py for what comes before it,
                    with expression.py for columns, conditions and values, and spread.py
transaction.py      role and settings before the statement, commit or rollback after it
wire.py             Postgres' own protocol: values without types, one round trip; pool.py keeps
                    the connections
answers.py          the statement's row to status, headers and body
errors.py           every way to say no; hints.py: the name that was probably meant

What the database has is read beforehand, and again when it changes (schema_cache.py): catalog.py is
its shape, introspection.py and introspection_sql.py read it, relationships.py joins tables by their
keys, views.py looks through views, config.py has what a project can set.
"""
