#ifndef ERRATA_CZLIB_SHIM_H
#define ERRATA_CZLIB_SHIM_H
#include <zlib.h>

// A macro in zlib.h: raw deflate (RFC 1951) has negative window bits.
static inline int errata_inflate_init_raw(z_stream *stream) { return inflateInit2(stream, -MAX_WBITS); }
#endif
