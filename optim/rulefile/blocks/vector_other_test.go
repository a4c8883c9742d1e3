//go:build !amd64

package blocks

func withoutVectors(run func()) { run() }
