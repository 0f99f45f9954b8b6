"""AWS Lambda: one handler answers every HTTP event of the platform, and a schedule runs the queue.

Each test invokes it as Lambda does: in a process of its own, one event after the other.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

INVOKE = """
import json, sys
from functions.aws import handler

class Context:
    aws_request_id = "00000000-0000-0000-0000-000000000000"
    def get_remaining_time_in_millis(self):
        return 30_000

for event in json.load(sys.stdin):
    try:
        answer = {"answer": handler(event, Context())}
    except Exception as error:
        answer = {"raised": type(error).__name__, "text": str(error)}
    print(json.dumps(answer))
"""


def invoke(*events: dict[str, Any], **settings: str) -> list[dict[str, Any]]:
    """What the handler answers or raises, event by event, on one warm instance."""
    bare = {"PATH": os.environ["PATH"], "AWS_LAMBDA_FUNCTION_NAME": "recado"}
    done = subprocess.run(
        [sys.executable, "-c", INVOKE],
        input=json.dumps(events),
        cwd=ROOT,
        env=bare | {"PYTHONPATH": str(ROOT)} | settings,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # The app logs to standard output too; answers are the lines with their own key.
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [line for line in lines if "answer" in line or "raised" in line]


def http_api(path: str, method: str = "GET") -> dict[str, Any]:
    """API Gateway's payload 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "abc.execute-api.sa-east-1.amazonaws.com", "accept": "*/*"},
        "requestContext": {
            "domainName": "abc.execute-api.sa-east-1.amazonaws.com",
            "stage": "$default",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "1.2.3.4"},
        },
        "isBase64Encoded": False,
    }


def function_url(path: str, method: str = "GET") -> dict[str, Any]:
    """A Function URL sends payload 2.0 under its own domain, without routes."""
    event = http_api(path, method)
    domain = "abc.lambda-url.sa-east-1.on.aws"
    event["headers"]["host"] = event["requestContext"]["domainName"] = domain
    return event


def rest_api(path: str, method: str = "GET") -> dict[str, Any]:
    """API Gateway's REST proxy, payload 1.0."""
    host = "abc.execute-api.sa-east-1.amazonaws.com"
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {"Host": host},
        "multiValueHeaders": {"Host": [host]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {
            "resourcePath": "/{proxy+}",
            "httpMethod": method,
            "path": path,
            "stage": "prod",
            "identity": {"sourceIp": "1.2.3.4"},
        },
        "body": None,
        "isBase64Encoded": False,
    }


SCHEDULED = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2026-01-01T00:00:00Z",
    "region": "sa-east-1",
    "resources": ["arn:aws:events:sa-east-1:123456789012:rule/recado-tick"],
    "detail": {},
}
HTTP_EVENTS = pytest.mark.parametrize("event", [http_api, function_url, rest_api])


def header(answer: dict[str, Any], name: str) -> str:
    """REST answers carry lists under multiValueHeaders, the others single values."""
    headers = answer.get("headers") or {
        key: values[0] for key, values in answer["multiValueHeaders"].items()
    }
    return str({key.lower(): value for key, value in headers.items()}[name])


@HTTP_EVENTS
def test_every_http_event_reaches_the_app(event: Any) -> None:
    (result,) = invoke(event("/openapi.json"))
    assert result["answer"]["statusCode"] == 200
    assert result["answer"]["isBase64Encoded"] is False
    assert "/api/queue/process" in json.loads(result["answer"]["body"])["paths"]


@HTTP_EVENTS
def test_a_problem_is_text_and_not_base64(event: Any) -> None:
    (result,) = invoke(event("/api/no-such-thing"))
    answer = result["answer"]
    assert answer["statusCode"] == 404
    assert header(answer, "content-type") == "application/problem+json"
    assert answer["isBase64Encoded"] is False
    assert json.loads(answer["body"])["code"] == "not_found"


def test_the_tick_over_http_wants_its_secret() -> None:
    (result,) = invoke(http_api("/api/queue/process"), CRON_SECRET="a secret of 24 characters")
    assert result["answer"]["statusCode"] == 401


def test_a_warm_instance_answers_again() -> None:
    """Startup and shutdown do not run around each event, and the event loop is still there."""
    results = invoke(*[http_api("/api/health")] * 3)
    problems = [json.loads(result["answer"]["body"])["code"] for result in results]
    assert problems == ["not_configured"] * 3


def test_a_schedule_that_cannot_run_the_queue_fails_aloud() -> None:
    """EventBridge counts, alarms on and repeats what raises; an answer would look like success."""
    (without_secret,) = invoke(SCHEDULED)
    assert "CRON_SECRET" in without_secret["text"]
    (without_database,) = invoke(SCHEDULED, CRON_SECRET="a secret of 24 characters")
    assert without_database == {"raised": "RuntimeError", "text": "the tick answered 503"}
