/* See whole.h. */
#include "cli/whole.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/agreement.h"
#include "cli/input.h"
#include "cli/report.h"
#include "common/json.h"

#define WHOLE_MAX 16384u

static int print_answer(const struct authorised_options *o, const struct http_answer *answer)
{
    const struct whole *w = o->whole;
    json_t *whole = json_read(answer->body, answer->body_size, JSON_REJECT_DUPLICATES, NULL);
    int result = whole && w->is(whole) ? 0 : complain("the server's answer is no %s", w->name);
    if (result == 0 && o->json)
        printf("%s\n", answer->body);
    else if (result == 0)
        w->print(whole);
    json_decref(whole);
    return result;
}

/* As text that is the same for the same file, so that others can approve it. */
static char *read_file(const struct whole *w, const char *path)
{
    size_t size;
    char *text = read_input(NULL, path, WHOLE_MAX, &size), *body = NULL;
    if (!text)
        return NULL;
    json_error_t where;
    json_t *whole = json_read(text, size, JSON_REJECT_DUPLICATES, &where);
    json_object_del(whole, "sha256"); /* which is shown with --json, and so is */
    json_object_del(whole, "epoch");  /* the number of a sharing: the next one has another */
    if (!whole)
        wrong("%s: line %d: %s", path, where.line, where.text);
    else if (!w->is(whole))
        wrong("%s: %s", path, w->lacks);
    else if (!(body = json_dumps(whole, JSON_COMPACT | JSON_SORT_KEYS)))
        complain("out of memory");
    json_decref(whole);
    free(text);
    return body;
}

static int set(struct authorised_options *o, const char *file)
{
    char path[64], *body = read_file(o->whole, file);
    int result = body ? 0 : 2;
    snprintf(path, sizeof path, "%s%s", o->whole->path, o->now ? "?now=true" : "");
    if (body && o->propose) /* whose key a token is for */
        result = authorised_show(o, o->whole->path, NULL);
    if (result == 0)
        result = agreement_carry_out(o, path, body, print_answer);
    free(body);
    return result;
}

static int dispatch(struct authorised_options *o, int argc, char **argv)
{
    const struct whole *w = o->whole;
    const struct authorised_action actions[] = {{w->show, "", 0, 0}, {"set", "FILE.json", 1, 1}, {0}};
    const struct admin_options *a = o->admin;
    int action = authorised_action(w->command, actions, argc, argv);
    if (action < 0)
        return 2;
    if (a->role || a->out)
        return wrong("--%s: %s has no such option", a->role ? "role" : "out", w->command);
    if (action == 0 && (o->propose || o->approval_count))
        return wrong("--%s goes with set", o->propose ? "propose" : "approval");
    if (o->now && action == 0)
        return wrong("--now goes with set");
    if (o->propose && o->approval_count)
        return wrong("--propose and --approval: a change is proposed or carried out");
    if (o->json && o->propose)
        return wrong("--json: no answer of the server is shown here");
    if (agreement_judge(o) != 0)
        return 2;
    return action == 0 ? authorised_show(o, o->whole->path, print_answer) : set(o, argv[1]);
}

int whole_command(const struct whole *w, int argc, char **argv, const char *usage)
{
    struct admin_options admin = {0};
    struct authorised_options o = {
        .has_json = true, .has_change = true, .has_agreement = true, .admin = &admin, .whole = w};
    return authorised_command(&o, argc, argv, usage, dispatch);
}
