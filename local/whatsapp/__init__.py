"""A WhatsApp for development: Evolution API v2 and Meta's Cloud API in front of imaginary phones.

evolution.py, graph.py  the two APIs, as our senders call them
instances.py, chats.py  Evolution: the life of an instance; reading, typing, files, look-ups
account.py              Meta: files, the number, subscriptions, templates
doors.py                who may call Evolution's routes
control.py              /_fake/: set up numbers, write as a contact, ask for faults, read the ledger
network.py              numbers, contacts and what has reached whom: the ledger
faults.py               what is to go wrong, and how often
courier.py              calls our webhook back, signed, repeated, in any order, as the originals do
echoes.py               the webhook bodies that follow from a message
"""
