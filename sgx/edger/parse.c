/*
 * From .edl text to struct edl: the subset of Intel's EDL that this project allows itself.
 *
 *   file     = "enclave" "{" { include | trusted | untrusted } "}" [";"]
 *   include  = "include" STRING
 *   trusted  = "trusted" "{" { "public" function } "}" ";"
 *   untrusted= "untrusted" "{" { function } "}" ";"
 *   function = type NAME "(" ["void" | param {"," param}] ")" ";"
 *   param    = ["[" attribute {"," attribute} "]"] ["const"] type ["*"] NAME
 *   attribute= "in" | "out" | "user_check" | "string" | ("size"|"count") "=" (NAME | NUMBER)
 */
#include "sgx/edger/edl.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_NUMBER, TOKEN_STRING, TOKEN_PUNCTUATION };

struct token {
    enum token_kind kind;
    char text[128];
    struct edl_position at;
};

struct parser {
    struct edl *edl;
    const char *next; /* first character not yet in a token */
    struct edl_position at;
    struct token token; /* the one under consideration */
};

_Noreturn void edl_fail(const char *path, struct edl_position at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d:%d: error: ", path, at.line, at.column);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

#define FAIL(p, where, ...) edl_fail((p)->edl->path, where, __VA_ARGS__)

/* ---- tokens ------------------------------------------------------------------------------------------------ */

static void step(struct parser *p)
{
    if (*p->next == '\n') {
        p->at.line++;
        p->at.column = 0;
    }
    p->at.column++;
    p->next++;
}

static void skip_comment(struct parser *p)
{
    struct edl_position start = p->at;
    bool block = p->next[1] == '*';
    step(p);
    step(p);
    while (*p->next && (block ? strncmp(p->next, "*/", 2) != 0 : *p->next != '\n'))
        step(p);
    if (block) {
        if (!*p->next)
            FAIL(p, start, "this comment has no end");
        step(p);
        step(p);
    }
}

static void skip_space(struct parser *p)
{
    for (;;) {
        if (isspace((unsigned char)*p->next))
            step(p);
        else if (p->next[0] == '/' && (p->next[1] == '*' || p->next[1] == '/'))
            skip_comment(p);
        else
            return;
    }
}

static void token_add(struct parser *p, size_t *size)
{
    if (*size + 1 >= sizeof p->token.text)
        FAIL(p, p->token.at, "a token of more than %zu characters", sizeof p->token.text - 1);
    p->token.text[(*size)++] = *p->next;
    step(p);
}

static void read_string(struct parser *p, size_t *size)
{
    step(p);
    while (*p->next != '"') {
        if (!*p->next || *p->next == '\n')
            FAIL(p, p->token.at, "this string has no end");
        token_add(p, size);
    }
    step(p);
}

static void advance(struct parser *p)
{
    skip_space(p);
    size_t size = 0;
    unsigned char c = (unsigned char)*p->next;
    p->token.at = p->at;
    if (c == '\0') {
        p->token.kind = TOKEN_END;
    } else if (isalpha(c) || c == '_') {
        p->token.kind = TOKEN_NAME;
        while (isalnum((unsigned char)*p->next) || *p->next == '_')
            token_add(p, &size);
    } else if (isdigit(c)) {
        p->token.kind = TOKEN_NUMBER;
        while (isalnum((unsigned char)*p->next))
            token_add(p, &size);
    } else if (c == '"') {
        p->token.kind = TOKEN_STRING;
        read_string(p, &size);
    } else if (strchr("{}()[],;*=", c)) {
        p->token.kind = TOKEN_PUNCTUATION;
        token_add(p, &size);
    } else {
        FAIL(p, p->token.at, "unexpected character '%c'", c);
    }
    p->token.text[size] = '\0';
}

static bool at_token(const struct parser *p, const char *text)
{
    return (p->token.kind == TOKEN_NAME || p->token.kind == TOKEN_PUNCTUATION) && strcmp(p->token.text, text) == 0;
}

static bool accept(struct parser *p, const char *text)
{
    if (!at_token(p, text))
        return false;
    advance(p);
    return true;
}

static const char *token_said(const struct parser *p)
{
    return p->token.kind == TOKEN_END ? "the end of the file" : p->token.text;
}

static void expect(struct parser *p, const char *text)
{
    if (!accept(p, text))
        FAIL(p, p->token.at, "expected '%s', found '%s'", text, token_said(p));
}

static void expect_name(struct parser *p, char name[EDL_NAME_MAX], const char *what)
{
    if (p->token.kind != TOKEN_NAME)
        FAIL(p, p->token.at, "expected %s, found '%s'", what, token_said(p));
    if (strlen(p->token.text) >= EDL_NAME_MAX)
        FAIL(p, p->token.at, "a name of more than %d characters", EDL_NAME_MAX - 1);
    strcpy(name, p->token.text);
    advance(p);
}

/* ---- types ------------------------------------------------------------------------------------------------- */

static const char *const scalars[] = {"char",     "short",    "int",      "long",     "bool",    "size_t",
                                      "int8_t",   "int16_t",  "int32_t",  "int64_t",  "uint8_t", "uint16_t",
                                      "uint32_t", "uint64_t", "intptr_t", "uintptr_t"};

static bool is_scalar(const char *name)
{
    for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++)
        if (strcmp(name, scalars[i]) == 0)
            return true;
    return false;
}

static void parse_type(struct parser *p, char type[2 * EDL_NAME_MAX])
{
    char name[EDL_NAME_MAX];
    struct edl_position at = p->token.at;
    expect_name(p, name, "a type");
    if (strcmp(name, "struct") == 0) {
        expect_name(p, name, "the struct's name");
        snprintf(type, 2 * EDL_NAME_MAX, "struct %s", name);
    } else if (strcmp(name, "unsigned") == 0) {
        bool sized = at_token(p, "char") || at_token(p, "short") || at_token(p, "int") || at_token(p, "long");
        snprintf(type, 2 * EDL_NAME_MAX, "unsigned %.8s", sized ? p->token.text : "int");
        if (sized)
            advance(p);
    } else if (is_scalar(name) || strcmp(name, "void") == 0) {
        strcpy(type, name);
    } else {
        FAIL(p, at, "unknown type '%s'", name);
    }
}

/* ---- parameters -------------------------------------------------------------------------------------------- */

static void parse_extent(struct parser *p, struct edl_extent *extent)
{
    if (extent->given)
        FAIL(p, p->token.at, "the same attribute twice");
    advance(p);
    expect(p, "=");
    if (p->token.kind != TOKEN_NAME && p->token.kind != TOKEN_NUMBER)
        FAIL(p, p->token.at, "expected a number or a parameter's name, found '%s'", token_said(p));
    if (strlen(p->token.text) >= sizeof extent->text)
        FAIL(p, p->token.at, "a name of more than %d characters", EDL_NAME_MAX - 1);
    char *end;
    if (p->token.kind == TOKEN_NUMBER && (strtoull(p->token.text, &end, 0) == 0 || *end))
        FAIL(p, p->token.at, "'%s' is not a positive number", p->token.text);
    extent->given = true;
    extent->at = p->token.at;
    strcpy(extent->text, p->token.text);
    advance(p);
}

/* False: it is another attribute. */
static bool parse_flag(struct parser *p, const char *name, bool *flag)
{
    struct edl_position at = p->token.at;
    if (!accept(p, name))
        return false;
    if (*flag)
        FAIL(p, at, "the same attribute twice");
    *flag = true;
    return true;
}

static void parse_attributes(struct parser *p, struct edl_param *param)
{
    do {
        if (at_token(p, "size"))
            parse_extent(p, &param->size);
        else if (at_token(p, "count"))
            parse_extent(p, &param->count);
        else if (!parse_flag(p, "in", &param->in) && !parse_flag(p, "out", &param->out) &&
                 !parse_flag(p, "user_check", &param->user_check) && !parse_flag(p, "string", &param->string))
            FAIL(p, p->token.at, "unknown attribute '%s'", token_said(p));
    } while (accept(p, ","));
    expect(p, "]");
}

static void check_pointer(struct parser *p, const struct edl_param *param, struct edl_position attributes)
{
    bool copied = param->in || param->out;
    if (!copied && !param->user_check)
        FAIL(p, param->at, "pointer '%s' needs a direction: [in], [out] or [user_check]", param->name);
    if (copied && param->user_check)
        FAIL(p, attributes, "[user_check] excludes [in] and [out]");
    if (param->user_check && (param->string || param->size.given || param->count.given))
        FAIL(p, attributes, "[user_check] copies nothing: size, count and string have no meaning");
    if (param->out && param->is_const)
        FAIL(p, attributes, "[out] cannot write through a pointer to const");
    if (param->string) {
        if (param->out || param->size.given || param->count.given)
            FAIL(p, attributes, "[string] goes with [in] alone");
        if (strcmp(param->type, "char") != 0)
            FAIL(p, param->at, "[string] needs a char pointer");
    } else if (copied && strcmp(param->type, "void") == 0 && !param->size.given) {
        FAIL(p, attributes, "a void pointer needs size=");
    }
}

static void check_scalar(struct parser *p, const struct edl_param *param, bool attributes, struct edl_position at)
{
    if (attributes)
        FAIL(p, at, "attributes are for pointers; '%s' is none", param->name);
    if (strcmp(param->type, "void") == 0)
        FAIL(p, param->at, "parameter '%s' has type void", param->name);
    if (strncmp(param->type, "struct ", 7) == 0)
        FAIL(p, param->at, "structs are passed by pointer");
}

static void parse_param(struct parser *p, struct edl_param *param)
{
    struct edl_position attributes_at = p->token.at;
    bool attributes = accept(p, "[");
    if (attributes)
        parse_attributes(p, param);
    param->is_const = accept(p, "const");
    parse_type(p, param->type);
    if (param->is_const && at_token(p, "const"))
        FAIL(p, p->token.at, "const twice");
    param->is_const |= accept(p, "const");
    param->pointer = accept(p, "*");
    if (at_token(p, "*"))
        FAIL(p, p->token.at, "pointers to pointers are not supported");
    param->at = p->token.at;
    expect_name(p, param->name, "a parameter's name");
    if (at_token(p, "["))
        FAIL(p, p->token.at, "arrays are not supported: use a pointer with count=");
    if (param->pointer)
        check_pointer(p, param, attributes_at);
    else
        check_scalar(p, param, attributes, attributes_at);
}

static void check_extent(struct parser *p, const struct edl_function *f, const struct edl_extent *extent)
{
    if (!extent->given || isdigit((unsigned char)extent->text[0]))
        return;
    for (int i = 0; i < f->param_count; i++) {
        if (strcmp(f->params[i].name, extent->text) == 0) {
            if (f->params[i].pointer)
                FAIL(p, extent->at, "'%s' is a pointer, not a number", extent->text);
            return;
        }
    }
    FAIL(p, extent->at, "function '%s' has no parameter '%s'", f->name, extent->text);
}

/* ---- functions and sections -------------------------------------------------------------------------------- */

static void parse_params(struct parser *p, struct edl_function *f)
{
    expect(p, "(");
    if (accept(p, ")"))
        return;
    do {
        if (f->param_count == EDL_PARAMS_MAX)
            FAIL(p, p->token.at, "more than %d parameters", EDL_PARAMS_MAX);
        struct edl_param *param = &f->params[f->param_count];
        if (f->param_count == 0 && at_token(p, "void")) {
            const struct parser before = *p;
            advance(p);
            if (accept(p, ")"))
                return;
            *p = before;
        }
        parse_param(p, param);
        for (int i = 0; i < f->param_count; i++)
            if (strcmp(f->params[i].name, param->name) == 0)
                FAIL(p, param->at, "a second parameter '%s'", param->name);
        f->param_count++;
    } while (accept(p, ","));
    expect(p, ")");
    for (int i = 0; i < f->param_count; i++) {
        check_extent(p, f, &f->params[i].size);
        check_extent(p, f, &f->params[i].count);
    }
}

static void check_unique(struct parser *p, const struct edl_function *f)
{
    const struct edl *edl = p->edl;
    for (int i = 0; i < edl->ecall_count; i++)
        if (&edl->ecalls[i] != f && strcmp(edl->ecalls[i].name, f->name) == 0)
            FAIL(p, f->at, "function '%s' is already declared at line %d", f->name, edl->ecalls[i].at.line);
    for (int i = 0; i < edl->ocall_count; i++)
        if (&edl->ocalls[i] != f && strcmp(edl->ocalls[i].name, f->name) == 0)
            FAIL(p, f->at, "function '%s' is already declared at line %d", f->name, edl->ocalls[i].at.line);
}

static void parse_function(struct parser *p, struct edl_function *functions, int *count)
{
    if (*count == EDL_FUNCTIONS_MAX)
        FAIL(p, p->token.at, "more than %d functions", EDL_FUNCTIONS_MAX);
    struct edl_function *f = &functions[*count];
    struct edl_position at = p->token.at;
    parse_type(p, f->result);
    if (at_token(p, "*") || strncmp(f->result, "struct ", 7) == 0)
        FAIL(p, at, "a function returns a scalar or void");
    f->at = p->token.at;
    expect_name(p, f->name, "a function's name");
    parse_params(p, f);
    expect(p, ";");
    check_unique(p, f);
    (*count)++;
}

static void parse_trusted(struct parser *p)
{
    expect(p, "{");
    while (!accept(p, "}")) {
        if (p->token.kind == TOKEN_NAME && !at_token(p, "public"))
            FAIL(p, p->token.at, "an ECALL must be public (private ones are not supported)");
        expect(p, "public");
        parse_function(p, p->edl->ecalls, &p->edl->ecall_count);
    }
    expect(p, ";");
}

static void parse_untrusted(struct parser *p)
{
    expect(p, "{");
    while (!accept(p, "}"))
        parse_function(p, p->edl->ocalls, &p->edl->ocall_count);
    expect(p, ";");
}

static void parse_include(struct parser *p)
{
    struct edl *edl = p->edl;
    if (p->token.kind != TOKEN_STRING)
        FAIL(p, p->token.at, "expected a file name in quotes, found '%s'", token_said(p));
    if (edl->include_count == EDL_INCLUDES_MAX)
        FAIL(p, p->token.at, "more than %d includes", EDL_INCLUDES_MAX);
    for (int i = 0; i < edl->include_count; i++)
        if (strcmp(edl->includes[i], p->token.text) == 0)
            FAIL(p, p->token.at, "\"%s\" is included twice", p->token.text);
    strcpy(edl->includes[edl->include_count++], p->token.text);
    advance(p);
}

void edl_parse(struct edl *edl, const char *path, const char *text)
{
    *edl = (struct edl){.path = path};
    struct parser p = {.edl = edl, .next = text, .at = {1, 1}};
    advance(&p);
    expect(&p, "enclave");
    expect(&p, "{");
    while (!accept(&p, "}")) {
        if (accept(&p, "include"))
            parse_include(&p);
        else if (accept(&p, "trusted"))
            parse_trusted(&p);
        else if (accept(&p, "untrusted"))
            parse_untrusted(&p);
        else
            FAIL(&p, p.token.at, "expected include, trusted or untrusted, found '%s'", token_said(&p));
    }
    accept(&p, ";");
    if (p.token.kind != TOKEN_END)
        FAIL(&p, p.token.at, "'%s' after the end of the enclave", p.token.text);
}
