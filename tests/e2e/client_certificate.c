/*
 * An RA-TLS certificate such as another enclave would show, with its key, in PEM: client_certificate KIND
 *
 *   good       simulated, as all enclaves on the emulator
 *   hardware   under a root that is neither Intel's nor a simulation's
 *   stolen     whose quote is over another key
 */
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "verifier/testing/fixture.h"

static const uint8_t other[17];

int main(int argc, char **argv)
{
    struct fixture_options o = fixture_defaults();
    const char *kind = argc == 2 ? argv[1] : "";
    int64_t minute = time(NULL) / 60 * 60;
    if (strcmp(kind, "hardware") != 0)
        o.root_name = "Test SIMULATION Root CA";
    if (strcmp(kind, "stolen") == 0) {
        o.binding = other;
        o.binding_size = sizeof other;
    } else if (strcmp(kind, "good") != 0 && strcmp(kind, "hardware") != 0) {
        fprintf(stderr, "usage: client_certificate good|hardware|stolen\n");
        return 2;
    }
    o.body.attributes.flags |= SGX_FLAGS_DEBUG;
    o.leaf_from_s = minute;
    o.leaf_until_s = minute + FIXTURE_DAY;
    struct fixture *f = fixture_create(&o);
    PEM_write_X509(stdout, f->leaf);
    PEM_write_PrivateKey(stdout, fixture_leaf_key(), NULL, NULL, 0, NULL, NULL);
    fixture_destroy(f);
    return 0;
}
