# Package clients believe whom the system believes. Node and pip bring certificate authorities of their own, so that where
# a registry is reached through a proxy with its own, cargo, curl and git work and they do not. Sourced.
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
    export NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}
    export PIP_CERT=${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}
fi
