package main

import (
	"bytes"
	"os"
	"testing"
)

// The assembly that is checked in is what the generator makes.
func TestFresh(t *testing.T) {
	written, err := os.ReadFile("../" + target)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(written, generate()) {
		t.Errorf("%s is not what its generator makes: run go generate ./optim/rulefile/blocks", target)
	}
}
