//go:build unix

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/internal/needs"
)

// Each shell is asked what it makes of a line at whose end somebody presses the tabulator.
var completedLines = map[string]string{
	"launcher expo":                    "launcher export",
	"launcher export --format sh":      "launcher export --format shiviz",
	"launcher export --format=sh":      "launcher export --format=shiviz",
	"launcher order --kind send,int":   "launcher order --kind send,internal",
	"launcher check ru":                "launcher check runs/",
	"launcher run --out ru":            "launcher run --out runs/",
	"launcher stats runs --fo":         "launcher stats runs --format",
	"launcher completion fi":           "launcher completion fish",
	"launcher diagram --format tikz -": "", // many
	"vm --log-di":                      "vm --log-dir",
	"vm --log-level inf":               "vm --log-level info",
	"vm --bind 0":                      "vm --bind 0",
}

func TestCompletionInBash(t *testing.T) {
	t.Parallel()
	for line, want := range completedLines {
		// What bash does with a line before it calls the function of a program.
		words := strings.Fields(strings.ReplaceAll(line, "=", " = "))
		script := `compopt() { :; }; source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); __lamport_complete "$1"; printf '%s\n' "${COMPREPLY[@]}"`
		got := inShell(t, "bash", append([]string{"--norc", "-c", script, completionScript(t, "bash")}, words...)...)
		completed := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
		if want == "" {
			assert.Greater(t, len(completed), 3, line)
			continue
		}
		last := strings.TrimSuffix(want[strings.LastIndexAny(want, " =")+1:], "/") // which readline puts there
		if last == "0" {
			last = ""
		}
		assert.Equal(t, []string{last}, completed, line)
	}
}

func TestCompletionInFish(t *testing.T) {
	t.Parallel()
	for line, want := range completedLines {
		got := inShell(t, "fish", "--no-config", "-c", `source $argv[1]; complete -C $argv[2]`, completionScript(t, "fish"), line)
		if want == "" {
			assert.Greater(t, strings.Count(got, "\n"), 3, line)
			continue
		}
		word, _, _ := strings.Cut(strings.TrimSuffix(got, "\n"), "\t")
		last := want[strings.LastIndex(want, " ")+1:]
		if last == "0" {
			last = ""
		}
		assert.Equal(t, last, word, line)
	}
}

// A terminal of zsh's own types the line, presses the tabulator, and has zsh print what stands there.
func TestCompletionInZsh(t *testing.T) {
	t.Parallel()
	const script = `
zmodload zsh/zpty || exit
zpty typing zsh -fi
zpty -w typing "PS1= PS2= RPS1= HISTFILE=; bindkey -e; autoload -Uz compinit; compinit -D -u; source ${(q)1}; print -r -- rea''dy"
zpty -r typing out '*ready*' || exit
zpty -w -n typing "$2"$'\t'
zpty -w typing $'\x01print -r -- "<\x05>"'
zpty -r typing out "*"$'\n'"<*>*" || exit
print -r -- "${${out##*$'\n'<}%%>*}"
zpty -d typing`
	for line, want := range completedLines {
		if want == "" {
			continue
		}
		got := inShell(t, "zsh", "-fc", script, "zsh", completionScript(t, "zsh"), line)
		// zsh takes back the slash that it has put behind a directory when something else is typed.
		assert.Equal(t, strings.TrimSuffix(want, "/"), strings.TrimRight(got, " \n\r"), line)
	}
}

func TestCompletionOfNoShell(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"completion":          "launcher: completion: for which shell? Want bash, zsh or fish\n",
		"completion tcsh":     "launcher: completion \"tcsh\": want bash, zsh or fish\n",
		"completion bash zsh": "launcher: completion: for which shell? Want bash, zsh or fish\n",
	} {
		p := prepare(t, t.TempDir(), filepath.Join(bin, "launcher"), strings.Fields(args)...).start()
		assert.Equal(t, "2", p.wait(), args)
		assert.Equal(t, want, p.errors.String())
		assert.Empty(t, p.out.String())
	}
}

// completionScript returns the file with what the launcher prints for a shell.
func completionScript(t *testing.T, shell string) string {
	script, err := exec.Command(filepath.Join(bin, "launcher"), "completion", shell).Output()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "completion")
	require.NoError(t, os.WriteFile(path, script, 0o666))
	return path
}

// inShell returns what a shell prints, in a directory with one other, runs.
func inShell(t *testing.T, shell string, args ...string) string {
	t.Helper()
	needs.Programs(t, shell)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "runs"), 0o777))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, shell, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+dir, "TERM=dumb", "LC_ALL=C.UTF-8")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoError(t, err, "%s %q: %s", shell, args, &errs)
	assert.Empty(t, errs.String())
	return string(out)
}
