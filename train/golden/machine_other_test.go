//go:build !cuda

package golden

// standIns are not built in.
func standIns() []machine { return nil }
