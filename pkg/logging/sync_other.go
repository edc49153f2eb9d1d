//go:build !linux

package logging

import "os"

// dataFile is a file as it is.
type dataFile struct{ *os.File }
