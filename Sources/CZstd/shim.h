#ifndef ERRATA_CZSTD_SHIM_H
#define ERRATA_CZSTD_SHIM_H
#include <zstd.h>
#include <zstd_errors.h>
#endif
