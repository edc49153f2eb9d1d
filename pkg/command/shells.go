package command

import (
	"embed"
	"slices"
)

// LogLevels are the levels of diagnostics, from the most to the least that is said.
var LogLevels = []string{"trace", "debug", "info", "warn", "error", "off"}

// Shells are those whose completion there is a script for.
var Shells = []string{"bash", "zsh", "fish"}

//go:embed completions
var scripts embed.FS

// CompletionScript returns the script that teaches a shell to complete the command lines of
// all programs of the project. It asks the program that is being typed, so
// that it never knows other flags than that.
func CompletionScript(shell string) (script []byte, ok bool) {
	if !slices.Contains(Shells, shell) {
		return nil, false
	}
	script, err := scripts.ReadFile("completions/" + shell)
	return script, err == nil
}
