package progress

import (
	"io"
	"os"

	"golang.org/x/sys/windows"
)

// prepare has the console understand what moves the cursor.
func prepare(w io.Writer) {
	f, ok := w.(*os.File)
	if !ok {
		return
	}
	console := windows.Handle(f.Fd())
	var mode uint32
	if windows.GetConsoleMode(console, &mode) == nil {
		_ = windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING)
	}
}
