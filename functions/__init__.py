"""Recado: everything that ships. The map of rooms, and who may import whom.

    app         composition root: routers, the table of job handlers -> imports everything
    index, aws  the doors of Vercel and AWS Lambda                   -> app
    cli         the command line, for people and scripts             -> rooms
    messaging   webhooks in, messages out                            -> core, providers, jobs
    jobs        the queue: claim, run, settle                        -> core
    realtime    versions, topics, the subscriber                     -> core
    providers   WhatsApp dialects, pure translators                  -> core
    core        settings, database, auth, errors, HTTP               -> nothing of ours

Business rooms (so far messaging) may import the rooms below them and never each other; what
joins them is one SQL transaction. Inside a room:
routes and handlers -> rpc -> models. The arrows are held by tests/test_architecture.py.
"""
