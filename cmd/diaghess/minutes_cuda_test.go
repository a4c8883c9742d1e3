//go:build cuda

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"diaghess/gpu/cuda/standin"
	"diaghess/train/record"
)

// The pilot's study, made smaller, on cards that are at hand for a while each: a shard is stopped and
// goes on, the next is done on another card, and what comes back without checkpoints is merged. The results
// are those of one card without a pause.
func TestStandInStudyOfBorrowedCards(t *testing.T) {
	flags := []string{"--preset", "pilot-cnn", "--datasets", "digits", "--model", "mlp:layers=1,width=8", "--batch", "32", "--limit", "160", "--epochs", "3", "--seeds", "0-3",
		"--math", "tf32", "--device", "cuda"}
	on := func(name string, ctx context.Context, arguments ...string) (said string, err error) {
		t.Run(name, func(t *testing.T) { // whose end looks for what is left over
			standin.Start(t, standin.Options{})
			var out bytes.Buffer
			app := newApp()
			app.Writer, app.ErrWriter = &out, &out
			err = app.RunContext(ctx, append(append([]string{"diaghess", "study"}, flags...), arguments...))
			said = out.String()
		})
		return said, err
	}
	whole, parts := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "parts")
	if said, err := on("whole", t.Context(), "--out", whole); err != nil {
		t.Fatal(err, said)
	}

	stopped, stop := context.WithCancel(t.Context())
	first := filepath.Join(parts, "shard-0-of-2", "digits", "adamw", "seed-00", "epochs.jsonl")
	go func() {
		await(first)
		stop()
	}()
	if said, err := on("first card, stopped", stopped, "--shard", "0/2", "--parallel", "1", "--out", parts); err == nil || !strings.Contains(err.Error(), "the same command goes on from here") {
		t.Fatalf("a shard that was stopped after an epoch: error %v\n%s", err, said)
	}
	for _, shard := range []string{"0/2", "1/2"} {
		if said, err := on("shard "+shard, t.Context(), "--shard", shard, "--out", parts); err != nil {
			t.Fatal(err, said)
		}
	}
	checkpoints, err := filepath.Glob(filepath.Join(parts, "*", "*", "*", "*", "checkpoint*"))
	if err != nil || len(checkpoints) > 0 {
		t.Errorf("runs that ended have the checkpoints %q, error %v", checkpoints, err)
	}
	if _, said, err := runApp(t, "merge", parts); err != nil {
		t.Fatal(err, said)
	}
	results := func(folder string) string {
		digest, err := record.ResultsDigest(os.DirFS(folder), folder)
		if err != nil {
			t.Fatal(err)
		}
		return digest
	}
	if results(parts) != results(whole) {
		t.Error("the results are not those of one card")
	}
	if said, _, err := runReport(parts); err != nil || !strings.Contains(said, "4 pairs, seeds 0–3, 3 epochs") {
		t.Errorf("error %v, the report is\n%s", err, said)
	}
}
