"""enclave-verifier verify, policy and ca: options and exit status are those of `enclavectl verify`, `policy from` and `ca`."""
import argparse
import hashlib
import json
import os
import socket
import ssl
import sys

from . import Collateral, NotVerified, Policy, client_context, fetch_manifest, judge, policy_from, save_ca
from ._ca import ExistsError, address_of, write_new


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


def _extension(text):
    oid, equals, digits = text.partition("=")
    try:
        if not equals:
            raise ValueError
        return oid, bytes.fromhex(digits)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: expected OID=HEX") from None


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
    command.add_argument("--allow-simulation", action="store_true",
                         help="accept simulated quotes, which prove nothing about hardware")
    command.add_argument("--allow-debug", action="store_true", help="accept a debug enclave, which its host can read")
    command.add_argument("--require-collateral", action="store_true", help="fail without collateral")
    command.add_argument("--accept-tcb", action="append", default=[], metavar="STATUS", help="beside UpToDate; may be repeated")
    source = command.add_mutually_exclusive_group()
    source.add_argument("--pccs", action=Once, metavar="URL", help="fetch collateral from there")
    source.add_argument("--collateral", action=Once, metavar="DIR", help="take collateral from a folder")


def _parser():
    parser = argparse.ArgumentParser(prog="enclave-verifier", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", allow_abbrev=False, help="judge an enclave; exit status 0 if it is verified, 3 if it is "
                                 "genuine, but nothing says whose it is to be, 1 if it is refused")
    _add_trust(verify)
    verify.add_argument("--json", action="store_true", help="print the result as JSON (docs/verify.schema.json)")
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


def _policy(options):
    extensions = dict(options.extension)
    if len(extensions) != len(options.extension):
        raise ValueError("--extension: the same OID is given twice")
    try:
        file = None
        if options.policy:
            with open(options.policy, "rb") as opened:
                file = opened.read()
    except OSError as e:
        raise ValueError(f"--policy {options.policy}: {e.strerror}") from None
    return Policy(file=file, mrenclave=options.mrenclave, mrsigner=options.mrsigner, prod_id=options.prod_id,
                  min_svn=options.min_svn, instance=options.instance, roots=options.root, issuer=options.issuer,
                  extensions=extensions, accept_tcb=options.accept_tcb, allow_simulation=options.allow_simulation,
                  allow_debug=options.allow_debug, require_collateral=options.require_collateral)


def _verify(options, policy, collateral):
    host, port = address_of(options.url)
    with socket.create_connection((host, port), 600) as raw:
        with client_context().wrap_socket(raw, server_hostname=host) as tls:
            manifest = fetch_manifest(tls, host)[0]
            result = judge(tls, policy, collateral, manifest=manifest)
    if options.json:
        print(json.dumps({"url": options.url, **result.values}, indent=2))
    else:
        for check in result.checks:
            mark = {"passed": "ok  ", "failed": "FAIL"}.get(check["outcome"], "--  ")
            print(f"{mark}  {check['name']:28} {check['reason']}")
        print(f"{options.url}: {result.verdict}" + (", as a SIMULATION" if result["simulated"] else ""))
    return {"verified": 0, "genuine": 3}.get(result.verdict, 1)


def _policy_from(options, policy, collateral):
    text = policy_from(options.url, policy, collateral, who=options.who)
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


def main(arguments=None):
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.accept_tcb and not (options.pccs or options.collateral):
        parser.error("--accept-tcb needs --pccs or --collateral: without collateral no TCB status is known")
    try:
        policy = _policy(options)
        address_of(options.url)
        if options.command != "verify" and options.out and os.path.isdir(options.out):
            raise ValueError(f"--out {options.out}: it is a folder: expected a file's name")
        if options.command == "ca" and not policy.names_enclave and not options.any_instance:
            raise ValueError("nothing says which enclave this is to be: give --policy, --mrenclave, --mrsigner, --instance, "
                             "--issuer or --extension, or --any-instance if any will do")
    except ValueError as e:
        parser.error(str(e))
    try:
        collateral = Collateral.load(options.collateral) if options.collateral else options.pccs
        return {"verify": _verify, "policy": _policy_from, "ca": _ca}[options.command](options, policy, collateral)
    except (NotVerified, ExistsError, OSError) as e:
        print(f"enclave-verifier: {options.url}: {e}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
