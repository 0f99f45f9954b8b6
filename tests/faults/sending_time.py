"""What a day does, as SQL: numbers have rested, jobs are due, limits and leases are over."""

RESTED = """
update instances set cooldown_until = null, cold_blocked_until = null, campaigns_paused_until = null
where state not in ('closed', 'qr') and random() < 0.5
"""
DUE = """
update queue_jobs set run_at = now() where completed_at is null and run_at > now()
and lease_until is null and type like 'messages.%' and random() < 0.5
"""
UNLIMITED = """
update instances set gap_seconds = 0, jitter_seconds = 0, rate_per_minute = null, daily_cap = null,
portfolio_limit = null, cold_blocked_until = null, campaigns_paused_until = null
"""
ENDED = """
update queue_jobs set lease_until = lease_until - interval '1 minute'
where completed_at is null and lease_until is not null
"""
CLOSED = """
update conversations set last_inbound_at = now() - interval '25 hours'
where instance_id = $1::text::uuid and last_inbound_at is not null and random() < 0.5 returning id
"""
