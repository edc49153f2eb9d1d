//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What cannot be done gives one line that says what and how to mend it, no
// result, and exit code 2, and leaves nothing behind.
func TestWrongUsage(t *testing.T) {
	for _, c := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--machines", "0"}, `--machines 0: want 1 to 1000; each is a process of this host`},
		{[]string{"--machines", "-3"}, `--machines -3: want 1 to 1000; each is a process of this host`},
		{[]string{"--machines", "1000000000"}, `--machines 1000000000: want 1 to 1000; each is a process of this host`},
		{[]string{"--machines", "three"}, `--machines "three": want a whole number`},
		{[]string{"--rates", "1,0,4"}, `--rates: rate "0": must be above 0`},
		{[]string{"--rates", "-1"}, `--rates: rate "-1": must be above 0`},
		{[]string{"--rates", "NaN"}, `--rates: rate "NaN": want a number of ticks per second such as 5 or 0.25, or "max"`},
		{[]string{"--rates", "2000000"}, `--rates: rate "2000000": faster than a clock can tick; the limit is 1000000 ticks per second ("max" does without pauses)`},
		{[]string{"--rates", "1,5,4", "--machines", "4"}, `--rates: 3 rates for 4 machines: give one each, one for all, or random`},
		{[]string{"--die", "0"}, `--die 0: a die has at least 1 face`},
		{[]string{"--duration", "-5s"}, `--duration -5s: a duration cannot be negative`},
		{[]string{"--duration", "5"}, `--duration "5": a time needs its unit, for example 5s`},
		{[]string{"--seed", "lucky"}, `--seed "lucky": want a whole number from 0 to 18446744073709551615`},
		{[]string{"--seed", "-1"}, `--seed "-1": want a whole number from 0 to 18446744073709551615`},
		{[]string{"--ports", "2050,3050"}, `--ports: 2 ports for 3 machines: give one each, or --ports auto`},
		{[]string{"--ports", "9,9,9"}, `--ports: machines 0 and 1 have one port, 9: give each its own, or --ports auto`},
		{[]string{"--ports", "2050,0,4050"}, `--ports: port "0": want a number from 1 to 65535, or --ports auto`},
		{[]string{"--ports", "2050,65536,4050"}, `--ports: port "65536": want a number from 1 to 65535, or --ports auto`},
		{[]string{"--ports", "any"}, `--ports: port "any": want a number from 1 to 65535, or --ports auto`},
		{[]string{"--window", "0"}, `--window 0: want 1 to 2147483647 messages`},
		{[]string{"--window", "4294967296"}, `--window 4294967296: want 1 to 2147483647 messages`},
		{[]string{"--log-level", "loud"}, `--log-level "loud": want trace, debug, info, warn, error or off`},
		{[]string{"--out", ""}, `--out is empty: want the name of a directory`},
		{[]string{"--ports", "auto", "--out", "/dev/null/run"}, `the run's directory /dev/null/run cannot be written: not a directory (choose another --out)`},
		{[]string{"--vm", "/nowhere/vm"}, `the vm program "/nowhere/vm" cannot be run: no such file or directory (choose another --vm, or leave it out to take the one beside this program)`},
		{[]string{"--vm", "/dev/null"}, `the vm program "/dev/null" cannot be run: permission denied (choose another --vm, or leave it out to take the one beside this program)`},
		{[]string{"--vm", "/"}, `the vm program "/" cannot be run: is a directory (choose another --vm, or leave it out to take the one beside this program)`},
		{[]string{"--faults", "nowhere/plan"}, `--faults nowhere/plan: no such file or directory`},
		{[]string{"--faults", "./"}, `--faults ./: a directory`},
		{[]string{"--faults", "boom"}, `--faults: line 1, column 1: expected "at", "from" or "random", found "boom"`},
		{[]string{"--bogus"}, `unknown flag -bogus; "launcher --help" lists the flags`},
		{[]string{"run", "--bogus"}, `unknown flag -bogus; "launcher run --help" lists the flags`},
		{[]string{"rum"}, `unknown command "rum": did you mean "run"? "launcher --help" lists them`},
		{[]string{"run", "fast"}, `unexpected argument "fast": everything is said by flags; "launcher run --help" lists them`},
		{[]string{"--seed", "7", "run"}, `flags go after the command: launcher run --seed …`},
	} {
		t.Run(fmt.Sprint(c.flags), func(t *testing.T) {
			t.Parallel()
			requireRefused(t, launcher(t, t.TempDir(), c.flags...), c.want)
		})
	}
}

// requireRefused runs what cannot be done.
func requireRefused(t *testing.T, p *program, want string) {
	t.Helper()
	before := files(t, p.cmd.Dir)
	p.start()
	assert.Equal(t, "2", p.wait())
	assert.Equal(t, "launcher: "+want+"\n", p.errors.String())
	assert.Empty(t, p.out.String())
	assert.Equal(t, before, files(t, p.cmd.Dir), "nothing is left behind")
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	taken := ln.Addr().(*net.TCPAddr).Port
	free := freePorts(t, 2)
	dir := t.TempDir()
	requireRefused(t, launcher(t, dir, "--ports", fmt.Sprintf("%d,%d,%d", free[0], taken, free[1])), fmt.Sprintf(
		"port %d on 127.0.0.1 is taken: end the program that holds it, or give machine 1 another one with --ports (--ports auto takes free ones) (address already in use)", taken))
	// The ports before it are free again.
	p := launcher(t, dir, "--ports", fmt.Sprintf("%d,%d", free[0], free[1]), "--machines", "2", "--duration", "1ms").start()
	assert.Equal(t, "0", p.wait())
}

func TestOutDirectoryOfAnEarlierRun(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"run.json", "summary.txt", "vm_0_1.log", "vm_2.stderr"} {
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, "old"), 0o777))
		old := filepath.Join(dir, "old", name)
		require.NoError(t, os.WriteFile(old, []byte("precious"), 0o666))
		requireRefused(t, launcher(t, dir, "--ports", "auto", "--out", "old"),
			"old/"+name+" is of an earlier run, which is not overwritten: choose another --out, or move it away")
		assert.Equal(t, "precious", readFile(t, old))
		assert.Equal(t, []string{name}, files(t, filepath.Join(dir, "old")))
	}
}

// A directory that this user may not write to, or may not make.
func TestOutDirectoryOfSomebodyElse(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "lamport-e2e-") //nolint:usetesting // t.TempDir is closed to other users
	require.NoError(t, err)
	defer func() { _ = os.RemoveAll(dir) }()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "theirs"), 0o777))
	require.NoError(t, os.Chmod(filepath.Join(dir, "theirs"), 0o555))
	require.NoError(t, os.Chmod(dir, 0o555))
	defer os.Chmod(dir, 0o755) //nolint:errcheck // then RemoveAll says so
	for _, out := range []string{"theirs", "theirs/deep/run", "mine"} {
		p := launcher(t, dir, "--ports", "auto", "--out", out)
		if os.Geteuid() == 0 { // who may write anywhere
			const nobody = 65534
			p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
		requireRefused(t, p, "the run's directory "+out+" cannot be written: permission denied (choose another --out)")
	}
	assert.Empty(t, files(t, filepath.Join(dir, "theirs")))
}

// A directory in which half a path could be made is as it was before.
func TestOutDirectoryThatCannotBeMade(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := fmt.Sprintf("a/b/%0300d", 0)
	requireRefused(t, launcher(t, dir, "--ports", "auto", "--out", long),
		"the run's directory "+long+" cannot be written: file name too long (choose another --out)")
}

// The launcher alone, without its vm.
func TestVMIsMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	alone := filepath.Join(dir, "launcher")
	copyProgram(t, filepath.Join(bin, "launcher"), alone)
	p := prepare(t, dir, alone, "--ports", "auto", "--duration", "1ms")
	p.cmd.Env = append(p.cmd.Env, "PATH="+dir)
	requireRefused(t, p, `the program "vm" is neither beside this one nor in the path: build it with "make build", or say where it is with --vm`)

	// Elsewhere in the path it is found; through a link to the launcher too.
	p = prepare(t, dir, alone, "--ports", "auto", "--duration", "1ms", "--out", "path")
	p.cmd.Env = append(p.cmd.Env, "PATH="+bin)
	require.Equal(t, "0", p.start().wait())
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(filepath.Join(bin, "launcher"), link))
	p = prepare(t, dir, link, "--ports", "auto", "--duration", "1ms", "--out", "link-out")
	p.cmd.Env = append(p.cmd.Env, "PATH=")
	require.Equal(t, "0", p.start().wait())
}

// copyProgram makes a program out of a file. Another process does it: while this
// one has the file open, a process that another test starts could inherit
// it, and nobody could run the program until that is gone (golang.org/issue/22315).
func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	out, err := exec.Command("cp", from, to).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NoError(t, os.Chmod(to, 0o755))
}

// A vm program that is another one.
func TestVMIsNotOurs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := filepath.Join(dir, "script")
	for _, c := range []struct{ text, want string }{
		{"#!/bin/sh\nexit 0\n", `launcher: machine \d died: exit status 0 before its first report \(is \S+/script the vm program of this release\?\)\n$`},
		{"#!/bin/sh\necho '{\"a\": 1}'; echo words; echo oh >&2; exit 7\n", `launcher: machine \d died: exit status 7 before its first report \(is \S+/script the vm program of this release\?\). Its last words, from run/vm_\d.stderr: oh\n$`},
		{"#!/nowhere/sh\n", `launcher: machine 0 cannot be started: fork/exec \S+/script: no such file or directory\n$`},
		{"\x7fELF is not all", `launcher: machine 0 cannot be started: fork/exec \S+/script: exec format error\n$`},
	} {
		text := script + ".txt"
		require.NoError(t, os.WriteFile(text, []byte(c.text), 0o666))
		copyProgram(t, text, script)
		p := launcher(t, dir, "--ports", "auto", "--out", "run", "--vm", script).start()
		assert.Equal(t, "2", p.wait())
		assert.Regexp(t, c.want, p.errors.String())
		assert.Empty(t, p.out.String())
		// What the programs had to say stays; a record of a run that never
		// was does not.
		assert.NoFileExists(t, filepath.Join(dir, "run", "run.json"))
		left, err := filepath.Glob(filepath.Join(dir, "run", "*"))
		require.NoError(t, err)
		for _, name := range left {
			assert.Equal(t, "oh\n", readFile(t, name))
		}
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "run")))
	}
}
