/*
 * Tables of apps (app.h). Of an app they know the name, and how references are counted.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/ensure.h"
#include "enclave/wasm/app.h"

struct app_table {
    struct app **apps; /* sorted by name */
    size_t count, capacity;
};

struct app_table *app_table_new(void)
{
    return calloc(1, sizeof(struct app_table));
}

struct app_table *app_table_copy(const struct app_table *table)
{
    struct app_table *copy = app_table_new();
    ENSURE(table);
    if (!copy || table->count == 0)
        return copy;
    copy->apps = calloc(table->count, sizeof *copy->apps);
    if (!copy->apps) {
        free(copy);
        return NULL;
    }
    for (size_t i = 0; i < table->count; i++)
        copy->apps[i] = app_ref(table->apps[i]);
    copy->count = copy->capacity = table->count;
    return copy;
}

void app_table_free(struct app_table *table)
{
    for (size_t i = 0; table && i < table->count; i++)
        app_unref(table->apps[i]);
    free(table ? table->apps : NULL);
    free(table);
}

static int compare(const char *name, const char *wanted, size_t size)
{
    int order = strncmp(name, wanted, size);
    return order ? order : name[size] != 0;
}

/* The app's position, or where it would be. */
static size_t position(const struct app_table *table, const char *name, size_t size, bool *found)
{
    ENSURE(table && name);
    ENSURE(table->count <= table->capacity);
    size_t low = 0, high = table->count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(app_name(table->apps[middle]), name, size);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What holds between any two changes. */
static void table_check(const struct app_table *table)
{
    ENSURE(table->count <= table->capacity);
    for (size_t i = 1; i < table->count; i++)
        ENSURE(strcmp(app_name(table->apps[i - 1]), app_name(table->apps[i])) < 0);
}

static int insert(struct app_table *table, size_t at, struct app *app)
{
    ENSURE(app);
    ENSURE(at <= table->count && table->count <= table->capacity);
    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 16;
        struct app **grown = realloc(table->apps, capacity * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        table->apps = grown;
        table->capacity = capacity;
    }
    memmove(&table->apps[at + 1], &table->apps[at], (table->count - at) * sizeof *table->apps);
    table->apps[at] = app;
    table->count++;
    return 0;
}

int app_table_put(struct app_table *table, struct app *app)
{
    bool found;
    ENSURE(table && app);
    int error = 0;
    struct app *old = NULL;
    size_t at = position(table, app_name(app), strlen(app_name(app)), &found);
    if (found) {
        old = table->apps[at];
        table->apps[at] = app;
    } else {
        error = insert(table, at, app);
    }
    table_check(table);
    app_unref(error ? app : old);
    return error;
}

int app_table_remove(struct app_table *table, const char *name)
{
    bool found;
    ENSURE(table && name);
    size_t at = position(table, name, strlen(name), &found);
    if (!found)
        return -ENOENT;
    struct app *old = table->apps[at];
    memmove(&table->apps[at], &table->apps[at + 1], (table->count - at - 1) * sizeof *table->apps);
    table->count--;
    table_check(table);
    app_unref(old);
    return 0;
}

struct app *app_table_find(const struct app_table *table, const char *name, size_t name_size)
{
    bool found;
    size_t at = position(table, name, name_size, &found);
    return found ? table->apps[at] : NULL;
}

void app_table_each(const struct app_table *table, void (*visit)(void *user, struct app *app), void *user)
{
    for (size_t i = 0; i < table->count; i++)
        visit(user, table->apps[i]);
}

size_t app_table_count(const struct app_table *table)
{
    return table->count;
}

json_t *app_table_json(const struct app_table *table, json_t *(*of)(struct app *app))
{
    json_t *array = json_array();
    ENSURE(table && of);
    for (size_t i = 0; i < table->count && array; i++)
        if (json_array_append_new(array, of(table->apps[i])) < 0) {
            json_decref(array);
            array = NULL;
        }
    return array;
}
