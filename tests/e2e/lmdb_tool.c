/* A hostile host's hands on the store:
 * lmdb_tool DIR count|digest|flip I WHERE|delete I|truncate I|swap I J|copy I J|extra I|restore-from DIR|restore I DIR
 * lmdb_tool DIR become OTHER-DIR: all that is in there, and nothing else
 * lmdb_tool DIR find SIZE-FROM SIZE-TO: the numbers of the records of such a size
 * lmdb_tool DIR show NAME: the record of that name, in hex
 * lmdb_tool DIR records: how many there are without twins and what has a name; list: number, key, size of each
 * lmdb_tool DIR twin I: the number of its twin
 * lmdb_tool DIR names I: flips a bit of its name and of its twin's
 * lmdb_tool DIR junk: puts in what never was a store's, of each shape
 * A record is its place in the order of keys, or =SIZE: the only one of that many bytes or up to 300 more. */
#include <lmdb.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS_MAX 100000

struct record {
    uint8_t key[64], *value;
    size_t key_size, value_size;
};
static struct record records[RECORDS_MAX];
static size_t count;

static void must(int result, const char *what)
{
    if (result != 0) {
        fprintf(stderr, "lmdb_tool: %s: %s\n", what, mdb_strerror(result));
        exit(1);
    }
}

static MDB_env *open_env(const char *path)
{
    MDB_env *env;
    must(mdb_env_create(&env), "create");
    must(mdb_env_set_mapsize(env, 1ul << 32), "map size");
    must(mdb_env_set_maxdbs(env, 4), "tables");
    must(mdb_env_open(env, path, 0, 0600), path);
    return env;
}

static void load(MDB_env *env)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_cursor *cursor;
    MDB_val key, value;
    must(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "begin");
    must(mdb_dbi_open(txn, NULL, 0, &dbi), "open");
    must(mdb_cursor_open(txn, dbi, &cursor), "cursor");
    for (count = 0; mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0 && count < RECORDS_MAX; count++) {
        struct record *r = &records[count];
        if (key.mv_size > sizeof r->key) /* junk */
            continue;
        memcpy(r->key, key.mv_data, r->key_size = key.mv_size);
        r->value = malloc(value.mv_size + 1);
        memcpy(r->value, value.mv_data, r->value_size = value.mv_size);
    }
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
}

static void change(MDB_env *env, const struct record *r, const uint8_t *value, size_t size)
{
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val key = {r->key_size, (void *)r->key}, data = {size, (void *)value};
    must(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    must(mdb_dbi_open(txn, NULL, 0, &dbi), "open");
    if (value)
        must(mdb_put(txn, dbi, &key, &data, 0), "put");
    else
        must(mdb_del(txn, dbi, &key, NULL), "del");
    must(mdb_txn_commit(txn), "commit");
}

static void digest(void)
{
    uint8_t sum[32] = {0}, hash[32];
    for (size_t i = 0; i < count; i++) {
        SHA256(records[i].value, records[i].value_size, hash);
        for (int k = 0; k < 32; k++)
            sum[k] ^= (uint8_t)(hash[k] + records[i].key[k % (records[i].key_size ? records[i].key_size : 1)]);
    }
    for (int k = 0; k < 32; k++)
        printf("%02x", sum[k]);
    printf("\n");
}

/* Everything but the root as it was in another copy of the store: what a rollback of single records would be. */
static void restore_from(MDB_env *env, const char *path)
{
    MDB_env *old = open_env(path);
    load(old);
    for (size_t i = 0; i < count; i++)
        if (records[i].key_size >= 32) /* and their twins */
            change(env, &records[i], records[i].value, records[i].value_size);
}

static void become(MDB_env *env, const char *path)
{
    for (size_t i = 0; i < count; i++)
        change(env, &records[i], NULL, 0);
    load(open_env(path));
    for (size_t i = 0; i < count; i++)
        change(env, &records[i], records[i].value, records[i].value_size);
}

/* One record as it was in another copy of the store. */
static void restore(MDB_env *env, size_t i, const char *path)
{
    struct record now = records[i];
    load(open_env(path));
    for (size_t k = 0; k < count; k++)
        if (records[k].key_size == now.key_size && !memcmp(records[k].key, now.key, now.key_size)) {
            change(env, &now, records[k].value, records[k].value_size);
            return;
        }
    must(MDB_NOTFOUND, "restore");
}

/* A record's value once more, under a key that there was not. */
static void add_extra(MDB_env *env, size_t i)
{
    struct record more = records[i];
    for (size_t k = 0; k < more.key_size; k++)
        more.key[k] ^= 0x5a;
    change(env, &more, more.value, more.value_size);
}

static size_t number(const char *text)
{
    size_t from = strtoul(text + 1, NULL, 10), found = SIZE_MAX;
    if (*text != '=')
        return strtoul(text, NULL, 10);
    for (size_t k = 0; k < count; k++)
        if (records[k].value_size >= from && records[k].value_size <= from + 300)
            found = found == SIZE_MAX ? k : SIZE_MAX - 1;
    if (found >= count)
        must(MDB_NOTFOUND, text);
    return found;
}

static void find(size_t from, size_t to)
{
    for (size_t k = 0; k < count; k++)
        if (records[k].value_size >= from && records[k].value_size <= to)
            printf("%zu\n", k);
}

static void show(const char *name)
{
    for (size_t k = 0; k < count; k++) {
        if (records[k].key_size != strlen(name) || memcmp(records[k].key, name, records[k].key_size) != 0)
            continue;
        for (size_t i = 0; i < records[k].value_size; i++)
            printf("%02x", records[k].value[i]);
        printf("\n");
        return;
    }
    must(MDB_NOTFOUND, name);
}

static void count_records(void)
{
    size_t found = 0;
    for (size_t k = 0; k < count; k++)
        found += records[k].key_size == 32;
    printf("%zu\n", found);
}

static void list(void)
{
    for (size_t k = 0; k < count; k++) {
        printf("%zu ", k);
        for (size_t i = 0; i < records[k].key_size; i++)
            printf(records[k].key_size < 32 ? "%c" : "%02x", records[k].key[i]);
        printf(" %zu\n", records[k].value_size);
    }
}

/* Keys of all lengths, empty values, values that no record has, other tables, also under names as records have them. */
static void add_junk(MDB_env *env)
{
    static const size_t sizes[] = {0, 1, 76, 5000, 9 << 20};
    static const char *const tables[] = {"table", "a table, whose name has 32 bytes",
                                         "a table, whose name has 33 bytes."};
    MDB_txn *txn;
    MDB_dbi dbi;
    char *value = calloc(1, 9 << 20), key_data[511];
    must(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    must(mdb_dbi_open(txn, NULL, 0, &dbi), "open");
    for (size_t length = 1; length <= sizeof key_data; length += length < 70 ? 1 : 63) {
        memset(key_data, (int)(37 * length), sizeof key_data);
        MDB_val key = {length, key_data}, data = {sizes[length % (sizeof sizes / sizeof *sizes)], value};
        must(mdb_put(txn, dbi, &key, &data, 0), "put");
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) { /* and keys as records have them, with all values */
        memset(key_data, (int)(0x40 + i), 32);
        MDB_val key = {32, key_data}, data = {sizes[i], value};
        must(mdb_put(txn, dbi, &key, &data, 0), "put");
    }
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        MDB_val key = {3, "key"}, data = {5, "value"};
        must(mdb_dbi_open(txn, tables[i], MDB_CREATE, &dbi), tables[i]);
        must(mdb_put(txn, dbi, &key, &data, 0), "put");
    }
    must(mdb_txn_commit(txn), "commit");
    free(value);
}

static void print_twin(const struct record *of)
{
    for (size_t k = 0; k < count; k++)
        if (records[k].key_size == 33 && of->key_size == 32 && (records[k].key[0] ^ of->key[0]) == 0xff &&
            !memcmp(records[k].key + 1, of->key + 1, 31)) {
            printf("%zu\n", k);
            return;
        }
    must(MDB_NOTFOUND, "twin");
}

/* record.h has where they stand. */
static void flip_names(MDB_env *env, struct record *r)
{
    r->value[10 + 2] ^= 1;
    change(env, r, r->value, r->value_size);
    for (size_t k = 0; k < count; k++) {
        struct record *twin = &records[k];
        if (twin->key_size != 33 || r->key_size != 32 || (twin->key[0] ^ r->key[0]) != 0xff ||
            memcmp(twin->key + 1, r->key + 1, 31) != 0)
            continue;
        twin->value[9 + 10 + 2] ^= 1;
        change(env, twin, twin->value, twin->value_size);
        return;
    }
    must(MDB_NOTFOUND, "twin");
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    MDB_env *env = open_env(argv[1]);
    load(env);
    const char *verb = argv[2];
    if (!strcmp(verb, "show") && argc > 3) {
        show(argv[3]);
        return 0;
    }
    size_t i = argc > 3 ? number(argv[3]) : 0;
    if (!strcmp(verb, "count")) {
        printf("%zu\n", count);
    } else if (!strcmp(verb, "records")) {
        count_records();
    } else if (!strcmp(verb, "list")) {
        list();
    } else if (!strcmp(verb, "junk")) {
        add_junk(env);
    } else if (!strcmp(verb, "digest")) {
        digest();
    } else if (!strcmp(verb, "restore-from") && argc > 3) {
        restore_from(env, argv[3]);
    } else if (!strcmp(verb, "become") && argc > 3) {
        become(env, argv[3]);
    } else if (!strcmp(verb, "find") && argc > 4) {
        find(i, strtoul(argv[4], NULL, 10));
    } else if (i >= count) {
        return 2;
    } else if (!strcmp(verb, "flip") && argc > 4) {
        struct record *r = &records[i];
        size_t at = !strcmp(argv[4], "first") ? 0 : !strcmp(argv[4], "last") ? r->value_size - 1 : r->value_size / 2;
        r->value[at] ^= 0x10;
        change(env, r, r->value, r->value_size);
    } else if (!strcmp(verb, "names")) {
        flip_names(env, &records[i]);
    } else if (!strcmp(verb, "twin")) {
        print_twin(&records[i]);
    } else if (!strcmp(verb, "delete")) {
        change(env, &records[i], NULL, 0);
    } else if (!strcmp(verb, "truncate")) {
        change(env, &records[i], records[i].value, records[i].value_size / 2);
    } else if (!strcmp(verb, "swap") && argc > 4 && number(argv[4]) < count) {
        size_t j = number(argv[4]);
        change(env, &records[i], records[j].value, records[j].value_size);
        change(env, &records[j], records[i].value, records[i].value_size);
    } else if (!strcmp(verb, "copy") && argc > 4 && number(argv[4]) < count) {
        change(env, &records[number(argv[4])], records[i].value, records[i].value_size);
    } else if (!strcmp(verb, "extra")) {
        add_extra(env, i);
    } else if (!strcmp(verb, "restore") && argc > 4) {
        restore(env, i, argv[4]);
    } else {
        return 2;
    }
    mdb_env_close(env);
    return 0;
}
