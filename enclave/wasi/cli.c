/*
 * wasi:cli/{environment,exit,stdin,stdout,stderr,terminal-*}@0.2.x
 *
 * A handler's output goes to the log line by line, and its input is empty; a command reads the request's body and
 * writes the answer's (command.c), with stderr in the log. Nothing is a terminal.
 */
#include "enclave/wasi/internal.h"

static HOST_FUNC(get_environment)
{
    reply_word(g, 0);
    const struct setting_list *own = &g->app->settings->environment;
    for (size_t i = 0; i < own->count; i++) {
        reply_text(g, own->items[i].name, strlen(own->items[i].name));
        reply_text(g, own->items[i].value, strlen(own->items[i].value));
    }
    size_t of_request = g->app->command ? command_variables(g) : 0;
    g->reply[0].word = own->count + of_request;
    return HOST_DONE;
}

/* The first is the program's name, as everywhere. */
static HOST_FUNC(get_arguments)
{
    const struct setting_list *set = &g->app->settings->arguments;
    reply_word(g, 1 + set->count);
    reply_text(g, g->app->name, strlen(g->app->name));
    for (size_t i = 0; i < set->count; i++)
        reply_text(g, set->items[i].value, strlen(set->items[i].value));
    return HOST_DONE;
}

static HOST_FUNC(nothing)
{
    reply_word(g, 0); /* none */
    return HOST_DONE;
}

static HOST_FUNC(do_exit)
{
    g->exited = true;
    g->exit_code = (uint8_t)args[0].word; /* of exit(): 1 for an error */
    return guest_trap(g, g->exit_code ? "the guest exited with a failure" : "the guest exited");
}

static enum host_result stream(struct guest *g, enum kind kind, enum stream_end end)
{
    struct resource *r = resource_new(g, kind);
    if (!r)
        return HOST_TRAP;
    r->state = end;
    reply_own(g, r);
    return HOST_DONE;
}

static HOST_FUNC(get_stdin)
{
    return stream(g, KIND_INPUT_STREAM, g->app->command ? STREAM_BODY : STREAM_EMPTY);
}

static HOST_FUNC(get_stdout)
{
    return stream(g, KIND_OUTPUT_STREAM, g->app->command ? STREAM_ANSWER : STREAM_STDOUT);
}

static HOST_FUNC(get_stderr)
{
    return stream(g, KIND_OUTPUT_STREAM, STREAM_STDERR);
}

static const struct host_func environment_funcs[] = {
    {"get-environment", "()->(list<tuple<string,string>>)", get_environment, SHAPE_ANY, false},
    {"get-arguments", "()->(list<string>)", get_arguments, SHAPE_ANY, false},
    {"initial-cwd", "()->(option<string>)", nothing, SHAPE_ANY, false},
};
static const struct host_func exit_funcs[] = {
    {"exit", "(result<_,_>)->()", do_exit, SHAPE_ANY, false},
    {"exit-with-code", "(u8)->()", do_exit, SHAPE_ANY, false},
};
static const struct host_func stdin_funcs[] = {
    {"get-stdin", "()->(own<input-stream>)", get_stdin, SHAPE_NEW, false},
};
static const struct host_func stdout_funcs[] = {
    {"get-stdout", "()->(own<output-stream>)", get_stdout, SHAPE_NEW, false},
};
static const struct host_func stderr_funcs[] = {
    {"get-stderr", "()->(own<output-stream>)", get_stderr, SHAPE_NEW, false},
};
static const struct host_func no_terminal[] = {
    {"[method]*", NULL, NULL, SHAPE_ANY, false},
};
static const struct host_func terminal_stdin_funcs[] = {
    {"get-terminal-stdin", "()->(option<own<terminal-input>>)", nothing, SHAPE_ANY, false},
};
static const struct host_func terminal_stdout_funcs[] = {
    {"get-terminal-stdout", "()->(option<own<terminal-output>>)", nothing, SHAPE_ANY, false},
};
static const struct host_func terminal_stderr_funcs[] = {
    {"get-terminal-stderr", "()->(option<own<terminal-output>>)", nothing, SHAPE_ANY, false},
};

const struct host_interface wasi_cli[10] = {
    INTERFACE("wasi:cli/environment", "0.2", environment_funcs),
    INTERFACE("wasi:cli/exit", "0.2", exit_funcs),
    INTERFACE("wasi:cli/stdin", "0.2", stdin_funcs),
    INTERFACE("wasi:cli/stdout", "0.2", stdout_funcs),
    INTERFACE("wasi:cli/stderr", "0.2", stderr_funcs),
    INTERFACE("wasi:cli/terminal-input", "0.2", no_terminal),
    INTERFACE("wasi:cli/terminal-output", "0.2", no_terminal),
    INTERFACE("wasi:cli/terminal-stdin", "0.2", terminal_stdin_funcs),
    INTERFACE("wasi:cli/terminal-stdout", "0.2", terminal_stdout_funcs),
    INTERFACE("wasi:cli/terminal-stderr", "0.2", terminal_stderr_funcs),
};
