// Package fakessh makes a program that stands in for ssh in tests: it executes on this
// host what it is to execute on another one. Some hosts are peculiar.
package fakessh

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// The peculiar hosts. Any other is an ordinary one.
const (
	Gone   = "gone"   // does not answer
	Asks   = "asks"   // lets nobody in without a question
	Greets = "greets" // has a login shell that talks
	ARM    = "arm"    // is of another architecture
	Bare   = "bare"   // has neither gzip nor a program for SHA-256
	Cuts   = "cuts"   // breaks the connection off while a file comes, twice
	Lies   = "lies"   // changes what comes, the first time
)

// Address is where all of them are.
const Address = "127.0.0.1"

const script = `#!/bin/sh
# ssh [options] host command: executes it here.
dir=%q
batch=no
while :; do
	case $1 in
	-G) printf 'hostname %s\nserveraliveinterval 0\n'; exit 0 ;;
	-o) [ "$2" = BatchMode=yes ] && batch=yes; shift 2 ;;
	-p | -F) shift 2 ;;
	-*) shift ;;
	*) break ;;
	esac
done
host=$1; shift
echo "$host $batch $*" >>"$dir/calls"
case $host in
gone) echo 'ssh: connect to host gone port 22: Connection refused' >&2; exit 255 ;;
asks) if [ $batch = yes ]; then echo 'asks: Permission denied (publickey,password).' >&2; exit 255; fi ;;
greets) echo 'Welcome!'; echo 'You have mail.' >&2 ;;
arm) PATH=$dir/arm:$PATH ;;
bare) PATH=$dir/bare ;;
cuts)
	case $* in *tail*)
		n=$(cat "$dir/cut" 2>/dev/null || echo 0)
		if [ "$n" -lt 2 ]; then
			echo $((n + 1)) >"$dir/cut"
			sh -c "$*" | head -c 1000
			echo 'Connection to cuts closed by remote host.' >&2
			exit 255
		fi ;;
	esac ;;
lies)
	case $* in *tail*)
		if [ ! -e "$dir/lied" ]; then
			: >"$dir/lied"
			printf 'lie!\n' | gzip -1c
			exit 0
		fi ;;
	esac ;;
esac
export PATH
exec sh -c "$*"
`

// Install makes the program in an empty directory, and returns its path. What it was
// called with it notes in the file calls there, a line each: the host, whether it may
// ask nothing (yes or no), and the command.
func Install(dir string) (path string, err error) {
	for name, text := range map[string]string{
		"ssh":       fmt.Sprintf(script, dir, Address),
		"arm/uname": "#!/bin/sh\necho Linux aarch64\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			return "", err
		}
	}
	bare := filepath.Join(dir, "bare")
	if err := os.MkdirAll(bare, 0o755); err != nil {
		return "", err
	}
	for _, name := range []string{"sh", "cat", "mv", "rm", "rmdir", "mkdir", "chmod", "wc", "tail", "uname"} {
		tool, err := exec.LookPath(name)
		if err != nil {
			return "", err
		}
		if err := os.Symlink(tool, filepath.Join(bare, name)); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "ssh"), nil
}
