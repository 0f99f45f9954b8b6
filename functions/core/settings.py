"""Settings: read once from the environment, then passed along; nothing else reads it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from functions.core.errors import NotConfigured

# A secret shorter than this can be guessed; it counts as not set.
MIN_SECRET_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """One deployment. Built by `from_env`; an empty one imports and serves /api/health."""

    supabase_url: str = ""
    """SUPABASE_URL: address of the project, https://<ref>.supabase.co."""
    secret_key: str = field(default="", repr=False)
    """SUPABASE_SECRET_KEY (or SUPABASE_SERVICE_ROLE_KEY): acts beyond row level security."""
    publishable_key: str = field(default="", repr=False)
    """SUPABASE_PUBLISHABLE_KEY (or SUPABASE_ANON_KEY): names the project on calls of users."""
    cron_secret: str = field(default="", repr=False)
    """CRON_SECRET: bearer of /api/queue/*; Vercel's cron sends it. At least 16 characters."""
    queue_secret: str = field(default="", repr=False)
    """QUEUE_SECRET: a second bearer of /api/queue/*, for another caller or while rotating."""
    credentials_key: str = field(default="", repr=False)
    """CREDENTIALS_KEY: seals the credentials of numbers, base64 of 32 bytes; several separated by
    commas while they rotate, newest first."""
    allow_private_servers: bool = False
    """ALLOW_PRIVATE_SERVERS: 1 lets companies name servers of providers inside our own network; for
    a deployment whose companies are all its operator's own."""
    media_max_mb: float = 50.0
    """MEDIA_MAX_MB: larger files of messages are not kept. Supabase's free plan takes 50."""
    media_types: str = ""
    """MEDIA_TYPES: beginnings of the mime types that are kept, as image/,audio/; all without it."""
    queue_budget_seconds: float = 50.0
    """QUEUE_BUDGET_SECONDS: how long a tick starts jobs. What runs then may take up to 45 s more;
    where the platform tells its limit, a tick keeps that too."""
    queue_batch: int = 100
    """QUEUE_BATCH: jobs leased per round trip, 1-1000."""
    queue_ticks: int = 4
    """QUEUE_TICKS: how many ticks work at once, 1-64; one more answers at once."""
    queue_reinvoke_hops: int = 0
    """QUEUE_REINVOKE_HOPS: how often in a row a tick whose time is up while jobs are due calls the
    next one, 0-100. Needs PUBLIC_URL."""
    public_url: str = ""
    """PUBLIC_URL: where this deployment is reached; on Vercel known without it."""
    worker_name: str = "worker"
    """WORKER_NAME: what jobs say who ran them, with a random end per process; the platform's region
    without it."""
    inbound_drain_seconds: float = 10.0
    """INBOUND_DRAIN_SECONDS: work after a webhook's or send's answer, in the same invocation; 0
    leaves it to the next tick, and is the default on AWS Lambda, where the answer would wait."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """The settings of this process. Raises ValueError on a number that is none."""
        on_lambda = "AWS_LAMBDA_FUNCTION_NAME" in env
        return cls(
            supabase_url=env.get("SUPABASE_URL", "").rstrip("/"),
            secret_key=_first(env, "SUPABASE_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY"),
            publishable_key=_first(env, "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_ANON_KEY"),
            cron_secret=env.get("CRON_SECRET", ""),
            queue_secret=env.get("QUEUE_SECRET", ""),
            credentials_key=env.get("CREDENTIALS_KEY", ""),
            allow_private_servers=env.get("ALLOW_PRIVATE_SERVERS", "").lower() in ("1", "true"),
            media_max_mb=_number(env, "MEDIA_MAX_MB", 50.0, 0.0, 100.0),
            media_types=env.get("MEDIA_TYPES", ""),
            queue_budget_seconds=_number(env, "QUEUE_BUDGET_SECONDS", 50.0, 1.0, 3600.0),
            queue_batch=int(_number(env, "QUEUE_BATCH", 100, 1, 1000)),
            queue_ticks=int(_number(env, "QUEUE_TICKS", 4, 1, 64)),
            queue_reinvoke_hops=int(_number(env, "QUEUE_REINVOKE_HOPS", 0, 0, 100)),
            public_url=_public_url(env),
            worker_name=_first(env, "WORKER_NAME", "VERCEL_REGION", "AWS_REGION") or "worker",
            inbound_drain_seconds=_number(
                env, "INBOUND_DRAIN_SECONDS", 0.0 if on_lambda else 10.0, 0.0, 3600.0
            ),
        )

    def require_database(self) -> None:
        """Raises NotConfigured with all missing names at once."""
        names = {
            "SUPABASE_URL": self.supabase_url,
            "SUPABASE_SECRET_KEY": self.secret_key,
            "SUPABASE_PUBLISHABLE_KEY": self.publishable_key,
        }
        missing = [name for name, value in names.items() if not value]
        if missing:
            raise NotConfigured(
                f"This deployment lacks {', '.join(missing)}.",
                hint="Set the environment variables and deploy again.",
            )

    def queue_secrets(self) -> list[str]:
        """The bearers of /api/queue/*. Raises NotConfigured when there is none long enough."""
        secrets = [s for s in (self.cron_secret, self.queue_secret) if len(s) >= MIN_SECRET_LENGTH]
        if not secrets:
            raise NotConfigured(
                f"CRON_SECRET is not set, or is shorter than {MIN_SECRET_LENGTH} characters.",
                hint="Set it to a long random value and deploy again.",
            )
        return secrets


def _first(env: Mapping[str, str], *names: str) -> str:
    return next((value for name in names if (value := env.get(name))), "")


def _public_url(env: Mapping[str, str]) -> str:
    """Vercel names the production address in previews too, which must not call it."""
    if given := env.get("PUBLIC_URL"):
        return given.rstrip("/")
    if env.get("VERCEL_ENV") == "production":
        host = _first(env, "VERCEL_PROJECT_PRODUCTION_URL", "VERCEL_URL")
    else:
        host = env.get("VERCEL_URL", "")
    return f"https://{host}" if host else ""


def _number(
    env: Mapping[str, str], name: str, default: float, lowest: float, highest: float
) -> float:
    text = env.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name} must be a number, not {text!r}") from None
    if not lowest <= value <= highest:
        raise ValueError(f"{name} must be between {lowest:g} and {highest:g}, not {text}")
    return value
