"""enclave-verifier log, log compare and monitor: words, status and JSON are enclavectl's (cli/log.c, compare.c, history.c, monitor.c)."""
import hashlib
import json
import os
import re
import signal
import socket
import sys
import time

from . import (NoAnswer, Result, _collateral_for, _evidence, _failed, _peer, _remember, _seen, _take, _verify, client_context,
               compare_logs)
from . import _library as lib
from ._ca import address_of, log_of, write_new
from ._log import LogError

ENTRY_FORMAT = "enclave-os-entry/1"
COSIGNED_ATTEMPTS, COSIGNED_PAUSE_S = 20, 0.5  # while a head is new, its witnesses may not have answered yet
PAUSES_MAX, PAUSE_MAX_S = 16, 300


class Teller:
    """What goes to standard error, unless it was told already."""

    def __init__(self):
        self.quiet = False

    def complain(self, text):
        if not self.quiet:
            print(f"enclave-verifier: {text}", file=sys.stderr, flush=True)
        return 1

    def note(self, text):
        print(text, file=sys.stderr, flush=True)


# ---- entries -------------------------------------------------------------------------------------------------------------------


def _no_duplicates(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _whole(text):
    number = int(text)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError("a number is too large")
    return number


def _refuse(text):
    raise ValueError(text)


def read_entry(data):
    """The entry as JSON; None: it is none."""
    try:
        value = json.loads(data.decode(), object_pairs_hook=_no_duplicates, parse_int=_whole, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, (dict, list)) else None


def _is_number(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _plain(text):
    """Nothing that a terminal obeys."""
    return "".join(chr(c) if 32 <= c <= 126 else "?" for c in text.encode("utf-8", "replace"))


def _text(entry, name):
    value = entry.get(name) if isinstance(entry, dict) else None
    return value if isinstance(value, str) else None


def line_of(index, entry):
    """An entry in one line, for people."""
    members = entry if isinstance(entry, dict) else {}
    seconds, generation, by = members.get("time"), members.get("generation"), members.get("by")
    known = _is_number(seconds) and 0 <= seconds < 253402300800
    line = f"{index:6}  " + (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if known else f"{'?':20}")
    kind = _text(members, "kind")
    line += "  " + ("(no kind)" if kind is None else _plain(kind))
    if _is_number(generation):
        line += f"  generation {generation}"
    for name, before in (("what", ""), ("measurement", "measurement ")):
        line += f"  {before}{_plain(_text(members, name))}" if _text(members, name) else ""
    keys = by if isinstance(by, list) else []
    return line + "".join((", " if i else "  by ") + _plain((key if isinstance(key, str) else "?").encode()[:16].decode("utf-8", "replace"))
                          for i, key in enumerate(keys))


def _dumps(value, compact=True):
    text = json.dumps(value, separators=(",", ":") if compact else None)
    return re.sub(r"\\(u[0-9a-f]{4}|.)", lambda m: "\\" + (m[1] if len(m[1]) == 1 else "u" + m[1][1:].upper()), text)


def object_of(index, data, entry, url=None):
    """An entry as JSON, in one line."""
    value = {"index": index, "hash": hashlib.sha256(b"\0" + data).hexdigest(), "entry": entry}
    return _dumps({**value, "url": url} if url is not None else value)


def _judge_entry(teller, index, entry):
    """Whether it is what an entry says of itself: the exit status."""
    members = entry if isinstance(entry, dict) else {}
    if members.get("format") != ENTRY_FORMAT:
        return teller.complain(f"entry {index} is none of {ENTRY_FORMAT}")
    if not _is_number(members.get("index")) or members["index"] != index:
        return teller.complain(f"entry {index} says that it is another one")
    return 0


# ---- judged --------------------------------------------------------------------------------------------------------------------


class Seen:
    """A server that was judged by its log, too; result is what came of it. What that was is remembered when remember() is called."""

    def __init__(self, url, policy, collateral, teller):
        host, port = address_of(url)
        self.policy, self._handle = policy, None
        with socket.create_connection((host, port), 600) as raw:
            with client_context().wrap_socket(raw, server_hostname=host) as tls:
                self._der = _peer(tls)
                collateral = _collateral_for(collateral, self._der)
                manifest, fresh, reusable = _seen(tls, host, policy, lambda why: teller.complain(f"{url}: {why}"))
                self.log = log_of(tls, self._der, host, port, reusable=reusable)
                for attempt in range(COSIGNED_ATTEMPTS):
                    if attempt > 0:
                        time.sleep(COSIGNED_PAUSE_S)
                        self.log._renew()
                    self._judge(collateral, manifest, fresh)
                    values = self.result.values
                    if (not self.log or not _failed(values, "log witnesses") or
                            _failed(values, "log history", "log checkpoint")):
                        break
                if self.log:
                    self.log._source.release()

    def _judge(self, collateral, manifest, fresh):
        self.close()
        with self.policy._lock:
            evidence = _evidence(self._der, None, manifest, self.log, self.policy, fresh)
            self._handle, conflict = _verify(self.policy, collateral, evidence, self.log, True, remember=False)
        if not self._handle:
            raise MemoryError
        self.result = Result(json.loads(_take(lib.result_json(self._handle))), self.policy.any_instance, conflict)

    def remember(self):
        """None, or the conflict with another head of as many entries."""
        with self.policy._lock:
            return _remember(self.policy, self.log, self._handle, self._der)

    def close(self):
        if self._handle:
            lib.result_destroy(self._handle)
        self._handle = None

    def __del__(self):
        self.close()


def _refused(teller, seen, url, what):
    """What is wrong with the server, if anything: the exit status."""
    result = seen.result
    if result.verdict != "refused" and result["log"]["checkpoint"] is not None:
        return 0
    teller.quiet = False
    for check in result.failed:
        teller.complain(f"{url}: {check['name']}: {check['reason']}")
    if result.verdict == "refused":
        return teller.complain(f"{url} is not verified{what}")
    return teller.complain(f"{url} has shown no log that its certificate vouches for")


def _keep_evidence(path, text, state):
    """What was written of that first is kept; whether it is there now. Anything else is left as it is, too, which is told."""
    try:
        if os.path.exists(path):
            compare_logs(path, state)
            return True
    except (ValueError, OSError):
        pass
    try:
        write_new(path, text.encode(), "It is no evidence of this conflict: move it away.")
    except OSError as e:
        print(f"enclave-verifier: {e}", file=sys.stderr, flush=True)
        return False
    return True


def keep_conflict(options, text, head):
    """Beside the file of --log-state, as enclavectl does."""
    path = f"{options.log_state}.conflict-{head['size']}-{head['root'][:8]}"
    if _keep_evidence(path, text, options.log_state):
        print(f"enclave-verifier: {options.url}: what a third party can check of that is in {path}", file=sys.stderr, flush=True)


def _keep(options, teller, seen):
    """Remember what was seen, for --log-state: the exit status."""
    if options.log_state is None:
        return 0
    try:
        conflict = seen.remember()
    except OSError as e:
        return teller.complain(f"--log-state {e}")
    if conflict is None:
        return 0
    keep_conflict(options, conflict, seen.result["log"]["checkpoint"])
    return teller.complain(f"--log-state {options.log_state}: another head of as many entries was written there meanwhile: there are two "
                           "histories")


# ---- log -----------------------------------------------------------------------------------------------------------------------


def show_log(options, policy, collateral):
    teller = Teller()
    seen = Seen(options.url, policy, collateral, teller)
    if seen.result.conflict is not None:
        keep_conflict(options, seen.result.conflict, seen.result["log"]["checkpoint"])
    if seen.result.verdict != "refused" and seen.log and _keep(options, teller, seen) != 0:
        return 1
    status = _refused(teller, seen, options.url, ": its log is not shown")
    log, start = seen.log, options.from_ or 0
    if status == 0 and start > log.size:
        status = teller.complain(f"{options.url}: there are {log.size} entries")
    if status != 0:
        return status
    if seen.result.verdict != "verified":
        teller.note(f"{options.url} is genuine, but nothing says whose enclave it is: this may be another one's history")
    if options.json:
        sys.stdout.write(f'{{"url": {_dumps(options.url)}, "size": {log.size}, "root": "{log.root.hex()}", '
                         f'"checkpoint": {_dumps(log.checkpoint)}, "entries": [')
    for index in range(start, log.size):
        try:
            data = log.entry(index)
        except LogError as e:
            status = teller.complain(f"{options.url}: the log: {e}")
            break
        entry = read_entry(data)
        if options.json:
            sys.stdout.write(("," if index > start else "") + "\n" + object_of(index, data, entry))
        else:
            print(line_of(index, entry))
        status |= _judge_entry(teller, index, entry)
    if options.json:
        print("]}")
    elif status == 0:
        print(f"{log.size} entries, root {log.root.hex()}, signed by the enclave")
    return status


# ---- monitor -------------------------------------------------------------------------------------------------------------------


class Monitor:
    GO_ON, AWAY = -1, -2

    def __init__(self, options, policy, collateral):
        self.options, self.policy, self.collateral, self.teller = options, policy, collateral, Teller()
        self.url, self.before = options.url, None
        remembered = policy._recall()
        self.next = options.from_ if options.from_ is not None else remembered or None
        self.shown, self.away, self.unwritten = 0, False, False

    def _come_back(self):
        if self.away:
            self.teller.note(f"{self.url} answers again")
        self.away = self.teller.quiet = False

    def _goes_on(self, seen):
        """Whether the log's head goes on from the one that was seen last: no file remembers it."""
        log = seen.log
        if self.before is None:
            return self.GO_ON
        size, root = self.before
        roots = log._roots(size) if size <= log.size else None
        if roots is not None and roots == (root, log.root):
            return self.GO_ON
        proven = roots is not None and roots[1] == log.root
        if not proven and log._by_stranger:
            raise NoAnswer("the log: it came over a connection with another certificate")
        self.teller.quiet = False
        return self.teller.complain(f"{self.url}: log history: seen before: {size} entries, root {root.hex()}; shown now: {log.size} "
                                    f"entries, root {log.root.hex()}: it does not go on from there")

    def _show(self, log):
        while self.next < log.size:
            try:
                data = log.entry(self.next)
            except LogError as e:
                raise NoAnswer(f"the log: {e}") from e
            self._come_back()
            entry = read_entry(data)
            try:
                print(object_of(self.next, data, entry, self.url) if self.options.json else line_of(self.next, entry), flush=True)
            except OSError:  # a connection's is another one
                return self.teller.complain("standard output is gone")
            status = _judge_entry(self.teller, self.next, entry)
            if status != 0:
                return status
            self.next += 1
            self.shown += 1
            if self.shown == self.options.count:
                return 0
        return self.GO_ON

    def _judged(self, seen):
        if seen.result.conflict is not None:
            keep_conflict(self.options, seen.result.conflict, seen.result["log"]["checkpoint"])
        status = _refused(self.teller, seen, self.url, "") or self._goes_on(seen)
        if status != self.GO_ON:
            return status
        log = seen.log
        if self.before is None:
            self.next = log.size if self.next is None else self.next
            self.teller.note(f"{self.url}: {log.size} entries, root {log.root.hex()}")
        self.before = log.size, log.root
        status = self._show(log)
        if self.next < log.size:
            return status  # what was not said is not remembered: it is said the next time
        self._come_back()
        self.teller.quiet = self.unwritten  # why is told once
        self.unwritten = _keep(self.options, self.teller, seen) != 0
        self.teller.quiet = False
        return 1 if status == 0 and self.unwritten else status

    def _look(self):
        self.teller.quiet = self.away  # why is told once
        try:
            return self._judged(Seen(self.url, self.policy, self.collateral, self.teller))
        except OSError as e:
            self.teller.complain(f"{self.url}: {e}")
            return self.AWAY
        finally:
            self.teller.quiet = False

    def follow(self):
        pause = interval = self.options.interval
        while True:
            status = self._look()
            if status not in (self.GO_ON, self.AWAY):
                return status
            if status == self.GO_ON:
                pause = interval
            elif not self.away:
                self.teller.note(f"{self.url} does not answer; it is asked again")
                self.away = True
            elif pause < PAUSES_MAX * interval and pause < PAUSE_MAX_S:
                pause *= 2
            time.sleep(pause)


def _end(number, frame):
    """Nothing is left half done: lines are written as a whole, and files replaced."""
    os._exit(0)


def monitor(options, policy, collateral):
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    return Monitor(options, policy, collateral).follow()


# ---- log compare ---------------------------------------------------------------------------------------------------------------


def compare(options):
    """The files are judged before anything is connected to; ValueError is for them."""
    outcome, why, evidence, head = compare_logs(options.a, options.b)
    if options.url is not None:
        try:
            outcome, why, evidence, head = compare_logs(options.a, options.b, options.url)
        except NoAnswer as e:  # the files may be enough
            print(f"enclave-verifier: {options.url}: {e}", file=sys.stderr)
        except OSError as e:
            print(f"enclave-verifier: {e}", file=sys.stderr)
            return 1
    told = {"comparison": outcome, "why": why}
    if evidence is not None:
        size, root = head
        path = f"{options.a}.conflict-{size}-{root.hex()[:8]}"
        if _keep_evidence(path, evidence, options.a):
            print(f"enclave-verifier: what a third party can check of that is in {path}", file=sys.stderr)
            told["evidence"] = path
    print(json.dumps(told, indent=2) if options.json else f"{outcome}: {why}")
    return {"consistent": 0, "unproven": 3, "conflict": 1}[outcome]
