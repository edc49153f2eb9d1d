// Package compose_test runs the image and the containers with a real Docker daemon.
package compose_test
