/*
 * Runs the script on its input with QuickJS. print() writes a line, and read(NAME) and write(NAME, TEXT) keep files.
 * QuickJS does not look how deep its stack is on WebAssembly: what recurses without end is ended by the engine.
 */
#include <quickjs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static JSValue print(JSContext *context, JSValueConst this, int count, JSValueConst *values)
{
    for (int i = 0; i < count; i++) {
        const char *text = JS_ToCString(context, values[i]);
        if (!text)
            return JS_EXCEPTION;
        printf(i ? " %s" : "%s", text);
        JS_FreeCString(context, text);
    }
    printf("\n");
    return JS_UNDEFINED;
}

/* All of a file, terminated; NULL: it cannot be read to its end. */
static char *read_all(FILE *file, size_t *size)
{
    char *all = NULL;
    *size = 0;
    for (size_t got = 1; file && got > 0; *size += got) {
        char *grown = realloc(all, *size + 65537);
        if (!grown) {
            free(all);
            return NULL;
        }
        all = grown;
        got = fread(all + *size, 1, 65536, file);
    }
    if (all && ferror(file)) {
        free(all);
        return NULL;
    }
    if (all)
        all[*size] = 0;
    return all;
}

static JSValue read_file(JSContext *context, JSValueConst this, int count, JSValueConst *values)
{
    size_t size;
    const char *name = JS_ToCString(context, values[0]);
    FILE *file = name ? fopen(name, "r") : NULL;
    char *text = read_all(file, &size);
    JSValue made = text ? JS_NewStringLen(context, text, size) : JS_ThrowTypeError(context, "%s cannot be read", name);
    free(text);
    if (file)
        fclose(file);
    JS_FreeCString(context, name);
    return made;
}

static JSValue write_file(JSContext *context, JSValueConst this, int count, JSValueConst *values)
{
    size_t size;
    const char *name = JS_ToCString(context, values[0]), *text = JS_ToCStringLen(context, &size, values[1]);
    FILE *file = name && text ? fopen(name, "w") : NULL;
    bool written = file && fwrite(text, 1, size, file) == size;
    written = file && fclose(file) == 0 && written;
    JS_FreeCString(context, name);
    JS_FreeCString(context, text);
    return written ? JS_UNDEFINED : JS_ThrowTypeError(context, "cannot write");
}

static void add(JSContext *context, JSValue global, const char *name, JSCFunction *function, int count)
{
    JS_SetPropertyStr(context, global, name, JS_NewCFunction(context, function, name, count));
}

int main(void)
{
    size_t size;
    char *script = read_all(stdin, &size);
    JSRuntime *runtime = JS_NewRuntime();
    JSContext *context = runtime ? JS_NewContext(runtime) : NULL;
    if (!script || !context)
        return 1;
    JSValue global = JS_GetGlobalObject(context);
    add(context, global, "print", print, 1);
    add(context, global, "read", read_file, 1);
    add(context, global, "write", write_file, 2);
    JSValue result = JS_Eval(context, script, size, "script", JS_EVAL_TYPE_GLOBAL);
    bool threw = JS_IsException(result);
    if (threw) {
        JSValue exception = JS_GetException(context);
        const char *text = JS_ToCString(context, exception);
        fprintf(stderr, "%s\n", text ? text : "an exception");
        JS_FreeCString(context, text);
        JS_FreeValue(context, exception);
    }
    JS_FreeValue(context, result);
    JS_FreeValue(context, global);
    JS_FreeContext(context);
    JS_FreeRuntime(runtime); /* which checks that nothing was lost */
    free(script);
    return threw;
}
