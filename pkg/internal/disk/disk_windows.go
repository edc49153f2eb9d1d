package disk

import "golang.org/x/sys/windows"

func of(path string) (s Space, err error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return s, err
	}
	err = windows.GetDiskFreeSpaceEx(name, &s.Free, &s.Total, nil)
	return s, err
}
