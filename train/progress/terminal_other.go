//go:build !windows

package progress

import "os"

// redraws says whether a terminal can move its cursor up.
func redraws(*os.File) bool { return os.Getenv("TERM") != "dumb" }
