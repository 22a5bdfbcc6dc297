/*
 * llhttp as both sides use it: each leniency that it knows is off, by name, so that a new version's new one is noticed.
 */
#ifndef ENCLAVE_OS_ENCLAVE_HTTPS_STRICT_H
#define ENCLAVE_OS_ENCLAVE_HTTPS_STRICT_H

#include <llhttp.h>

static inline void h1_parser_init(llhttp_t *parser, llhttp_type_t type, const llhttp_settings_t *settings, void *data)
{
    llhttp_init(parser, type, settings);
    parser->data = data;
    llhttp_set_lenient_headers(parser, 0);               /* values with control characters; folded lines */
    llhttp_set_lenient_header_value_relaxed(parser, 0);  /* values with control characters */
    llhttp_set_lenient_chunked_length(parser, 0);        /* content-length beside transfer-encoding */
    llhttp_set_lenient_transfer_encoding(parser, 0);     /* chunked that is not the last coding */
    llhttp_set_lenient_keep_alive(parser, 0);            /* a message behind "connection: close" */
    llhttp_set_lenient_data_after_close(parser, 0);      /* likewise, dropped */
    llhttp_set_lenient_version(parser, 0);               /* versions that do not exist */
    llhttp_set_lenient_optional_lf_after_cr(parser, 0);  /* lines that end in a bare CR */
    llhttp_set_lenient_optional_cr_before_lf(parser, 0); /* lines that end in a bare LF */
    llhttp_set_lenient_optional_crlf_after_chunk(parser, 0);
    llhttp_set_lenient_spaces_after_chunk_size(parser, 0);
    _Static_assert(LENIENT_HEADER_VALUE_RELAXED == 0x400, "is there a leniency that is not named here?");
}

#endif
