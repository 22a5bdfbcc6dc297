/* See evidence.h. */
#include "cli/evidence.h"

#include <string.h>
#include <unistd.h>

#include "cli/output.h"
#include "verifier/verifier_log.h"

int evidence_keep(const char *path, const char *text, const char *state)
{
    struct verifier_log_comparison c;
    if (access(path, F_OK) == 0 && verifier_log_compare(path, state, NULL, NULL, 0, &c) == 0) {
        verifier_free(c.evidence);
        return 0;
    }
    return output_save(path, text, strlen(text), "It is no evidence of this conflict: move it away");
}
