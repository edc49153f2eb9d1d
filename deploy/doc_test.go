// Package deploy_test tests the cluster that the recipes are tried on.
package deploy_test
