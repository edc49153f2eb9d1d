// Package slurm_test runs the recipes for Slurm with the real one.
package slurm_test
