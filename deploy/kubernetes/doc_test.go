// Package kubernetes_test runs what the objects for Kubernetes say, without a cluster.
package kubernetes_test
