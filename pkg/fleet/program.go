package fleet

import (
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/scalemodel/lamport/pkg/internal/guarded"
	"github.com/scalemodel/lamport/pkg/remote"
)

// platform is an operating system and an architecture, as Go names them: linux/arm64.
type platform string

const (
	here = platform(runtime.GOOS + "/" + runtime.GOARCH)
	// script is in the place of a platform for a program that names its interpreter.
	script platform = "script"
)

// platformOf returns the platform of a host where uname -sm says this.
func platformOf(uname string) platform {
	system, machine, _ := strings.Cut(uname, " ")
	arch, known := map[string]string{
		"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "i686": "386", "i386": "386",
		"armv7l": "arm", "armv6l": "arm", "riscv64": "riscv64", "ppc64le": "ppc64le", "s390x": "s390x",
	}[strings.TrimSpace(machine)]
	if !known {
		arch = strings.TrimSpace(machine)
	}
	return platform(strings.ToLower(system) + "/" + arch)
}

// platformOfFile returns for which platform a program is; "" where that is not to be
// seen, and script for a script.
func platformOfFile(path string) platform {
	if f, err := elf.Open(path); err == nil {
		defer func() { _ = f.Close() }()
		arch := map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_386: "386", elf.EM_ARM: "arm",
			elf.EM_RISCV: "riscv64", elf.EM_PPC64: "ppc64le", elf.EM_S390: "s390x"}[f.Machine]
		system := "linux"
		if f.OSABI == elf.ELFOSABI_FREEBSD {
			system = "freebsd"
		}
		return platform(system + "/" + arch)
	}
	if f, err := macho.Open(path); err == nil {
		defer func() { _ = f.Close() }()
		return platform("darwin/" + map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64"}[f.Cpu])
	}
	if f, err := pe.Open(path); err == nil {
		defer func() { _ = f.Close() }()
		return platform("windows/" + map[uint16]string{pe.IMAGE_FILE_MACHINE_AMD64: "amd64", pe.IMAGE_FILE_MACHINE_ARM64: "arm64"}[f.Machine])
	}
	if f, err := os.Open(path); err == nil {
		defer f.Close()
		var begin [2]byte
		if _, err := io.ReadFull(f, begin[:]); err == nil && string(begin[:]) == "#!" {
			return script
		}
	}
	return ""
}

// ErrNoProgram says that there is no vm program for the platform of a host.
var ErrNoProgram = errors.New("no vm program")

// programs finds the vm program for each platform.
type programs struct {
	local  string // the vm program of this host
	remote string // one for the hosts, or a directory as "make cross" makes it; "": none is named
	beside string // the directory of this program; "": not known

	files map[platform]*program
}

// program is a vm program in memory, to be copied.
type program struct {
	path    string
	content *remote.Content
	name    string // on the hosts
}

// maxProgram is the largest program that is copied, in bytes.
const maxProgram = 512 << 20

// find returns the program for a host's platform.
func (p *programs) find(host string, of platform) (*program, error) {
	if f := p.files[of]; f != nil {
		return f, nil
	}
	path, err := p.path(host, of)
	if err != nil {
		return nil, err
	}
	content, err := guarded.ReadFile(path, maxProgram)
	if err != nil {
		return nil, fmt.Errorf("%w that can be read: %w", ErrNoProgram, err)
	}
	f := &program{path: path, content: remote.NewContent(content)}
	f.name = "vm-" + f.content.Sum().SHA256[:24]
	if p.files == nil {
		p.files = make(map[platform]*program)
	}
	p.files[of] = f
	return f, nil
}

func (p *programs) path(host string, of platform) (string, error) {
	if p.remote != "" {
		info, err := os.Stat(p.remote)
		if err != nil {
			if e, ok := errors.AsType[*fs.PathError](err); ok {
				err = e.Err
			}
			return "", fmt.Errorf("%w: %s: %w", ErrNoProgram, p.remote, err)
		}
		if !info.IsDir() {
			switch is := platformOfFile(p.remote); is {
			case of, script:
				return p.remote, nil
			case "":
				return "", fmt.Errorf("%w: %s is no program", ErrNoProgram, p.remote)
			default:
				return "", fmt.Errorf("%w for %s, which is %s: %s is for %s", ErrNoProgram, host, of, p.remote, is)
			}
		}
		if path := inside(p.remote, of); path != "" {
			return path, nil
		}
		return "", fmt.Errorf("%w for %s, which is %s: %s is not there", ErrNoProgram, host, of, filepath.Join(p.remote, filepath.FromSlash(string(of)), "vm"))
	}
	if is := platformOfFile(p.local); is == of || is == script && of == here {
		return p.local, nil
	}
	if p.beside != "" {
		for _, dir := range []string{filepath.Join(p.beside, "dist"), filepath.Join(p.beside, "..", "dist"), filepath.Join(p.beside, "..", "..")} {
			if path := inside(dir, of); path != "" {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("%w for %s, which is %s: there is %s for %s", ErrNoProgram, host, of, p.local, here)
}

// inside returns the program for a platform in a directory with a directory for each;
// "": there is none.
func inside(dir string, of platform) string {
	path := filepath.Join(dir, filepath.FromSlash(string(of)), "vm")
	if info, err := os.Stat(path); err != nil || info.Mode()&fs.ModeType != 0 || platformOfFile(path) != of {
		return ""
	}
	return path
}
