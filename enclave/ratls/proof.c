/* See proof.h. */
#include "enclave/ratls/proof.h"

bool proof_holds(SSL *ssl)
{
    STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
    int count = chain ? sk_X509_num(chain) : 0;
    for (int i = 0; i < count; i++)
        if (X509_cmp_current_time(X509_get0_notAfter(sk_X509_value(chain, i))) <= 0) /* 0: it cannot be read */
            return false;
    return count > 0 && SSL_get_verify_result(ssl) == X509_V_OK;
}
