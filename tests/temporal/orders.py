"""What the tests start, and what goes in and out of it."""

from __future__ import annotations

import base64
import json
from typing import Any


def payload(value: Any) -> dict[str, Any]:
    """A value as Temporal's SDKs send it: bytes of JSON, with the name of the encoding beside it."""
    return {
        "metadata": {"encoding": base64.b64encode(b"json/plain").decode()},
        "data": base64.b64encode(json.dumps(value).encode()).decode(),
    }


def workflow(task_queue: str = "nobody-listens", **fields: Any) -> dict[str, Any]:
    """A StartWorkflowExecutionRequest without its id."""
    return {
        "workflowType": {"name": "order"},
        "taskQueue": {"name": task_queue},
        "requestId": "request-1",
        **fields,
    }
