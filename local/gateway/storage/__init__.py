"""Supabase Storage's protocol: buckets, objects, and links to them.

A row of storage.objects names an object; its bytes are one file on disk, called by the row's
`version` and never by what a user chose. RLS on the two tables decides, because rows are read and
written under the caller's role and claims; only for public buckets and for the holder of a link
the service itself does it.

routes.py     the endpoints of /storage/v1, and what is left out
caller.py     who calls; database.py acts as the caller in a transaction
buckets.py    making, changing, emptying buckets
upload.py     bytes in: a file first, then its row
incoming.py   what an upload brings, as a raw body or as a form (form.py)
download.py   bytes out: ranges, caching, file names; access.py says who may read
signing.py    links that need no key
listing.py    both ways to list a bucket
objects.py    copy, move, delete
rows.py       storage.objects in SQL; files.py the bytes on disk
rules.py      what names, sizes and types may be; bodies.py the JSON that clients send
errors.py     the error table; leftovers.py what a killed process leaves behind
"""
