// Package validate holds the objects for Kubernetes against Kubernetes' own code, without a
// cluster. It is a module of its own, so that this code is no dependency of the programs.
package validate
