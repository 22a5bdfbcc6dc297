/*
 * Who would have an instance, judged by the caller's policy before it has anything: what it has shown to the enclave
 * that has the instance, its quote over that, and the documents that vouch for the quote, as that enclave has them.
 */
#ifndef ENCLAVE_OS_CLI_RECIPIENT_H
#define ENCLAVE_OS_CLI_RECIPIENT_H

#include "cli/authorised.h"

#define RECIPIENT_PATH "/_enclave/hand-over" /* POST approves */

/* Who has the instance, as the policy has verified it. */
struct recipient_giver {
    struct verifier_claims claims;
    uint64_t log_size; /* of its history then; 0: it has shown none */
};

/* Verify the server at o's URL by all that the policy says. 0, or the exit status: why was told. */
int recipient_giver_know(struct authorised_options *o, struct recipient_giver *giver);

/* Judge that recipient (64 hexadecimal digits) of the server at o's URL: that its name is of the key which it has
 * shown, that its quote is over that key and over what the two have said, that it is the giver with whom it said that,
 * that the policy accepts it by the quote, and that the giver's upgrade rule lets it have the instance. waits: the name
 * may be known here before the server knows it. 0, with its MRENCLAVE in HEX; or the exit status: why was told. */
int recipient_judge(struct authorised_options *o, const struct recipient_giver *giver, const char *recipient,
                    bool waits, char mrenclave[65]);

#endif
