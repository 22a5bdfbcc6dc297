/*
 * Compresses its input, or with -d decompresses it, as the command of that name does. Over HTTP: PATH_INFO /d is -d.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

static int complain(const char *what)
{
    fprintf(stderr, "zstd: %s\n", what);
    return 1;
}

/* All of the input has been read, and what is left to be written of it. */
static int write_out(const ZSTD_outBuffer *out)
{
    return fwrite(out->dst, 1, out->pos, stdout) == out->pos ? 0 : complain("cannot write");
}

static int compress(uint8_t *in, uint8_t *out)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    if (!context || ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 9)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)))
        return complain("no memory");
    for (bool last = false; !last;) {
        ZSTD_inBuffer from = {in, fread(in, 1, ZSTD_CStreamInSize(), stdin), 0};
        last = from.size < ZSTD_CStreamInSize();
        if (ferror(stdin))
            return complain("the input broke off");
        for (size_t left = 1; last ? left != 0 : from.pos < from.size;) {
            ZSTD_outBuffer to = {out, ZSTD_CStreamOutSize(), 0};
            left = ZSTD_compressStream2(context, &to, &from, last ? ZSTD_e_end : ZSTD_e_continue);
            if (ZSTD_isError(left))
                return complain(ZSTD_getErrorName(left));
            if (write_out(&to) != 0)
                return 1;
        }
    }
    ZSTD_freeCCtx(context);
    return 0;
}

static int decompress(uint8_t *in, uint8_t *out)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    size_t left = 1;
    if (!context)
        return complain("no memory");
    for (ZSTD_inBuffer from = {in, 0, 0}; (from.size = fread(in, 1, ZSTD_DStreamInSize(), stdin)) > 0; from.pos = 0)
        while (from.pos < from.size) {
            ZSTD_outBuffer to = {out, ZSTD_DStreamOutSize(), 0};
            left = ZSTD_decompressStream(context, &to, &from);
            if (ZSTD_isError(left))
                return complain(ZSTD_getErrorName(left));
            if (write_out(&to) != 0)
                return 1;
        }
    ZSTD_freeDCtx(context);
    return ferror(stdin) ? complain("the input broke off") : left ? complain("the input ends too early") : 0;
}

int main(int argc, char **argv)
{
    const char *path = getenv("PATH_INFO");
    uint8_t *in = malloc(ZSTD_CStreamInSize() + ZSTD_DStreamInSize());
    uint8_t *out = malloc(ZSTD_CStreamOutSize() + ZSTD_DStreamOutSize());
    if (!in || !out)
        return complain("no memory");
    bool back = (path && strcmp(path, "/d") == 0) || (argc > 1 && strcmp(argv[1], "-d") == 0);
    int status = back ? decompress(in, out) : compress(in, out);
    free(in);
    free(out);
    return fflush(stdout) == 0 ? status : complain("cannot write");
}
