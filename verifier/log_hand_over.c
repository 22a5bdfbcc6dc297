/*
 * The last entry of a log by which an image came to have the instance, sought backwards from the certificate's head;
 * and its proof under that head, whatever the log has grown to since.
 */
#include <errno.h>
#include <string.h>

#include "verifier/log.h"

/* From the leaf upwards, in the tree of the first size entries. */
static int fill_path(struct verifier_log *log, uint64_t index, uint64_t size, uint8_t (*path)[32], size_t *count)
{
    uint64_t first = 0, end = size;
    uint8_t downwards[64][32];
    int error = 0;
    for (*count = 0; !error && end - first > 1; (*count)++) {
        uint64_t middle = first + verifier__log_split(end - first);
        bool left = index < middle;
        error = verifier__log_subtree(log, left ? middle : first, left ? end : middle, downwards[*count]);
        first = left ? first : middle;
        end = left ? middle : end;
    }
    for (size_t i = 0; !error && i < *count; i++)
        memcpy(path[i], downwards[*count - 1 - i], 32);
    return error;
}

static int take(struct verifier_log *log, uint64_t index, uint64_t size)
{
    struct verifier_log_leaf *leaf = &log->hand_over.leaf;
    const char *data;
    size_t count;
    int error = verifier_log_entry(log, index, &data, &leaf->size);
    if (error == 0) {
        memcpy(log->hand_over.data, data, leaf->size + 1);
        error = fill_path(log, index, size, log->hand_over.path, &count);
    }
    if (error)
        return error;
    leaf->data = log->hand_over.data;
    leaf->proof = (struct verifier_inclusion){index, size, log->hand_over.path, count};
    log->view.hand_over = leaf;
    return 0;
}

/* The last one from first to end, exclusive, which is one bundle's: *found is its index, or end. */
static int last_of(struct verifier_log *log, uint64_t first, uint64_t end, uint64_t *found)
{
    const char *data;
    size_t size;
    int error = 0;
    *found = end;
    for (uint64_t i = first; i < end && (error = verifier_log_entry(log, i, &data, &size)) == 0; i++)
        *found = verifier__is_hand_over(data, size) ? i : *found;
    return error;
}

void verifier__log_search(struct verifier_log *log, uint64_t from, uint64_t certified_size)
{
    int error = 0;
    uint64_t least = from, end = certified_size, found = 0;
    if (end == 0 || end > log->head.size || from >= end)
        return; /* it has become shorter, or there is nothing new: other checks say so */
    if (end - least > VERIFIER_SEARCH_MAX)
        least = end - VERIFIER_SEARCH_MAX;
    log->view.search = least > 0 ? VERIFIER_SEARCHED_NEWER : VERIFIER_SEARCHED;
    while (!error && end > least && !log->view.hand_over) {
        uint64_t first = (end - 1) / TILE_WIDTH * TILE_WIDTH;
        first = first > least ? first : least;
        error = last_of(log, first, end, &found);
        if (!error && found < end)
            error = take(log, found, certified_size);
        end = first;
    }
    if (error)
        log->view.search = verifier_no_answer(error) ? VERIFIER_NOT_ANSWERED : VERIFIER_SEARCH_REFUSED;
}
