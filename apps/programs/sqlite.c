/*
 * SQLite as a service, with its database in the app's sealed files. It says what it has committed as it commits it, so
 * that a test can kill the server at any moment and see what is left.
 *
 *   /run?MODE,TO   rows up to TO, in transactions of one to forty, from where the table is; each line of the answer is
 *                  the number of rows that are committed. MODE is SQLite's journal_mode: delete, truncate, persist, wal
 *   /check?MODE,N  after a restart: the database is whole, the first N rows are there, and each row has its own text
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/say.h"
#include "../common/wasi_http.h"

static sqlite3 *db;

static int failed(const char *what)
{
    return say("%s: %s", what, sqlite3_errmsg(db));
}

/* Of a statement with one number for an answer; -1 after say(). */
static long long number_of(const char *sql)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        return failed(sql);
    long long number = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : failed(sql);
    sqlite3_finalize(statement);
    return number;
}

static int run_sql(const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(sql);
}

static int open_database(const char *mode)
{
    char sql[128];
    /* Nobody else may have it: there are no locks between instances, and no memory that they share. */
    if (sqlite3_open_v2("/rows.db", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix-none") != SQLITE_OK)
        return failed("open");
    snprintf(sql, sizeof sql, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=%s; PRAGMA synchronous=EXTRA", mode);
    if (run_sql(sql) < 0)
        return -1;
    return run_sql("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, text TEXT, hash INTEGER);"
                   "CREATE INDEX IF NOT EXISTS hashes ON rows (hash)");
}

/* A row's text, of a length of its own, and what the index has of it. */
static sqlite3_int64 make_row(long long id, char text[512])
{
    uint64_t state = (uint64_t)id * 0x9e3779b97f4a7c15u;
    size_t size = 20 + (state >> 50) % 480;
    for (size_t i = 0; i < size; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        text[i] = (char)('a' + (state >> 33) % 26);
    }
    text[size] = 0;
    return (sqlite3_int64)(state >> 1);
}

static int insert(sqlite3_stmt *statement, long long id)
{
    char text[512];
    sqlite3_int64 hash = make_row(id, text);
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_text(statement, 2, text, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(statement, 3, hash);
    int status = sqlite3_step(statement) == SQLITE_DONE ? 0 : failed("insert");
    sqlite3_reset(statement);
    return status;
}

static int run(long long to, uint32_t stream)
{
    char line[32];
    struct stream_result sent = {0};
    sqlite3_stmt *statement;
    long long id = number_of("SELECT coalesce(max(id), 0) FROM rows");
    if (id < 0)
        return -1;
    if (sqlite3_prepare_v2(db, "INSERT INTO rows VALUES (?, ?, ?)", -1, &statement, NULL) != SQLITE_OK)
        return failed("prepare");
    int status = 0;
    while (status == 0 && id < to && !sent.error) {
        status = run_sql("BEGIN");
        for (long long last = id + 1 + id % 40; status == 0 && id < last && id < to;)
            status = insert(statement, ++id);
        if (status == 0)
            status = run_sql("COMMIT");
        if (status == 0)
            stream_write(stream, line, (size_t)snprintf(line, sizeof line, "%lld\n", id), &sent);
    }
    sqlite3_finalize(statement);
    return status;
}

static int check_rows(long long acknowledged)
{
    sqlite3_stmt *statement;
    char text[512];
    long long count = 0;
    if (sqlite3_prepare_v2(db, "SELECT id, text, hash FROM rows ORDER BY id", -1, &statement, NULL) != SQLITE_OK)
        return failed("prepare");
    int status;
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        sqlite3_int64 hash = make_row(++count, text);
        if (sqlite3_column_int64(statement, 0) != count || sqlite3_column_int64(statement, 2) != hash ||
            strcmp((const char *)sqlite3_column_text(statement, 1), text) != 0)
            break;
    }
    sqlite3_finalize(statement);
    if (status != SQLITE_DONE)
        return say("row %lld is not what it was", count);
    return count < acknowledged ? say("%lld rows, %lld were acknowledged", count, acknowledged) : say("ok %lld", count);
}

static int check(long long acknowledged)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL) != SQLITE_OK)
        return failed("prepare");
    int row = sqlite3_step(statement);
    const char *said = row == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : sqlite3_errmsg(db);
    bool whole = row == SQLITE_ROW && strcmp(said, "ok") == 0;
    if (!whole)
        say("integrity_check: %s", said);
    sqlite3_finalize(statement);
    return whole ? check_rows(acknowledged) : -1;
}

EXPORT("wasi:http/incoming-handler@0.2.12#handle") void handle(uint32_t request, uint32_t outparam)
{
    struct option_text target;
    struct stream_result sent;
    char path[128], mode[16] = "";
    long long number = 0;
    request_path(request, &target);
    snprintf(path, sizeof path, "%.*s", (int)target.text.size, target.text.data);
    uint32_t stream, body = respond(outparam, 200, &stream);
    if (sscanf(path, "%*[^?]?%15[a-z],%lld", mode, &number) != 2)
        say("no such task");
    else if (open_database(mode) == 0 && (path[1] == 'c' ? check(number) : run(number, stream)) == 0)
        say("done");
    strcat(answer, "\n");
    stream_write(stream, answer, strlen(answer), &sent);
    sqlite3_close(db);
    finish(body, stream);
}
