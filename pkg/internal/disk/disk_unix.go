//go:build linux || darwin || freebsd

package disk

import "golang.org/x/sys/unix"

func of(path string) (Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return Space{}, err
	}
	// The fields have other types on other systems. Where what is free is signed, it
	// falls below 0 when the reserve is used.
	block := uint64(st.Bsize)
	free := max(int64(st.Bavail), 0)
	return Space{Free: uint64(free) * block, Total: st.Blocks * block}, nil
}
