//go:build !linux

package cluster

// thisHost returns what is known of this host: nothing, so that all is tried.
func thisHost() host { return host{} }
