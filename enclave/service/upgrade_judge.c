/* Judging who may have the instance, by the rule and by what this enclave is. See upgrade_rule.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/ensure.h"
#include "common/hex.h"
#include "enclave/service/upgrade_rule.h"
#include "sgx/include/arch.h"
#include "sgx/trusted/bridge.h"

void upgrade_self(struct upgrade_candidate *out)
{
    const uint8_t no_data[64] = {0};
    const struct sgx_targetinfo nobody = {0};
    struct sgx_report report;
    sgx_report(&nobody, no_data, &report);
    *out = (struct upgrade_candidate){
        .product = report.body.isvprodid, .svn = report.body.isvsvn, .debug = sgx_is_debug()};
    memcpy(out->mrenclave, report.body.mrenclave, sizeof out->mrenclave);
    memcpy(out->mrsigner, report.body.mrsigner, sizeof out->mrsigner);
}

__attribute__((format(printf, 3, 4))) static bool say(char *why, size_t why_size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, why_size, format, arguments);
    va_end(arguments);
    return false;
}

static bool signer_allows(const struct upgrade_rule *r, const struct upgrade_candidate *c, char *why, size_t why_size)
{
    char text[65];
    hex_text(c->mrsigner, 32, text);
    if (memcmp(r->mrsigner, c->mrsigner, 32) != 0)
        return say(why, why_size, "the upgrade rule names another signer than %s", text);
    if (r->product != c->product)
        return say(why, why_size, "the upgrade rule is for product %u, and this is %u", r->product, c->product);
    if (c->svn < r->svn)
        return say(why, why_size, "the upgrade rule asks for SVN %u at least, and this has %u", r->svn, c->svn);
    return true;
}

bool upgrade_rule_allows(const struct upgrade_rule *r, const struct upgrade_candidate *c, char *why, size_t why_size)
{
    struct upgrade_candidate self;
    char text[65];
    ENSURE(r && atomic_load_explicit(&r->references, memory_order_relaxed) > 0);
    ENSURE(c && why_size > 0);
    upgrade_self(&self);
    hex_text(c->mrenclave, 32, text);
    if (r->kind == UPGRADE_NONE)
        return say(why, why_size, "the upgrade rule is none: this instance is never given to another enclave");
    if (c->debug && !self.debug)
        return say(why, why_size, "whoever runs that enclave can read it (debug), and this one cannot be read");
    if (c->simulated && !self.debug)
        return say(why, why_size, "a simulation vouches for that enclave, and this one is none");
    if (c->svn < self.svn)
        return say(why, why_size, "that enclave's SVN is %u, and this one's is %u: it never falls", c->svn, self.svn);
    if (r->kind == UPGRADE_MEASUREMENTS && !upgrade_rule_names(r, c->mrenclave))
        return say(why, why_size, "the upgrade rule does not name the measurement %s", text);
    return r->kind == UPGRADE_MEASUREMENTS || signer_allows(r, c, why, why_size);
}

bool upgrade_rule_lets_recover(const struct upgrade_rule *r, const struct upgrade_candidate *before,
                               const struct upgrade_candidate *c, char *why, size_t why_size)
{
    char last[65], text[65];
    ENSURE(r && atomic_load_explicit(&r->references, memory_order_relaxed) > 0);
    ENSURE(before && c && why_size > 0);
    hex_text(before->mrenclave, 32, last);
    hex_text(c->mrenclave, 32, text);
    if (c->debug && !before->debug)
        return say(why, why_size, "whoever runs this enclave can read it (debug), and the one before it could not be");
    if (c->svn < before->svn)
        return say(why, why_size, "this enclave's SVN is %u, and the one before it had %u: it never falls", c->svn,
                   before->svn);
    if (memcmp(c->mrenclave, before->mrenclave, 32) == 0)
        return true;
    if (r->kind == UPGRADE_NONE)
        return say(why, why_size, "the upgrade rule is none: %s alone may recover it", last);
    if (r->publishers)
        return say(why, why_size, "publishers must agree to another image, and are not asked here: recover with %s",
                   last);
    if (r->kind == UPGRADE_MEASUREMENTS && !upgrade_rule_names(r, c->mrenclave))
        return say(why, why_size, "the upgrade rule does not name %s, and %s had it last", text, last);
    return r->kind == UPGRADE_MEASUREMENTS || signer_allows(r, c, why, why_size);
}
