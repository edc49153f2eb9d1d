//go:build !unix

package guarded

// Where there are no named pipes in directories, opening does not wait.
const noWait = 0
