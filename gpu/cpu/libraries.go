//go:build !onednn

package cpu

func libraries() []library { return []library{gonumLibrary{}} }
