//go:build unix

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/internal/needs"
)

// shown are the command lines of the launcher and of vm that the documentation and the
// help texts show, by where that is.
func shown(t *testing.T) map[string][]string {
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	texts := make(map[string]string)
	for _, page := range append(pages, "../../README.md") {
		texts[filepath.Base(page)] = readFile(t, page)
	}
	for _, program := range []string{"launcher", "vm"} {
		texts[program+" --help"] = helpOf(t, program)
	}
	for _, c := range []string{"run", "sim", "check", "stats", "explain", "order", "export", "diagram", "report", "replay", "rerun", "sweep", "certs", "gather", "deliver"} {
		texts["launcher "+c+" --help"] = helpOf(t, "launcher", c)
	}
	lines := make(map[string][]string)
	onALine := regexp.MustCompile(`(?m)^ *(?:\$ )?(?:bin/)?((?:launcher|vm) \S.*[^ …]) *$`)
	inline := regexp.MustCompile("`(?:bin/)?((?:launcher|vm) [^`]+)`")
	for name, text := range texts {
		for _, m := range append(onALine.FindAllStringSubmatch(text, -1), inline.FindAllStringSubmatch(text, -1)...) {
			line, _, _ := strings.Cut(m[1], "   (on host") // as in the help of vm
			if !isForm.MatchString(line) {
				lines[name] = append(lines[name], line)
			}
		}
	}
	return lines
}

// isForm finds what is no command line but the form of one, or a line of the help's own.
var isForm = regexp.MustCompile(`\[|\.\.\.|…|[A-Z]{2,}|DIR| - |^(launcher|vm)( \w+)? --[\w-]+$`)

// intoProgram finds the program that a command line pipes into; in a fault plan, in quotes, the sign
// stands for something else.
var intoProgram = regexp.MustCompile(` \| ([a-z]+)[^'"]*$`)

func helpOf(t *testing.T, program string, command ...string) string {
	p := prepare(t, t.TempDir(), filepath.Join(bin, program), append(command, "--help")...).start()
	require.Equal(t, "0", p.wait())
	return p.out.String()
}

// The programs understand every command line that is shown somewhere; those that read a
// run, or run in virtual time, do what they say.
func TestShownCommandLines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, run := range []string{"runs/latest", "runs/small"} {
		p := launcher(t, dir, "sim", "--seed", "42", "--duration", "30s", "--out", run).start()
		require.Equal(t, "0", p.wait())
	}
	all := shown(t)
	require.Greater(t, len(all["README.md"]), 10)
	require.Greater(t, len(all["vm --help"]), 2)
	seen := make(map[string]bool)
	for where, lines := range all {
		for _, line := range lines {
			if seen[line] {
				continue
			}
			seen[line] = true
			t.Run(where+"/"+line, func(t *testing.T) {
				if into := intoProgram.FindStringSubmatch(line); into != nil {
					needs.Programs(t, into[1])
				}
				asked := shell(t, dir, line, ` --help`)
				assert.Equal(t, "0", asked.wait(), "%s shows %s\n%s", where, line, asked.errors)
				words := strings.Fields(line)
				reads := []string{"check", "stats", "explain", "order", "export", "diagram", "report", "replay"}
				if !slices.Contains(reads, words[1]) || strings.Contains(line, "--processes") || !regexp.MustCompile(` runs/(latest|small)\b`).MatchString(line) {
					return
				}
				done := shell(t, dir, line, "")
				assert.Equal(t, "0", done.wait(), "%s shows %s\n%s", where, line, done.errors)
			})
		}
	}
	assert.FileExists(t, filepath.Join(dir, "small.csv"), "a redirection of docs/exports.md")
}

// A gathering that is shown is not refused: where it can be reached from a network, it is said
// who may deliver. The addresses are those of other hosts.
func TestShownGatherings(t *testing.T) {
	t.Parallel()
	dir, tried := t.TempDir(), 0
	at := regexp.MustCompile(` --listen (\S*):\d+`)
	for where, lines := range shown(t) {
		for _, line := range lines {
			if !strings.HasPrefix(line, "launcher gather ") {
				continue
			}
			host := at.FindStringSubmatch(line)
			require.NotNil(t, host, "%s shows %s", where, line)
			if host[1] != "" && host[1] != "127.0.0.1" {
				host[1] = "0.0.0.0"
			}
			p := shell(t, dir, line, " --listen "+host[1]+":0 --timeout 1ms")
			assert.Equal(t, "1", p.wait(), "%s shows %s", where, line)
			assert.Contains(t, p.errors.String(), "no machine has delivered its log", "%s shows %s", where, line)
			tried++
		}
	}
	assert.GreaterOrEqual(t, tried, 3)
}

// shell has the shell read a command line, with something behind the arguments of our
// programs.
func shell(t *testing.T, dir, line, behind string) *program {
	script := `launcher() { "` + filepath.Join(bin, "launcher") + `" "$@"` + behind + `; }; vm() { "` + filepath.Join(bin, "vm") + `" "$@"` + behind + `; }; ` + line
	p := prepare(t, dir, "/bin/sh", "-c", script)
	p.cmd.Env = append(p.cmd.Env, "PATH="+os.Getenv("PATH"))
	return p.start()
}
