#ifndef ERRATA_COPENBLAS_SHIM_H
#define ERRATA_COPENBLAS_SHIM_H
#include <cblas.h>
#include <stddef.h>

// Debian builds OpenBLAS without LAPACKE, but with LAPACK: the Fortran symbols are declared here. Each CHARACTER
// argument adds a trailing length.

void dpstrf_(
    const char *uplo, const int *n, double *a, const int *lda, int *piv, int *rank, const double *tol, double *work,
    int *info, size_t uplo_length);

// On triangles in the rectangular full packed format.
void dpftrf_(
    const char *transr, const char *uplo, const int *n, double *a, int *info, size_t transr_length, size_t uplo_length);
void dtfsm_(
    const char *transr, const char *side, const char *uplo, const char *trans, const char *diag, const int *m,
    const int *n, const double *alpha, const double *a, double *b, const int *ldb, size_t transr_length,
    size_t side_length, size_t uplo_length, size_t trans_length, size_t diag_length);
void dsfrk_(
    const char *transr, const char *uplo, const char *trans, const int *n, const int *k, const double *alpha,
    const double *a, const int *lda, const double *beta, double *c, size_t transr_length, size_t uplo_length,
    size_t trans_length);
void dlacn2_(const int *n, double *v, double *x, int *isgn, double *est, int *kase, int *isave);

// LQ of a column-major matrix is QR of a row-major one.
void dgelqf_(
    const int *m, const int *n, double *a, const int *lda, double *tau, double *work, const int *lwork, int *info);
void dorglq_(
    const int *m, const int *n, const int *k, double *a, const int *lda, const double *tau, double *work,
    const int *lwork, int *info);
void dgesdd_(
    const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s, double *u, const int *ldu,
    double *vt, const int *ldvt, double *work, const int *lwork, int *iwork, int *info, size_t jobz_length);

// An OpenBLAS that has the kernels of several processors chooses among them when it is loaded, by these two functions.
// One that was built for a single processor does not have them.
void gotoblas_dynamic_quit(void) __attribute__((weak));
void gotoblas_dynamic_init(void) __attribute__((weak));

// Lets OpenBLAS choose its kernels once more, by the environment as it is now, if it has several. No other thread may
// be in a function of OpenBLAS.
static inline void errata_choose_blas_kernels(void) {
  if (gotoblas_dynamic_quit == NULL || gotoblas_dynamic_init == NULL) return;
  gotoblas_dynamic_quit();
  gotoblas_dynamic_init();
}

#endif
