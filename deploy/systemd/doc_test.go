// Package systemd_test runs the units with the real systemd.
package systemd_test
