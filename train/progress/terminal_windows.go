package progress

import (
	"os"

	"golang.org/x/sys/windows"
)

// redraws says whether a terminal can move its cursor up, which older ones have to be asked for.
func redraws(out *os.File) bool {
	var mode uint32
	console := windows.Handle(out.Fd())
	return windows.GetConsoleMode(console, &mode) == nil &&
		windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
