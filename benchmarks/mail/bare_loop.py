"""Inside the product's settings: anymail alone, without a queue. Each thread has one opened connection."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

from django.core.mail import EmailMultiAlternatives, get_connection


def letter(asked: dict[str, Any], number: int) -> Any:
    message: Any = EmailMultiAlternatives(
        asked["subject"],
        asked["text"],
        to=[f"Margaret Hill <person{number}@example.com>"],
        headers={"Message-ID": f"<bare-{number}@{asked['domain']}>"},
    )
    message.attach_alternative(asked["html"], "text/html")
    message.metadata = {"job_id": str(number)}
    message.tags = ["bare"]
    return message


def send(asked: dict[str, Any], first: int, count: int) -> None:
    connection = get_connection()
    connection.open()
    for number in range(first, first + count):
        connection.send_messages([letter(asked, number)])
    connection.close()


def main() -> None:
    asked = json.load(sys.stdin)
    threads, each = asked["threads"], asked["count"] // asked["threads"]
    send(asked, 10_000_000, 2)  # imports and first compilations are not measured
    workers = [threading.Thread(target=send, args=(asked, each * place, each)) for place in range(threads)]
    began, cpu = time.perf_counter(), time.process_time()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - began
    spent = 1000 * (time.process_time() - cpu) / (each * threads)
    json.dump({"per_second": each * threads / seconds, "cpu": spent}, sys.stdout)
