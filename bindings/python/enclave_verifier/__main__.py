"""enclave-verifier: options, words and exit status are those of `enclavectl verify`, `policy from`, `ca`, `log`, `log compare` and
`monitor`."""
import argparse
import base64
import hashlib
import json
import os
import socket
import ssl
import sys

from . import Collateral, LogUnanswered, NotVerified, Policy, _judge, _peer, _seen, client_context, policy_from, save_ca
from . import _follow
from ._ca import ExistsError, address_of, log_of, write_new


INT64_MAX = (1 << 63) - 1


class Once(argparse.Action):
    """An option that is given twice is a mistake: argparse would take the second."""

    def __call__(self, parser, values, value, option=None):
        if getattr(values, self.dest) is not None:
            parser.error(f"{option} is given twice")
        if value == "":
            parser.error(f"{option} has an empty value")
        setattr(values, self.dest, value)


def _number(text):
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text}: expected a number from 0 to 65535")
    return int(text)


def _number_from(least, most):
    def read(text):
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most or (text[0] == "0" and text != "0"):
            raise argparse.ArgumentTypeError(f"{text}: expected a number from {least} to {most}")
        return int(text)
    return read


def _extension(text):
    oid, equals, digits = text.partition("=")
    try:
        if not equals:
            raise ValueError
        return oid, bytes.fromhex(digits)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: expected OID=HEX") from None


def _of_app(form, convert):
    """A type of NAME=VALUE."""
    def read(text):
        name, equals, value = text.partition("=")
        try:
            if not name or not equals:
                raise ValueError
            return name, convert(value)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text}: expected {form}") from None
    return read


def _hex32(text):
    if len(text) != 64:
        raise ValueError
    return bytes.fromhex(text)


P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")  # before a point, in its SubjectPublicKeyInfo


def _administrator(text):
    """[ROLE:]KEY"""
    role, colon, key = text.partition(":")
    if not colon or role not in ("admin", "deploy", "monitor"):
        role, key = "admin", text
    if text == "none":
        return text
    try:
        return role, _hex32(key)
    except ValueError:
        pass
    lines = _file(key).split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    try:
        if lines[0] != "-----BEGIN PUBLIC KEY-----" or lines[-1] != "-----END PUBLIC KEY-----":
            raise ValueError
        spki = base64.b64decode("".join(lines[1:-1]), validate=True)
        if len(spki) != len(P256) + 64 or not spki.startswith(P256):
            raise ValueError
    except (ValueError, IndexError):
        raise argparse.ArgumentTypeError(f"{text}: expected [ROLE:]KEY, a role being admin, deploy or monitor, and KEY 64 hex digits "
                                         "or a file with one P-256 public key (FILE.pub); or none") from None
    return role, hashlib.sha256(spki).digest()


def _file(text):
    try:
        with open(text, encoding="ascii") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as e:
        raise argparse.ArgumentTypeError(f"{text}: {getattr(e, 'strerror', None) or 'no PEM: it is not ASCII'}") from None


def _add_trust(command):
    """Which server: what every command has."""
    command.add_argument("url", metavar="https://HOST[:PORT]")
    command.add_argument("--policy", action=Once, metavar="FILE", help="what is expected, from a file; these options add to it")
    command.add_argument("--mrenclave", action="append", default=[], metavar="HEX",
                         help="accept this measurement; may be repeated")
    command.add_argument("--mrsigner", action=Once, metavar="HEX", help="accept this signer, with --prod-id and --min-svn")
    command.add_argument("--prod-id", action=Once, type=_number, metavar="N")
    command.add_argument("--min-svn", action=Once, type=_number, metavar="N")
    command.add_argument("--instance", action=Once, metavar="HEX", help="this instance, of an accepted measurement or signer")
    command.add_argument("--root", action=Once, type=_file, metavar="FILE.pem",
                         help="the root of the PCK chain; default: Intel's")
    command.add_argument("--issuer", action=Once, type=_file, metavar="FILE.pem", help="the enclave's own CA")
    command.add_argument("--extension", action="append", type=_extension, default=[], metavar="OID=HEX",
                         help="the certificate's extension must have this value")
    command.add_argument("--admin", action="append", type=_administrator, default=[], metavar="[ROLE:]KEY",
                         help="who may change it: FILE.pub or its SHA-256, none for nobody; ROLE: admin (default), deploy, monitor; "
                         "may be repeated, and nobody else may be there")
    command.add_argument("--admin-threshold", action=Once, type=_number, metavar="N",
                         help="how many of those in the role admin it takes to change that; default 1")
    command.add_argument("--app", action="append", type=_of_app("NAME=SHA256, with 64 hex digits", _hex32), default=[],
                         metavar="NAME=SHA256", help="this app must be running, of this .wasm; may be repeated")
    command.add_argument("--app-settings", action="append", default=[], metavar="NAME=HASH",
                         type=_of_app("NAME=HASH, with 64 hex digits, or NAME=none", lambda v: None if v == "none" else _hex32(v)),
                         help="its settings must have this hash, or be none; may be repeated")
    command.add_argument("--egress", action="append", type=_of_app("NAME=HOST[:PORT],..., or NAME= for nowhere", str), default=[],
                         metavar="NAME=HOSTS", help="it may connect to HOST[:PORT],... and nowhere else; may be repeated")
    command.add_argument("--only-apps", action="store_true", help="no app may run but those that are named")
    command.add_argument("--log-state", action=Once, metavar="FILE",
                         help="its history must go on from what FILE remembers, which is written there")
    command.add_argument("--fresh", action="store_true", help="it must prove itself once more, for this very connection")
    command.add_argument("--allow-simulation", action="store_true",
                         help="accept simulated quotes, which prove nothing about hardware")
    command.add_argument("--allow-debug", action="store_true", help="accept a debug enclave, which its host can read")
    command.add_argument("--require-collateral", action="store_true", help="fail without collateral")
    command.add_argument("--accept-tcb", action="append", default=[], metavar="STATUS", help="beside UpToDate; may be repeated")
    source = command.add_mutually_exclusive_group()
    source.add_argument("--pccs", action=Once, metavar="URL", help="fetch collateral from there")
    source.add_argument("--collateral", action=Once, metavar="DIR", help="take collateral from a folder")
    command.add_argument("--pccs-ca", action=Once, metavar="FILE.pem",
                         help="who may sign the certificate of an https --pccs; default: the system's CAs")
    command.add_argument("--save-collateral", action=Once, metavar="DIR", help="keep what --pccs gave")


def _parser():
    parser = argparse.ArgumentParser(prog="enclave-verifier", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", allow_abbrev=False, help="judge an enclave; exit status 0 if it is verified, 3 if it is "
                                 "genuine, but nothing says whose it is to be, 1 if it is refused")
    _add_trust(verify)
    verify.add_argument("--json", action="store_true", help="print the result as JSON (docs/verify.schema.json)")
    log = commands.add_parser("log", allow_abbrev=False, help="print an instance's history, each entry of it proven; log compare STATE-A "
                              "[STATE-B]: whether two clients have seen one history")
    _add_trust(log)
    log.add_argument("--from", dest="from_", action=Once, type=_number_from(0, INT64_MAX), metavar="N",
                     help="from the N'th entry on; default: 0, all")
    log.add_argument("--json", action="store_true", help="print one JSON object, with the head and all entries")
    monitor = commands.add_parser("monitor", allow_abbrev=False, help="follow an instance, and print one line for each entry of its history "
                                  "when it is seen; ends with status 1 as soon as it is refused, or does not go on from what was seen")
    _add_trust(monitor)
    monitor.add_argument("--from", dest="from_", action=Once, type=_number_from(0, INT64_MAX), metavar="N",
                         help="begin with the N'th entry; default: what comes from now on, or behind --log-state's")
    monitor.add_argument("--count", action=Once, type=_number_from(1, INT64_MAX), metavar="N", help="end after so many entries")
    monitor.add_argument("--interval", action=Once, type=_number_from(1, 86400), metavar="S",
                         help="ask every S seconds, 1 to 86400; default: 10")
    monitor.add_argument("--json", action="store_true", help="print each as a JSON object, in one line")
    policy = commands.add_parser("policy", allow_abbrev=False, help="write down what is seen of an enclave, for --policy")
    policy.add_argument("from_", metavar="from", choices=["from"])
    _add_trust(policy)
    policy.add_argument("--out", action=Once, metavar="FILE", help="where to, instead of standard output")
    policy.add_argument("--who", action="store_true", help="only which program, and whose")
    ca = commands.add_parser("ca", allow_abbrev=False,
                             help="verify an enclave, then save the CA that lives in it, for clients that judge by a CA")
    _add_trust(ca)
    ca.add_argument("--out", required=True, action=Once, metavar="FILE",
                    help="where to; a file with another certificate in it is left alone, and told of")
    ca.add_argument("--any-instance", action="store_true", help="save it though nothing says which enclave it is to be")
    return parser


def _compare_parser():
    parser = argparse.ArgumentParser(prog="enclave-verifier log compare", allow_abbrev=False,
                                     description="Whether two clients have seen one history: each STATE is a file of --log-state, or one "
                                     "that was written beside it of a conflict. Exit status: 0 if they are consistent; 3 if that is "
                                     "unproven; 1 if they are in conflict, of which evidence is written beside STATE-A, or if it failed.")
    parser.add_argument("a", metavar="STATE-A")
    parser.add_argument("b", metavar="STATE-B", nargs="?")
    parser.add_argument("--url", action=Once, metavar="https://HOST:PORT",
                        help="a server that has one of these logs, by now longer, or not: it need not be trusted")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _named_once(option, pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"{option}: the same name is given twice")
    return found


def _administrators(options):
    named = options.admin
    admins = sum(one[0] == "admin" for one in named if one != "none")
    if options.admin_threshold is not None and not 1 <= options.admin_threshold <= admins:
        raise ValueError(f"--admin-threshold {options.admin_threshold}: {admins} keys are named by --admin in the role admin")
    if named == ["none"]:
        return []
    if "none" in named:
        raise ValueError("--admin none: somebody or none, and that once")
    if len({key for _, key in named}) != len(named):
        raise ValueError("--admin: a key is given twice")
    return named or None


def _policy(options):
    extensions = _named_once("--extension", options.extension)
    try:
        file = None
        if options.policy:
            with open(options.policy, "rb") as opened:
                file = opened.read()
    except OSError as e:
        raise ValueError(f"--policy {options.policy}: {e.strerror}") from None
    return Policy(file=file, mrenclave=options.mrenclave, mrsigner=options.mrsigner, prod_id=options.prod_id,
                  min_svn=options.min_svn, instance=options.instance, roots=options.root, issuer=options.issuer,
                  apps=_named_once("--app", options.app), app_settings=_named_once("--app-settings", options.app_settings),
                  egress=_named_once("--egress", options.egress), only_apps=options.only_apps and options.command != "policy",
                  administrators=_administrators(options), admin_threshold=options.admin_threshold or 1, extensions=extensions, accept_tcb=options.accept_tcb, allow_simulation=options.allow_simulation,
                  allow_debug=options.allow_debug, require_collateral=options.require_collateral,
                  log_state=options.log_state, fresh=options.fresh)


def _keep_conflict(options, result):
    if result.conflict is not None:
        _follow.keep_conflict(options, result.conflict, result["log"]["checkpoint"])


def _judge_together(options):
    """What would have no effect beside the others is refused."""
    if options.accept_tcb and not (options.pccs or options.collateral):
        raise ValueError("--accept-tcb needs --pccs or --collateral: without collateral no TCB status is known")
    if options.save_collateral and not options.pccs:
        raise ValueError("--save-collateral keeps what --pccs gave: give that, too")
    if options.pccs_ca and not (options.pccs or "").startswith("https://"):
        raise ValueError("--pccs-ca is for a --pccs with https")
    if options.command == "policy" and options.who and options.only_apps:
        raise ValueError("--only-apps: with --who nothing of apps is written down")
    if options.save_collateral and not os.path.isdir(options.save_collateral):
        raise ValueError(f"--save-collateral {options.save_collateral}: not a folder")


def _collateral(options):
    if options.collateral:
        return Collateral.load(options.collateral)
    if not options.pccs:
        return None

    def fetch(der):
        found = Collateral.fetch(options.pccs, der, ca_file=options.pccs_ca)
        if options.save_collateral:
            found.save(options.save_collateral)
        return found
    return fetch


def _verify(options, policy, collateral):
    def tell(why):
        print(f"enclave-verifier: {options.url}: {why}", file=sys.stderr)

    host, port = address_of(options.url)
    with socket.create_connection((host, port), 600) as raw:
        with client_context().wrap_socket(raw, server_hostname=host) as tls:
            der = _peer(tls)
            manifest, fresh, reusable = _seen(tls, host, policy, tell)
            try:
                log = log_of(tls, der, host, port, reusable=reusable)
                result = _judge(der, policy, collateral, manifest=manifest, log=log, fresh=fresh)
            except LogUnanswered as e:
                if policy.needs_log:
                    raise
                tell(e)
                result = _judge(der, policy, collateral, manifest=manifest, fresh=fresh)
    _keep_conflict(options, result)
    if options.json:
        print(json.dumps({"url": options.url, **result.values}, indent=2))
    else:
        for check in result.checks:
            mark = {"passed": "ok  ", "failed": "FAIL"}.get(check["outcome"], "--  ")
            print(f"{mark}  {check['name']:28} {check['reason']}")
        print(f"{options.url}: {result.verdict}" + (", as a SIMULATION" if result["simulated"] else ""))
    return {"verified": 0, "genuine": 3}.get(result.verdict, 1)


def _policy_from(options, policy, collateral):
    text = policy_from(options.url, policy, collateral, who=options.who, only_apps=options.only_apps)
    if options.out:
        write_new(options.out, text.encode(), "Compare it with what is seen now, and remove it if the change is meant")
    else:
        print(text, end="")
    if not policy.names_instance:
        print(f"{options.url} was believed as it is now. Compare instance and mrenclave with what its operator says.",
              file=sys.stderr)
    return 0


def _ca(options, policy, collateral):
    pem = save_ca(options.url, options.out, policy, collateral, any_instance=options.any_instance)
    print(f"{options.out}: the CA with SHA-256 {hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()}")
    _tell_names(options.url, pem)
    return 0


def _tell_names(url, pem):
    """Clients that judge by the CA look at the name, too."""
    host, port = address_of(url)
    try:
        with socket.create_connection((host, port), 600) as raw:
            ssl.create_default_context(cadata=pem).wrap_socket(raw, server_hostname=host).close()
    except ssl.SSLCertVerificationError as e:
        print(f"enclave-verifier: clients that judge by the CA will refuse {url}: {e.verify_message} (see serve --san)",
              file=sys.stderr)


def _compare(arguments):
    parser = _compare_parser()
    options = parser.parse_args(arguments)
    try:
        if options.url is not None:
            address_of(options.url)
        return _follow.compare(options)
    except ValueError as e:
        parser.error(str(e))


def main(arguments=None):
    arguments = sys.argv[1:] if arguments is None else arguments
    if list(arguments[:2]) == ["log", "compare"]:
        return _compare(arguments[2:])
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "monitor":
        options.interval = options.interval or 10
    try:
        _judge_together(options)
        policy = _policy(options)
        address_of(options.url)
        if getattr(options, "out", None) and os.path.isdir(options.out):
            raise ValueError(f"--out {options.out}: it is a folder: expected a file's name")
        if options.command == "policy" and options.who:
            policy.refuse_beyond_who()
        if options.command == "ca" and not policy.names_program and not options.any_instance:
            raise ValueError("nothing says which enclave this is to be, as any program can show what else is expected: give "
                             "--policy, --mrenclave, --mrsigner or --issuer, or --any-instance if any will do")
    except ValueError as e:
        parser.error(str(e))
    try:
        collateral = _collateral(options)
        return {"verify": _verify, "policy": _policy_from, "ca": _ca, "log": _follow.show_log,
                "monitor": _follow.monitor}[options.command](options, policy, collateral)
    except (NotVerified, ExistsError, OSError) as e:
        if isinstance(e, NotVerified):
            _keep_conflict(options, e.result)
        print(f"enclave-verifier: {options.url}: {e}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
