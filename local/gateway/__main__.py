"""python -m local.gateway --port 54321 --pg-port 54322 --data .recado"""

import argparse
import ipaddress
import sys
from pathlib import Path

import uvicorn

from local.gateway.app import create_app
from local.gateway.auth.config import AuthConfig
from local.keys import Keys
from local.postgres import DATABASE, HOST


def main() -> int:
    """Serves until SIGTERM; exit code 2 when asked to listen where others could reach it."""
    parser = argparse.ArgumentParser(prog="python -m local.gateway", description=__doc__)
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pg-port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="where keys.json and storage/ are")
    parser.add_argument("--config", type=Path, help="supabase/config.toml")
    arguments = parser.parse_args()
    if not is_loopback(arguments.host):
        print(f"{arguments.host} is reachable from outside; the local stack is for this machine")
        return 2
    app = create_app(
        database_host=HOST,
        port=arguments.pg_port,
        dbname=DATABASE,
        keys=Keys.load_or_create(arguments.data / "keys.json"),
        public_url=f"http://{arguments.host}:{arguments.port}",
        auth=AuthConfig.read(arguments.config),
        storage_folder=arguments.data / "storage",
    )
    uvicorn.run(
        app,
        host=arguments.host,
        port=arguments.port,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    return 0


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


if __name__ == "__main__":
    sys.exit(main())
