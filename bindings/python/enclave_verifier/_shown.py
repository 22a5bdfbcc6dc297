"""What a server is asked for over the connection that is judged."""
import typing

from . import Policy, verify_certificate
from ._fresh import fetch_fresh, is_v2
from ._manifest import ConnectionSpent, NoAnswer, fetch_manifest


class _Shown(typing.NamedTuple):
    """What a server told of itself over the connection that is judged; and whether that takes another request."""
    manifest: bytes | None
    fresh: tuple | None
    reusable: bool


def _fresh_of(tls, der, host, policy, reusable):
    """(fresh, reusable): what policy needs, or a certificate without a quote does."""
    if not policy.requires_fresh and not is_v2(der):
        return None, reusable
    if not reusable:
        raise ConnectionSpent(0, "the server's configuration has just changed: connect again")
    return fetch_fresh(tls, der, verify_certificate(der, Policy())["spki_sha256"] or "", host)


def _manifest_of(tls, host, needed, tell):
    """(manifest, reusable)"""
    if not needed and not tell:
        return None, True
    try:
        return fetch_manifest(tls, host)
    except NoAnswer as e:
        if needed:
            raise NoAnswer(f"no manifest: {e}") from e
        tell(f"no manifest: {e}")
        return None, False


def _seen(tls, host, policy, tell=None):
    """What policy needs, or a certificate without a quote; with tell all that there is, if it comes, and else tell is told why not."""
    der = tls.getpeercert(binary_form=True)
    manifest, reusable = _manifest_of(tls, host, policy.needs_manifest or is_v2(der), tell)
    fresh, reusable = _fresh_of(tls, der, host, policy, reusable)
    return _Shown(manifest, fresh, reusable)
