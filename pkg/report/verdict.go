package report

import (
	"strings"

	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Verdict returns a verdict as people read it on a screen: what comes before the
// colon, which is the state of the run, is in the colour of that state.
func Verdict(v *trace.Verdict, on terminal.Screen) string {
	text := quote.Visible(v.String())
	state, _, _ := strings.Cut(text, ":")
	return on.Paint(StateStyle(v.State), state) + text[len(state):]
}

// StateStyle is how the state of a run looks.
func StateStyle(s trace.State) terminal.Style {
	switch s {
	case trace.Correct:
		return terminal.Good
	case trace.Incomplete:
		return terminal.Warning
	}
	return terminal.Bad
}
