"""PostgREST's protocol: one HTTP request is one transaction under the caller's role.

app.py           the request's path through the modules below
request.py       headers and body: preferences, media types, profile
querystring.py   select, filters, order, limit: text to tree, no names resolved;
                 grammar.py, filters.py and cursor.py read it, nodes.py is the tree
catalog.py       what the database has: tables, columns, keys, functions
schema_cache.py  keeps the catalog fresh
read.py          tree and catalog to one SQL statement with bound values; so do
                 write.py and call.py, with expression.py and relationship.py
transaction.py   role and settings before the statement, commit or rollback after it
answers.py       the statement's row to status, headers and body
tokens.py        who asks
errors.py        every way to say no
"""
