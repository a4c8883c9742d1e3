//go:build !cuda

package golden

// gpus are not built in.
func gpus() []machine { return nil }
