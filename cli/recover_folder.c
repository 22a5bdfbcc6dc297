/* See recover_folder.h. */
#include "cli/recover_folder.h"

#include <errno.h>
#include <string.h>

#include "cli/report.h"
#include "common/recovery_text.h"
#include "host/kvstore/copy.h"

/* What the enclave had its host keep. 0, or what complain returned. */
static int read_folder(const char *folder, struct recovery_kept *out)
{
    char error[512];
    struct kvstore_value values[KEPT_NAMES];
    int result = kvstore_read(folder, recovery_kept_names, KEPT_NAMES, values, error, sizeof error);
    if (result == -ENOENT)
        return complain("--data %s: there is no store in it", folder);
    if (result < 0)
        return complain("--data %s", error);
    for (size_t i = 0; i < KEPT_NAMES; i++) {
        out->of[i].bytes = values[i].data;
        out->of[i].size = values[i].size;
    }
    return 0;
}

char *recover_folder_text(const char *folder, size_t *size)
{
    struct recovery_kept kept = {0};
    struct recovery_text ignored;
    if (read_folder(folder, &kept) != 0)
        return NULL;
    enum recovery_kept_name which = recovery_kept_text(&kept, &ignored);
    if (which == KEPT_NAMES) /* what is there is told to be none */
        which = kept.of[KEPT_TEXT].bytes ? KEPT_TEXT : KEPT_TEXT_COPY;
    char *text = (char *)kept.of[which].bytes; /* with a zero behind it */
    *size = kept.of[which].size;
    kept.of[which].bytes = NULL;
    if (!text)
        complain("--data %s: there are no shares in it", folder);
    recovery_kept_free(&kept);
    return text;
}

/* Whether it can be what an enclave has kept. */
static bool is_right(const struct recovery_kept *kept, enum recovery_kept_name i)
{
    struct recovery_text ignored;
    if (i == KEPT_SHA256)
        return recovery_kept_is_hashed(kept, KEPT_TEXT) || recovery_kept_is_hashed(kept, KEPT_TEXT_COPY);
    if (i == KEPT_KEY || i == KEPT_KEY_COPY)
        return kept->of[i].size == RECOVERY_WRAPPED_SIZE;
    return recovery_text_read((const char *)kept->of[i].bytes, kept->of[i].size, &ignored);
}

/* Each record that is missing, or that was changed, is told. True: nothing was. */
static bool tell_kept(const char *folder, const struct recovery_kept *kept)
{
    static const enum recovery_kept_name first[] = {KEPT_TEXT, KEPT_KEY};
    bool ok = true;
    for (enum recovery_kept_name i = 0; i < KEPT_NAMES; i++) {
        if (kept->of[i].bytes && is_right(kept, i))
            continue;
        ok = false;
        complain("--data %s: %s %s", folder, recovery_kept_names[i],
                 kept->of[i].bytes ? "was changed: it is not what an enclave has kept" : "is missing");
    }
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        enum recovery_kept_name one = first[i], copy = one + 1;
        if (!kept->of[one].bytes || !kept->of[copy].bytes ||
            (kept->of[one].size == kept->of[copy].size &&
             memcmp(kept->of[one].bytes, kept->of[copy].bytes, kept->of[one].size) == 0))
            continue;
        ok = false;
        complain("--data %s: %s and %s differ: one of them was changed", folder, recovery_kept_names[one],
                 recovery_kept_names[copy]);
    }
    return ok;
}

int recover_folder_judge(const char *folder, bool *whole)
{
    struct recovery_kept kept = {0};
    int result = read_folder(folder, &kept);
    if (result == 0)
        *whole = tell_kept(folder, &kept);
    if (result == 0 && !(kept.of[KEPT_KEY].bytes && is_right(&kept, KEPT_KEY)) &&
        !(kept.of[KEPT_KEY_COPY].bytes && is_right(&kept, KEPT_KEY_COPY)))
        result = complain("--data %s: without %s, %u bytes, no shares open what is stored", folder,
                          recovery_kept_names[KEPT_KEY], RECOVERY_WRAPPED_SIZE);
    else if (result == 0 && !*whole)
        complain("--data %s: its server writes at its next start what is missing or was changed", folder);
    recovery_kept_free(&kept);
    return result;
}
