#ifndef ERRATA_CMPI_SHIM_H
#define ERRATA_CMPI_SHIM_H
#include <mpi.h>

// Macros in mpi.h, which Swift does not see.
static inline MPI_Comm errata_mpi_world(void) { return MPI_COMM_WORLD; }
static inline MPI_Datatype errata_mpi_byte(void) { return MPI_BYTE; }
static inline MPI_Datatype errata_mpi_int64(void) { return MPI_INT64_T; }
static inline MPI_Op errata_mpi_sum(void) { return MPI_SUM; }
static inline MPI_Op errata_mpi_no_operation(void) { return MPI_NO_OP; }
static inline MPI_Info errata_mpi_no_info(void) { return MPI_INFO_NULL; }
#endif
