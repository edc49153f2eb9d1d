//go:build !unix

package whole

import "os"

func peakOf(*os.ProcessState) float64 { return 0 }
