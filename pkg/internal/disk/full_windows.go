package disk

import "golang.org/x/sys/windows"

// full are the errors of a file system without room for more.
var full = []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL, windows.ERROR_DISK_QUOTA_EXCEEDED}
