"""The queue beside its peers, on one Postgres, in interleaved rounds: `make bench-queue`.

contest.py plays the rounds; contestants.py lists who takes part, with which settings; worker.py is
the process in which one of them fills or drains its queue. One module per contestant, graphile.mjs
where its runtime is Node's.
"""
