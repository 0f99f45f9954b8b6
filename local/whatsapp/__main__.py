"""python -m local.whatsapp --host 127.0.0.1 --port 8090 [--seed 0] [--retry-seconds 0.2]"""

import argparse

import uvicorn

from local.whatsapp.app import create_app


def main() -> None:
    parser = argparse.ArgumentParser(prog="local.whatsapp", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--seed", type=int, default=0, help="same seed, same ids and jitter")
    parser.add_argument("--api-key", default="fake-global-key", help="Evolution's global key")
    parser.add_argument(
        "--retry-seconds",
        type=float,
        default=0.2,
        help="first wait before a failed webhook is repeated; doubles each time",
    )
    options = parser.parse_args()
    app = create_app(options.seed, options.api_key, options.retry_seconds)
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        access_log=False,
        log_level="critical",  # cut connections are made on purpose
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
