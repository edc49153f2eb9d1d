// Package mpi_test runs the recipes for MPI with the real mpirun.
package mpi_test
