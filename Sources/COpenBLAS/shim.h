#ifndef ERRATA_COPENBLAS_SHIM_H
#define ERRATA_COPENBLAS_SHIM_H
#include <cblas.h>
#include <stddef.h>

// Debian builds OpenBLAS without LAPACKE, but with LAPACK: the Fortran symbols are declared here. Each CHARACTER
// argument adds a trailing length.

void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t uplo_length);
void dpstrf_(const char *uplo, const int *n, double *a, const int *lda, int *piv, int *rank, const double *tol,
             double *work, int *info, size_t uplo_length);
void dpocon_(const char *uplo, const int *n, const double *a, const int *lda, const double *anorm, double *rcond,
             double *work, int *iwork, int *info, size_t uplo_length);

#endif
