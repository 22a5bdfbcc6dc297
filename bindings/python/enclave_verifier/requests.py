"""requests to enclaves: every new connection is verified before anything is sent over it.

    session = requests.Session()
    session.mount("https://enclave.example/", EnclaveAdapter(Policy.load("policy.json")))
    session.get("https://enclave.example/hello/")   # requests.exceptions.SSLError unless verified
"""
import urllib3
from requests.adapters import HTTPAdapter

from . import ConnectionSpent, client_context, verify_socket


_ATTEMPTS = 5  # of connecting, while the server's configuration changes


def _connection_class(policy, collateral):
    class EnclaveConnection(urllib3.connection.HTTPSConnection):
        def connect(self):
            for attempt in range(_ATTEMPTS):
                self.ssl_context = client_context()  # of this connection alone, so that what it exports is known
                super().connect()
                try:
                    verify_socket(self.sock, policy, collateral)
                    break
                except BaseException as e:
                    self.close()
                    if not isinstance(e, ConnectionSpent) or attempt == _ATTEMPTS - 1:
                        raise
            self.is_verified = True

    return EnclaveConnection


class EnclaveAdapter(HTTPAdapter):
    """policy, and collateral as for verify_socket. Names and CAs are not looked at, and `verify` has no effect. ValueError: the
    policy does not say whose enclave it is to be."""

    def __init__(self, policy, collateral=None, **arguments):
        policy.require_instance()

        class Pool(urllib3.HTTPSConnectionPool):
            ConnectionCls = _connection_class(policy, collateral)

        self._pool = Pool
        super().__init__(**arguments)

    def init_poolmanager(self, connections, maxsize, block=False, **arguments):
        arguments.update(ssl_context=client_context(), cert_reqs="CERT_NONE", assert_hostname=False)
        super().init_poolmanager(connections, maxsize, block, **arguments)
        self.poolmanager.pool_classes_by_scheme = {"http": urllib3.HTTPConnectionPool, "https": self._pool}

    def proxy_manager_for(self, *arguments, **keywords):
        raise ValueError("an enclave's connections are not verified through a proxy")

    def build_connection_pool_key_attributes(self, request, verify, cert=None):
        return super().build_connection_pool_key_attributes(request, False, cert)

    def cert_verify(self, connection, url, verify, cert):
        super().cert_verify(connection, url, False, cert)
