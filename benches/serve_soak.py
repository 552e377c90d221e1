"""Valid and hostile requests, mixed, on a running `serve`; prints the memory of the server every ten seconds.

    target/debug/tabular serve --run churn &
    python benches/serve_soak.py 8000 $! 1800      # port, process, seconds

It ends with code 1 if a valid request fails, a hostile one gets a status of 5xx other than 503, the server dies, or its memory in
the last quarter is more than 5% above that of the second.
"""

import http.client
import json
import random
import re
import socket
import sys
import threading
import time

port, process, seconds = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
end = time.monotonic() + seconds
failures, counts, lock = [], {"valid": 0, "hostile": 0}, threading.Lock()


def get(path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    return connection.getresponse().read()


model = json.loads(get("/v1/models"))["models"][0]
columns = model["input"]["columns"]
row = {c["name"]: float(c["typical"]) if c["kind"] == "numeric" else c["typical"] == "1" if c["values"] == ["0", "1"] else c["typical"] for c in columns}


def rss():
    with open(f"/proc/{process}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024


def fail(text):
    with lock:
        failures.append(text)


def valid():
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while time.monotonic() < end:
        rows = [row] * random.choice([1, 1, 1, 50])
        connection.request("POST", "/v1/predict", json.dumps(rows), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200 and answer.status != 503:
            fail(f"valid: {answer.status} {body[:200]}")
        with lock:
            counts["valid"] += 1


def raw(data, wait=True):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as stream:
        try:
            stream.sendall(data)
            if wait:
                answer = stream.recv(65536)
                if re.match(rb"HTTP/1.1 5(?!03)", answer):
                    fail(f"hostile: {answer[:200]} for {data[:100]}")
        except (ConnectionError, TimeoutError):
            pass


def post(body, media="application/json", path="/v1/predict", length=None):
    length = len(body) if length is None else length
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {media}\r\nContent-Length: {length}\r\n\r\n"
    return head.encode() + body


def hostile():
    garbage = random.Random(0)
    while time.monotonic() < end:
        deep = b"[" * 100_000
        some = bytes(garbage.randrange(256) for _ in range(2000))
        text = json.dumps(row)
        kinds = [
            lambda: raw(post(some)),
            lambda: raw(post(deep)),
            lambda: raw(post(some, "image/png")),
            lambda: raw(post(some, "multipart/form-data; boundary=x")),
            lambda: raw(post(some, "application/x-ndjson")),
            lambda: raw(post(some, "text/csv")),
            lambda: raw(post(text[: garbage.randrange(len(text))].encode())),
            lambda: raw(post(json.dumps({**row, "x" * 10_000: 1}).encode())),
            lambda: raw(post(json.dumps({key: "z" * 5000 for key in row}).encode())),
            lambda: raw(post(b"", length=10**12)),
            lambda: raw(post(b"[" + b"1," * 500_000 + b"1]")),
            lambda: raw(b"\x16\x03\x01" + some),
            lambda: raw(b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n"),
            lambda: raw(post(text.encode(), path="/v1/models/" + "%2e" * 100 + "/predict")),
            lambda: raw(post(text.encode()[:50], length=500), wait=False),
        ]
        garbage.choice(kinds)()
        with lock:
            counts["hostile"] += 1


threads = [threading.Thread(target=work, daemon=True) for work in (valid, valid, hostile, hostile)]
for thread in threads:
    thread.start()
memory, start = [], time.monotonic()
while time.monotonic() < end:
    time.sleep(min(10, max(0.1, end - time.monotonic())))
    memory.append(rss())
    print(f"{time.monotonic() - start:5.0f} s  {memory[-1]:7.1f} MiB  {counts}", flush=True)
for thread in threads:
    thread.join(90)
get("/health/ready")
quarter = max(len(memory) // 4, 1)
second, last = max(memory[quarter : 2 * quarter]), max(memory[-quarter:])
print(f"memory {second:.1f} MiB in the second quarter, {last:.1f} MiB in the last; {counts}; {len(failures)} failures")
print("\n".join(failures[:10]))
sys.exit(bool(failures) or last > 1.05 * second)
