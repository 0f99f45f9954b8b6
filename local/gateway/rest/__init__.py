"""PostgREST's protocol: one HTTP request is one transaction under the caller's role.

service.py       the request's path through the modules below, and the answer
request.py       headers and body: preferences, media types, profile
querystring.py   select, filters, order, limit: text -> tree, no names resolved
catalog.py       what the database has: tables, columns, keys, functions
read.py write.py call.py   tree + catalog -> one SQL statement with bound values
transaction.py   role and settings before it, commit or rollback after it
tokens.py        who asks; errors.py: every way to say no
"""
