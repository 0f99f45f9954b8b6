"""A small Supabase: what the hosted HTTP and websocket doors do, in front of the local Postgres.

edge.py     API keys and CORS: what stands before every service
rest/       PostgREST: tables and functions over HTTP
auth/       GoTrue: users, sessions, tokens
storage/    Supabase Storage: buckets, objects, and links to them
realtime/   Phoenix channels: broadcasts and who may hear them
context.py  what those share; app.py puts them together

It runs only in development. Whatever it does not do answers an error, never a pretence; the list
is in local/README.md.
"""
