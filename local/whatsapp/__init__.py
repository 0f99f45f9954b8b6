"""A WhatsApp for development: Evolution API v2 and Meta's Cloud API in front of imaginary phones.

evolution.py, graph.py  the two APIs, as our senders call them
control.py              /_fake/: set up numbers, write as a contact, ask for faults, read the ledger
network.py              numbers, contacts and what has reached whom: the ledger
faults.py               what is to go wrong, and how often
courier.py              calls our webhook back, signed, repeated, in any order, as the originals do
echoes.py               the webhook bodies that follow from a message
"""
