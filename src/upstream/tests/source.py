"""A scripted MCP server on standard input and output; the first argument says which kind."""

import json
import os
import signal
import subprocess
import sys

kind = sys.argv[1]
held, cancelled, pongs, watched, asked, levels = [], [], [], [], {}, []
declared, listening = {}, None


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def error(id, code, message):
    send({"id": id, "error": {"code": code, "message": message}})


def release():
    for waiting, number in reversed(held):
        send({"id": waiting, "result": {"echo": number}})
    held.clear()


def call(id, params):
    arguments = params["arguments"]
    do = arguments.get("do") if isinstance(arguments, dict) else None
    if do == "hold":
        held.append((id, arguments["n"]))
        if len(held) == arguments.get("until"):
            release()
    elif do == "release":
        release()
        send({"id": id, "result": {}})
    elif do == "die":
        sys.stderr.write("fatal: out of cheese\n")
        sys.stderr.flush()
        os._exit(4)
    elif do == "look":
        send({"id": id, "result": {
            "env": dict(os.environ), "cwd": os.getcwd(), "files": os.listdir("."), "pid": os.getpid(),
            "cancelled": cancelled, "pongs": pongs, "watched": watched, "declared": declared,
            "listening": listening, "levels": levels,
        }})
    elif do == "progress":
        token = params["_meta"]["progressToken"]
        for step in (1, 2):
            send({"method": "notifications/progress", "params": {"progressToken": token, "progress": step}})
        send({"id": id, "result": {"done": True}})
    elif do == "ask":
        send({"id": "p", "method": "ping"})
        send({"id": 5, "method": "roots/list"})
        send({"id": id, "result": {}})
    elif do == "question":
        asked["q%d" % id] = id
        send({"id": "q%d" % id, "method": "elicitation/create", "params": {"message": str(arguments["n"])}})
    elif do == "change":
        send({"method": "notifications/tools/list_changed"})
        for uri in watched:
            send({"method": "notifications/resources/updated", "params": {"uri": uri}})
        send({"id": id, "result": {}})
    elif do == "twice":
        for number in (1, 2):
            send({"id": id, "result": {"n": number}})
        send({"id": id + 1000, "result": {"n": 3}})
    elif do == "bytes":
        for byte in json.dumps({"jsonrpc": "2.0", "id": id, "result": {"text": "größer"}}, ensure_ascii=False).encode() + b"\n":
            sys.stdout.buffer.write(bytes([byte]))
            sys.stdout.buffer.flush()
    elif do == "no text":
        sys.stdout.buffer.write(b'{"jsonrpc":"2.0","id":%d,"result":"\xff\xfe"}\n' % id)
        sys.stdout.buffer.flush()
        send({"id": id, "result": {"n": 1}})
    elif do == "huge":
        sys.stdout.write("x" * (3 * 1024 * 1024))
        sys.stdout.flush()
    elif do == "spawn":
        child = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=arguments.get("apart", False))
        send({"id": id, "result": {"pid": child.pid}})
    else:
        send({"id": id, "result": {"echo": arguments}})


if "STARTS" in os.environ:
    with open(os.environ["STARTS"], "a") as file:
        file.write("started\n")
if kind == "fails":
    sys.stderr.write("no configuration found, token s3cr3t-token\n")
    sys.exit(7)
if kind == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

print("a greeting that is no message", flush=True)
sys.stderr.write("ready\n")
sys.stderr.flush()
while True:
    line = sys.stdin.readline()
    if not line:
        if kind == "stubborn":
            signal.pause()
        break
    message = json.loads(line)
    id, method, params = message.get("id"), message.get("method"), message.get("params", {})
    if method is None:
        pongs.append(message)
        if message.get("id") in asked:
            send({"id": asked.pop(message["id"]), "result": {"told": message.get("result"), "refused": message.get("error")}})
    elif method == "server/discover":
        if kind == "modern":
            send({"id": id, "result": {"resultType": "complete", "supportedVersions": ["2026-07-28"]}})
        elif kind == "fragile":
            sys.exit(3)
        elif kind == "nameless":
            error(None, -32700, "Parse error")
        elif kind != "deaf":
            error(id, -32601, "Method not found")
    elif method == "initialize":
        declared = params["capabilities"]
        send({"id": id, "result": {
            "protocolVersion": "2025-11-25", "capabilities": {"logging": {}}, "serverInfo": {"name": kind, "version": "1"},
        }})
    elif method == "tools/call":
        call(id, params)
    elif method == "tools/list":
        send({"id": id, "result": {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]}})
    elif method == "resources/subscribe":
        watched.append(params["uri"])
        send({"id": id, "result": {}})
    elif method == "resources/unsubscribe":
        watched.remove(params["uri"])
        send({"id": id, "result": {}})
    elif method == "logging/setLevel":
        levels.append(params["level"])
        send({"id": id, "result": {}})
    elif method == "subscriptions/listen":
        listening, watched = id, params["notifications"].get("resourceSubscriptions", [])
        send({"method": "notifications/subscriptions/acknowledged", "params": {"notifications": {}}})
    elif method == "notifications/cancelled":
        cancelled.append(params["requestId"])
