/*
 * The two heads of LMDB's file. A commit writes its pages, has them on disk, and then writes its number N into the head
 * of page N & 1, over that of N - 2: at any moment, whatever is killed or loses power, the two numbers are neighbours
 * and each is in its own page. A new file has 0 in both. LMDB takes the greater one and nothing says whether it is what
 * was written: a bit that the disk has changed makes it go back by a commit without a word, or follow a page number
 * that leads anywhere.
 *
 * So behind the head, where the rest of its page is unused, each commit notes how both heads are now. It is not synced
 * by itself, but with the next commit: a note may be one commit behind, and then the head that is newer than it is
 * believed. Of the two notes the newer one counts, of those that are whole.
 *
 *     a head is as it was noted                              it is right
 *     it is of the next commit, and the other as noted       the note was not written any more
 *     both are newer than noted, and neighbours              somebody else wrote, who notes nothing: LMDB's own tools
 *     one differs in a byte from what was noted, the other   it is damaged, and is written again as it was noted: a
 *       does not                                               next commit differs in its number and in its pages
 *     anything else                                          nobody knows: an error
 *
 * A file without notes is from before there were any, and its numbers are all that can be judged.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/kvstore/internal.h"

#define MAGIC 0xbeefc0deu
#define AT_MAGIC 16u
#define AT_PAGE_SIZE 40u
#define AT_NUMBER 144u
#define AT_NOTE 1024u
#define PAGE_SIZE_MIN 4096u
#define PAGE_SIZE_MAX 65536u
static_assert(AT_NOTE >= KVSTORE_HEAD_SIZE, "behind the head");
#define TRIES 1000 /* with a server that commits between the reading of the one and of the other */

static const char note_magic[8] = "EOSHEAD1";

struct note {
    char magic[8];
    struct kvstore_heads heads;
    uint64_t sum; /* of what is before it */
};
static_assert(sizeof(struct note) == 8 + 2 * KVSTORE_HEAD_SIZE + 8, "without padding");

static uint64_t number_of(const uint8_t head[KVSTORE_HEAD_SIZE])
{
    uint64_t number;
    memcpy(&number, head + AT_NUMBER, sizeof number);
    return number;
}

static uint32_t page_size_of(const uint8_t head[KVSTORE_HEAD_SIZE])
{
    uint32_t size;
    memcpy(&size, head + AT_PAGE_SIZE, sizeof size);
    return size;
}

static bool is_head(const uint8_t head[KVSTORE_HEAD_SIZE])
{
    uint32_t magic, size = page_size_of(head);
    memcpy(&magic, head + AT_MAGIC, sizeof magic);
    return magic == MAGIC && size >= PAGE_SIZE_MIN && size <= PAGE_SIZE_MAX;
}

static uint64_t newest_of(const struct kvstore_heads *heads)
{
    uint64_t even = number_of(heads->of[0]), odd = number_of(heads->of[1]);
    return even > odd ? even : odd;
}

/* FNV-1a: it tells damage from what was written, and nothing from what somebody wants to be believed. */
static uint64_t sum_of(const struct note *note)
{
    const uint8_t *bytes = (const uint8_t *)note;
    uint64_t sum = 0xcbf29ce484222325u;
    for (size_t i = 0; i < offsetof(struct note, sum); i++)
        sum = (sum ^ bytes[i]) * 0x100000001b3u;
    return sum;
}

static bool read_at(int fd, void *out, size_t size, uint64_t at)
{
    return pread(fd, out, size, (off_t)at) == (ssize_t)size;
}

static bool read_note(int fd, uint64_t page, struct note *out)
{
    return read_at(fd, out, sizeof *out, page + AT_NOTE) && memcmp(out->magic, note_magic, sizeof note_magic) == 0 &&
           out->sum == sum_of(out) && is_head(out->heads.of[0]) && is_head(out->heads.of[1]);
}

/* What a file has: its heads, and how they were noted last. False: no such pages are there. */
struct found {
    struct kvstore_heads heads, noted;
    bool has_note;
    uint32_t page_size;
};

/* Where the second page's note is; 0: there is none. first: that of the first page; where that is NULL, its own
 * alone says for sure where it is. */
static uint32_t find_second_note(int fd, const struct note *first, struct note *out)
{
    if (first)
        return read_note(fd, page_size_of(first->heads.of[0]), out) ? page_size_of(first->heads.of[0]) : 0;
    for (uint32_t size = PAGE_SIZE_MIN; size <= PAGE_SIZE_MAX; size *= 2)
        if (read_note(fd, size, out) && page_size_of(out->heads.of[0]) == size)
            return size;
    return 0;
}

static bool look(int fd, struct found *out)
{
    struct note first, second;
    memset(out, 0, sizeof *out);
    bool has_first = read_note(fd, 0, &first);
    uint32_t second_at = find_second_note(fd, has_first ? &first : NULL, &second);
    if (!read_at(fd, out->heads.of[0], KVSTORE_HEAD_SIZE, 0))
        return false;
    out->page_size = second_at                   ? second_at
                     : has_first                 ? page_size_of(first.heads.of[0])
                     : is_head(out->heads.of[0]) ? page_size_of(out->heads.of[0])
                                                 : (uint32_t)sysconf(_SC_PAGESIZE);
    if (!read_at(fd, out->heads.of[1], KVSTORE_HEAD_SIZE, out->page_size))
        return false;
    out->has_note = has_first || second_at;
    if (out->has_note)
        out->noted = has_first && (!second_at || newest_of(&first.heads) > newest_of(&second.heads)) ? first.heads
                                                                                                     : second.heads;
    return true;
}

static bool are_neighbours(const struct kvstore_heads *heads)
{
    uint64_t even = number_of(heads->of[0]), odd = number_of(heads->of[1]);
    if (even == 0 && odd == 0)
        return true;
    return even % 2 == 0 && odd % 2 == 1 && (even == odd + 1 || odd == even + 1);
}

static bool is_newer(const struct found *f, unsigned i)
{
    const uint8_t *now = f->heads.of[i];
    return is_head(now) && number_of(now) > newest_of(&f->noted) && number_of(now) % 2 == i;
}

enum { AS_NOTED, NEXT, DAMAGED, UNKNOWN };

/* Of the head in page i. What the commit after the noted ones leaves there has another number and other pages: the
 * one that it takes the place of was needed until then. */
static int compare(const struct found *f, unsigned i)
{
    const uint8_t *now = f->heads.of[i], *noted = f->noted.of[i];
    size_t differ = 0;
    for (size_t k = 0; k < KVSTORE_HEAD_SIZE; k++)
        differ += now[k] != noted[k];
    if (differ <= 1)
        return differ == 0 ? AS_NOTED : DAMAGED;
    return is_newer(f, i) && memcmp(now, noted, AT_NUMBER) != 0 ? NEXT : UNKNOWN;
}

enum judgement { AGREE, DISAGREE, FIRST_DAMAGED, SECOND_DAMAGED };

static enum judgement judge(const struct found *f)
{
    if (!f->has_note) /* what LMDB itself refuses counts as agreeing */
        return !is_head(f->heads.of[0]) || !is_head(f->heads.of[1]) || are_neighbours(&f->heads) ? AGREE : DISAGREE;
    int first = compare(f, 0), second = compare(f, 1);
    if (is_newer(f, 0) && is_newer(f, 1) && are_neighbours(&f->heads))
        return AGREE;
    if (first <= NEXT && second <= NEXT && are_neighbours(&f->heads))
        return AGREE;
    if (first == DAMAGED && second == AS_NOTED)
        return FIRST_DAMAGED;
    return first == AS_NOTED && second == DAMAGED ? SECOND_DAMAGED : DISAGREE;
}

static int open_file(const char *folder, int flags)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    return open(path, flags | O_CLOEXEC | O_NONBLOCK);
}

static int say_damaged(const char *folder, const char *what, char *error, size_t error_size)
{
    snprintf(error, error_size, "%s: %s", folder, what);
    return -EIO;
}

int kvstore_judge_heads(const char *folder, char *error, size_t error_size)
{
    enum judgement is = AGREE;
    struct found found = {0}, before;
    bool settled = false;
    int fd = open_file(folder, O_RDONLY);
    if (fd < 0)
        return 0; /* a new store, or one that LMDB cannot open either */
    for (int i = 0; i < TRIES && !settled; i++) {
        before = found;
        is = look(fd, &found) ? judge(&found) : AGREE;
        /* Seen twice, it was there at one time: no commit leaves what was there before another. */
        settled = is == AGREE || (i > 0 && memcmp(&before, &found, sizeof found) == 0);
    }
    close(fd);
    if (is == AGREE)
        return 0;
    return say_damaged(folder,
                       is == DISAGREE
                           ? "one of the two heads of the store's file is damaged: which commit is the newest is not "
                             "known: restore a backup"
                           : "one of the two heads of the store's file is damaged: a server that is started over it "
                             "mends it",
                       error, error_size);
}

int kvstore_mend_heads(const char *folder, char *error, size_t error_size)
{
    struct found found;
    int fd = open_file(folder, O_RDWR);
    if (fd < 0)
        return 0;
    enum judgement is = look(fd, &found) ? judge(&found) : AGREE;
    int damaged = is == SECOND_DAMAGED ? 1 : 0;
    bool mended =
        (is == FIRST_DAMAGED || is == SECOND_DAMAGED) &&
        pwrite(fd, found.noted.of[damaged], KVSTORE_HEAD_SIZE, (off_t)damaged * found.page_size) == KVSTORE_HEAD_SIZE;
    close(fd);
    if (mended)
        fprintf(stderr,
                "%s: one of the two heads of the store's file was damaged: it is mended as it was noted. Whatever "
                "keeps this store does not keep it well\n",
                folder);
    return is == AGREE || mended ? 0 : kvstore_judge_heads(folder, error, error_size);
}

void kvstore_note_heads(int fd, struct kvstore_heads *known)
{
    struct found found;
    struct note note = {.heads = *known};
    memcpy(note.magic, note_magic, sizeof note_magic);
    if (!look(fd, &found) || !is_head(found.heads.of[0]) || !is_head(found.heads.of[1]))
        return;
    /* Only what a commit has written since: what it has not is as it was known to be. */
    uint64_t newest = newest_of(&note.heads);
    for (int i = 0; i < 2; i++)
        if (!is_head(note.heads.of[i]) || number_of(found.heads.of[i]) > newest)
            memcpy(note.heads.of[i], found.heads.of[i], KVSTORE_HEAD_SIZE);
    bool is_old = found.has_note && memcmp(&found.noted, &note.heads, sizeof note.heads) == 0;
    *known = note.heads;
    if (is_old || !are_neighbours(&note.heads))
        return;
    note.sum = sum_of(&note);
    uint64_t page = newest_of(&note.heads) % 2 * found.page_size;
    ssize_t ignored = pwrite(fd, &note, sizeof note, (off_t)(page + AT_NOTE)); /* without it, it is one behind */
    (void)ignored;
}
